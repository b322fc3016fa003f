"""Looking back on a campaign: its rounds, what labels cost, what another rule would have done, and the report."""

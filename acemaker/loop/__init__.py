"""The loop of one campaign: its journal and files, the state they add up to, and the runner that moves it."""

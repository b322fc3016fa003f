"""Campaigns: the journal, the files beside it, and the driver of the states."""

from acemaker.campaign.campaign import Campaign

__all__ = ["Campaign"]

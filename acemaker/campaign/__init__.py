"""Campaigns: the journal, the files beside it, the driver of the states, and looking on."""

from acemaker.campaign.attached import AttachedCampaign, attach
from acemaker.campaign.campaign import Campaign

__all__ = ["AttachedCampaign", "Campaign", "attach"]

"""Campaigns: the classes and functions with which users run, analyze and observe them."""

from acemaker.campaign.attached import AttachedCampaign, attach
from acemaker.campaign.campaign import Campaign

__all__ = ["AttachedCampaign", "Campaign", "attach"]

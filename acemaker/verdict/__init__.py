"""The verdict on a campaign: its potential against the truth."""

from acemaker.verdict.summary import campaign_summary, write_summary
from acemaker.verdict.truth import truth_trajectory
from acemaker.verdict.verdict import Liquid, Verdict, judge

__all__ = ["Liquid", "Verdict", "campaign_summary", "judge", "truth_trajectory", "write_summary"]

"""The states' work as plain functions."""

from acemaker.steps.diagnose import diagnose
from acemaker.steps.explore import explore
from acemaker.steps.generate import generate
from acemaker.steps.label import Labelling
from acemaker.steps.resume import resume
from acemaker.steps.select import choose, select
from acemaker.steps.train import train

__all__ = ["Labelling", "choose", "diagnose", "explore", "generate", "resume", "select", "train"]

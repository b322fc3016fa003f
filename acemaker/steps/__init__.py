"""The work of each state as a function."""

from acemaker.steps.diagnose import diagnose
from acemaker.steps.explore import explore
from acemaker.steps.generate import generate
from acemaker.steps.label import collect, label, submit
from acemaker.steps.resume import resume
from acemaker.steps.select import choose, select
from acemaker.steps.train import train

__all__ = ["choose", "collect", "diagnose", "explore", "generate", "label", "resume", "select", "submit", "train"]

"""The frozen records that steps return."""

from acemaker.results.candidates import Candidates
from acemaker.results.diagnosis import Diagnosis
from acemaker.results.exploration import Halt, Segment, Timeline
from acemaker.results.selection import Selection
from acemaker.results.submission import Submission
from acemaker.results.training import LabelFailure, Labels, Resumption, Training

__all__ = [
    "Candidates",
    "Diagnosis",
    "Halt",
    "LabelFailure",
    "Labels",
    "Resumption",
    "Segment",
    "Selection",
    "Submission",
    "Timeline",
    "Training",
]

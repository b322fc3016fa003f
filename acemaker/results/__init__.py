"""The frozen records that steps return."""

from acemaker.engines.records import Timeline
from acemaker.labeling.job import LabelFailure
from acemaker.potentials.training import Training
from acemaker.results.candidates import Candidates
from acemaker.results.diagnosis import Diagnosis
from acemaker.results.exploration import Halt, Segment
from acemaker.results.labels import Labels, Submission
from acemaker.results.resumption import Resumption
from acemaker.results.selection import Selection

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

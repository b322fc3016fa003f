"""The frozen records that steps return."""

from acemaker.engines.records import Timeline
from acemaker.labeling.job import LabelFailure
from acemaker.potentials.training import Training
from acemaker.results.candidates import Candidates
from acemaker.results.changes import Change, Changes
from acemaker.results.committee import Committee
from acemaker.results.diagnosis import Diagnosis
from acemaker.results.exploration import Halt, Segment
from acemaker.results.first_labels import FirstLabels, LabelSource
from acemaker.results.labels import Labels, Submission
from acemaker.results.resumption import Resumption
from acemaker.results.revision import Revision
from acemaker.results.selection import Selection

__all__ = [
    "Candidates",
    "Change",
    "Changes",
    "Committee",
    "Diagnosis",
    "FirstLabels",
    "Halt",
    "LabelFailure",
    "LabelSource",
    "Labels",
    "Resumption",
    "Revision",
    "Segment",
    "Selection",
    "Submission",
    "Timeline",
    "Training",
]

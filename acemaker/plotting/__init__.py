"""Figures of all records, drawn with matplotlib.

Importing the package registers them, see `acemaker.formatting.figures`.
"""

from acemaker.plotting.accuracy import accuracy_figure
from acemaker.plotting.assessment import assessment_figure
from acemaker.plotting.calibration import calibration_figure
from acemaker.plotting.candidates import candidate_plane_figure, candidates_figure
from acemaker.plotting.convergence import convergence_figure
from acemaker.plotting.force_errors import force_errors_figure
from acemaker.plotting.generations import difference_figure
from acemaker.plotting.label_costs import label_costs_figure
from acemaker.plotting.parity import parity_figure
from acemaker.plotting.png_figure import PngFigure
from acemaker.plotting.properties import properties_figure
from acemaker.plotting.short_range import short_range_figure
from acemaker.plotting.structure import (
    candidate_figure,
    diagnosis_figure,
    embedded_cell_figure,
    halt_figure,
    structure_figure,
)
from acemaker.plotting.timeline import campaign_figure, checks_figure, segment_figure, timeline_figure
from acemaker.plotting.what_if import what_if_figure

__all__ = [
    "PngFigure",
    "accuracy_figure",
    "assessment_figure",
    "calibration_figure",
    "campaign_figure",
    "candidate_figure",
    "candidate_plane_figure",
    "candidates_figure",
    "checks_figure",
    "convergence_figure",
    "diagnosis_figure",
    "difference_figure",
    "embedded_cell_figure",
    "force_errors_figure",
    "halt_figure",
    "label_costs_figure",
    "parity_figure",
    "properties_figure",
    "segment_figure",
    "short_range_figure",
    "structure_figure",
    "timeline_figure",
    "what_if_figure",
]

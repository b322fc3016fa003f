"""Every figure of a record, by matplotlib; importing the package registers them, see `acemaker.formatting.figures`."""

from acemaker.plotting.accuracy import verdict_figure
from acemaker.plotting.calibration import gamma_figure
from acemaker.plotting.candidates import candidates_figure
from acemaker.plotting.generations import difference_figure
from acemaker.plotting.label_costs import label_costs_figure
from acemaker.plotting.parity import parity_figure
from acemaker.plotting.png_figure import PngFigure
from acemaker.plotting.properties import physics_figure
from acemaker.plotting.structure import candidate_figure, diagnosis_figure, halt_figure, structure_figure
from acemaker.plotting.timeline import campaign_figure, timeline_figure
from acemaker.plotting.what_if import what_if_figure

__all__ = [
    "PngFigure",
    "campaign_figure",
    "candidate_figure",
    "candidates_figure",
    "diagnosis_figure",
    "difference_figure",
    "gamma_figure",
    "halt_figure",
    "label_costs_figure",
    "parity_figure",
    "physics_figure",
    "structure_figure",
    "timeline_figure",
    "verdict_figure",
    "what_if_figure",
]

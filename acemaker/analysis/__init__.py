"""Analyses of a campaign: accuracy, calibration of gamma, physical properties, convergence, costs, and the report."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from acemaker.analysis.accuracy import Liquid, Verdict, judge
    from acemaker.analysis.accuracy_summary import campaign_summary, write_summary
    from acemaker.analysis.convergence import convergence_of
    from acemaker.analysis.gamma_calibration import GammaTrust
    from acemaker.analysis.generations import generations_of
    from acemaker.analysis.label_costs import label_costs_of
    from acemaker.analysis.property_comparison import physics
    from acemaker.analysis.quantities import Physics, Quantity
    from acemaker.analysis.reference import truth_trajectory
    from acemaker.analysis.report import write_report
    from acemaker.analysis.rounds import rounds_of
    from acemaker.analysis.validate import judge_gamma
    from acemaker.analysis.validation_record import Trust, kept, verdict
    from acemaker.analysis.what_if import what_if_of

_HOMES = {
    "GammaTrust": "gamma_calibration",
    "Liquid": "accuracy",
    "Physics": "quantities",
    "Quantity": "quantities",
    "Trust": "validation_record",
    "Verdict": "accuracy",
    "campaign_summary": "accuracy_summary",
    "convergence_of": "convergence",
    "generations_of": "generations",
    "judge": "accuracy",
    "judge_gamma": "validate",
    "kept": "validation_record",
    "label_costs_of": "label_costs",
    "physics": "property_comparison",
    "rounds_of": "rounds",
    "truth_trajectory": "reference",
    "verdict": "validation_record",
    "what_if_of": "what_if",
    "write_report": "report",
    "write_summary": "accuracy_summary",
}

__all__ = [
    "GammaTrust",
    "Liquid",
    "Physics",
    "Quantity",
    "Trust",
    "Verdict",
    "campaign_summary",
    "convergence_of",
    "generations_of",
    "judge",
    "judge_gamma",
    "kept",
    "label_costs_of",
    "physics",
    "rounds_of",
    "truth_trajectory",
    "verdict",
    "what_if_of",
    "write_report",
    "write_summary",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'acemaker.analysis' has no attribute '{name}'")
    return getattr(import_module(f"acemaker.analysis.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__

"""Analyses of a campaign: accuracy, calibration of gamma, physical properties, convergence, costs, and the report."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from acemaker.analysis.accuracy import Accuracy, Liquid, evaluate_accuracy
    from acemaker.analysis.assessment import Assessment, assess
    from acemaker.analysis.bases import compare_bases
    from acemaker.analysis.calibration import GammaCalibration, calibrate_gamma
    from acemaker.analysis.convergence import convergence_of
    from acemaker.analysis.force_errors import ForceErrors, predict_force_errors
    from acemaker.analysis.generations import generations_of
    from acemaker.analysis.label_costs import label_costs_of
    from acemaker.analysis.oracle_check import check_oracle
    from acemaker.analysis.property_comparison import PropertyComparison, Quantity, compare_properties
    from acemaker.analysis.reference import reference_trajectory
    from acemaker.analysis.report import write_report
    from acemaker.analysis.rounds import rounds_of
    from acemaker.analysis.short_range import short_range_of
    from acemaker.analysis.summary import campaign_summary, write_summary
    from acemaker.analysis.validation import Validation, read_validation, validate
    from acemaker.analysis.what_if import what_if_of

__all__ = [
    "Accuracy",
    "Assessment",
    "ForceErrors",
    "GammaCalibration",
    "Liquid",
    "PropertyComparison",
    "Quantity",
    "Validation",
    "assess",
    "calibrate_gamma",
    "campaign_summary",
    "check_oracle",
    "compare_bases",
    "compare_properties",
    "convergence_of",
    "evaluate_accuracy",
    "generations_of",
    "label_costs_of",
    "predict_force_errors",
    "read_validation",
    "reference_trajectory",
    "rounds_of",
    "short_range_of",
    "validate",
    "what_if_of",
    "write_report",
    "write_summary",
]

_MODULES = {
    "Accuracy": "accuracy",
    "Assessment": "assessment",
    "ForceErrors": "force_errors",
    "GammaCalibration": "calibration",
    "Liquid": "accuracy",
    "PropertyComparison": "property_comparison",
    "Quantity": "property_comparison",
    "Validation": "validation",
    "assess": "assessment",
    "calibrate_gamma": "calibration",
    "campaign_summary": "summary",
    "check_oracle": "oracle_check",
    "compare_bases": "bases",
    "compare_properties": "property_comparison",
    "convergence_of": "convergence",
    "evaluate_accuracy": "accuracy",
    "generations_of": "generations",
    "label_costs_of": "label_costs",
    "predict_force_errors": "force_errors",
    "read_validation": "validation",
    "reference_trajectory": "reference",
    "rounds_of": "rounds",
    "short_range_of": "short_range",
    "validate": "validation",
    "what_if_of": "what_if",
    "write_report": "report",
    "write_summary": "summary",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'acemaker.analysis' has no attribute '{name}'")
    return getattr(import_module(f"acemaker.analysis.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__

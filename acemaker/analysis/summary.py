"""The main numbers of a campaign, as a table and as ``summary.json``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from acemaker.analysis.accuracy import Accuracy
from acemaker.analysis.assessment import assess
from acemaker.analysis.convergence import convergence_of
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, force_error, number
from acemaker.loop.reader import CampaignReader
from acemaker.potentials.holes import describe_holes
from acemaker.states import State
from acemaker.utils.atomic_write import write_whole


class CampaignSummary(Record):
    """Cost and outcome of a campaign.

    Parameters
    ----------
    values
        The content of ``summary.json``.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        values = self.values
        items = [
            ("halts", str(values["halts"]) + (f", and {n} probes" if (n := values["probes"]) else "")),
            (
                "labels",
                str(values["labels"])
                + (f", {n} of them from the store" if (n := values["labels_shared"]) else "")
                + (f", {n} with results from elsewhere" if (n := values["labels_own"]) else ""),
            ),
            (
                "steps",
                f"{values['steps']}, {values['steps_run_again']} run again after halts, "
                f"{values['soft_start_steps']} of soft starts",
            ),
            ("isolated atoms labeled", str(values["isolated_atoms"])),
            ("reference energies", values["reference_energies_from"] or "–"),
            ("steps labeled", f"{values['share_labeled']:.3%}"),
            ("wall time", f"{values['wall_s']:.1f} s"),
        ]
        if values["force_rmse_meV_per_A"] is not None:
            items.append(
                (
                    "force RMSE against the reference trajectory",
                    force_error(values["force_rmse_meV_per_A"], values["force_rms_meV_per_A"]),
                )
            )
            items.append(("energy error", f"{number(values['energy_mae_meV_per_atom'])} meV/atom"))
        items.append(("accuracy of the run", values["verdict"]))
        quiet = f"no halt in the last {values['steps_without_halt']} steps"
        items.append(("converged", f"{'yes' if values['converged'] else 'not yet'}: {quiet}"))
        items.append(("short distances", values["short_range"]))
        rows = tuple((state, f"{wall:.2f}") for state, wall in values["wall_s_by_state"].items())
        return Summary("Summary of the campaign", tuple(items), Table(("state", "wall time / s"), rows))


def campaign_summary(campaign: CampaignReader, accuracy: Accuracy | None = None) -> CampaignSummary:
    """Collect the main numbers of a campaign.

    Parameters
    ----------
    campaign
        The campaign.
    accuracy
        Its accuracy, if it was evaluated; without it the errors are None.

    Returns
    -------
    CampaignSummary

    Examples
    --------
    >>> from acemaker.analysis import campaign_summary
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> campaign_summary(campaign).values["labels"]
    4
    """
    progress = campaign.progress
    steps = sum(progress.steps)
    convergence = convergence_of(campaign)
    assessment = assess(campaign)
    by_state = {
        state.value: round(progress.wall[state.value], 3) for state in State if progress.wall.get(state.value, 0.0) > 0
    }
    soft_starts = [segment.soft_start for segment in campaign.segments()]
    generation = campaign.generation
    holes = None if generation is None else generation.holes
    return CampaignSummary(
        {
            "state": campaign.state.value,
            "walkers": len(progress.walkers),
            "halts": progress.n_halts,
            "probes": len(progress.probes),
            "labels": progress.n_labels,
            "labels_shared": sum(entry.shared for entry in progress.labels),
            "labels_own": sum(entry.own for entry in progress.labels),
            "isolated_atoms": len(progress.isolated),
            "reference_energies_from": campaign.reference_energies_from(),
            "steps": steps,
            "steps_run_again": progress.discarded_steps,
            "soft_start_steps": sum(soft_start.steps for soft_start in soft_starts if soft_start is not None),
            "share_labeled": progress.n_labels / max(steps, 1),
            "wall_s": round(sum(by_state.values()), 3),
            "wall_s_by_state": by_state,
            "generation": progress.generation,
            "force_rmse_meV_per_A": accuracy.force_rmse_all if accuracy else None,
            "force_rms_meV_per_A": accuracy.force_rms if accuracy and math.isfinite(accuracy.force_rms) else None,
            "energy_mae_meV_per_atom": accuracy.energy_mae if accuracy else None,
            "target_met": assessment.met,
            "verdict": assessment.verdict,
            "measured_force_error_meV_per_A": _finite(assessment.force_error),
            "measured_force_error_interval_meV_per_A": None if assessment.interval is None else [*assessment.interval],
            "measured_force_error_share": _finite(assessment.share),
            "target_force_error_meV_per_A": _finite(assessment.target),
            "converged": convergence.converged,
            "steps_without_halt": convergence.steps,
            "misses": accuracy.misses if accuracy else None,
            "liquid": accuracy.is_liquid if accuracy else None,
            "holes": None if holes is None else [hole.fields() for hole in holes],
            "short_range": describe_holes(holes) if generation is not None else "–",
        }
    )


def _finite(value: float | None) -> float | None:
    """Return None for what JSON cannot represent."""
    return None if value is None or not math.isfinite(value) else value


def write_summary(campaign: CampaignReader, accuracy: Accuracy | None = None) -> CampaignSummary:
    """Collect the main numbers of a campaign and write ``summary.json`` into its directory.

    Returns
    -------
    CampaignSummary
        The same numbers.

    Examples
    --------
    >>> from acemaker.analysis import write_summary
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> write_summary(campaign).values["steps"]
    200
    >>> (campaign.directory / "summary.json").is_file()
    True
    """
    summary = campaign_summary(campaign, accuracy)
    path: Path = campaign.directory / "summary.json"
    write_whole(path, json.dumps(summary.values, indent=1) + "\n")
    return summary

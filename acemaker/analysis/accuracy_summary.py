"""The numbers with which a campaign ends, as a table and as ``summary.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from acemaker.analysis.accuracy import Verdict
from acemaker.analysis.convergence import convergence_of
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, number
from acemaker.loop.reader import CampaignReader
from acemaker.states import State
from acemaker.utils.atomic_write import write_whole


class CampaignSummary(Record):
    """What a campaign took, and what it gave.

    Parameters
    ----------
    values
        As they stand in ``summary.json``.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        values = self.values
        items = [
            ("halts", str(values["halts"])),
            (
                "labels",
                str(values["labels"]) + (f", {n} of them from the store" if (n := values["labels_shared"]) else ""),
            ),
            (
                "steps",
                f"{values['steps']}, {values['steps_run_again']} run again after halts, "
                f"{values['soft_start_steps']} of soft starts",
            ),
            ("steps labelled", f"{values['share_labelled']:.3%}"),
            ("wall time", f"{values['wall_s']:.1f} s"),
        ]
        if values["force_rmse_meV_per_A"] is not None:
            items.append(("force RMSE against the truth", f"{number(values['force_rmse_meV_per_A'])} meV/Å"))
            items.append(("energy error", f"{number(values['energy_mae_meV_per_atom'])} meV/atom"))
        quiet = f"no halt in the last {values['steps_without_halt']} steps"
        items.append(("converged", f"{'yes' if values['converged'] else 'not yet'}: {quiet}"))
        rows = tuple((state, f"{wall:.2f}") for state, wall in values["wall_s_by_state"].items())
        return Summary("Summary of the campaign", tuple(items), Table(("state", "wall time / s"), rows))


def campaign_summary(campaign: CampaignReader, verdict: Verdict | None = None) -> CampaignSummary:
    """Gather a campaign's numbers.

    Parameters
    ----------
    campaign
        The campaign.
    verdict
        Its verdict, if there is one; without it the errors are None.

    Returns
    -------
    CampaignSummary
    """
    progress = campaign.progress
    steps = sum(progress.steps)
    convergence = convergence_of(campaign)
    by_state = {
        state.value: round(progress.wall[state.value], 3) for state in State if progress.wall.get(state.value, 0.0) > 0
    }
    return CampaignSummary(
        {
            "state": campaign.state.value,
            "walkers": len(progress.walkers),
            "halts": len(progress.halts),
            "labels": progress.n_labels,
            "labels_shared": sum(entry.shared for entry in progress.labels),
            "steps": steps,
            "steps_run_again": progress.discarded_steps,
            "soft_start_steps": sum(one.soft_start.steps for one in campaign.segments() if one.soft_start is not None),
            "share_labelled": progress.n_labels / max(steps, 1),
            "wall_s": round(sum(by_state.values()), 3),
            "wall_s_by_state": by_state,
            "generation": progress.generation,
            "force_rmse_meV_per_A": verdict.force_rmse_all if verdict else None,
            "energy_mae_meV_per_atom": verdict.energy_mae if verdict else None,
            "converged": convergence.converged,
            "steps_without_halt": convergence.steps,
            "misses": verdict.misses if verdict else None,
            "liquid": verdict.is_liquid if verdict else None,
        }
    )


def write_summary(campaign: CampaignReader, verdict: Verdict | None = None) -> CampaignSummary:
    """Gather a campaign's numbers and write ``summary.json`` into its directory.

    Returns
    -------
    CampaignSummary
        The same numbers.
    """
    gathered = campaign_summary(campaign, verdict)
    path: Path = campaign.directory / "summary.json"
    write_whole(path, json.dumps(gathered.values, indent=1) + "\n")
    return gathered

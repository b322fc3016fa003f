"""The segments, checks, labels and generations of a campaign as pandas data frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from acemaker.errors import ConfigError
from acemaker.structures.computed import energy_of, forces_of

if TYPE_CHECKING:
    import pandas as pd

    from acemaker.loop.reader import CampaignReader


def table_of(campaign: CampaignReader, table: str) -> pd.DataFrame:
    """Return one of the tables of a campaign.

    Parameters
    ----------
    campaign
        The campaign.
    table
        ``"segments"``, ``"checks"``, ``"labels"`` or ``"generations"``.

    Returns
    -------
    pandas.DataFrame
        The unit of a column is at the end of its name. Missing values are ``None`` or NaN.

    Raises
    ------
    ConfigError
        If there is no such table.
    """
    if table not in _TABLES:
        raise ConfigError(f"to_dataframe: expected one of {', '.join(map(repr, _TABLES))}, got {table!r}")
    import pandas as pd

    return pd.DataFrame(_TABLES[table](campaign))


def _segments(campaign: CampaignReader) -> list[dict[str, Any]]:
    return [
        {
            "segment": segment.number,
            "walker": segment.walker or 1,
            "generation": segment.generation,
            "start_step": segment.start_step,
            "end_step": segment.end_step,
            "n_checks": len(segment.timeline.step),
            "gamma_max": float(segment.timeline.gamma_max.max()) if len(segment.timeline.step) else np.nan,
            "halt": None if segment.halt is None else segment.halt.number,
            "tier": None if segment.halt is None else segment.halt.tier,
            "safe_step": None if segment.halt is None else segment.halt.safe_step,
        }
        for segment in campaign.segments()
    ]


def _checks(campaign: CampaignReader) -> list[dict[str, Any]]:
    rows = []
    for segment in campaign.segments():
        timeline = segment.timeline
        for index, step in enumerate(timeline.step):
            rows.append(
                {
                    "segment": segment.number,
                    "walker": segment.walker or 1,
                    "generation": segment.generation,
                    "step": int(step),
                    "gamma_max": float(timeline.gamma_max[index]),
                    **{name: float(values[index]) for name, values in timeline.observables.items()},
                }
            )
    return rows


def _labels(campaign: CampaignReader) -> list[dict[str, Any]]:
    return [
        {
            "halt": entry.halt,
            "candidate": entry.candidate,
            "formula": atoms.get_chemical_formula(),
            "n_atoms": len(atoms),
            "energy_eV": energy_of(atoms),
            "force_max_eV_per_A": float(np.linalg.norm(forces_of(atoms), axis=1).max()),
            "shared": entry.shared,
            "file": entry.file,
        }
        for entry, atoms in zip(campaign.progress.labels, campaign.labeled_structures(), strict=True)
    ]


def _generations(campaign: CampaignReader) -> list[dict[str, Any]]:
    generations = (campaign.known_generation(number) for number in range(1, (campaign.progress.generation or 0) + 1))
    return [
        {
            "generation": generation.number,
            "n_labels": generation.n_structures,
            "force_error_meV_per_A": generation.cv_forces,
            "file": f"potentials/{generation.name}.yace",
        }
        for generation in generations
    ]


_TABLES: dict[str, Callable[[CampaignReader], list[dict[str, Any]]]] = {
    "segments": _segments,
    "checks": _checks,
    "labels": _labels,
    "generations": _generations,
}

"""Can this potential be trusted? Both answers together, kept beside the campaign."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.analysis.accuracy import Verdict
from acemaker.analysis.calculators import FOLDER
from acemaker.analysis.gamma_calibration import GammaTrust
from acemaker.analysis.measured import plain
from acemaker.analysis.property_comparison import physics
from acemaker.analysis.quantities import Physics, Quantity
from acemaker.analysis.validate import judge_gamma
from acemaker.formatting.record import Record, read_only
from acemaker.formatting.summary import Summary
from acemaker.loop.authorization import admit_oracle
from acemaker.loop.reader import CampaignReader
from acemaker.oracles.oracle import Oracle
from acemaker.utils.array_file import read_arrays, write_arrays
from acemaker.utils.atomic_write import write_whole

GAMMA, PHYSICS = "gamma.npz", "physics.json"
"""Files in the folder ``trust`` of a campaign."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Trust(Record):
    """Whether gamma sees the errors, and what the potential says of physics.

    Attributes
    ----------
    generation : int
        The potential.
    gamma : GammaTrust or None
        Misses, false alarms and the recommended threshold; None where it was not asked for.
    physics : Physics or None
        The comparison with the oracle; None where it was not asked for.
    """

    generation: int
    gamma: GammaTrust | None
    physics: Physics | None

    def summary(self) -> Summary:
        """Return what the record says of itself; its parts say more."""
        items = []
        if self.gamma is not None:
            level = self.gamma.recommend()
            items += [
                ("gamma", self.gamma.answer),
                ("recommended threshold", "too few wrong atoms to say" if level is None else f"{level:g}"),
            ]
        if self.physics is not None:
            worst, compared = self.physics.worst, len(self.physics.quantities)
            if worst is None:
                said = f"no difference in {compared} quantities" if compared else "nothing could be compared"
            else:
                said = f"largest of {compared} differences: {worst.name}, {worst.relative:+.2%}"
            items.append(("physics", said))
            items += [(f"left out: {name.replace('_', ' ')}", why) for name, why in self.physics.left_out]
        return Summary(f"Can generation {self.generation} be trusted?", tuple(items))


def verdict(
    campaign: CampaignReader,
    held_out: Sequence[Atoms] | str | Path | None = None,
    *,
    tolerance: float = 100.0,
    miss_rate: float = 0.05,
    along: Verdict | None = None,
    properties: Sequence[str] = (),
    max_calls: int | None = None,
    oracle: Oracle | None = None,
    trust: bool = False,
    progress: bool | Callable[[str], None] = False,
) -> Trust:
    """Judge gamma and, if asked for, physics; both are kept in the folder ``trust`` of the campaign.

    `campaign.report()` tells what is kept there of the potential in use.

    Parameters
    ----------
    campaign
        With a generation.
    held_out, tolerance, miss_rate, along
        See `judge_gamma`.
    properties
        See `physics`; none for gamma alone.
    max_calls, oracle, trust, progress
        See `physics`.

    Returns
    -------
    Trust

    Raises
    ------
    StateError, ConfigError, StructureError, LabelBudgetError, UntrustedError
        See `judge_gamma` and `physics`.
    """
    admit_oracle(campaign.config, campaign.directory, trust=trust)
    gamma = judge_gamma(campaign, held_out, tolerance=tolerance, miss_rate=miss_rate, along=along)
    _save_gamma(gamma, campaign.directory / FOLDER / GAMMA)
    compared = None
    if properties:
        compared = physics(campaign, properties, max_calls=max_calls, oracle=oracle, trust=trust, progress=progress)
        write_whole(campaign.directory / FOLDER / PHYSICS, json.dumps(asdict(compared), default=plain, indent=1) + "\n")
    return Trust(generation=gamma.potential, gamma=gamma, physics=compared)


def kept(campaign: CampaignReader) -> Trust | None:
    """Read what was judged of the potential in use.

    Parameters
    ----------
    campaign
        In any state.

    Returns
    -------
    Trust or None
        None if nothing was.
    """
    number, folder = campaign.progress.generation, campaign.directory / FOLDER
    gamma, compared = _read_gamma(folder / GAMMA), _read_physics(folder / PHYSICS)
    if gamma is not None and gamma.potential != number:
        gamma = None
    if compared is not None and compared.generation != number:
        compared = None
    return None if gamma is None and compared is None else Trust(generation=number, gamma=gamma, physics=compared)


def _save_gamma(gamma: GammaTrust, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_arrays(path, {one.name: np.asarray(getattr(gamma, one.name)) for one in fields(gamma)})


def _read_gamma(path: Path) -> GammaTrust | None:
    data = read_arrays(path)
    if data is None:
        return None
    with contextlib.suppress(KeyError, TypeError):
        values: dict[str, Any] = {
            one.name: read_only(data[one.name]) if data[one.name].ndim else data[one.name].item()
            for one in fields(GammaTrust)
        }
        return GammaTrust(**values)
    return None


def _read_physics(path: Path) -> Physics | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        described = json.loads(path.read_text())
        described["quantities"] = tuple(Quantity(**one) for one in described["quantities"])
        described["left_out"] = tuple((name, why) for name, why in described["left_out"])
        return Physics(**described)
    return None

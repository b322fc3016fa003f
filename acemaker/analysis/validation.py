"""Validation of a potential: calibration of gamma and property comparison, stored in the campaign's directory."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.analysis.accuracy import Accuracy
from acemaker.analysis.calculators import FOLDER
from acemaker.analysis.calibration import GammaCalibration, calibrate_gamma
from acemaker.analysis.measured import plain
from acemaker.analysis.property_comparison import PropertyComparison, Quantity, compare_properties
from acemaker.formatting.record import Record, read_only
from acemaker.formatting.summary import Summary
from acemaker.loop.reader import CampaignReader
from acemaker.loop.trusted_code import authorize_oracle
from acemaker.oracles.oracle import Oracle
from acemaker.potentials.holes import Hole, describe_holes
from acemaker.utils.array_file import read_arrays, write_arrays
from acemaker.utils.atomic_write import write_whole

GAMMA, PROPERTIES = "gamma.npz", "properties.json"
"""Files in the folder ``validation`` of a campaign."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Validation(Record):
    """Calibration of gamma, and properties compared with the oracle.

    Attributes
    ----------
    generation : int
        Number of the potential's generation.
    gamma : GammaCalibration or None
        Misses, false alarms and the recommended threshold; None if not requested.
    properties : PropertyComparison or None
        The comparison with the oracle; None if not requested.
    holes : tuple of Hole or None
        Holes of the potential at short distances, see `acemaker.analysis.short_range_of`; None if they were not looked
        for.

    Examples
    --------
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> validation = campaign.validate()
    >>> validation.generation
    2
    """

    generation: int
    gamma: GammaCalibration | None
    properties: PropertyComparison | None
    holes: tuple[Hole, ...] | None = None

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms; those of the two parts have the details."""
        items = []
        if self.holes is not None:
            items.append(("short distances", describe_holes(self.holes)))
        if self.gamma is not None:
            recommended = self.gamma.recommend()
            items += [
                ("gamma", self.gamma.answer),
                ("recommended threshold", "too few wrong atoms" if recommended is None else f"{recommended:g}"),
            ]
        if self.properties is not None:
            worst, compared = self.properties.worst, len(self.properties.quantities)
            if worst is None:
                result = f"no difference in {compared} quantities" if compared else "no property could be compared"
            else:
                result = f"largest of {compared} differences: {worst.name}, {worst.relative:+.2%}"
            items.append(("properties", result))
            items += [(f"left out: {name.replace('_', ' ')}", reason) for name, reason in self.properties.left_out]
        return Summary(f"Validation of generation {self.generation}", tuple(items))


def validate(
    campaign: CampaignReader,
    held_out: Sequence[Atoms] | str | Path | None = None,
    *,
    tolerance: float = 100.0,
    miss_rate: float = 0.05,
    along: Accuracy | None = None,
    properties: Sequence[str] = (),
    max_calls: int | None = None,
    oracle: Oracle | None = None,
    allow_code: bool = False,
    progress: bool | Callable[[str], None] = False,
) -> Validation:
    """Calibrate gamma and, if requested, compare properties; store the results in the campaign's ``validation`` folder.

    `campaign.report()` includes the stored results of the potential in use.

    Parameters
    ----------
    campaign
        A campaign with a generation.
    held_out, tolerance, miss_rate, along
        See `calibrate_gamma`.
    properties
        See `compare_properties`; none to calibrate gamma only.
    max_calls, oracle, allow_code, progress
        See `compare_properties`.

    Returns
    -------
    Validation

    Raises
    ------
    StateError, ConfigError, StructureError, LabelBudgetError, UntrustedError
        See `calibrate_gamma` and `compare_properties`.

    Examples
    --------
    >>> from acemaker.analysis import validate
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> validate(campaign).gamma.misses().count
    0
    """
    authorize_oracle(campaign.config, campaign.directory, allow_code=allow_code)
    gamma = calibrate_gamma(campaign, held_out, tolerance=tolerance, miss_rate=miss_rate, along=along)
    _save_gamma(gamma, campaign.directory / FOLDER / GAMMA)
    comparison = None
    if properties:
        comparison = compare_properties(
            campaign, properties, max_calls=max_calls, oracle=oracle, allow_code=allow_code, progress=progress
        )
        text = json.dumps(asdict(comparison), default=plain, indent=1) + "\n"
        write_whole(campaign.directory / FOLDER / PROPERTIES, text)
    return Validation(generation=gamma.potential, gamma=gamma, properties=comparison, holes=_holes(campaign))


def read_validation(campaign: CampaignReader) -> Validation | None:
    """Read the stored validation of the potential in use.

    Parameters
    ----------
    campaign
        A campaign in any state.

    Returns
    -------
    Validation or None
        None if none is stored.

    Examples
    --------
    >>> from acemaker.analysis import read_validation, validate
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> _ = validate(campaign)
    >>> read_validation(campaign).generation
    2
    """
    number, folder = campaign.progress.generation, campaign.directory / FOLDER
    gamma, comparison = _read_gamma(folder / GAMMA), _read_properties(folder / PROPERTIES)
    if gamma is not None and gamma.potential != number:
        gamma = None
    if comparison is not None and comparison.generation != number:
        comparison = None
    if number is None or (gamma is None and comparison is None):
        return None
    return Validation(generation=number, gamma=gamma, properties=comparison, holes=_holes(campaign))


def _holes(campaign: CampaignReader) -> tuple[Hole, ...] | None:
    generation = campaign.generation
    return None if generation is None else generation.holes


def _save_gamma(gamma: GammaCalibration, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_arrays(path, {field.name: np.asarray(getattr(gamma, field.name)) for field in fields(gamma)})


def _read_gamma(path: Path) -> GammaCalibration | None:
    data = read_arrays(path)
    if data is None:
        return None
    with contextlib.suppress(KeyError, TypeError):
        values: dict[str, Any] = {
            field.name: read_only(data[field.name]) if data[field.name].ndim else data[field.name].item()
            for field in fields(GammaCalibration)
        }
        return GammaCalibration(**values)
    return None


def _read_properties(path: Path) -> PropertyComparison | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        content = json.loads(path.read_text())
        content["quantities"] = tuple(Quantity(**quantity) for quantity in content["quantities"])
        content["left_out"] = tuple((name, reason) for name, reason in content["left_out"])
        return PropertyComparison(**content)
    return None

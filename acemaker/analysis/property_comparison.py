"""Comparison of physical properties by the potential and by the oracle."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ase.calculators.calculator import PropertyNotImplementedError

from acemaker.analysis.calculators import PropertyCalculator, oracle_calculator_of, potential_calculator
from acemaker.analysis.measured import Measured, NotApplicable
from acemaker.analysis.properties import CHEAP, ON_THE_LATTICE, calls, choose
from acemaker.analysis.samples import Sample, sample_of
from acemaker.errors import (
    ConfigError,
    LabelBudgetError,
    MissingLibraryError,
    OracleError,
    StateError,
    StructureError,
)
from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, counted
from acemaker.loop.reader import CampaignReader
from acemaker.oracles.oracle import Oracle


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One number by the potential and by the oracle.

    Attributes
    ----------
    name, unit : str
        Name and unit; the unit is empty if there is none.
    potential, oracle : float
        The numbers.
    potential_error, oracle_error : float
        Their statistical uncertainties, in the same unit; 0 if there are none.

    Examples
    --------
    >>> from acemaker.analysis import Quantity
    >>> Quantity(name="lattice constant", unit="Å", potential=3.62, oracle=3.60).relative > 0
    True
    """

    name: str
    unit: str
    potential: float
    oracle: float
    potential_error: float = 0.0
    oracle_error: float = 0.0

    @property
    def difference(self) -> float:
        """Potential minus oracle."""
        return self.potential - self.oracle

    @property
    def relative(self) -> float:
        """The difference in units of the oracle's number, dimensionless; NaN if that is zero."""
        return self.difference / abs(self.oracle) if self.oracle else math.nan

    @property
    def within_noise(self) -> bool:
        """Whether the difference is below twice its statistical uncertainty."""
        return abs(self.difference) < 2 * math.hypot(self.potential_error, self.oracle_error)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class PropertyComparison(Record):
    """Properties by a potential, compared with those by the oracle.

    Attributes
    ----------
    generation : int
        Number of the potential's generation.
    quantities : tuple of Quantity
        All quantities that both determined.
    left_out : tuple of pairs of str
        Properties that were not measured, and the reasons.
    curves : dict
        By property, then "potential" and "oracle": lists of numbers for the figure.
    calls : int
        Oracle calls that were made for the comparison; 0 if all results were stored already.

    Examples
    --------
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> comparison = campaign.compare_properties(["equation_of_state"], max_calls=30)
    >>> comparison.generation
    2
    """

    generation: int
    quantities: tuple[Quantity, ...]
    left_out: tuple[tuple[str, str], ...]
    curves: Mapping[str, Mapping[str, Mapping[str, Any]]]
    calls: int

    @property
    def worst(self) -> Quantity | None:
        """The quantity with the largest relative difference that is more than noise; None if there is none."""
        certain = [
            quantity for quantity in self.quantities if not quantity.within_noise and not math.isnan(quantity.relative)
        ]
        return max(certain, key=lambda quantity: abs(quantity.relative), default=None)

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        rows = tuple(
            (
                quantity.name + _unit_suffix(quantity.unit),
                _with_error(quantity.potential, quantity.potential_error),
                _with_error(quantity.oracle, quantity.oracle_error),
                f"{quantity.difference:+.2g}",
                _relative(quantity),
            )
            for quantity in self.quantities
        )
        items = []
        if self.worst is not None:
            items.append(("largest difference", f"{self.worst.name}, {self.worst.relative:+.2%}"))
        items += [(f"left out: {name.replace('_', ' ')}", reason) for name, reason in self.left_out]
        table = Table(("quantity", "this potential", "the oracle", "difference", "relative"), rows)
        title = f"Properties of generation {self.generation} compared with the oracle"
        return Summary(title, tuple(items), table if rows else None)

    def figure(self) -> Picture:
        """Draw the curves of both, and the relative differences."""
        return draw(self)


def _unit_suffix(unit: str) -> str:
    if not unit:
        return ""
    return f" / ({unit})" if "/" in unit else f" / {unit}"


def _with_error(value: float, error: float) -> str:
    if not error:
        return f"{value:.4g}"
    digits = max(0, 1 - math.floor(math.log10(error))) if error < 10 else 0
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def _relative(quantity: Quantity) -> str:
    if math.isnan(quantity.relative):
        return "–"
    return f"{quantity.relative:+.2%}" + (" (noise)" if quantity.within_noise else "")


def compare_properties(
    campaign: CampaignReader,
    properties: Sequence[str] = CHEAP,
    *,
    max_calls: int | None = None,
    oracle: Oracle | None = None,
    allow_code: bool = False,
    progress: bool | Callable[[str], None] = False,
) -> PropertyComparison:
    """Measure properties with the potential in use and with the oracle.

    The number of oracle calls that may be needed is counted first. Results of the same potential and the same oracle
    that were measured before are read from the folder ``validation`` of the campaign; labels of oracles other than
    analytic ones are stored there one by one.

    Parameters
    ----------
    campaign
        A campaign with a generation.
    properties
        Some of "equation_of_state", "lattice", "cohesion", "surface", "elastic_constants", "vacancy", "phonons" and
        "liquid".
    max_calls
        Maximum number of oracle calls. None for no limit if the oracle is analytic and runs in this process ("emt",
        "lammps"), else for 20.
    oracle
        The oracle object, if the campaign was created with one; its results are not stored.
    allow_code
        Permission to run the code that the directory names; see `Campaign.open`.
    progress
        Whether to print progress lines, or a function that is called with each of them.

    Returns
    -------
    PropertyComparison
        Properties that cannot be measured are left out with a reason: surfaces, molecules and alloys without a
        primitive cell have no properties of a crystal, and a sample that did not melt has none of a liquid.

    Raises
    ------
    StateError
        If there is no generation yet.
    ConfigError
        For an unknown property.
    LabelBudgetError
        If more oracle calls may be needed than allowed; none are made then.
    UntrustedError
        If the directory names code that was not used on this machine before.

    Examples
    --------
    >>> from acemaker.analysis import compare_properties
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> compare_properties(campaign, ["equation_of_state"], max_calls=30).generation
    2
    """
    generation = campaign.generation
    if generation is None:
        raise StateError("there is no potential to evaluate yet; run campaign.prepare() first")
    log = progress if callable(progress) else _print if progress else _silent
    names, left_out, samples = choose(properties), {}, {}
    for name in names:
        try:
            samples[name] = sample_of(name, campaign)
        except (NotApplicable, StructureError, MissingLibraryError) as error:
            left_out[name] = str(error)
    by_potential = potential_calculator(campaign, generation)
    by_oracle = oracle_calculator_of(campaign, oracle, allow_code=allow_code, log=log)
    predictions: dict[str, Measured] = {}
    for name, sample in samples.items():  # the potential first: no oracle calls for properties that it cannot have
        if name in ON_THE_LATTICE and "lattice" not in predictions:
            left_out[name] = "requires the relaxed lattice"
            continue
        try:
            log(f"{name.replace('_', ' ')}: this potential")
            predictions[name] = by_potential.measure(name, sample, predictions.get("lattice"))
        except (NotApplicable, PropertyNotImplementedError, StructureError) as error:
            left_out[name] = f"this potential: {error}"
    _check_budget(by_oracle, {name: samples[name] for name in predictions}, max_calls, log)
    references: dict[str, Measured] = {}
    for name in predictions:
        if name in ON_THE_LATTICE and "lattice" not in references:
            left_out[name] = "requires the relaxed lattice by the oracle"
            continue
        try:
            log(f"{name.replace('_', ' ')}: the oracle")
            references[name] = by_oracle.measure(name, samples[name], references.get("lattice"))
        except PropertyNotImplementedError:
            left_out[name] = "the oracle provides no stress"
        except (NotApplicable, OracleError) as error:
            left_out[name] = f"the oracle: {error}"
    quantities = tuple(
        Quantity(
            name=predicted.name,
            unit=predicted.unit,
            potential=predicted.value,
            oracle=reference.value,
            potential_error=predicted.error,
            oracle_error=reference.error,
        )
        for name, measured in references.items()
        for predicted, reference in zip(predictions[name].values, measured.values, strict=True)
    )
    return PropertyComparison(
        generation=generation.number,
        quantities=quantities,
        left_out=tuple((name, left_out[name]) for name in names if name in left_out),
        curves={
            name: {"potential": predictions[name].curves, "oracle": measured.curves}
            for name, measured in references.items()
        },
        calls=by_oracle.n_calls,
    )


def _check_budget(
    calculator: PropertyCalculator, samples: Mapping[str, Sample], limit: int | None, log: Callable[[str], None]
) -> None:
    """Report how many oracle calls may be needed, and raise if they are too many."""
    if limit is not None and limit < 0:
        raise ConfigError(f"max_calls must not be negative, got {limit}")
    costs = {name: calls(name, sample) for name, sample in samples.items() if not calculator.is_stored(name, sample)}
    total = sum(count for count, _ in costs.values())
    listed = ", ".join(
        f"{name.replace('_', ' ')} {count} of {counted(atoms, 'atom')}" for name, (count, atoms) in costs.items()
    )
    if total:
        log(f"up to {total} oracle calls: {listed}")
    allowed = calculator.set_limit(limit)
    if total > allowed:
        raise LabelBudgetError(
            f"up to {total} oracle calls may be needed ({listed}), expected at most {allowed:g}; none were made. "
            f"Request fewer properties, or allow the calls: max_calls={total} (--max-calls {total})"
        )


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201  # requested by progress=True


def _silent(line: str) -> None:
    del line

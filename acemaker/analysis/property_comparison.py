"""Measures properties by the potential and by the oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ase.calculators.calculator import PropertyNotImplementedError

from acemaker.analysis.calculators import Side, oracle_side, potential_side
from acemaker.analysis.measured import LeftOut, Measured
from acemaker.analysis.properties import CHEAP, Subject, calls, choose
from acemaker.analysis.quantities import Physics, Quantity
from acemaker.analysis.samples import subject_of
from acemaker.errors import (
    ConfigError,
    LabelBudgetError,
    MissingLibraryError,
    OracleError,
    StateError,
    StructureError,
)
from acemaker.formatting.summary import counted
from acemaker.loop.reader import CampaignReader
from acemaker.oracles.oracle import Oracle

if TYPE_CHECKING:
    pass


def physics(
    campaign: CampaignReader,
    properties: Sequence[str] = CHEAP,
    *,
    max_calls: int | None = None,
    oracle: Oracle | None = None,
    trust: bool = False,
    progress: bool | Callable[[str], None] = False,
) -> Physics:
    """Measure properties by the potential in use and by the oracle.

    How many oracle calls that may take is counted first. What was measured before, by this potential and this oracle,
    is read from the folder ``trust`` of the campaign; labels of oracles that are no mere formula are kept there one by
    one.

    Parameters
    ----------
    campaign
        With a generation.
    properties
        Some of "equation_of_state", "lattice", "elastic_constants", "vacancy", "phonons" and "liquid".
    max_calls
        Oracle calls that may be made. None for any number where the oracle is a formula in this process ("emt",
        "lammps"), else for 20.
    oracle
        Your own, if the campaign was made with your own; nothing of it is kept.
    trust
        Your word that what the directory names may be run here; see `Campaign.open`.
    progress
        Print lines on long work, or what to call with them.

    Returns
    -------
    Physics
        What cannot be measured is left out with a reason: surfaces, molecules and alloys without a primitive cell have
        no crystal's properties, and what did not melt has no liquid's.

    Raises
    ------
    StateError
        If there is no generation yet.
    ConfigError
        For an unknown property.
    LabelBudgetError
        If it may take more oracle calls than allowed; none has been made then.
    UntrustedError
        If the directory names code that was not used on this machine before.
    """
    generation = campaign.generation
    if generation is None:
        raise StateError("there is no potential to judge yet; run campaign.prepare() first")
    say = progress if callable(progress) else _print if progress else _silent
    names, left_out, subjects = choose(properties), {}, {}
    for name in names:
        try:
            subjects[name] = subject_of(name, campaign)
        except (LeftOut, StructureError, MissingLibraryError) as error:
            left_out[name] = str(error)
    mine = potential_side(campaign, generation)
    theirs = oracle_side(campaign, oracle, trust=trust, say=say)
    found: dict[str, tuple[Measured, Measured]] = {}
    known: dict[str, Measured] = {}
    for name, subject in subjects.items():  # the potential first: what it cannot give is not paid for
        if name in ("elastic_constants", "vacancy", "phonons") and "lattice" not in known:
            left_out[name] = "it begins with the relaxed lattice"
            continue
        try:
            say(f"{name.replace('_', ' ')}: this potential")
            known[name] = mine.measure(name, subject, known.get("lattice"))
        except (LeftOut, PropertyNotImplementedError, StructureError) as error:
            left_out[name] = f"by this potential, {error}"
    _check_budget(theirs, {name: subjects[name] for name in known}, max_calls, say)
    answers: dict[str, Measured] = {}
    for name in known:
        if name in ("elastic_constants", "vacancy", "phonons") and "lattice" not in answers:
            left_out[name] = "the oracle gives no relaxed lattice to begin with"
            continue
        try:
            say(f"{name.replace('_', ' ')}: the oracle")
            answers[name] = theirs.measure(name, subjects[name], answers.get("lattice"))
        except PropertyNotImplementedError:
            left_out[name] = "the oracle gives no stress"
        except (LeftOut, OracleError) as error:
            left_out[name] = f"by the oracle, {error}"
        else:
            found[name] = known[name], answers[name]
    quantities = tuple(
        Quantity(
            name=one.name,
            unit=one.unit,
            potential=one.value,
            oracle=other.value,
            potential_error=one.error,
            oracle_error=other.error,
        )
        for pair in found.values()
        for one, other in zip(pair[0].values, pair[1].values, strict=True)
    )
    return Physics(
        generation=generation.number,
        quantities=quantities,
        left_out=tuple((name, left_out[name]) for name in names if name in left_out),
        curves={name: {"potential": pair[0].curves, "oracle": pair[1].curves} for name, pair in found.items()},
        calls=theirs.made,
    )


def _check_budget(side: Side, subjects: Mapping[str, Subject], limit: int | None, say: Callable[[str], None]) -> None:
    """Say what will be asked of the oracle, and refuse if it is too much."""
    if limit is not None and limit < 0:
        raise ConfigError(f"max_calls must not be negative, got {limit}")
    costs = {name: calls(name, subject) for name, subject in subjects.items() if not side.knows(name, subject)}
    total = sum(count for count, _ in costs.values())
    listed = ", ".join(
        f"{name.replace('_', ' ')} {count} of {counted(atoms, 'atom')}" for name, (count, atoms) in costs.items()
    )
    if total:
        say(f"up to {total} oracle calls: {listed}")
    allowed = side.limit(limit)
    if total > allowed:
        raise LabelBudgetError(
            f"it may take {total} oracle calls ({listed}), expected at most {allowed:g}; nothing has been asked yet. "
            f"Ask for fewer properties, or allow it: max_calls={total} (--max-calls {total})"
        )


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201  # what progress=True asks for


def _silent(line: str) -> None:
    del line

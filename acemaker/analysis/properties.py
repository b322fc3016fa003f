"""The properties that are compared: what each is called, needs and costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from acemaker.analysis import elasticity, equation_of_state, lattice, liquid, phonons, vacancy
from acemaker.analysis.crystal import Crystal
from acemaker.analysis.lattice import relaxed
from acemaker.analysis.measured import Measured
from acemaker.config.base import nearest
from acemaker.errors import ConfigError

CHEAP = ("equation_of_state", "lattice", "elastic_constants", "vacancy", "phonons")
"""Properties of the crystal: some tens of calls in all."""

ALL = (*CHEAP, "liquid")
"""All of them; the liquid takes a thousand calls."""


@dataclass(frozen=True, kw_only=True)
class Melt:
    """A liquid, and how it is run.

    Attributes
    ----------
    atoms : Atoms
        A frame of it.
    temperature : float
        K.
    timestep : float
        fs.
    """

    atoms: Atoms
    temperature: float
    timestep: float


Subject = Crystal | Melt
"""What is measured."""

MODULES = {
    "equation_of_state": equation_of_state,
    "lattice": lattice,
    "elastic_constants": elasticity,
    "vacancy": vacancy,
    "phonons": phonons,
    "liquid": liquid,
}
"""Where each is measured."""

ON_THE_LATTICE: dict[str, Callable[[Crystal, BaseCalculator, Atoms], Measured]] = {
    "elastic_constants": elasticity.elastic_constants,
    "vacancy": vacancy.vacancy,
    "phonons": phonons.phonons,
}
"""Those that begin with the relaxed lattice."""


def choose(names: Sequence[str]) -> tuple[str, ...]:
    """Put the properties in order, with the lattice where others begin with it.

    Raises
    ------
    ConfigError
        For an unknown name, or none.
    """
    for name in names:
        if name not in ALL:
            raise ConfigError(f"unknown property '{name}'; {nearest(name, list(ALL))}")
    if not names:
        raise ConfigError(f"expected some of {', '.join(ALL)}, got none")
    wanted = {*names, *(("lattice",) if set(names) & set(ON_THE_LATTICE) else ())}
    return tuple(name for name in ALL if name in wanted)


def settings(name: str) -> str:
    """Return what a property depends on besides subject and calculator: the constants of its module."""
    used = [name, *(("lattice",) if name in ON_THE_LATTICE else ())]
    return repr([(key, value) for one in used for key, value in sorted(vars(MODULES[one]).items()) if key.isupper()])


def calls(name: str, subject: Subject) -> tuple[int, int]:
    """Return the calls that a property takes at most, and the atoms of the largest."""
    if isinstance(subject, Melt):
        return liquid.calls(subject.atoms)
    found: tuple[int, int] = MODULES[name].calls(subject)
    return found


def measure(name: str, subject: Subject, calculator: BaseCalculator, at_rest: Measured | None) -> Measured:
    """Measure a property by a calculator.

    Parameters
    ----------
    name
        One of `ALL`.
    subject
        Crystal or liquid.
    calculator
        The potential's or the oracle's.
    at_rest
        The calculator's own "lattice", for those that begin with it.
    """
    if isinstance(subject, Melt):
        return liquid.liquid(subject.atoms, calculator, subject.temperature, subject.timestep)
    if name == "equation_of_state":
        return equation_of_state.equation_of_state(subject, calculator)
    if name == "lattice":
        return lattice.lattice(subject, calculator)
    assert at_rest is not None
    return ON_THE_LATTICE[name](subject, calculator, relaxed(subject, at_rest))

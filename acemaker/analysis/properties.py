"""The properties that are compared: their names, prerequisites and costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from acemaker.analysis import cohesion, elasticity, equation_of_state, lattice, liquid, phonons, surface, vacancy
from acemaker.analysis.lattice import relaxed
from acemaker.analysis.measured import Measured
from acemaker.analysis.samples import Crystal, LiquidSample, Sample
from acemaker.config.base import nearest
from acemaker.errors import ConfigError

CHEAP = ("equation_of_state", "lattice", "cohesion", "surface", "elastic_constants", "vacancy", "phonons")
"""Properties of the crystal: some tens of calls in total."""

ALL = (*CHEAP, "liquid")
"""All properties; the liquid takes a thousand calls."""

MODULES = {
    "equation_of_state": equation_of_state,
    "lattice": lattice,
    "cohesion": cohesion,
    "surface": surface,
    "elastic_constants": elasticity,
    "vacancy": vacancy,
    "phonons": phonons,
    "liquid": liquid,
}
"""The module of each property."""

ON_THE_LATTICE: dict[str, Callable[[Crystal, BaseCalculator, Atoms], Measured]] = {
    "cohesion": cohesion.cohesion,
    "surface": surface.surface,
    "elastic_constants": elasticity.elastic_constants,
    "vacancy": vacancy.vacancy,
    "phonons": phonons.phonons,
}
"""Properties that require the relaxed lattice."""


def choose(names: Sequence[str]) -> tuple[str, ...]:
    """Sort the properties, and add the lattice if another one requires it.

    Raises
    ------
    ConfigError
        For an unknown name, or if there are no names.
    """
    for name in names:
        if name not in ALL:
            raise ConfigError(f"unknown property '{name}'; {nearest(name, list(ALL))}")
    if not names:
        raise ConfigError(f"expected some of {', '.join(ALL)}, got none")
    selected = {*names, *(("lattice",) if set(names) & set(ON_THE_LATTICE) else ())}
    return tuple(name for name in ALL if name in selected)


def settings(name: str) -> str:
    """Return what a property depends on besides sample and calculator: the constants of its module."""
    modules = [MODULES[used] for used in (name, *(("lattice",) if name in ON_THE_LATTICE else ()))]
    return repr([(key, value) for module in modules for key, value in sorted(vars(module).items()) if key.isupper()])


def calls(name: str, sample: Sample) -> tuple[int, int]:
    """Return the maximum number of calls that a property takes, and the number of atoms of the largest."""
    if isinstance(sample, LiquidSample):
        return liquid.calls(sample.atoms)
    cost: tuple[int, int] = MODULES[name].calls(sample)
    return cost


def measure(name: str, sample: Sample, calculator: BaseCalculator, at_rest: Measured | None) -> Measured:
    """Measure a property with a calculator.

    Parameters
    ----------
    name
        One of `ALL`.
    sample
        Crystal or liquid.
    calculator
        That of the potential or of the oracle.
    at_rest
        The "lattice" of the same calculator, for the properties that require it.
    """
    if isinstance(sample, LiquidSample):
        return liquid.liquid(sample.atoms, calculator, sample.temperature, sample.timestep)
    if name == "equation_of_state":
        return equation_of_state.equation_of_state(sample, calculator)
    if name == "lattice":
        return lattice.lattice(sample, calculator)
    assert at_rest is not None
    return ON_THE_LATTICE[name](sample, calculator, relaxed(sample, at_rest))

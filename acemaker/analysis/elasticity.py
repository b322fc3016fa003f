"""Elastic constants, by stress against strain."""

from __future__ import annotations

from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator
from ase.optimize import BFGS

from acemaker.analysis.crystal import Crystal
from acemaker.analysis.measured import LeftOut, Measured, Value

STRAINS = 5
"""A pattern."""

INCREMENT = 0.005
"""Between two strains, dimensionless."""

STEPS = 20
"""Of the relaxation of the positions under each strain, at most."""

SYMMETRIES: dict[str, tuple[int, tuple[str, ...]]] = {
    "cubic": (1, ("11", "12", "44")),
    "hexagonal": (2, ("11", "12", "13", "33", "44")),
    "tetragonal_high": (2, ("11", "12", "13", "33", "44", "66")),
    "orthorhombic": (3, ("11", "22", "33", "12", "13", "23", "44", "55", "66")),
    "triclinic": (6, ("11", "22", "33", "12", "13", "23", "44", "55", "66")),
}
"""matscipy's names: patterns of strain, and the constants that are listed."""


def symmetry(space_group: int) -> str:
    """Name the symmetry; where orientation leaves a choice of signs, none is presumed."""
    if space_group >= 195:
        return "cubic"
    if space_group >= 168:
        return "hexagonal"
    if 89 <= space_group <= 142:
        return "tetragonal_high"
    return "orthorhombic" if 16 <= space_group <= 74 else "triclinic"


def calls(crystal: Crystal) -> tuple[int, int]:
    """Return the calls that it takes at most, and the atoms of each."""
    static = STRAINS * SYMMETRIES[symmetry(crystal.space_group)][0]
    return static * (1 if crystal.n_atoms == 1 else STEPS + 1), crystal.n_atoms


def elastic_constants(crystal: Crystal, calculator: BaseCalculator, relaxed: Atoms) -> Measured:
    """Strain the relaxed primitive cell, let its atoms relax, and fit the stress.

    Parameters
    ----------
    crystal
        Gives the symmetry.
    calculator
        Gives stresses.
    relaxed
        The primitive cell at rest, in its standard orientation.

    Returns
    -------
    Measured
        GPa.

    Raises
    ------
    LeftOut
        Without matscipy.
    """
    try:
        from matscipy.elasticity import fit_elastic_constants, generate_strained_configs
    except ImportError as error:
        raise LeftOut(f"it needs matscipy ({error}): pip install 'acemaker[physics]'") from error
    name = symmetry(crystal.space_group)
    strained = []
    for atoms in generate_strained_configs(relaxed, name, STRAINS, INCREMENT):
        atoms.calc = calculator
        strained.append(atoms)
    relaxation = {} if len(relaxed) == 1 else {"optimizer": BFGS, "fmax": 0.002, "steps": STEPS}
    constants, errors = fit_elastic_constants(
        strained, name, STRAINS, INCREMENT, verbose=False, graphics=False, **relaxation
    )
    return Measured(
        values=tuple(
            Value(name=f"C{ij}", unit="GPa", value=float(constants[i, j] / units.GPa))
            for ij in SYMMETRIES[name][1]
            for i, j in [(int(ij[0]) - 1, int(ij[1]) - 1)]
        ),
        curves={"fit_error_GPa": float(errors.max() / units.GPa)},
    )

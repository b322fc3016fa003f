"""Elastic constants from stress against strain."""

from __future__ import annotations

from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator
from ase.optimize import BFGS

from acemaker.analysis.measured import Measured, NotApplicable, Value
from acemaker.analysis.samples import Crystal

STRAINS = 5
"""Number of strains per pattern."""

INCREMENT = 0.005
"""Difference between two strains, dimensionless."""

STEPS = 20
"""Maximum number of relaxation steps of the positions under each strain."""

SYMMETRIES: dict[str, tuple[int, tuple[str, ...]]] = {
    "cubic": (1, ("11", "12", "44")),
    "hexagonal": (2, ("11", "12", "13", "33", "44")),
    "tetragonal_high": (2, ("11", "12", "13", "33", "44", "66")),
    "orthorhombic": (3, ("11", "22", "33", "12", "13", "23", "44", "55", "66")),
    "triclinic": (6, ("11", "22", "33", "12", "13", "23", "44", "55", "66")),
}
"""Number of strain patterns and the constants that are listed, by matscipy's name of the symmetry."""


def symmetry(space_group: int) -> str:
    """Return matscipy's name of the symmetry; a lower one where the signs of constants depend on the orientation."""
    if space_group >= 195:
        return "cubic"
    if space_group >= 168:
        return "hexagonal"
    if 89 <= space_group <= 142:
        return "tetragonal_high"
    return "orthorhombic" if 16 <= space_group <= 74 else "triclinic"


def calls(crystal: Crystal) -> tuple[int, int]:
    """Return the maximum number of calls, and the number of atoms of each."""
    static = STRAINS * SYMMETRIES[symmetry(crystal.space_group)][0]
    return static * (1 if crystal.n_atoms == 1 else STEPS + 1), crystal.n_atoms


def elastic_constants(crystal: Crystal, calculator: BaseCalculator, relaxed: Atoms) -> Measured:
    """Strain the relaxed primitive cell, relax its atoms, and fit the stress.

    Parameters
    ----------
    crystal
        Determines the symmetry.
    calculator
        Must provide stresses.
    relaxed
        The primitive cell at rest, in its standard orientation.

    Returns
    -------
    Measured
        GPa.

    Raises
    ------
    NotApplicable
        If matscipy is not installed.
    """
    try:
        from matscipy.elasticity import fit_elastic_constants, generate_strained_configs
    except ImportError as error:
        raise NotApplicable(f"requires matscipy ({error}): pip install 'acemaker[physics]'") from error
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

"""Initial structure of a trajectory, and first structures, on which the first generation is trained."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.cell import Cell
from ase.neighborlist import neighbor_list

from acemaker.config import PotentialConfig, SystemConfig
from acemaker.errors import ConfigError, StructureError
from acemaker.structures.crystals import build_crystal
from acemaker.structures.geometry import closeness
from acemaker.structures.mask import LABEL_WEIGHT, with_mask_of
from acemaker.structures.per_atom import MASSES, MOMENTS, bare_copy, frozen_atoms
from acemaker.structures.structure_file import read_structures_of
from acemaker.structures.supported import as_initial, with_masses_of_file

logger = logging.getLogger("acemaker")

SHORT_BOND, SHORT_SHARE = 1.3, 0.05
"""Length in Å of bonds of hydrogen and of multiple bonds, and share of it by which their atoms are displaced: the same
displacements as in crystals would stretch them to forces that no trajectory has."""

SMALLEST_SHARE, LARGEST_SHARE, GOLDEN_RATIO = 0.25, 0.75, 0.618034
"""Limits of the factors of displacements of different sizes, whose sequence fills the interval evenly."""

LOW_WEIGHT = 0.1
"""Weight of the first structures if the fit does not depend on them later (``benchmarks/ablations.py``)."""


MOST_TILT = 0.6
"""Largest tilt of a cell vector along another one, in units of its length; LAMMPS stops runs of more tilted boxes."""

FLAT = 1e-9
"""Volume of a cell in units of the product of its lengths up to which its vectors are in a plane, but for rounding."""

WHOLE = (1, 1, 1)
"""Repeats of a structure that is not repeated."""

CRYSTAL_FIELDS = "crystal", "lattice_constant", "c_over_a"
FILE_FIELDS = "format", "atom_style", "elements"
"""Fields of SystemConfig that only have a meaning for a crystal by name, and only for a structure file."""


def initial_structure(config: SystemConfig, rng: np.random.Generator) -> Atoms:
    """Build or read the initial structure of a trajectory.

    Parameters
    ----------
    config
        Crystal or file, supercell, composition.
    rng
        Random numbers, which distribute the elements of a random alloy.

    Returns
    -------
    Atoms
        Structure without momenta, unless the file has them.

    Raises
    ------
    ConfigError
        If the file is missing or has several frames, ASE cannot build the crystal, or the composition does not fit it.
    StructureError
        If the structure is periodic in only some directions, or has constraints, masses or occupancies that acemaker
        does not support.
    """
    cells = unit_cells(config)
    if len(cells) != 1:
        raise ConfigError(
            f"SystemConfig.structure: {config.structure!r} are {len(cells)} frames, but a trajectory starts with one; "
            f"set one frame, e.g. '{config.file}@0', or walkers={len(cells)} to start one walker with each"
        )
    return complete(cells[0], config, rng)


def unit_cells(config: SystemConfig) -> list[Atoms]:
    """Build the unit cell of a crystal, or read the frames of a file.

    Parameters
    ----------
    config
        Crystal or file.

    Returns
    -------
    list of Atoms
        One structure, or as many as the index of the file names.

    Raises
    ------
    ConfigError, StructureError
        As `initial_structure`.
    """
    if config.file is None:
        if useless := [name for name in FILE_FIELDS if getattr(config, name)]:
            raise ConfigError(
                f"SystemConfig.{useless[0]}: {' and '.join(useless)} would have no effect: {config.structure!r} is a "
                f"crystal by name; omit {'it' if len(useless) == 1 else 'them'}, or set structure to a file"
            )
        if config.length_unit not in (None, "angstrom"):
            raise ConfigError(
                f"SystemConfig.length_unit: it applies to structure files; the lattice constant of "
                f"{config.structure!r} is in Å"
            )
        return [build_crystal(config)]
    frames = read_structures_of(config)
    if useless := [name for name in CRYSTAL_FIELDS if getattr(config, name) is not None]:
        raise ConfigError(
            f"SystemConfig.{useless[0]}: {' and '.join(useless)} would have no effect: {config.structure!r} is a "
            f"structure file, which has a cell of its own; omit {'it' if len(useless) == 1 else 'them'} (None)"
        )
    where = f"SystemConfig.structure: {config.structure!r}"
    return [as_initial(with_masses_of_file(config.file, atoms, where), where) for atoms in frames]


def complete(atoms: Atoms, config: SystemConfig, rng: np.random.Generator) -> Atoms:
    """Repeat a unit cell, and distribute the elements of a random alloy.

    Parameters
    ----------
    atoms
        A result of `unit_cells`.
    config
        ``supercell`` and ``composition``.
    rng
        Random numbers.

    Returns
    -------
    Atoms

    Raises
    ------
    ConfigError, StructureError
        As `initial_structure`.
    """
    if atoms.pbc.all():
        if abs(atoms.cell.volume) < np.finfo(float).tiny or not np.isfinite(atoms.cell.array).all():
            raise ConfigError(
                f"SystemConfig.structure: expected three cell vectors that span a volume in {config.structure!r}, "
                f"got {atoms.cell.tolist()}; correct the file"
            )
        if max(config.supercell) > 1 and atoms.has("momenta") and atoms.get_momenta().any():
            raise StructureError(
                f"SystemConfig.supercell: {config.structure!r} has momenta, with which all of its copies would move in "
                "the same way; remove them, so that velocities are drawn, or set supercell=(1, 1, 1)"
            )
        atoms = atoms.repeat(config.supercell)
    elif not atoms.pbc.any():
        if config.supercell not in (WHOLE, SystemConfig.model_fields["supercell"].default):
            raise ConfigError(
                f"SystemConfig.supercell: {config.structure!r} is not periodic, so that it cannot be repeated "
                f"{config.supercell} times: it would be a cluster of {len(atoms)} atoms. For a crystal, write the file "
                'with its cell, e.g. as extended XYZ with Lattice="..." and pbc="T T T"; for a cluster, omit supercell'
            )
        logger.info(f"{config.structure} is not periodic: it is a cluster, to which supercell does not apply")
    if config.composition:
        _mix(atoms, config.composition, rng)
    check_periodicity(atoms)
    return atoms


def check_periodicity(atoms: Atoms) -> None:
    """Check that a structure is periodic in all directions or in none.

    Raises
    ------
    StructureError
        The message contains a remedy.
    """
    if atoms.pbc.any() and not atoms.pbc.all():
        raise StructureError(
            f"expected a structure periodic in all directions or in none, got pbc={atoms.pbc.tolist()}; for a "
            "slab, add vacuum and periodic boundary conditions: atoms.center(vacuum=8, axis=2); atoms.pbc = True"
        )


def check_cell(atoms: Atoms, where: str) -> None:
    """Check that the cell of a periodic structure spans a volume.

    Parameters
    ----------
    atoms
        The structure.
    where
        Origin of the structure, for the message.

    Raises
    ------
    StructureError
        The message contains a remedy.
    """
    if not np.isfinite(atoms.cell.array).all() or not np.isfinite(atoms.positions).all():
        raise StructureError(f"{where} has positions or cell vectors that are not finite numbers; correct them")
    lengths = atoms.cell.lengths()
    if atoms.pbc.all() and abs(atoms.cell.volume) <= FLAT * float(lengths.prod()):
        missing = "there is none" if not lengths.any() else f"the vectors are {atoms.cell.tolist()}"
        raise StructureError(
            f"{where} is periodic, but its cell does not span a volume: {missing}. Set three vectors that are not in a "
            "plane, e.g. atoms.set_cell([a, b, c]) in Å, or atoms.pbc = False for a cluster"
        )


def with_regular_cell(atoms: Atoms, cutoff: float) -> Atoms:
    """Return a periodic structure with a cell in which LAMMPS can move its atoms.

    A left-handed cell gets opposite vectors, and tilts above half a period are reduced by whole periods: both describe
    the same crystal. A cell with a single atom, which has no forces, is repeated until all its heights exceed the
    cutoff.

    Parameters
    ----------
    atoms
        The structure.
    cutoff
        Å, cutoff of the potential.

    Returns
    -------
    Atoms
        `atoms` itself if there is nothing to do, otherwise a copy.
    """
    if not atoms.pbc.all() or abs(atoms.cell.volume) < np.finfo(float).tiny:
        return atoms
    vectors = _reduced(-atoms.cell.array if atoms.cell.handedness < 0 else atoms.cell.array)
    if (vectors != atoms.cell.array).any():
        atoms = atoms.copy()
        atoms.set_cell(vectors)
    if len(atoms) > 1:
        return atoms
    heights = 1 / np.linalg.norm(np.linalg.inv(vectors), axis=0)
    repeats = np.ceil(cutoff / heights - 1e-9).astype(int)
    if repeats.max() == 1:
        return atoms
    n_atoms = int(repeats.prod())
    logger.info(
        "a cell with a single atom has no forces: it is repeated %s to the cutoff, %d atoms (supercell sets another "
        "size)",
        " x ".join(map(str, repeats)),
        n_atoms,
    )
    return atoms.repeat(repeats)


def _reduced(vectors: np.ndarray) -> np.ndarray:
    """Subtract whole periods from right-handed cell vectors with a tilt above `MOST_TILT`; others remain unchanged."""
    vectors, lower = vectors.copy(), Cell(vectors).standard_form()[0].array
    for vector, other in ((1, 0), (2, 1), (2, 0)):
        tilt = lower[vector, other] / lower[other, other]
        if abs(tilt) > MOST_TILT:
            lower[vector] -= round(tilt) * lower[other]
            vectors[vector] -= round(tilt) * vectors[other]
    return vectors


def first_weight(config: SystemConfig, potential: PotentialConfig, start: Atoms, cell: Atoms) -> float:
    """Return the weight of the first structures relative to later labels.

    Rattled and strained crystals have forces that do not occur in a trajectory, and their fit uses degrees of freedom
    of a small basis that other labels need. If labels are small cells, in which only a dozen atoms count, or have few
    atoms, the fit needs the first structures with full weight.

    Parameters
    ----------
    config
        ``first_weight``, which is returned if it is set.
    potential
        ``n_functions``.
    start
        The initial structure.
    cell
        The same structure, or the small cell that represents it.

    Returns
    -------
    float
    """
    if config.first_weight is not None:
        return config.first_weight
    n_coefficients = potential.n_functions * len(set(start.get_chemical_symbols()))
    return LOW_WEIGHT if len(cell) == len(start) and 3 * len(start) >= n_coefficients else 1.0


def displacement_scales(atoms: Atoms, scale: float) -> np.ndarray:
    """Reduce the random displacements of atoms with short bonds, which are stiff.

    Parameters
    ----------
    atoms
        The structure.
    scale
        Standard deviation of the displacements of other atoms, Å.

    Returns
    -------
    ndarray, shape (n_atoms,)
        Å; at most `SHORT_SHARE` of the distance to the nearest neighbor, if that is less than `SHORT_BOND`.

    Examples
    --------
    >>> from ase.build import bulk, molecule
    >>> displacement_scales(molecule("N2"), 0.12).round(3).tolist()
    [0.056, 0.056]
    >>> displacement_scales(bulk("Cu"), 0.12).tolist()
    [0.12]
    """
    scales = np.full(len(atoms), scale)
    first, distances = neighbor_list("id", atoms, SHORT_BOND)
    np.minimum.at(scales, first, SHORT_SHARE * distances)
    return scales


def first_structures(
    atoms: Atoms,
    config: SystemConfig,
    n: int,
    rng: np.random.Generator,
    n_reserve: int = 0,
    weight: float = 1.0,
    spread: bool = False,
) -> list[Atoms]:
    """Generate the first training set by rattling and straining a structure.

    Parameters
    ----------
    atoms
        The initial structure, or a small cell that represents it, with its mask.
    config
        ``first_rattle`` and ``first_strain``.
    n
        Number of structures.
    rng
        Random numbers.
    n_reserve
        Number of additional structures with random strains.
    weight
        Weight of each structure in a fit, see `first_weight`.
    spread
        Whether the displacements of the structures are multiplied by different factors, from `SMALLEST_SHARE` to
        `LARGEST_SHARE`: without many environments, small ones are described less well beside large ones.

    Returns
    -------
    list of Atoms
        Structures with isotropic strains at equal intervals from ``-first_strain`` to ``+first_strain``; a single
        structure and clusters are not strained. Frozen atoms are strained with the cell, but not rattled.
    """
    structures = []
    strains = np.linspace(-config.first_strain, config.first_strain, n) if n > 1 else np.zeros(1)
    reserve = np.random.default_rng(rng.integers(2**63)).uniform(-1, 1, n_reserve) * config.first_strain
    scale = displacement_scales(atoms, config.first_rattle)[:, None]
    for number, strain in enumerate([*strains, *reserve]):
        copy = with_mask_of(atoms, bare_copy(atoms))
        if copy.pbc.all():
            copy.set_cell(copy.cell * (1 + strain), scale_atoms=True)
        share = SMALLEST_SHARE + (LARGEST_SHARE - SMALLEST_SHARE) * (number * GOLDEN_RATIO % 1) if spread else 1.0
        rattle = rng.normal(scale=share * scale, size=copy.positions.shape)
        copy.positions += rattle * ~frozen_atoms(copy)[:, None]
        copy.info |= {"origin": "first_structure", "distance_A": closeness(copy).distance}
        if weight != 1:
            copy.info[LABEL_WEIGHT] = weight
        structures.append(copy)
    return structures


def _mix(atoms: Atoms, composition: dict[str, float], rng: np.random.Generator) -> None:
    """Distribute elements at random over the sites of a crystal of one element."""
    if len(others := sorted(set(atoms.get_chemical_symbols()))) > 1:
        raise ConfigError(
            f"SystemConfig.composition: the structure consists of {', '.join(others)}, whose sites a random alloy "
            "would overwrite; replace atoms in the structure itself, or start with a structure of one element"
        )
    if arrays := [name for name in (MASSES, MOMENTS) if name in atoms.arrays]:
        raise ConfigError(
            f"SystemConfig.composition: the structure has {' and '.join(arrays)} of its own, which belong to its "
            "element; remove them, or replace atoms in the structure itself"
        )
    elements = sorted(composition)
    counts = _counts([composition[element] for element in elements], len(atoms))
    if counts is None:
        n_elements = sum(fraction > 0 for fraction in composition.values())
        raise ConfigError(
            f"SystemConfig.composition: {len(atoms)} atoms are too few for {n_elements} elements; increase supercell"
        )
    for element, count in zip(elements, counts, strict=True):
        if count == 1 and composition[element] * len(atoms) < 0.5:
            logger.warning(
                f"composition: {composition[element]:g} of {len(atoms)} atoms is less than one {element}; the "
                f"structure contains one, a fraction of {1 / len(atoms):.3g}. For the fraction, increase supercell"
            )
    symbols = np.repeat(elements, counts)
    atoms.set_chemical_symbols(list(rng.permutation(symbols)))


def _counts(fractions: Sequence[float], n_atoms: int) -> np.ndarray | None:
    """Distribute atoms by the method of the largest remainder, at least one per element; None if there are too few."""
    exact = np.array(fractions) * n_atoms
    counts = np.floor(exact + 1e-9).astype(int)
    remainders = np.round(exact - counts, 9)
    counts[np.argsort(-remainders, kind="stable")[: n_atoms - counts.sum()]] += 1
    is_missing = (exact > 0) & (counts == 0)
    counts[is_missing] = 1
    for _ in range(counts.sum() - n_atoms):
        counts[counts.argmax()] -= 1
    return counts if (counts[exact > 0] > 0).all() else None

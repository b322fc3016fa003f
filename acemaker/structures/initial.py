"""Initial structure of a trajectory, and first structures, on which the first generation is trained."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from acemaker.config import PotentialConfig, SystemConfig
from acemaker.errors import ConfigError, StructureError
from acemaker.structures.frames import check_declared_size
from acemaker.structures.geometry import closeness
from acemaker.structures.mask import LABEL_WEIGHT, with_mask_of
from acemaker.structures.supported import check_file, check_supported

LOW_WEIGHT = 0.1
"""Weight of the first structures if the fit does not depend on them later (``benchmarks/ablations.py``)."""


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
        If the file is missing or ASE cannot build the crystal.
    StructureError
        If the structure is periodic in only some directions, or has constraints, masses or occupancies that acemaker
        does not support.
    """
    if config.file is not None:
        atoms = _read(config)
    else:
        from ase.build import bulk

        try:
            cell = bulk(
                config.structure,
                config.crystal,
                a=config.lattice_constant,
                cubic=config.crystal in ("fcc", "bcc", "diamond", "sc", "rocksalt", "zincblende"),
            )
        except (ValueError, KeyError, RuntimeError) as error:
            raise ConfigError(
                f"SystemConfig.crystal: ASE cannot build {config.structure!r} as {config.crystal!r} ({error}); "
                "set lattice_constant, another crystal, or a structure file"
            ) from error
        cell.set_initial_magnetic_moments(None)  # ASE sets a guess for the element
        atoms = cell.repeat(config.supercell)
    if config.composition:
        _mix(atoms, config.composition, rng)
    if atoms.pbc.any() and not atoms.pbc.all():
        raise StructureError(
            f"expected a structure periodic in all directions or in none, got pbc={atoms.pbc.tolist()}; for a "
            "slab, add vacuum and periodic boundary conditions: atoms.center(vacuum=8, axis=2); atoms.pbc = True"
        )
    return atoms


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


def first_structures(
    atoms: Atoms, config: SystemConfig, n: int, rng: np.random.Generator, n_reserve: int = 0, weight: float = 1.0
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

    Returns
    -------
    list of Atoms
        Structures with isotropic strains at equal intervals from ``-first_strain`` to ``+first_strain``; a single
        structure and clusters are not strained.
    """
    structures = []
    strains = np.linspace(-config.first_strain, config.first_strain, n) if n > 1 else np.zeros(1)
    reserve = np.random.default_rng(rng.integers(2**63)).uniform(-1, 1, n_reserve) * config.first_strain
    for strain in [*strains, *reserve]:
        copy = with_mask_of(atoms, Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc))
        if copy.pbc.all():
            copy.set_cell(copy.cell * (1 + strain), scale_atoms=True)
        copy.positions += rng.normal(scale=config.first_rattle, size=copy.positions.shape)
        copy.info |= {"origin": "first_structure", "distance_A": closeness(copy).distance}
        if weight != 1:
            copy.info[LABEL_WEIGHT] = weight
        structures.append(copy)
    return structures


def _read(config: SystemConfig) -> Atoms:
    from ase.io import read

    assert config.file is not None
    if not config.file.is_file():
        raise ConfigError(
            f"SystemConfig.structure: {config.structure!r} is neither a chemical symbol nor a file; "
            "set it to a symbol like 'Cu' or to the path of a structure file that ASE can read"
        )
    try:
        check_declared_size(config.file)
        atoms = read(config.file, do_not_split_by_at_sign=True)
    except Exception as error:  # ASE's readers may raise anything
        raise ConfigError(f"SystemConfig.structure: ASE cannot read {config.structure!r}: {error}") from error
    assert isinstance(atoms, Atoms)
    check_supported(atoms, f"SystemConfig.structure: {config.structure!r}")
    check_file(config.file, f"SystemConfig.structure: {config.structure!r}")
    if not atoms.pbc.all():
        return atoms
    if abs(atoms.cell.volume) < np.finfo(float).tiny or not np.isfinite(atoms.cell.array).all():
        raise ConfigError(
            f"SystemConfig.structure: expected three cell vectors that span a volume in {config.structure!r}, "
            f"got {atoms.cell.tolist()}; correct the file"
        )
    return atoms.repeat(config.supercell)


def _mix(atoms: Atoms, composition: dict[str, float], rng: np.random.Generator) -> None:
    elements = sorted(composition)
    counts = np.floor([composition[element] * len(atoms) + 0.5 for element in elements]).astype(int)
    counts[-1] = len(atoms) - counts[:-1].sum()
    symbols = np.repeat(elements, counts)
    atoms.set_chemical_symbols(list(rng.permutation(symbols)))

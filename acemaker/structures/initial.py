"""The structure with which a trajectory starts, and those with which generation 0 is trained."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from acemaker.config import PotentialConfig, SystemConfig
from acemaker.errors import ConfigError, StructureError
from acemaker.structures.frames import check_announced
from acemaker.structures.geometry import closeness
from acemaker.structures.mask import LABEL_WEIGHT, with_mask_of
from acemaker.structures.supported import check_file, check_supported

LOW = 0.1
"""Weight of the first structures where later labels can do without them (``benchmarks/ablations.py``)."""


def initial_structure(config: SystemConfig, rng: np.random.Generator) -> Atoms:
    """Build or read the structure with which the trajectory starts.

    Parameters
    ----------
    config
        Crystal or file, supercell, composition.
    rng
        Places the elements of a random alloy.

    Returns
    -------
    Atoms
        Periodic, without momenta unless the file has them.

    Raises
    ------
    ConfigError
        If the file is missing or ASE does not know the crystal.
    StructureError
        If the structure is periodic in some directions only, or carries constraints, masses or occupancies that would
        not be kept.
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
                "give lattice_constant, another crystal, or a structure file"
            ) from error
        cell.set_initial_magnetic_moments(None)  # ASE's guess for the element, which nobody has asked for
        atoms = cell.repeat(config.supercell)
    if config.composition:
        _mix(atoms, config.composition, rng)
    if atoms.pbc.any() and not atoms.pbc.all():
        raise StructureError(
            f"expected a structure periodic in all directions or in none, got pbc={atoms.pbc.tolist()}; give a "
            "slab vacuum and make it periodic: atoms.center(vacuum=8, axis=2); atoms.pbc = True"
        )
    return atoms


def first_weight(config: SystemConfig, potential: PotentialConfig, start: Atoms, cell: Atoms) -> float:
    """Weigh the first structures beside later labels.

    Rattled and strained crystals hold forces that no trajectory comes by, and what a small basis spends on them is lost
    to the others. Labels of small cells, of which a dozen atoms count, or of few atoms cannot do without them.

    Parameters
    ----------
    config
        ``first_weight``, which counts where it is given.
    potential
        ``n_functions``.
    start
        The initial structure.
    cell
        It, or the small cell that stands for it.

    Returns
    -------
    float
    """
    if config.first_weight is not None:
        return config.first_weight
    n_coefficients = potential.n_functions * len(set(start.get_chemical_symbols()))
    return LOW if len(cell) == len(start) and 3 * len(start) >= n_coefficients else 1.0


def first_structures(
    atoms: Atoms, config: SystemConfig, n: int, rng: np.random.Generator, n_reserve: int = 0, weight: float = 1.0
) -> list[Atoms]:
    """Rattle and strain a structure into the first training set.

    Parameters
    ----------
    atoms
        The initial structure, or a small cell that stands for it, with its mask.
    config
        ``first_rattle`` and ``first_strain``.
    n
        How many.
    rng
        Random numbers.
    n_reserve
        How many more, with strains drawn at random.
    weight
        What each counts in a fit, see `first_weight`.

    Returns
    -------
    list of Atoms
        Isotropic strains spread evenly from ``-first_strain`` to ``+first_strain``; one alone stays
        unstrained, and so do structures without a cell.
    """
    made = []
    strains = np.linspace(-config.first_strain, config.first_strain, n) if n > 1 else np.zeros(1)
    spare = np.random.default_rng(rng.integers(2**63)).uniform(-1, 1, n_reserve) * config.first_strain
    for strain in [*strains, *spare]:
        copy = with_mask_of(atoms, Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc))
        if copy.pbc.all():
            copy.set_cell(copy.cell * (1 + strain), scale_atoms=True)
        copy.positions += rng.normal(scale=config.first_rattle, size=copy.positions.shape)
        copy.info |= {"origin": "first_structure", "distance_A": closeness(copy).distance}
        if weight != 1:
            copy.info[LABEL_WEIGHT] = weight
        made.append(copy)
    return made


def _read(config: SystemConfig) -> Atoms:
    from ase.io import read

    assert config.file is not None
    if not config.file.is_file():
        raise ConfigError(
            f"SystemConfig.structure: {config.structure!r} is neither a chemical symbol nor a file; "
            "give a symbol like 'Cu' or the path of a structure file that ASE reads"
        )
    try:
        check_announced(config.file)
        atoms = read(config.file, do_not_split_by_at_sign=True)
    except Exception as error:  # whatever ASE's readers raise
        raise ConfigError(f"SystemConfig.structure: ASE cannot read {config.structure!r}: {error}") from error
    assert isinstance(atoms, Atoms)
    check_supported(atoms, f"SystemConfig.structure: {config.structure!r}")
    check_file(config.file, f"SystemConfig.structure: {config.structure!r}")
    if not atoms.pbc.all():
        return atoms
    if abs(atoms.cell.volume) < np.finfo(float).tiny or not np.isfinite(atoms.cell.array).all():
        raise ConfigError(
            f"SystemConfig.structure: {config.structure!r} has no cell of three edges that span a volume, "
            f"got {atoms.cell.tolist()}; mend the file"
        )
    return atoms.repeat(config.supercell)


def _mix(atoms: Atoms, composition: dict[str, float], rng: np.random.Generator) -> None:
    elements = sorted(composition)
    counts = np.floor([composition[element] * len(atoms) + 0.5 for element in elements]).astype(int)
    counts[-1] = len(atoms) - counts[:-1].sum()
    symbols = np.repeat(elements, counts)
    atoms.set_chemical_symbols(list(rng.permutation(symbols)))

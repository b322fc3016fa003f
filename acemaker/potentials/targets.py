"""Labels as targets of a linear fit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from acemaker.config import PotentialConfig
from acemaker.errors import ConfigError
from acemaker.formatting.record import read_only
from acemaker.potentials.baseline import Baseline
from acemaker.potentials.design import Design
from acemaker.potentials.linear import Rows
from acemaker.structures.computed import energy_of, forces_of, stress_of
from acemaker.structures.mask import mask_of


def check_reference_energies(config: PotentialConfig, elements: Sequence[str]) -> None:
    """Check that reference energies are set for all elements or for none.

    Raises
    ------
    ConfigError
        If only some elements have a value.
    """
    missing = [element for element in elements if element not in config.reference_energies]
    if config.reference_energies and missing:
        raise ConfigError(
            f"PotentialConfig.reference_energies: no value for {', '.join(missing)}; set one for each of "
            f"{', '.join(elements)}, or none"
        )


def reference_energies(
    structures: Sequence[Atoms], elements: Sequence[str], config: PotentialConfig
) -> dict[str, float]:
    """Return the reference energies of the configuration, or fit them to the first labels.

    They do not change later, since this would shift the energy of every structure.

    Parameters
    ----------
    structures
        The first labels.
    elements
        Chemical symbols.
    config
        ``reference_energies``, for all elements or empty.

    Returns
    -------
    dict of str to float
        eV per atom; the least-squares solution of minimum norm if the compositions do not determine them.
    """
    configured = config.reference_energies
    if configured:
        return {element: configured[element] for element in elements}
    counts = np.array([[atoms.symbols.count(e) for e in elements] for atoms in structures], dtype=float)
    sizes = counts.sum(axis=1)
    energies = np.array([energy_of(atoms) for atoms in structures])
    solution = np.linalg.lstsq(counts / sizes[:, None], energies / sizes, rcond=1e-3)[0]
    return {element: float(energy) for element, energy in zip(elements, solution, strict=True)}


def isolated_energies(atoms: Sequence[Atoms], elements: Sequence[str], baseline: Baseline | None) -> dict[str, float]:
    """Return the energies of isolated atoms that the ACE does not describe: those of the oracle minus the baseline.

    Parameters
    ----------
    atoms
        Labels of isolated atoms of all elements, or none.
    elements
        Chemical symbols.
    baseline
        Baseline of the potential, which may have another zero of energy than the oracle, or None.

    Returns
    -------
    dict of str to float
        eV per atom.
    """
    energies = {}
    for atom in atoms:
        shift = 0.0 if baseline is None else baseline.evaluate(atom)[0]
        energies[str(atom.symbols[0])] = energy_of(atom) - shift
    return {element: energies[element] for element in elements} if energies else {}


def structure_rows(
    atoms: Atoms,
    design: Design,
    reference: dict[str, float],
    stress: bool,
    mask: np.ndarray | None = None,
    energy_counts: bool = True,
    weight: float = 1.0,
) -> Rows:
    """Combine design matrix and label of a structure into rows of a fit.

    Parameters
    ----------
    atoms
        Structure with energy, forces and optionally stress.
    design
        Design matrix of the structure.
    reference
        Reference energies in eV per atom, by element.
    stress
        Whether to use the stress.
    mask : ndarray of bool, shape (n_atoms,), or None
        Atoms whose forces count; None for all. The mean over forces is taken over these atoms.
    energy_counts
        Whether to use the energy.
    weight
        Weight of the structure relative to others.

    Returns
    -------
    Rows
    """
    n_atoms = len(atoms)
    counted = slice(None) if mask is None else np.repeat(mask, 3)
    n_counted = n_atoms if mask is None else int(mask.sum())
    energy = (energy_of(atoms) - sum(reference[s] for s in atoms.get_chemical_symbols())) / n_atoms
    matrices = {
        "energy": np.append(design.energy, energy)[None],
        "forces": np.column_stack([design.forces[counted], forces_of(atoms).ravel()[counted]]) / np.sqrt(3 * n_counted),
    }
    if not energy_counts:
        del matrices["energy"]
    if stress and atoms.calc is not None and "stress" in atoms.calc.results:
        virial = stress_of(atoms) * atoms.get_volume() / n_atoms
        matrices["virial"] = np.column_stack([design.virial, virial]) / np.sqrt(6)
    if weight != 1:
        matrices = {kind: np.sqrt(weight) * matrix for kind, matrix in matrices.items()}
    return Rows(matrices=matrices, weight=weight)


def parity(
    structures: Sequence[Atoms], rows: Sequence[Rows], coefficients: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and predictions of energies and forces that are in a fit.

    Parameters
    ----------
    structures, rows
        Labeled structures and their rows.
    coefficients : ndarray, shape (n_coefficients,)
        eV.

    Returns
    -------
    energies : ndarray, shape (n_energies, 2)
        eV/atom.
    forces : ndarray, shape (n_components, 2)
        eV/Å.
    """
    energies: list[tuple[float, float]] = []
    forces = []
    for atoms, row in zip(structures, rows, strict=True):
        unweighted = np.append(coefficients, -1.0) / np.sqrt(row.weight)
        if "energy" in row.matrices:
            label = energy_of(atoms) / len(atoms)
            error = float((row.matrices["energy"] @ unweighted)[0])
            energies.append((label, label + error))
        # label plus error, not target plus error: the label includes the baseline, the target does not
        mask = mask_of(atoms)
        labels = (forces_of(atoms) if mask is None else forces_of(atoms)[mask]).ravel()
        difference = row.matrices["forces"] @ unweighted * np.sqrt(len(labels))
        forces.append(np.column_stack([labels, labels + difference]))
    return read_only(np.reshape(energies, (-1, 2))), read_only(np.vstack(forces))

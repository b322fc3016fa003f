"""LAMMPS, in this process and as another program, agrees with pyace in cells of any shape, size and handedness."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from acemaker.engines.native_check import evaluate
from acemaker.engines.preflight import LammpsResult, run_here
from acemaker.engines.workers import start_workers
from acemaker.lammps.box import standard_form
from acemaker.lammps.script import BAR_A3_PER_EV
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import Generation

SKIN = 1.0


def one_atom(rng: np.random.Generator) -> Atoms:
    """A primitive cell whose heights are half of the cutoff."""
    return bulk("Cu", "fcc", a=3.6 + rng.uniform(-0.1, 0.1))


def one_atom_bcc(rng: np.random.Generator) -> Atoms:
    return bulk("Ni", "bcc", a=2.8 + rng.uniform(-0.1, 0.1))


def elongated(rng: np.random.Generator) -> Atoms:
    """Two layers of one atom each, in a cell of 2.6 by 2.6 by 60 Å."""
    return Atoms("CuNi", [[0, 0, 30], [1.3, 1.3, 31.8]], cell=[2.6, 2.5, 60], pbc=True)


def flat(rng: np.random.Generator) -> Atoms:
    """A cell of 11 by 11 by 3.6 Å, thinner than the cutoff."""
    return bulk("Cu", cubic=True) * (3, 3, 1)


def left_handed(rng: np.random.Generator) -> Atoms:
    atoms = bulk("CuNi", "rocksalt", a=4.6).repeat((2, 2, 1))
    atoms.set_cell(atoms.cell.array[[1, 0, 2]], scale_atoms=False)
    assert np.linalg.det(atoms.cell.array) < 0
    return atoms


def left_handed_orthorhombic(rng: np.random.Generator) -> Atoms:
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    atoms.set_cell(atoms.cell.array * [[1], [1], [-1]], scale_atoms=False)
    return atoms


def skewed(rng: np.random.Generator) -> Atoms:
    """Another choice of vectors for the same lattice, with tilts of several box lengths."""
    atoms = bulk("Cu", cubic=True) * (2, 1, 1)
    cell = atoms.cell.array.copy()
    cell[1] += 2 * cell[0]
    cell[2] += 3 * cell[1] - cell[0]
    atoms.set_cell(cell, scale_atoms=False)
    return atoms


def skewed_backwards(rng: np.random.Generator) -> Atoms:
    atoms = bulk("Ni", "fcc", a=3.5).repeat((2, 1, 1))
    cell = atoms.cell.array.copy()
    cell[2] -= 2 * cell[1] + cell[0]
    atoms.set_cell(cell, scale_atoms=False)
    return atoms


def rotated(rng: np.random.Generator) -> Atoms:
    atoms = bulk("Cu", cubic=True) * (2, 2, 1)
    atoms.rotate(rng.uniform(0, 180), rng.normal(size=3), rotate_cell=True)
    return atoms


def random_cell(rng: np.random.Generator) -> Atoms:
    """Some atoms at random places that are not too close, in a random cell of either hand."""
    while True:
        cell = rng.normal(scale=3.0, size=(3, 3))
        n_atoms = int(rng.integers(1, 5))
        volume = abs(np.linalg.det(cell))
        if not 10 * n_atoms < volume < 30 * n_atoms:
            continue
        scaled = rng.uniform(-2, 2, size=(n_atoms, 3))  # also outside of the cell
        atoms = Atoms(rng.choice(["Cu", "Ni"], n_atoms), cell=cell, scaled_positions=scaled, pbc=True)
        atoms.set_scaled_positions(scaled)
        distances = np.sort((atoms * (3, 3, 3)).get_all_distances(mic=True), axis=1)[:, 1]
        if distances.min() > 1.9:
            return atoms


CELLS: dict[str, Callable[[np.random.Generator], Atoms]] = {
    make.__name__: make
    for make in (
        one_atom,
        one_atom_bcc,
        elongated,
        flat,
        left_handed,
        left_handed_orthorhombic,
        skewed,
        skewed_backwards,
        rotated,
    )
}


def odd_cells(name: str, seed: int) -> Atoms:
    rng = np.random.default_rng([seed, len(name)])
    atoms = random_cell(rng) if name == "random" else CELLS[name](rng)
    atoms.positions += rng.normal(scale=0.05, size=atoms.positions.shape)
    return atoms


def expected(atoms: Atoms, generation: Generation) -> tuple[float, np.ndarray, float, np.ndarray]:
    """Return energy, forces, pressure (bar) and gamma, in a supercell that is larger than twice the cutoff."""
    heights = 1 / np.linalg.norm(atoms.cell.reciprocal().array, axis=1)
    repeats = np.ceil(2.2 * generation.cutoff / heights).astype(int)
    large = atoms.repeat(repeats)
    large.calc = generation.calculator()
    n, times = len(atoms), int(np.prod(repeats))
    energy = large.get_potential_energy() / times
    energy -= sum(generation.reference_energies[symbol] for symbol in atoms.symbols)
    pressure = -large.get_stress()[:3].mean() * BAR_A3_PER_EV
    gamma = evaluator_of(generation).structure(large).gamma  # without the test for few neighbors
    assert gamma is not None
    return energy, large.get_forces()[:n], pressure, gamma[:n]


def check(atoms: Atoms, result: LammpsResult, generation: Generation) -> None:
    energy, forces, pressure, gamma = expected(atoms, generation)
    rotation = standard_form(atoms)[2]
    assert result.energy == pytest.approx(energy, abs=1e-8 * len(atoms))
    assert np.abs(result.forces @ rotation - forces).max() < 1e-8
    assert result.pressure == pytest.approx(pressure, rel=1e-6, abs=1.0)
    assert np.allclose(result.gamma, gamma, rtol=1e-6)
    assert np.allclose(np.abs(np.linalg.det(rotation)), 1)
    # the structure is the same, but for the rotation
    same = Atoms(result.atoms, calculator=generation.calculator())
    assert np.allclose(same.get_forces() @ rotation, forces, atol=1e-8)


NAMES = [(name, 0) for name in CELLS] + [("random", seed) for seed in range(12)]


@pytest.mark.parametrize(("name", "seed"), NAMES)
def test_lammps_in_this_process(name: str, seed: int, alloy_generation: Generation) -> None:
    atoms = odd_cells(name, seed)
    check(atoms, run_here(evaluator_of(alloy_generation), atoms, SKIN), alloy_generation)


def test_lammps_with_several_force_processes(alloy_generation: Generation) -> None:
    workers = start_workers(2, alloy_generation)
    assert workers is not None
    with contextlib.closing(workers):
        for name, seed in NAMES[::2]:
            atoms = odd_cells(name, seed)
            check(atoms, run_here(evaluator_of(alloy_generation), atoms, SKIN, workers), alloy_generation)


def test_a_native_lammps(tmp_path: Path, alloy_generation: Generation, native_lammps: str) -> None:
    for name, seed in NAMES[:14]:
        atoms = odd_cells(name, seed)
        folder = tmp_path / f"{name}_{seed}"
        folder.mkdir()
        result = evaluate(shlex.split(native_lammps), alloy_generation, atoms, SKIN, folder, 60.0)
        check(atoms, result, alloy_generation)


@pytest.mark.parametrize(("name", "seed"), NAMES)
def test_the_calculator_of_a_generation(name: str, seed: int, alloy_generation: Generation) -> None:
    """In the orientation of the structure, whatever the engines make of it."""
    atoms = odd_cells(name, seed)
    energy, forces, pressure, _ = expected(atoms, alloy_generation)
    atoms.calc = alloy_generation.calculator()
    energy += sum(alloy_generation.reference_energies[symbol] for symbol in atoms.symbols)
    assert atoms.get_potential_energy() == pytest.approx(energy, abs=1e-8 * len(atoms))
    assert np.allclose(atoms.get_forces(), forces, atol=1e-8)
    assert -atoms.get_stress()[:3].mean() * BAR_A3_PER_EV == pytest.approx(pressure, rel=1e-6, abs=1.0)


@pytest.mark.parametrize("name", ["left_handed", "left_handed_orthorhombic"])
def test_atoms_are_not_mirrored(name: str) -> None:
    """The triple product of three bonds keeps its sign."""
    atoms = odd_cells(name, 0)
    cell, positions, rotation = standard_form(atoms)
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert (np.diag(cell) > 0).all()
    moved = Atoms(atoms.symbols, positions, cell=cell, pbc=True)
    for other in (3, 5):
        bond, bond_there = (structure.get_distance(0, other, mic=True, vector=True) for structure in (atoms, moved))
        assert np.allclose(bond @ rotation.T, bond_there, atol=1e-9)

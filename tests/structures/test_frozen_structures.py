"""Frozen atoms, moments and masses in candidates, first structures and embedded cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import fcc111
from ase.calculators.emt import EMT

from acemaker.analysis.phonons import phonons
from acemaker.analysis.samples import find_crystal
from acemaker.config import OTFConfig, SystemConfig
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.structures.candidates import make_candidates
from acemaker.structures.embedding import embed
from acemaker.structures.embedding.boundary import relax_boundary
from acemaker.structures.files import read_structures, write_structures
from acemaker.structures.grading import Grading
from acemaker.structures.initial import first_structures
from acemaker.structures.pretraining import pretraining_structures
from acemaker.structures.strategies import STRATEGIES, Site, Strategy
from acemaker.testing import StrategyContract
from tests.conftest import copper, small_basis


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def half_frozen(repeat: int = 2) -> Atoms:
    """Rattled copper whose lower half is frozen, with moments, and with heavy atoms among the others."""
    atoms = copper(repeat)
    atoms.rattle(0.08, seed=3)
    atoms.arrays["frozen"] = atoms.get_scaled_positions()[:, 2] < 0.45
    atoms.set_initial_magnetic_moments(np.where(np.arange(len(atoms)) % 2, 1.0, -1.0))
    atoms.set_masses(np.where(np.arange(len(atoms)) % 3, 63.546, 120.0))
    return atoms


def site(atoms: Atoms, radius: float = 3.5) -> Site:
    frozen = atoms.arrays["frozen"]
    return Site.around(atoms, np.flatnonzero(~frozen)[:1], radius=radius, temperature=600.0, calculator=EMT)


def grade(structures: Sequence[Atoms]) -> Grading:
    return Grading(gamma_max=np.full(len(structures), 2.0), features=np.zeros((len(structures), 1)), gamma=())


class OfHalfFrozenCopper(StrategyContract):
    def make_site(self) -> Site:
        return site(half_frozen(3))

    def make(self, site: Site, seed: int = 0, n: int = 3) -> list[Atoms]:
        """Look at all candidates of the contract."""
        candidates = super().make(site, seed, n)
        frozen = site.structure.arrays["frozen"]
        for atoms in candidates:
            before, after = (
                structure.get_scaled_positions(wrap=False)[frozen] for structure in (site.structure, atoms)
            )
            assert np.abs(after - before).max() < (1e-14 if self.is_local else 1e-9)
            for name in ("frozen", "initial_magmoms", "masses"):
                assert np.array_equal(atoms.arrays[name], site.structure.arrays[name])
        return candidates


class TestRandomDisplacement(OfHalfFrozenCopper):
    def make_strategy(self) -> Strategy:
        return STRATEGIES["random_displacement"]


class TestNormalModes(OfHalfFrozenCopper):
    def make_strategy(self) -> Strategy:
        return STRATEGIES["normal_modes"]

    def make_config(self) -> OTFConfig:
        return OTFConfig(mode_atoms=4)


class TestMDBurst(OfHalfFrozenCopper):
    def make_strategy(self) -> Strategy:
        return STRATEGIES["md_burst"]

    def make_config(self) -> OTFConfig:
        return OTFConfig(burst_steps=5)


class TestStrain(OfHalfFrozenCopper):
    is_local = False

    def make_strategy(self) -> Strategy:
        return STRATEGIES["strain"]


@pytest.mark.parametrize("name", ["random_displacement", "normal_modes", "md_burst"])
def test_a_region_of_frozen_atoms_yields_nothing(name: str) -> None:
    atoms = half_frozen()
    atoms.arrays["frozen"] = np.arange(len(atoms)) != 31
    frozen_site = Site.around(atoms, np.array([0]), radius=0.5, temperature=300, calculator=EMT)
    assert not len(frozen_site.region)
    assert not list(islice(STRATEGIES[name](frozen_site, OTFConfig(), rng()), 3))


def test_bursts_have_the_kinetic_energy_of_their_masses() -> None:
    """The same random numbers: atoms of four times the mass go half as far in a short burst."""
    distances = []
    for mass in (30.0, 120.0):
        atoms = copper()
        atoms.arrays["frozen"] = np.arange(32) != 13
        atoms.set_masses([mass] * 32)
        (burst,) = islice(STRATEGIES["md_burst"](site(atoms), OTFConfig(burst_steps=3), rng()), 1)
        distances.append(np.linalg.norm(burst.positions[13] - atoms.positions[13]))
    assert distances[0] / distances[1] == pytest.approx(2, abs=0.02)
    assert distances[0] == pytest.approx(3 * units.fs * np.sqrt(3 * units.kB * 600 / 30), rel=1.5)


def built_from_nothing(here: Site, config: OTFConfig, rng: np.random.Generator) -> Iterator[Atoms]:
    while True:
        structure = here.structure
        candidate = Atoms(structure.symbols, structure.positions, cell=structure.cell, pbc=structure.pbc)
        mobile = ~structure.arrays["frozen"]
        candidate.positions[mobile] += rng.normal(scale=0.05, size=(mobile.sum(), 3))
        yield candidate


def careless(here: Site, config: OTFConfig, rng: np.random.Generator) -> Iterator[Atoms]:
    while True:
        candidate = here.structure.copy()
        candidate.rattle(0.05, rng=rng)
        yield candidate


def test_a_strategy_of_ones_own_loses_no_array_and_moves_no_frozen_atom() -> None:
    atoms = half_frozen()
    config = OTFConfig(n_candidates=4, strategies={f"{__name__}:built_from_nothing": 1})
    candidates = make_candidates(site(atoms), config, rng(), grade)
    assert len(candidates.structures) == 4
    for candidate in candidates.structures:
        for name in ("frozen", "initial_magmoms", "masses"):
            assert np.array_equal(candidate.arrays[name], atoms.arrays[name])
    config = OTFConfig(n_candidates=4, strategies={f"{__name__}:careless": 1})
    candidates = make_candidates(site(atoms), config, rng(), grade)
    assert len(candidates.structures) == 1
    assert candidates.dropped["frozen atoms moved"] >= 3


def test_first_structures_are_not_rattled_where_atoms_are_frozen() -> None:
    atoms = half_frozen()
    frozen = atoms.arrays["frozen"]
    settings = SystemConfig(first_rattle=0.1, first_strain=0.03)
    plain = atoms.copy()
    del plain.arrays["frozen"]
    structures = first_structures(atoms, settings, 3, rng(), n_reserve=2)
    others = first_structures(plain, settings, 3, rng(), n_reserve=2)
    for first, other in zip(structures, others, strict=True):
        assert np.array_equal(first.cell.array, other.cell.array)
        assert np.array_equal(first.positions[~frozen], other.positions[~frozen])
        strained = atoms.get_scaled_positions(wrap=False) @ first.cell.array
        assert np.abs(first.positions - strained)[frozen].max() < 1e-12
        assert np.abs(other.positions - strained)[frozen].max() > 0.05
    spread = pretraining_structures(atoms, 4, temperatures=(300, 600), strain=0.03, springs={"Cu": 2.0}, rng=rng())
    for first in spread:
        strained = atoms.get_scaled_positions(wrap=False) @ first.cell.array
        assert np.abs(first.positions - strained)[frozen].max() < 1e-12
        assert np.abs(first.positions - strained)[~frozen].max() > 0.05


def test_the_boundary_of_a_small_cell_moves_around_frozen_atoms() -> None:
    atoms = half_frozen()
    movable = np.arange(32) % 4 != 0
    frozen = atoms.arrays["frozen"]
    relaxed = relax_boundary(atoms, movable, movable, EMT(), gamma_limit=np.ones(32), force_limit=1e-3, max_steps=5)
    moved = np.abs(relaxed.structure.positions - atoms.positions).max(axis=1) > 0
    assert np.array_equal(moved, movable & ~frozen)
    assert np.array_equal(relaxed.structure.arrays["frozen"], frozen)


def test_an_embedded_cell_has_the_properties_of_its_atoms(tmp_path: Path) -> None:
    parent = fcc111("Cu", (9, 9, 6), a=3.615, vacuum=8.0, periodic=True)
    parent.info.clear()
    parent.rattle(0.04, seed=2)
    heights = parent.positions[:, 2] - parent.positions[:, 2].min()
    parent.arrays["frozen"] = heights < 3.0
    parent.set_initial_magnetic_moments(np.arange(len(parent)) % 5 - 2.0)
    parent.set_masses(60.0 + np.arange(len(parent)) % 7)
    center = int(np.flatnonzero((heights > 3.0) & (heights < 5.5))[0])
    cell = embed(parent, [center], EMT(), max_atoms=110)
    (written,) = write_structures(tmp_path / "cell.extxyz", [cell.structure])
    (read,) = read_structures(tmp_path / "cell.extxyz")
    for structure in (cell.structure, written, read):
        assert 5 < structure.arrays["frozen"].sum() < len(structure)
        for name in ("frozen", "initial_magmoms", "masses"):
            assert np.array_equal(structure.arrays[name], parent.arrays[name][cell.indices]), name


def test_phonons_have_the_masses_of_the_structure() -> None:
    highest = []
    for mass in (None, 4 * 63.546):
        atoms = copper()
        if mass is not None:
            atoms.set_masses([mass] * 32)
        crystal = find_crystal(atoms)
        measured = phonons(crystal, EMT(), crystal.primitive)
        highest.append(max(value.value for value in measured.values))
    assert highest[0] / highest[1] == pytest.approx(2, rel=1e-4)


def test_frozen_atoms_do_not_count_as_environments_of_the_first_structures() -> None:
    """Their neighbors are frozen, too, so that they are similar in all structures."""
    trainer = LinearTrainer(small_basis(), ["Cu"])
    atoms = copper()
    assert trainer.minimum_structures(atoms) == 1
    atoms.arrays["frozen"] = np.arange(32) >= 4
    assert trainer.minimum_structures(atoms) == 4

"""Scans of linear ACEs by stored projections: the same as by pyace, and computed once for all fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from acemaker.config import OracleConfig, PotentialConfig
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials import path_projections, short_range
from acemaker.potentials.basis import Basis
from acemaker.potentials.core_repulsion import core_radii, with_core
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.potentials.pair_baseline import PairBaseline
from acemaker.potentials.path_projections import PathProjections
from acemaker.potentials.scans import compression_paths, pair_paths
from acemaker.potentials.short_range import ace_sampler
from acemaker.potentials.short_range_search import ShortRangeSearch
from acemaker.potentials.training import Training
from tests.conftest import CUNI, alloy, rattled, small_basis


def lammps(style: str, coeff: str) -> OracleConfig:
    return OracleConfig(oracle="lammps", pair_style=style, pair_coeff=(coeff,))


MATERIALS: dict[str, tuple[OracleConfig, Callable[[], Atoms]]] = {
    "two metals": (CUNI, alloy),
    "covalent": (lammps("sw", "* * Si.sw Si"), lambda: bulk("Si", cubic=True).repeat(2)),
    "body-centered": (lammps("eam/alloy", "* * W_zhou.eam.alloy W"), lambda: bulk("W", cubic=True).repeat(3)),
    "hexagonal": (lammps("eam/fs", "* * Mg_mm.eam.fs Mg"), lambda: bulk("Mg", a=3.184, c=5.17).repeat(3)),
}


@pytest.fixture(params=MATERIALS)
def trained(request: pytest.FixtureRequest, tmp_path: Any) -> tuple[LinearTrainer, Training]:
    oracle, make = MATERIALS[request.param]
    crystal = make()
    elements = tuple(sorted(set(crystal.get_chemical_symbols())))
    trainer = LinearTrainer(small_basis().model_copy(update={"core_repulsion": "never"}), elements, tmp_path)
    labeler = CalculatorOracle.from_config(oracle, elements)
    labels = [labeler.label(atoms) for atoms in (*rattled(crystal, 5, scale=0.15), *rattled(crystal, 1, scale=0.03))]
    training = trainer.train(labels, number=1, directory=tmp_path, predecessor=None, halted=None, gamma_limit=2.0)
    trainer.basis.basis_set.basis_coeffs = list(training.generation.coefficients())
    return trainer, training


def test_stored_projections_give_the_energies_and_gamma_of_pyace(trained: tuple[LinearTrainer, Training]) -> None:
    """With and without core repulsion, whose atoms are evaluated anew, at every distance of every scan."""
    trainer, _ = trained
    basis, distances = trainer.basis, trainer._distances
    assert trainer.active_set is not None
    inverses, reference = trainer.active_set.inverses, distances.calmest
    paths = pair_paths(basis.elements, basis.cutoff, reference) + compression_paths(basis.cutoff, reference)
    radii = core_radii(basis.elements, distances.shortest, reference, basis.cutoff, 0.95)
    wide = {pair: 1.15 * radius for pair, radius in radii.items()}  # also in compressed cells, and for several atoms
    differing = set()
    for cores in ({}, radii, wide):
        potential = with_core(basis, cores) if cores else basis
        sample = ace_sampler(potential, inverses, None)
        for path in paths:
            projections = PathProjections(path, basis)
            energies, gamma = sample(path.structures)
            stored = projections.energies(potential, cores)
            scale = np.abs(energies).max()
            assert stored - stored[0] == pytest.approx(energies - energies[0], abs=1e-10 * scale)
            assert projections.gamma(inverses) == pytest.approx(gamma, rel=1e-8, abs=1e-9)
            if cores and not np.allclose(stored, projections.energies(basis, {})):
                differing.add(path.kind)
    assert differing == {"dimer", "push", "compression"}, "core repulsion acts in all kinds of scans"


def evaluations(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the structures from which projections are computed, or atoms within a core radius are searched for."""
    counted: list[int] = []

    def environments(structures: Sequence[Atoms], basis: Basis) -> Iterator[Any]:
        counted.append(len(structures))
        yield from short_range.environments(structures, basis)

    monkeypatch.setattr(path_projections, "environments", environments)
    return counted


def test_the_next_fits_scan_takes_no_evaluation(
    trained: tuple[LinearTrainer, Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, training = trained
    counted = evaluations(monkeypatch)
    holes = trainer.at_short_range(None, "never")[1]["holes"]
    assert holes == training.generation.holes
    assert not counted, "the structures are those of the fit before"
    coefficients = np.array(trainer.basis.basis_set.basis_coeffs)
    trainer.basis.basis_set.basis_coeffs = list(-coefficients)  # what repelled attracts
    turned = trainer.at_short_range(None, "never")[1]["holes"]
    assert not counted
    assert turned
    assert turned != holes


def test_a_calmer_label_or_another_basis_is_scanned_again(
    trained: tuple[LinearTrainer, Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, _ = trained
    search, reference = trainer._search, trainer._distances.calmest
    assert search is not None
    assert search.is_for(trainer.basis, None, reference)
    counted = evaluations(monkeypatch)
    assert reference is not None
    trainer._distances._calmest = reference.copy()
    trainer.at_short_range(None, "never")
    assert counted
    assert not search.is_for(trainer.basis, None, trainer._distances.calmest)
    copied = Basis(type(trainer.basis.basis_set)(trainer.basis.basis_set.to_BBasisConfiguration()))
    assert not search.is_for(copied, None, reference)


@pytest.mark.parametrize(
    "embedding",
    [
        {"npot": "FinnisSinclair", "fs_parameters": [1, 0.5], "ndensity": 1},
        {"npot": "FinnisSinclairShiftedScaled", "fs_parameters": [1, 1, 1, 0.5], "ndensity": 2},
    ],
)
def test_an_ace_that_is_not_linear_is_evaluated_by_pyace(
    embedding: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = PotentialConfig(n_functions=12, cutoff=4.0, nradmax_by_orders=(6, 3, 2), lmax_by_orders=(0, 2, 1))
    assert Basis.create(config, ["Cu"]).is_linear
    basis = Basis.create(config, ["Cu"], embedding)
    assert not basis.is_linear
    n = len(basis.basis_set.basis_coeffs)
    basis.basis_set.basis_coeffs = np.random.default_rng(0).normal(size=n).tolist()
    counted = evaluations(monkeypatch)
    reference, trained_from = bulk("Cu", cubic=True), {("Cu", "Cu"): 2.2}
    scans = ShortRangeSearch(basis, None, reference).scans(None, trained_from, {})
    assert not counted
    sample = ace_sampler(basis, None, None)
    paths = pair_paths(["Cu"], basis.cutoff, reference) + compression_paths(basis.cutoff, reference)
    for scan, path in zip(scans, paths, strict=True):
        assert np.array_equal(scan.energies, path.scan(*sample(path.structures), trained_from).energies)


def test_a_baseline_is_added_to_every_scan_and_evaluated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    config = PotentialConfig(n_functions=12, cutoff=4.0, nradmax_by_orders=(6, 3, 2), lmax_by_orders=(0, 2, 1))
    basis, reference, trained_from = Basis.create(config, ["Cu"]), bulk("Cu", cubic=True), {("Cu", "Cu"): 2.2}
    basis.basis_set.basis_coeffs = np.random.default_rng(0).normal(size=basis.size).tolist()
    baseline = PairBaseline(style="zbl 1.0 3.0", coeff=("* * 29 29",), files={}, elements=("Cu",))
    sample = ace_sampler(basis, None, baseline)
    paths = pair_paths(["Cu"], basis.cutoff, reference) + compression_paths(basis.cutoff, reference)
    expected = [path.scan(*sample(path.structures), trained_from).energies for path in paths]
    calls: list[int] = []
    energies = PairBaseline.energies

    def counted(self: PairBaseline, structures: Sequence[Atoms]) -> np.ndarray:
        calls.append(len(structures))
        return energies(self, structures)

    monkeypatch.setattr(PairBaseline, "energies", counted)
    search = ShortRangeSearch(basis, baseline, reference)
    for _ in range(2):
        for scan, values in zip(search.scans(None, trained_from, {}), expected, strict=True):
            assert scan.energies == pytest.approx(values, abs=1e-9 * np.abs(values).max())
    assert calls == [len(path.structures) for path in paths]
    assert search.is_for(basis, replace(baseline), reference)
    assert not search.is_for(basis, replace(baseline, coeff=("* * 28 28",)), reference)
    assert not search.is_for(basis, None, reference)

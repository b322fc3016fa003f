"""Core repulsion: nothing changes above the core radius, and all engines agree below."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.fd import calculate_numerical_forces

from acemaker.config import OracleConfig
from acemaker.engines.native_check import evaluate
from acemaker.potentials.core_repulsion import WIDTH, core_radii
from acemaker.potentials.environment import environment
from acemaker.potentials.evaluator import Evaluator, evaluator_of
from acemaker.potentials.generation import Generation
from tests.conftest import CUNI, alloy, rattled, small_basis, train


@pytest.fixture(scope="module")
def generations(tmp_path_factory: pytest.TempPathFactory) -> tuple[Generation, Generation]:
    """An alloy without and with core repulsion."""
    never, always = (
        train(
            tmp_path_factory.mktemp(mode),
            alloy(),
            CUNI,
            small_basis().model_copy(update={"core_repulsion": mode}),
            n=6,
        )
        for mode in ("never", "always")
    )
    return never, always


def pushed(share: float, atom: int = 0) -> tuple[Atoms, float]:
    """Move an atom toward its nearest neighbor, to a share of their distance."""
    atoms = rattled(alloy(), 1)[0]
    neighbor = int(np.argsort(atoms.get_distances(atom, range(len(atoms)), mic=True))[1])
    vector = atoms.get_distance(atom, neighbor, mic=True, vector=True)
    atoms.positions[atom] += (1 - share) * vector
    return atoms, share * float(np.linalg.norm(vector))


def test_nothing_changes_above_the_core_radius(generations: tuple[Generation, Generation]) -> None:
    without, with_core = map(evaluator_of, generations)
    for atoms in (*rattled(alloy(), 3, seed=5), pushed(0.85)[0]):
        first, second = without.structure(atoms), with_core.structure(atoms)
        assert first.energy == second.energy
        assert np.array_equal(first.forces, second.forces)
        assert np.array_equal(first.virial, second.virial)
        assert np.array_equal(np.array(first.gamma), np.array(second.gamma))


def test_gamma_is_that_of_the_ace_below_it_and_large(generations: tuple[Generation, Generation]) -> None:
    without, with_core = map(evaluator_of, generations)
    atoms, distance = pushed(0.6)
    assert distance < min(generations[1].core_radii.values())
    first, second = without.structure(atoms), with_core.structure(atoms)
    assert np.array(second.gamma) == pytest.approx(np.array(first.gamma), rel=1e-12)
    assert np.array(second.gamma).max() > 5
    assert not np.allclose(first.forces, second.forces)


@pytest.mark.parametrize("share", [0.72, 0.68, 0.62, 0.45])
def test_engines_and_numerical_forces_agree_below_it(
    generations: tuple[Generation, Generation], native_lammps: str, tmp_path: Path, share: float
) -> None:
    generation = generations[1]
    evaluator = evaluator_of(generation)
    atoms, distance = pushed(share)
    graded = evaluator.structure(atoms)
    fast = evaluator.fast(environment(atoms, generation.elements, generation.cutoff))
    assert fast.forces == pytest.approx(graded.forces, abs=1e-9)
    read_again = Evaluator(str(generation.yaml), generation.asi, generation.elements, generation.cutoff)
    assert np.array_equal(read_again.structure(atoms).forces, graded.forces)
    native = evaluate(shlex.split(native_lammps), generation, atoms, 1.0, tmp_path, 60.0)
    assert native.forces == pytest.approx(graded.forces, abs=1e-8)
    atoms.calc = generation.calculator()
    numerical = calculate_numerical_forces(atoms, eps=1e-5, iatoms=[0])
    assert numerical[0] == pytest.approx(graded.forces[0], rel=1e-4, abs=1e-3), distance


def test_two_atoms_repel_as_bare_nuclei_below_the_switch(generations: tuple[Generation, Generation]) -> None:
    """The universal potential of Ziegler, Biersack and Littmark, here computed by LAMMPS."""
    from acemaker.oracles.factory import lammps_calculator

    radius = generations[1].core_radii["Cu-Ni"]
    zbl = ["pair_style zbl 3.9 4.0", "pair_coeff 1 1 29 29", "pair_coeff 1 2 29 28", "pair_coeff 2 2 28 28"]
    forces = []
    for calculator in (generations[1].calculator(), lammps_calculator(zbl, ("Cu", "Ni"))):
        pair = Atoms("CuNi", [(5, 5, 5), (5, 5, 5 + (1 - WIDTH) * radius - 0.05)], cell=[10, 10, 10])
        pair.calc = calculator
        forces.append(pair.get_forces())
    assert forces[0] == pytest.approx(forces[1], rel=1e-3)
    assert forces[0][1, 2] > 5


def test_a_pair_that_is_no_neighbor_may_still_bind() -> None:
    """Nitrogen atoms in a nitride are trained from 2.5 Å on, and the molecule binds at 1.1 Å."""
    from ase.build import bulk

    nitride = bulk("GaN", "zincblende", a=4.5)
    trained = {("Ga", "N"): 1.5, ("N", "Ga"): 1.48, ("N", "N"): 2.5, ("Ga", "Ga"): 2.6}
    radii = core_radii(("Ga", "N"), trained, nitride, 5.0)
    assert radii["Ga-N"] == pytest.approx(0.9 * 1.48, abs=1e-3)
    assert radii["N-N"] < 1.16
    assert core_radii(("Ga", "N"), {}, nitride, 5.0)["N-N"] == radii["N-N"], "a pair that was never trained"


def test_the_configuration_decides(tmp_path: Path) -> None:
    oracle = OracleConfig(oracle="emt")
    generation = train(tmp_path, alloy(), oracle, small_basis().model_copy(update={"core_repulsion": "always"}))
    assert set(generation.core_radii) == {"Cu-Cu", "Cu-Ni", "Ni-Ni"}

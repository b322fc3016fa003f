"""Clusters with a box that the oracle needs, in every engine: candidates have it where the initial structure has it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import all_changes
from ase.calculators.emt import EMT
from ase.cluster import Octahedron
from ase.io import write

from acemaker import Campaign, CampaignConfig
from acemaker.errors import StructureError
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.states import State
from acemaker.structures.geometry import LEAST_VACUUM, put_into_box

VACUUM = 4.0


class Boxed(EMT):
    """A calculator that needs a box with all atoms in it, such as one on a grid, and returns an array of one energy."""

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        assert atoms is not None and not atoms.pbc.any()
        assert atoms.cell.rank == 3, "there is no box"
        scaled = atoms.cell.scaled_positions(atoms.positions)
        vacuum = np.minimum(scaled.min(axis=0), 1 - scaled.max(axis=0)) * atoms.cell.lengths()
        assert vacuum.min() > LEAST_VACUUM, "atoms are too close to the faces of the box"
        super().calculate(atoms, list(properties), list(system_changes))
        self.results["energy"] = np.array([self.results["energy"]])


def cluster() -> Atoms:
    atoms = Octahedron("Cu", 3, 1)
    atoms.rattle(0.05, seed=2)
    atoms.center(vacuum=VACUUM)
    atoms.pbc = False
    return atoms


def settings(structure: Path, oracle: dict[str, Any], **engine: Any) -> CampaignConfig:
    return CampaignConfig(
        seed=1,
        system={"structure": str(structure), "n_first": 3},
        otf={"n_candidates": 5, "n_select": 1},
        engine={"ensemble": "nvt", "steps": 300, "temperature": (300, 900), "restart_every": 100, **engine},
        potential={"n_functions": 20, "cutoff": 4.5, "nradmax_by_orders": (8, 4, 2), "lmax_by_orders": (0, 3, 1)},
        oracle=oracle,
    )


@pytest.mark.parametrize("engine", ["inprocess", "python child", "native"])
def test_every_label_has_the_box(tmp_path: Path, engine: str, request: pytest.FixtureRequest) -> None:
    lammps = request.getfixturevalue("native_lammps") if engine == "native" else "python"
    structure = tmp_path / "cluster.extxyz"
    write(structure, cluster())
    where = {} if engine == "inprocess" else {"engine": "isolated", "lammps": lammps}
    oracle = CalculatorOracle(Boxed, max_force=100.0)
    with Campaign.create(tmp_path / "c", settings(structure, {"oracle": "emt"}, **where), oracle=oracle) as campaign:
        assert campaign.run().state is State.DONE
        assert campaign.progress.halts
        for label in campaign.labeled_structures():
            assert np.allclose(label.cell.array, cluster().cell.array) and not label.pbc.any()
            middle = 0.5 * (label.positions.min(axis=0) + label.positions.max(axis=0))
            assert np.allclose(middle, 0.5 * label.cell.array.sum(axis=0), atol=0.5)
            bare = label.copy()
            bare.calc = EMT()
            assert label.get_potential_energy() == pytest.approx(bare.get_potential_energy(), abs=1e-6)
            assert np.allclose(label.get_forces(), bare.get_forces(), atol=1e-6)


def test_without_a_box_there_is_none(tmp_path: Path) -> None:
    atoms = cluster()
    atoms.cell = None
    structure = tmp_path / "cluster.xyz"
    write(structure, atoms, format="extxyz")
    with Campaign.create(tmp_path / "c", settings(structure, {"oracle": "emt"})) as campaign:
        assert campaign.run().state is State.DONE
        assert campaign.progress.halts
        assert all(label.cell.rank == 0 for label in campaign.labeled_structures())


@pytest.mark.parametrize("cell", [[10, 11, 12], [[10, 0, 0], [2, 10, 0], [1, -1, 9]]], ids=["orthogonal", "tilted"])
def test_a_cluster_that_has_expanded_gets_a_larger_box(cell: Any) -> None:
    start = Atoms("N3", np.array([[0, 0, 0], [0, 0, 1.1], [0, 1.1, 0]]) + 4.5, cell=cell)
    atoms = Atoms("N3", [[0, 0, 0], [0, 0, 9.0], [2.0, 1.1, 0]])
    before = atoms.get_all_distances()
    put_into_box(atoms, start)
    assert np.allclose(atoms.get_all_distances(), before)
    assert np.allclose(atoms.cell.cellpar()[3:], start.cell.cellpar()[3:])
    (old_heights, old), (new_heights, new) = heights_and_vacuum(start), heights_and_vacuum(atoms)
    assert (new >= np.minimum(old, LEAST_VACUUM) - 1e-9).all()
    assert (new_heights >= old_heights - 1e-9).all() and new_heights.max() > old_heights.max() + 3


def heights_and_vacuum(atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
    """Return the heights of a cell, and the smallest distances of atoms from its faces, Å."""
    reciprocal = atoms.cell.reciprocal().array
    heights = 1 / np.linalg.norm(reciprocal, axis=1)
    distances = (atoms.positions @ reciprocal.T) * heights
    return heights, np.minimum(distances.min(axis=0), heights - distances.max(axis=0))


def test_frozen_atoms_stay_where_they_are_in_the_box() -> None:
    start = Atoms("N3", [[4, 4, 4], [4, 4, 5.1], [4, 5.1, 4]], cell=[10, 10, 10])
    start.arrays["frozen"] = np.array([True, False, True])
    atoms = Atoms("N3", [[1, 1, 1], [2.5, 1, 2.3], [1, 2.1, 1]])
    put_into_box(atoms, start)
    assert np.allclose(atoms.positions, np.array([[4, 4, 4], [5.5, 4, 5.3], [4, 5.1, 4]]))


@pytest.mark.parametrize(
    ("oracle", "periodic", "words"),
    [
        ({"oracle": "espresso", "ecutwfc": 8.0}, False, r"oracle 'espresso'.*atoms\.pbc = True"),
        ({"oracle": "tblite"}, True, r"oracle 'tblite'.*atoms\.pbc = False"),
    ],
    ids=["espresso", "tblite"],
)
def test_an_oracle_of_the_other_kind_is_refused_before_anything_is_written(
    tmp_path: Path, oracle: dict[str, Any], periodic: bool, words: str
) -> None:
    atoms = cluster()
    atoms.pbc = periodic
    structure = tmp_path / "cluster.extxyz"
    write(structure, atoms)
    with pytest.raises(StructureError, match=words):
        Campaign.create(tmp_path / "c", settings(structure, oracle))
    assert not (tmp_path / "c").exists()

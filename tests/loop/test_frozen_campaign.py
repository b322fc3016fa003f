"""A campaign with frozen layers and masses of its own, from the initial structure to the labels and back."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc100
from ase.cluster import Octahedron
from ase.constraints import FixAtoms, FixedPlane
from ase.io import write

from acemaker import Campaign, CampaignConfig
from acemaker.engines.protocol import Exploration, Request
from acemaker.errors import EngineError, IterationLimitError, StructureError
from acemaker.results.candidates import Candidates
from acemaker.states import State
from acemaker.steps.explore import _check_per_atom
from acemaker.structures.geometry import put_into_box
from acemaker.structures.per_atom import frozen_atoms
from acemaker.testing import ToyEngine, ToyOracle, toy_config
from tests.conftest import small_basis


def slab() -> Atoms:
    """Aluminum with an adatom that is an isotope, above two layers of which the lower one is frozen."""
    atoms = fcc100("Al", (3, 3, 3), a=3.99, vacuum=7.0, periodic=True)
    add_adsorbate(atoms, "Al", 1.7, "hollow")
    atoms.set_constraint(FixAtoms(mask=atoms.positions[:, 2] < atoms.positions[:, 2].min() + 2.5))
    masses = atoms.get_masses()
    masses[-1] = 13.5
    atoms.set_masses(masses)
    atoms.set_tags(np.zeros(len(atoms)))
    return atoms


def config_of(**changes: Any) -> CampaignConfig:
    parameters = {
        "oracle": "emt",
        "ensemble": "nvt",
        "temperature": (300, 1600),
        "steps": 300,
        "restart_every": 50,
        "trajectory_every": 10,
        "soft_start_steps": 20,
        "n_first": 4,
        "n_candidates": 8,
        "n_select": 2,
        "threshold_add_train": 1.2,
        "threshold_call_dft": 1.5,
        "max_otf_iterations": 2,
        "strategies": {"random_displacement": 1, "normal_modes": 1, "md_burst": 1},
        "mode_atoms": 4,
        "burst_steps": 10,
        "strain_scale": 0.02,
        **small_basis().model_dump(),
    }
    return CampaignConfig.from_parameters({**parameters, **changes})


def check_structure(atoms: Atoms, start: Atoms, moved: bool = True) -> None:
    """Frozen atoms are where they were but for the cell's strain and a translation of nothing."""
    frozen = start.arrays["frozen"]
    assert np.array_equal(atoms.arrays["frozen"], frozen)
    assert np.allclose(atoms.get_masses(), start.get_masses(), atol=1e-7)
    assert not atoms.constraints
    shift = atoms.get_scaled_positions(wrap=False) - start.get_scaled_positions(wrap=False)
    shift -= np.round(shift)
    assert np.abs(shift[frozen]).max() < 2e-9
    assert (np.abs(shift[~frozen]).max() > 1e-4) == moved


def test_the_frozen_layers_of_a_slab_stay_in_all_structures(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "c", config_of(), structure=slab()) as campaign:
        start = campaign.initial_structure()
        assert np.array_equal(frozen_atoms(start), slab().positions[:, 2] < slab().positions[:, 2].min() + 2.5)
        assert start.arrays["frozen"].sum() == 18
        check_structure(start, start, moved=False)
        assert "Al28, 18 of 28 atoms frozen, 1 with masses of their own, nvt" in repr(campaign)
        halts = 0
        with suppress(IterationLimitError):
            for result in campaign.steps():
                if isinstance(result, Candidates) and result.halt_number is not None:
                    halts += 1
                    assert {"random_displacement", "md_burst"} <= set(result.origins)
                    for atoms in result.structures:
                        check_structure(atoms, start)
        labels = campaign.labeled_structures()
        assert len(labels) > 4
        for atoms in labels:
            check_structure(atoms, start)
            forces = atoms.get_forces()[start.arrays["frozen"]]
            assert np.abs(forces).max() > 0.01  # labels have the forces on frozen atoms
        frames = campaign.trajectory()
        assert len(frames) > 3
        for atoms in frames[1:]:
            check_structure(atoms, start)
            assert np.array_equal(atoms.positions[frozen_atoms(atoms)], frames[0].positions[frozen_atoms(atoms)])
    with Campaign.open(tmp_path / "c") as campaign:
        check_structure(campaign.initial_structure(), start, moved=False)
        assert len(campaign.labeled_structures()) == len(labels)
    assert halts


@pytest.mark.parametrize("kind", ["file", "object"])
def test_other_constraints_are_refused_before_a_label(tmp_path: Path, kind: str) -> None:
    atoms = slab()
    atoms.set_constraint(FixedPlane([0, 1], (0, 0, 1)))
    changes: dict[str, Any] = {}
    if kind == "file":
        write(tmp_path / "slab.traj", atoms)
        changes = {"structure": str(tmp_path / "slab.traj"), "supercell": [1, 1, 1]}
    with pytest.raises(StructureError, match="FixedPlane on 2 of 28 atoms"):
        Campaign.create(tmp_path / "c", config_of(**changes), structure=None if kind == "file" else atoms)
    assert not (tmp_path / "c").exists()


def test_a_barostat_is_refused_before_a_label(tmp_path: Path) -> None:
    with pytest.raises(StructureError, match="'npt' changes the cell and would move the 18 frozen atoms of 28"):
        Campaign.create(tmp_path / "c", config_of(ensemble="npt"), structure=slab())
    assert not (tmp_path / "c").exists()


class Careless(ToyEngine):
    """An engine of a user's own that knows nothing of frozen atoms, or of their masses."""

    def __init__(self, forgets: str) -> None:
        super().__init__(200)
        self.forgets = forgets

    def explore(self, request: Request) -> Exploration:
        structure = request.structure.copy()
        del structure.arrays[self.forgets]
        outcome = super().explore(replace(request, structure=structure))
        frames = [atoms.copy() for atoms in outcome.frames]
        if self.forgets == "frozen":
            for atoms in frames:
                atoms.arrays["frozen"] = request.structure.arrays["frozen"].copy()
        return replace(outcome, frames=tuple(frames))


@pytest.mark.parametrize(
    ("forgets", "words"),
    [("frozen", "the engine has moved frozen atoms by 0."), ("masses", "the structure has masses, which the frames")],
)
def test_an_engine_that_ignores_them_is_noticed(tmp_path: Path, forgets: str, words: str) -> None:
    with (
        Campaign.create(
            tmp_path / "c", toy_config(), structure=slab(), engine=Careless(forgets), oracle=ToyOracle()
        ) as campaign,
        pytest.raises(EngineError, match=words),
    ):
        campaign.run()
    with Campaign.create(
        tmp_path / "d", toy_config(), structure=slab(), engine=ToyEngine(200), oracle=ToyOracle()
    ) as campaign:
        assert campaign.run().state is State.DONE


def test_the_box_of_a_cluster_may_grow_around_its_frozen_atoms() -> None:
    """All atoms are shifted then, the frozen ones as well, which is no motion."""
    start = Octahedron("Cu", 3, 1)
    start.center(vacuum=4.0)
    start.arrays["frozen"] = start.positions[:, 2] < start.positions[:, 2].min() + 0.5
    near, far = start.copy(), start.copy()
    far.positions[start.positions[:, 0].argmin(), 0] -= 1.6
    frames = [near, far]
    for atoms in frames:
        put_into_box(atoms, start)
    assert np.abs(far.cell.array - start.cell.array).max() > 0.1, "the test needs a box that grows"
    _check_per_atom(start, frames)
    far.positions[np.flatnonzero(start.arrays["frozen"])[0]] += 0.1
    with pytest.raises(EngineError, match="moved frozen atoms"):
        _check_per_atom(start, frames)

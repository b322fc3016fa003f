"""Undistorted starts among the first structures, where a campaign would halt at once without them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.cluster import Icosahedron

from acemaker import Campaign, CampaignConfig
from acemaker.loop.creation import plan_for
from acemaker.loop.initial_structures import initial_structures_of
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.structures.files import read_structures


def config(**changes: Any) -> CampaignConfig:
    base = {"oracle": "emt", "steps": 20, "ensemble": "nvt", "temperature": 300.0, "n_probes": 0}
    return CampaignConfig.from_parameters(base | changes)


def cluster() -> Atoms:
    atoms = Icosahedron("Cu", 3)
    atoms = Atoms(atoms.symbols, atoms.positions)
    atoms.center(vacuum=6)
    return atoms


def gammas(settings: CampaignConfig, starts: tuple[Atoms, ...], first: tuple[Atoms, ...]) -> np.ndarray:
    elements = tuple(sorted(set(starts[0].get_chemical_symbols())))
    trainer = LinearTrainer(settings.potential, elements)
    trainer.cover(trainer.basis, first)
    return np.array(trainer.grade(starts).gamma_max)


def test_the_start_of_a_cluster_is_labeled_and_does_not_halt() -> None:
    settings = config()
    starts = initial_structures_of(settings, cluster())
    plan = plan_for(settings, starts, None)
    first = plan.first[: plan.n_first]
    assert [atoms.info["origin"] for atoms in first] == ["first_structure", "first_structure", "start"]
    assert np.array_equal(first[-1].positions, starts[0].positions)
    assert gammas(settings, starts, first[:-1])[0] > settings.otf.threshold_call_dft
    assert gammas(settings, starts, first)[0] < 1.01
    assert len(plan.first) == plan.n_first + 2, "the reserve is as large as before"


@pytest.mark.parametrize("structure", ["Cu", "Al"])
def test_a_crystal_costs_no_label_more(structure: str) -> None:
    settings = config(structure=structure)
    plan = plan_for(settings, initial_structures_of(settings), None)
    assert plan.n_first == 2
    assert all(atoms.info["origin"] == "first_structure" for atoms in plan.first)


def test_walkers_with_other_structures_start_in_what_is_known() -> None:
    walkers = [{}, {"crystal": "diamond", "lattice_constant": 5.4, "supercell": (2, 2, 2)}, {"seed": 9}]
    settings = config(walkers=walkers)
    starts = initial_structures_of(settings)
    plan = plan_for(settings, starts, None)
    added = [atoms for atoms in plan.first if atoms.info["origin"] == "start"]
    assert len(added) == 1
    assert np.array_equal(added[0].positions, starts[1].positions)
    assert (gammas(settings, starts, plan.first[: plan.n_first]) <= settings.otf.threshold_call_dft).all()


def test_the_budget_of_labels_comes_first() -> None:
    settings = config(max_labels=2)
    plan = plan_for(settings, initial_structures_of(settings, cluster()), None)
    assert plan.n_first == 2
    assert all(atoms.info["origin"] == "first_structure" for atoms in plan.first)


def test_a_higher_threshold_needs_it_less() -> None:
    settings = config(threshold_call_dft=1e4, threshold_break=1e5)
    assert plan_for(settings, initial_structures_of(settings, cluster()), None).n_first == 2


@pytest.mark.slow
def test_a_campaign_labels_it_and_opens_again(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "run", config(), structure=cluster()) as campaign:
        campaign.prepare()
        assert campaign.progress.n_labels == campaign.progress.n_first == 3
        segment = campaign.explore()
        assert segment.halt is None or segment.halt.step > 0, "it starts in what is known"
    labels = campaign.labeled_structures()
    assert np.abs(labels[2].positions - cluster().positions).max() < 1e-6
    stored = read_structures(tmp_path / "run" / "candidates" / "initial.extxyz")
    assert [atoms.info["origin"] for atoms in stored[:3]] == ["first_structure", "first_structure", "start"]
    with Campaign.open(tmp_path / "run") as campaign:
        assert campaign.progress.n_first == 3

"""Campaigns that combine isolated atoms with pacemaker, pretraining and embedded cells, and frozen atoms with these."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms

from acemaker import Campaign, CampaignConfig
from acemaker.states import State
from acemaker.structures.isolated import isolated_atom
from acemaker.structures.mask import mask_of
from acemaker.structures.per_atom import frozen_atoms

pytestmark = pytest.mark.slow

SETTINGS: dict[str, Any] = {
    "oracle": "emt",
    "seed": 1,
    "cutoff": 4.0,
    "n_functions": 15,
    "nradmax_by_orders": (6, 3),
    "lmax_by_orders": (0, 2),
    "ensemble": "nvt",
    "restart_every": 50,
    "n_candidates": 4,
    "n_select": 1,
    "n_probes": 0,
    "threshold_add_train": 1.2,
    "threshold_call_dft": 1.3,
    "threshold_break": 20.0,
    "embed_force_error": 100.0,
}
ALLOY = {"structure": "Cu", "supercell": (2, 2, 2), "composition": {"Cu": 0.5, "Au": 0.5}, "lattice_constant": 3.85}


def energies(*elements: str) -> dict[str, float]:
    """Return the energies of isolated atoms by EMT, eV."""
    values = {}
    for element in elements:
        atom = isolated_atom(element, 30.0, periodic=True)
        atom.calc = EMT()
        values[element] = float(atom.get_potential_energy())
    return values


def run(directory: Path, atoms: Atoms | None = None, **parameters: Any) -> Campaign:
    """Run a campaign to its end, opened again after its first potential and after its first halt."""
    config = CampaignConfig.from_parameters({**SETTINGS, **parameters})
    campaign = Campaign.create(directory, config, structure=atoms)
    with campaign:
        campaign.prepare()
    with Campaign.open(directory) as campaign:
        while campaign.state is not State.DONE and not campaign.progress.halts:
            campaign.step()
    with Campaign.open(directory) as campaign:
        campaign.run()
    assert campaign.state is State.DONE
    return campaign


def test_pacemaker_fits_on_top_of_isolated_atoms(tmp_path: Path, pacemaker_python: Path) -> None:
    few = {"first_iterations": 4, "fit_iterations": 4, "pacemaker_environment": str(pacemaker_python)}
    changes = {"trainer": "pacemaker", "steps": 100, "temperature": (300, 900), "cv_tolerance": 100.0}
    thresholds = {"threshold_call_dft": 1.5, "threshold_add_train": 1.5, "max_retries": 0}
    campaign = run(tmp_path / "c", **ALLOY, **few, **changes, **thresholds)
    check_isolated(campaign, "Au", "Cu")


def test_a_pretrained_potential_has_the_oracles_isolated_atoms(tmp_path: Path) -> None:
    changes = {"pretrain_calculator": "ase.calculators.emt:EMT", "pretrain_structures": 6}
    campaign = run(tmp_path / "c", **ALLOY, **changes, steps=200, temperature=(300, 2000))
    assert campaign.progress.halts, "the test needs a halt"
    check_isolated(campaign, "Au", "Cu")


def check_isolated(campaign: Campaign, *elements: str) -> None:
    generation = campaign.generation
    assert generation is not None
    assert generation.reference_energies == pytest.approx(energies(*elements), abs=1e-6)
    assert generation.energies_from == "isolated atoms"
    assert set(campaign.progress.isolated) == set(elements)
    assert not any(len(atoms) == 1 for atoms in campaign.labeled_structures())
    pair = Atoms(elements[:2] if len(elements) > 1 else elements * 2, [[0, 0, 0], [9, 0, 0]])
    pair.calc = generation.calculator()
    assert pair.get_potential_energy() == pytest.approx(sum(energies(*pair.symbols)[s] for s in pair.symbols), abs=1e-6)


LARGER = {"cutoff": 4.5, "n_functions": 30, "nradmax_by_orders": (8, 4, 2), "lmax_by_orders": (0, 3, 1)}


def test_embedded_cells_and_isolated_atoms(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"max_atoms": 100, "steps": 75, "restart_every": 25, "temperature": (800, 1750)}
    campaign = run(tmp_path / "c", bulk("Cu", cubic=True).repeat(4), **LARGER, **changes)
    assert any(mask_of(atoms) is not None for atoms in campaign.labeled_structures()), "the test needs such a cell"
    check_isolated(campaign, "Cu")


def test_an_embedded_campaign_with_frozen_layers_ends(tmp_path: Path) -> None:
    slab = fcc111("Cu", (6, 6, 6), vacuum=7.0, periodic=True)
    slab.set_constraint(FixAtoms(mask=slab.positions[:, 2] < slab.positions[:, 2].min() + 2.5))
    slab.set_tags(np.zeros(len(slab)))
    thresholds = {"threshold_add_train": 1.5, "threshold_call_dft": 2.0, "max_stalled_halts": 20}
    changes: dict[str, Any] = {"max_atoms": 90, "steps": 20, "restart_every": 10, "embed_force_error": 200.0}
    campaign = run(tmp_path / "c", slab, **LARGER, **changes, **thresholds, trajectory_every=10)
    labels = campaign.labeled_structures()
    assert campaign.progress.halts, "the test needs a halt"
    assert any(mask_of(atoms) is not None for atoms in labels[2:])
    assert all(len(atoms) <= 90 for atoms in labels)
    assert any(frozen_atoms(atoms).any() for atoms in labels)
    check_isolated(campaign, "Cu")
    frames = campaign.trajectory()
    frozen = frozen_atoms(frames[0])
    assert frozen.sum() == 72
    assert all(np.array_equal(atoms.positions[frozen], frames[0].positions[frozen]) for atoms in frames)

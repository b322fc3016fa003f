"""Campaigns with cells that the oracle cannot afford."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import fcc100

from acemaker import Campaign, CampaignConfig
from acemaker.errors import EmbeddingError
from acemaker.results import Candidates, Training
from acemaker.states import State
from acemaker.structures.embedding import fit_to_oracle
from acemaker.structures.geometry import closeness
from acemaker.structures.mask import mask_of
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from tests.conftest import copper

MAX_ATOMS = 60


def toy(**embedding: object) -> CampaignConfig:
    """500 atoms, of which 60 may be labeled: the basis reaches 4 Å."""
    config = toy_config(threshold_add_train=4.0).model_dump()
    config["system"]["supercell"] = (5, 5, 5)
    config["system"]["structure"] = "Cu"
    config["oracle"] = {"oracle": "emt", "max_atoms": MAX_ATOMS}
    config["embedding"] = {"embed_force_error": 200.0, "core_margin": 1.5, **embedding}
    return CampaignConfig(**config)


def make(directory: Path, oracle: ToyOracle | None = None, **embedding: object) -> Campaign:
    engine = ToyEngine(200, halting_at(60, 120))
    return Campaign.create(directory, toy(**embedding), engine=engine, oracle=oracle or ToyOracle())


class CountingOracle(ToyOracle):
    """Records the sizes of the structures that it labels."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def label(self, atoms: Atoms) -> Atoms:
        self.sizes.append(len(atoms))
        return super().label(atoms)


def test_nothing_larger_than_max_atoms_is_labeled(tmp_path: Path) -> None:
    oracle = CountingOracle()
    campaign = make(tmp_path / "c", oracle)
    results = list(campaign.steps())
    assert campaign.state is State.DONE
    assert max(oracle.sizes) <= MAX_ATOMS
    assert len(oracle.sizes) == len(campaign.progress.labels)
    candidates = [result for result in results if isinstance(result, Candidates)]
    assert len(candidates) == 2
    for made in candidates:
        assert "of 500 atoms" in made.embedded
        assert made.embedded in repr(made)
        mask = mask_of(made.structures[0])
        assert mask is not None
        assert mask[0]
        for structure in made.structures[1:]:
            assert np.array_equal(structure.arrays["mask"], mask)
            moved = np.abs(structure.positions - made.structures[0].positions).max(axis=1) > 0
            assert moved.any()
            assert not moved[~mask].any()
    trained = [result for result in results if isinstance(result, Training)]
    assert all(training.accepted for training in trained)
    assert trained[-1].halted_gamma <= 4.0
    labels = campaign.labeled_structures()
    whole = [mask_of(atoms) is None for atoms in labels]
    assert whole[:2] == [True, True]
    assert len(whole) >= 4
    assert not any(whole[2:])
    generation_0 = labels[0]
    assert abs(generation_0.get_volume() / len(generation_0) / (copper(1).get_volume() / 4) - 1) < 0.15


@pytest.mark.slow
def test_reopened_at_every_state_it_goes_on_alike(tmp_path: Path) -> None:
    whole = make(tmp_path / "whole")
    shown = [repr(result) for result in whole.steps() if isinstance(result, Candidates)]
    oracle = ToyOracle()
    campaign = make(tmp_path / "parts", oracle)
    again = []
    while campaign.state is not State.DONE:
        campaign.close()
        campaign = Campaign.open(tmp_path / "parts", engine=ToyEngine(200, halting_at(60, 120)), oracle=oracle)
        if campaign.state is State.SELECT:
            again.append(repr(campaign._work._candidates()))
        campaign.step()
    assert oracle.calls == len(campaign.progress.labels) == len(whole.progress.labels)
    assert again == shown
    for name in ("candidates/halt_0002.extxyz", "potentials/potential_v3.yaml", "potentials/potential_v3.asi"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


def test_a_refusal_fails_and_goes_on_with_other_limits(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c", embed_force_error=1e-9, embed_tries=1)
    with pytest.raises(EmbeddingError, match="none of 1 cells of 40 to 60 atoms"):
        campaign.run()
    assert campaign.state is State.FAILED
    campaign.close()
    engine = ToyEngine(200, halting_at(60, 120))
    again = Campaign.open(tmp_path / "c", engine=engine, oracle=ToyOracle(), embed_force_error=500.0, embed_tries=8)
    assert again.state is State.GENERATE
    assert again.run().state is State.DONE


def test_what_cannot_be_embedded_is_refused_at_once(tmp_path: Path) -> None:
    cluster = copper(3)
    cluster.pbc = False
    with pytest.raises(EmbeddingError, match="raise max_atoms"):
        Campaign.create(tmp_path / "c", toy(), structure=cluster, engine=ToyEngine(), oracle=ToyOracle())
    assert not (tmp_path / "c" / "journal.jsonl").exists()


def test_the_first_cell_is_a_supercell_of_a_crystal_and_has_a_mask_elsewhere() -> None:
    parent = copper(6)
    assert fit_to_oracle(parent, 1000) is parent
    small = fit_to_oracle(parent, 120)
    assert 80 <= len(small) <= 120
    assert mask_of(small) is None
    assert closeness(small).distance == pytest.approx(3.615 / np.sqrt(2))
    alloy = copper(6)
    alloy.symbols[77] = "Ni"
    assert "Ni" in fit_to_oracle(alloy, 120).get_chemical_symbols()
    melt = copper(6)
    melt.rattle(0.7, seed=1)
    mask = mask_of(fit_to_oracle(melt, 120))
    assert mask is not None
    assert 5 < mask.sum() < 60
    slab = fcc100("Cu", (9, 9, 12), a=3.615, vacuum=8)
    slab.pbc = True
    assert mask_of(fit_to_oracle(slab, 120)) is not None
    thin = fcc100("Cu", (12, 12, 3), a=3.615, vacuum=8)
    thin.pbc = True
    assert mask_of(fit_to_oracle(thin, 120)) is None


@pytest.mark.slow
def test_a_campaign_of_500_atoms_with_small_labels(tmp_path: Path) -> None:
    config = CampaignConfig(
        seed=3,
        system={"structure": "Cu", "lattice_constant": 3.615, "supercell": (5, 5, 5), "n_first": 1},
        otf={"n_candidates": 4, "n_select": 2},
        engine={"steps": 600, "temperature": (300, 1800)},
        potential={"n_functions": 20, "cutoff": 4.5, "nradmax_by_orders": (8, 4, 2), "lmax_by_orders": (0, 3, 1)},
        oracle={"oracle": "lammps", "pair_style": "eam/alloy", "pair_coeff": ["* * Cu_mishin1.eam.alloy Cu"]},
    )
    campaign = Campaign.create(tmp_path / "c", config).run()
    assert campaign.state is State.DONE
    labels = campaign.labeled_structures()
    assert max(map(len, labels)) <= 150
    assert sum(mask_of(atoms) is not None for atoms in labels) >= 1
    halted = [segment.halt for segment in campaign.segments() if segment.halt is not None]
    assert all(len(halt.structure) == 500 for halt in halted)

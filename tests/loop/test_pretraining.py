"""Labels of a cheap calculator, made before generation 1 and kept with the campaign."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT

from acemaker import Campaign, CampaignConfig
from acemaker.errors import ConfigError
from acemaker.structures.files import read_structures
from acemaker.structures.geometry import closeness
from acemaker.structures.pretraining import pretraining_structures
from tests.conftest import MISHIN, copper, small_basis


class Counted(EMT):
    """EMT that counts its evaluations, and may be interrupted."""

    made = 0
    interrupt_at = 0

    def calculate(self, *arguments: Any, **more: Any) -> None:
        Counted.made += 1
        if Counted.made == Counted.interrupt_at:
            raise KeyboardInterrupt
        super().calculate(*arguments, **more)


@pytest.fixture(autouse=True)
def _count() -> None:
    Counted.made = Counted.interrupt_at = 0


def config(**changes: Any) -> CampaignConfig:
    potential = small_basis(20, 4.5).model_dump() | {
        "pretrain_calculator": f"{__name__}:Counted",
        "pretrain_structures": 8,
    }
    return CampaignConfig(
        seed=3,
        system={"structure": "Cu", "lattice_constant": 3.615, "supercell": (2, 2, 2), "n_first": 1},
        otf={"n_candidates": 4, "n_select": 1, "threshold_add_train": 1.5, "threshold_call_dft": 2.5},
        engine={"steps": 150, "temperature": (600, 1200), "restart_every": 50, "soft_start_steps": 20},
        potential=potential | changes,
        oracle=MISHIN.model_dump(),
    )


@pytest.mark.slow
def test_a_campaign_leans_on_them_and_reopens_to_the_same_bits(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "whole", config()) as whole:
        whole.run()
    made = Counted.made
    assert len(read_structures(tmp_path / "whole" / "pretraining.extxyz")) == 8
    assert whole.progress.halts, "the test needs a halt"
    assert whole.progress.n_labels == 1 + whole.progress.halt, "they are no labels"
    with Campaign.create(tmp_path / "stepwise", config()):
        pass
    for _ in range(100):
        with Campaign.open(tmp_path / "stepwise") as stepwise:
            if stepwise.state == "DONE":
                break
            stepwise.step()
    assert Counted.made == 2 * made, "a campaign that is reopened labels nothing anew"
    assert whole.generation is not None
    assert stepwise.generation is not None
    assert np.array_equal(whole.generation.coefficients(), stepwise.generation.coefficients())
    with Campaign.create(tmp_path / "without", config(pretrain_calculator="")) as without:
        without.prepare()
    with Campaign.create(tmp_path / "with", config()) as pretrained:
        pretrained.prepare()
    assert without.generation is not None
    assert pretrained.generation is not None
    assert not np.allclose(pretrained.generation.coefficients(), without.generation.coefficients(), rtol=1e-3)


def test_interrupted_half_way_they_are_made_anew(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "whole", config()) as whole:
        whole.prepare()
    with Campaign.create(tmp_path / "broken", config()):
        pass
    Counted.interrupt_at = Counted.made + 6
    with Campaign.open(tmp_path / "broken") as broken, pytest.raises(KeyboardInterrupt):
        broken.prepare()
    assert not (tmp_path / "broken" / "pretraining.extxyz").exists()
    with Campaign.open(tmp_path / "broken") as broken:
        broken.prepare()
    files = [(tmp_path / name / "pretraining.extxyz").read_bytes() for name in ("whole", "broken")]
    assert files[0] == files[1]
    assert whole.generation is not None
    assert broken.generation is not None
    assert np.array_equal(whole.generation.coefficients(), broken.generation.coefficients())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pretrain_calculator": "nowhere:at_all"}, "cannot be imported"),
        ({"pretrain_calculator": "EMT"}, "dotted path"),
        ({"pretrain_calculator": "ase.build:bulk"}, r"'ase.build:bulk' raised TypeError"),
        ({"pretrain_calculator": "ase.calculators.calculator:Calculator"}, "cannot label the first structure"),
    ],
)
def test_a_calculator_that_cannot_be_leaves_nothing_behind(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Campaign.create(tmp_path / "run", config(**changes))
    assert not (tmp_path / "run").exists()


def test_a_trainer_that_cannot_lean_says_so(tmp_path: Path) -> None:
    class Plain:
        def minimum_structures(self, atoms: Atoms) -> int:
            return 1

    with pytest.raises(ConfigError, match="Plain has no method 'pretrain'"):
        Campaign.create(tmp_path / "run", config(), trainer_factory=Plain)  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_displacements_are_those_of_the_temperature() -> None:
    """A harmonic crystal has 3/2 kT of potential energy an atom."""
    from ase import units

    made = pretraining_structures(
        copper(), 40, temperatures=(600.0, 600.0), strain=0.0, springs={"Cu": 4.0}, rng=np.random.default_rng(1)
    )
    energies = [2.0 * np.sum((atoms.positions - copper().positions) ** 2) / len(atoms) for atoms in made]
    temperatures = np.linspace(300, 600, 40)
    assert np.mean(energies) == pytest.approx(1.5 * units.kB * temperatures.mean(), rel=0.05)
    assert np.mean(energies[20:]) > 1.2 * np.mean(energies[:20])


def test_atoms_are_kept_apart() -> None:
    made = pretraining_structures(
        copper(), 5, temperatures=(9000.0, 9000.0), strain=0.05, springs={"Cu": 0.5}, rng=np.random.default_rng(1)
    )
    assert min(closeness(atoms).share for atoms in made) >= 0.65

"""Momenta of the initial structure are used as they are, or refused before anything is written."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.constraints import FixAtoms
from ase.io import write

from acemaker import Campaign, CampaignConfig
from acemaker.errors import StructureError
from acemaker.loop.initial_structures import initial_structures_of
from acemaker.structures.momenta import with_usable_momenta
from acemaker.testing import ToyEngine, ToyOracle, toy_config
from tests.conftest import copper


def moving(temperature: float = 300.0, atoms: Atoms | None = None, drift: float = 0.0, seed: int = 1) -> Atoms:
    """Momenta of a temperature, without a total momentum, plus the motion of the center of mass in Å/ps."""
    atoms = copper() if atoms is None else atoms
    masses = atoms.get_masses()[:, None]
    momenta = np.random.default_rng(seed).normal(size=(len(atoms), 3)) * np.sqrt(masses)
    momenta -= masses * momenta.sum(axis=0) / masses.sum()
    kinetic = float((momenta**2 / masses).sum()) / 2
    momenta *= np.sqrt(1.5 * (len(atoms) - 1) * units.kB * temperature / kinetic)
    atoms.set_momenta(momenta + masses * drift / (1000 * units.fs) * np.array([1.0, 0.0, 0.0]))
    return atoms


def config_of(**changes: Any) -> CampaignConfig:
    made = toy_config().model_dump()
    made["engine"] |= {"ensemble": "nvt", "temperature": (300, 300), **changes.pop("engine", {})}
    return CampaignConfig(**{**made, **changes})


def refusal(tmp_path: Path, config: CampaignConfig, structure: Atoms | None = None) -> str:
    """Return the message of a refused campaign, for which nothing is labeled and nothing is written."""
    oracle = ToyOracle()
    with pytest.raises(StructureError) as caught:
        Campaign.create(tmp_path / "c", config, structure=structure, engine=ToyEngine(), oracle=oracle)
    assert not (tmp_path / "c").exists()
    return str(caught.value)


def test_momenta_at_the_temperature_are_used_to_the_bit() -> None:
    atoms = moving()
    assert with_usable_momenta(atoms, 300, "it") is atoms
    (start,) = initial_structures_of(config_of(), atoms)
    assert np.array_equal(start.get_momenta(), atoms.get_momenta())


def test_momenta_of_zero_are_none() -> None:
    atoms = copper()
    atoms.set_momenta(np.zeros((32, 3)))
    assert with_usable_momenta(atoms, 300, "it") is atoms


@pytest.mark.parametrize("temperature", [5.0, 100.0, 600.0, 3000.0])
def test_momenta_of_another_temperature_are_refused(tmp_path: Path, temperature: float) -> None:
    message = refusal(tmp_path, config_of(), moving(temperature))
    assert f"has momenta of {temperature:.0f} K" in message
    assert "temperature starts at 300 K" in message
    assert 'atoms.arrays.pop("momenta")' in message


@pytest.mark.parametrize(("repeat", "accepted"), [(1, (0.1, 600)), (2, (130, 470)), (4, (241, 359))])
def test_the_limit_is_the_spread_of_the_temperature(repeat: int, accepted: tuple[float, float]) -> None:
    for temperature in accepted:
        with_usable_momenta(moving(temperature, copper(repeat)), 300, "it")
    outside = (*(() if repeat == 1 else (0.9 * accepted[0],)), 1.6 * accepted[1])
    for temperature in outside:
        with pytest.raises(StructureError):
            with_usable_momenta(moving(temperature, copper(repeat)), 300, "it")


@pytest.mark.parametrize("drift", [5.0, 0.1])
def test_a_total_momentum_is_removed_in_words(drift: float, caplog: pytest.LogCaptureFixture) -> None:
    atoms = moving(300, drift=drift)
    with caplog.at_level(logging.INFO, "acemaker"):
        used = with_usable_momenta(atoms, 300, "my slab")
    assert f"my slab has a total momentum, which is removed: its center of mass moves at {drift:g} Å/ps" in caplog.text
    assert np.allclose(used.get_momenta(), moving(300).get_momenta(), atol=1e-12)
    assert abs(used.get_momenta().sum(axis=0)).max() < 1e-12


def test_motion_of_the_whole_does_not_count_as_temperature(tmp_path: Path) -> None:
    """5 Å/ps of copper are as much energy as 170 K and more."""
    assert "has momenta of 0 K, after the total momentum is removed" in refusal(
        tmp_path, config_of(), moving(0, drift=5)
    )


def test_frozen_atoms_take_up_momentum(tmp_path: Path) -> None:
    """The momentum of the others stays, and momenta of frozen atoms are refused."""
    atoms = moving(300)
    frozen = np.arange(32) < 16
    momenta = atoms.get_momenta()
    assert "has momenta on 16 frozen atoms" in refusal(tmp_path, config_of(), with_frozen(atoms, frozen))
    atoms.set_momenta(np.where(frozen[:, None], 0, momenta), apply_constraint=False)
    (start,) = initial_structures_of(config_of(), with_frozen(atoms, frozen))
    assert np.array_equal(start.get_momenta(), atoms.get_momenta())
    assert np.abs(start.get_momenta().sum(axis=0)).max() > 1


def with_frozen(atoms: Atoms, frozen: np.ndarray) -> Atoms:
    copy = atoms.copy()
    copy.set_constraint(FixAtoms(mask=frozen))
    return copy


def test_momenta_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    atoms = moving()
    atoms.arrays["momenta"][3, 1] = np.nan
    assert "momenta that are not finite" in refusal(tmp_path, config_of(), atoms)


@pytest.mark.parametrize("ensemble", ["nve", "nvt", "npt"])
def test_walkers_that_would_be_one_trajectory_are_refused(tmp_path: Path, ensemble: str) -> None:
    config = config_of(engine={"ensemble": ensemble}, walkers=[{}, {}, {}])
    message = refusal(tmp_path, config, moving())
    assert f"walkers 1, 2, 3 start from the same momenta with the ensemble '{ensemble}'" in message


def test_walkers_that_differ_share_momenta() -> None:
    for config in (
        config_of(engine={"ensemble": "csvr"}, walkers=[{}, {}]),
        config_of(engine={"ensemble": "langevin"}, walkers=[{}, {}]),
        config_of(walkers=[{"temperature": (300, 300)}, {"temperature": (310, 310)}]),
    ):
        assert len(initial_structures_of(config, moving())) == 2
    assert len(initial_structures_of(config_of(walkers=[{}, {}]), copper())) == 2


def test_copies_of_a_supercell_do_not_move_alike(tmp_path: Path) -> None:
    write(tmp_path / "hot.extxyz", moving())
    made = config_of().model_dump()
    made["system"] |= {"structure": str(tmp_path / "hot.extxyz"), "supercell": (2, 1, 1)}
    assert "SystemConfig.supercell" in refusal(tmp_path, CampaignConfig(**made))
    made["system"] |= {"supercell": (1, 1, 1)}
    (start,) = initial_structures_of(CampaignConfig(**made))
    assert np.allclose(start.get_momenta(), moving().get_momenta(), atol=1e-7)


@pytest.mark.parametrize("name", ["vel", "velocities", "velo"])
def test_velocities_without_a_unit_are_reported(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    atoms = copper()
    atoms.set_array(name, np.ones((32, 3)))
    write(tmp_path / "x.extxyz", atoms)
    made = config_of().model_dump()
    made["system"] |= {"structure": str(tmp_path / "x.extxyz"), "supercell": (1, 1, 1)}
    (start,) = initial_structures_of(CampaignConfig(**made))
    assert not start.has("momenta")
    assert f"has a column '{name}', which is not used" in caplog.text

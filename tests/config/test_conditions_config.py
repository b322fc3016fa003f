"""Ensembles, groups, forces and strain rates: what is accepted, and what is refused with a reason and a remedy."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from hypothesis import given
from hypothesis import strategies as st

from acemaker import CampaignConfig
from acemaker.config import EngineConfig, GroupConfig
from acemaker.errors import AcemakerError, ConfigError, StructureError
from acemaker.lammps import script
from acemaker.lammps.conditions import conditions_of
from acemaker.lammps.ensemble import check_ensemble
from acemaker.lammps.groups import members
from acemaker.loop.checks import check_settings
from acemaker.loop.store import Store
from acemaker.structures.vibrations import fastest_vibration, remark_on_time_step

LOW = {"atom_groups": {"low": {"z": (None, 1.0)}}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ensemble": "berendsen"}, "suppress the fluctuations of energy and volume.*Choose 'csvr'"),
        ({"ensemble": "npt/Berendsen"}, "suppress the fluctuations"),
        ({"ensemble": "nvt", "pressure_components": {"x": 0}}, "expected ensemble 'npt' or 'nph', got 'nvt'"),
        ({"pressure": 2, "pressure_components": {"x": 0}}, "takes the place of pressure"),
        ({"pressure_coupling": "aniso", "pressure_components": {"x": 0}}, "takes the place of pressure"),
        ({"pressure_components": {"xy": 1}}, "at least one of x, y and z"),
        ({"pressure_components": {"x": math.nan}}, "finite"),
        ({"pressure_components": {"x": (0, math.inf)}}, "finite"),
        ({"pressure_components": {"w": 1}}, "'x', 'y', 'z', 'xy'"),
        ({"pressure_components": {"xy": 1, "yx": 1, "x": 1}}, "the same component 'xy'"),
        ({"added_forces": {"tip": (0, 0, 1)}}, "'tip', which is no group and no chemical symbol"),
        ({"fixed_directions": {"tip": "z"}}, "'tip', which is no group and no chemical symbol"),
        ({**LOW, "fixed_directions": {"low": "w"}}, "'x', 'y', 'z', 'xy'"),
        ({**LOW, "added_forces": {"low": (0, 0)}}, "added_forces"),
        ({**LOW, "added_forces": {"low": (0, 0, math.inf)}}, "finite"),
        ({"atom_groups": {"Cu": {"indices": 1}}}, "means the element Cu"),
        ({"atom_groups": {"all": {"indices": 1}}}, "means all atoms"),
        ({"atom_groups": {"two words": {"indices": 1}}}, "a letter, then letters, digits or _"),
        ({"atom_groups": {"tip\nshell rm": {"indices": 1}}}, "a letter, then letters, digits or _"),
        ({"atom_groups": {"low": {}}}, "at least one of elements, indices"),
        ({"atom_groups": {f"g{n}": {"indices": n} for n in range(17)}}, "at most 16 groups"),
        ({"electric_field": (0, 0, 1)}, "set field_charges"),
        ({"field_charges": {"Na": 1}}, "no effect without electric_field"),
        ({"electric_field": (0, 0, 1), "field_charges": {"sodium": 1}}, "by chemical symbol, got sodium"),
        ({"electric_field": (0, 0, 1), "field_charges": {"Na": math.nan}}, "finite"),
        ({"remove_momentum_every": -1}, "greater than or equal to 0"),
        ({"strain_rates": {"z": 0.1}}, "barostat of 'npt' would change the same .*pressure_coupling='x y'"),
        ({"strain_rates": {"xy": 0.1}, "pressure_coupling": "z"}, "would change the same lengths or angles"),
        ({"ensemble": "nvt", "strain_rates": {"z": math.nan}}, "finite"),
        ({"ensemble": "nvt", "strain_rates": {"zz": 0.1, "z": 0.1}}, "two names mean the same component"),
    ],
)
def test_unsound_settings_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        EngineConfig(**changes)


def test_names_are_accepted_in_other_words() -> None:
    config = EngineConfig(pressure_components={"xx": 1, "YY": (0, 2), "yx": 0.5})
    assert config.pressure_components == {"x": (1, 1), "y": (0, 2), "xy": (0.5, 0.5)}
    assert EngineConfig(ensemble="nvt", strain_rates={"zx": 0.1}).strain_rates == {"xz": 0.1}
    assert EngineConfig(**LOW, fixed_directions={"low": ["z", "x"]}).fixed_directions == {"low": "xz"}
    assert GroupConfig(indices=["0:3", 7], elements="Cu O").indices == (0, 1, 2, 7)


def test_the_commands_of_each_ensemble() -> None:
    config = EngineConfig(ensemble="nph", pressure_components={"z": (0, 2), "x": 1, "yz": 0}, barostat_time=500)
    assert script.ensemble_commands(config, 1) == [
        "fix ensemble all nph x 10000 10000 0.5 z 0 20000 0.5 yz 0 0 0.5 fixedpoint 0 0 0"
    ]
    assert script.ensemble_commands(EngineConfig(), 1) == [
        "fix ensemble all npt temp 300 300 0.10000000000000001 iso 0 0 1 fixedpoint 0 0 0"
    ]
    assert (config.has_barostat, config.has_thermostat, config.tilts, config.changed_lengths) == (
        True,
        False,
        True,
        "xz",
    )
    assert script.soft_start_steps(config) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"atom_groups": {"up": {"z": (20, None)}}}, r"group 'up' contains no atom.*z 0 to 5.42"),
        ({"atom_groups": {"far": {"indices": 32}}}, "contains the index 32, but the structure has 32 atoms"),
        ({"added_forces": {"O": (0, 0, 0.1)}}, "the settings name O, but the structure contains Cu"),
        ({"added_forces": {"Cu": (0, 0, 0.1)}}, r"add up to \(0, 0, 3.2\) eV/Å, which would accelerate"),
        (
            {"electric_field": (0.1, 0, 0), "field_charges": {"Cu": 1}},
            r"add up to \(3.2, 0, 0\) eV/Å, which would accelerate",
        ),
        ({"fixed_directions": {"all": "xyz"}}, "nothing would move"),
        ({"fixed_directions": {"all": "z"}, "ensemble": "npt"}, "'npt' moves all atoms with the cell"),
        ({**LOW, "fixed_directions": {"low": "z"}, "strain_rates": {"x": 0.1}}, "strain_rates moves all atoms"),
        ({**LOW, "fixed_directions": {"low": "z"}, "remove_momentum_every": 5}, "take up momentum"),
        ({"strain_rates": {"z": 0.2}, "steps": 10000}, r"lengths of the cell would be 1, 1, 5"),
        ({"strain_rates": {"z": -0.2}, "steps": 10000}, r"lengths of the cell would be 1, 1, -3"),
        ({"strain_rates": {"yz": 0.2}, "steps": 10000}, r"tilted by 4 of its length; expected at most 0.6"),
    ],
)
def test_settings_that_do_not_suit_the_structure_are_refused(changes: dict[str, Any], message: str) -> None:
    copper = bulk("Cu", a=3.615, cubic=True) * 2
    with pytest.raises(StructureError, match=f"(?s){message}"):
        check_ensemble(EngineConfig(**{"ensemble": "nvt", "steps": 100, **changes}), copper)


def test_frozen_atoms_and_clusters_are_not_strained() -> None:
    config = EngineConfig(ensemble="nvt", steps=100, strain_rates={"z": 0.01})
    frozen = bulk("Cu", cubic=True) * 2
    frozen.arrays["frozen"] = np.arange(32) < 8
    with pytest.raises(StructureError, match="would move the 8 frozen atoms of 32"):
        check_ensemble(config, frozen)
    cluster = Atoms("Cu2", [[0, 0, 0], [2.2, 0, 0]])
    with pytest.raises(StructureError, match="a cluster has no cell"):
        check_ensemble(config, cluster)
    with pytest.raises(StructureError, match="take up momentum"):
        check_ensemble(EngineConfig(ensemble="langevin", remove_momentum_every=5), frozen)
    pulled = EngineConfig(ensemble="nvt", atom_groups={"up": {"z": (3, None)}}, added_forces={"up": (0, 0, 0.1)})
    check_ensemble(pulled, frozen)  # the frozen atoms take up the force


def test_directions_need_a_cell_that_lammps_does_not_rotate() -> None:
    primitive = bulk("Cu") * 3
    config = EngineConfig(ensemble="nvt", steps=100, strain_rates={"z": 0.01})
    with pytest.raises(StructureError, match="LAMMPS would rotate this cell"):
        check_ensemble(config, primitive)
    primitive.set_cell(primitive.cell.standard_form()[0], scale_atoms=True)
    check_ensemble(config, primitive)
    check_ensemble(config, fcc111("Al", (2, 2, 3), vacuum=8, periodic=True))


@given(
    st.dictionaries(st.sampled_from(["x", "y", "z", "xy", "xz", "yz"]), st.floats(-0.02, 0.02), max_size=6),
    st.integers(1, 20_000),
)
def test_a_strain_leads_to_the_cell_that_was_checked(rates: dict[str, float], steps: int) -> None:
    """Whatever is accepted ends within the limits, and its commands name each component once."""
    copper = bulk("Cu", a=3.615, cubic=True) * 2
    config = EngineConfig(ensemble="nvt", steps=steps, strain_rates=rates)
    try:
        check_ensemble(config, copper)
        conditions = conditions_of(config, copper)
    except StructureError as error:
        assert "strain_rates" in str(error)
        return
    end = copper.cell.array.copy()
    places = {"x": (0, 0), "y": (1, 1), "z": (2, 2), "xy": (1, 0), "xz": (2, 0), "yz": (2, 1)}
    for component, per_step, _ in conditions.strain:
        end[places[component]] += per_step * steps
    lengths = np.diag(end)
    assert (lengths / 7.23).min() > 0.49
    assert (lengths / 7.23).max() < 2.01
    assert np.abs(end - np.diag(lengths)).max() / lengths.min() < 1.3
    assert config.is_strained == bool(conditions.strain)


def test_members_meet_all_conditions() -> None:
    salt = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    chosen = members(GroupConfig(elements="Na", x=(1, None)), salt, "here")
    assert all(salt.symbols[chosen] == "Na")
    assert (salt.positions[chosen, 0] >= 1).all()
    assert chosen.sum() == 2


def test_a_long_time_step_is_remarked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    heavy = molecule("H2O")
    heavy.set_masses([16, 2.014, 2.014])
    assert fastest_vibration(molecule("CH4"))[0] == "H"
    assert fastest_vibration(heavy)[1] > 1.3 * fastest_vibration(molecule("H2O"))[1]
    for atoms in (bulk("Cu"), bulk("Li"), bulk("Si"), bulk("C"), bulk("MgO", "rocksalt", a=4.2)):
        assert not remark_on_time_step(atoms, 2.0)
    config = CampaignConfig.from_parameters({"oracle": "emt", "ensemble": "csvr", "timestep": 2})
    hydride = bulk("Pd", a=3.89, cubic=True) * 2
    hydride += Atoms("H", [[1.945, 0, 0]])
    with caplog.at_level(logging.WARNING, "acemaker"):
        check_settings(Store(tmp_path / "c"), config, hydride, None, None)
    assert caplog.text.count("a time step of 2 fs is long for H (1.01 u)") == 1
    assert "Set timestep to 0.9 fs or less" in caplog.text
    hydride.arrays["frozen"] = hydride.numbers == 1
    assert not remark_on_time_step(hydride, 2.0)


def test_a_campaign_with_unsound_settings_writes_nothing(tmp_path: Path) -> None:
    config = CampaignConfig.from_parameters(
        {"oracle": "emt", "structure": "Cu", "ensemble": "nvt", "added_forces": {"all": [0, 0, 1]}}
    )
    with pytest.raises(AcemakerError, match="would accelerate the whole system"):
        check_settings(Store(tmp_path / "c"), config, None, None, None)
    assert not (tmp_path / "c").exists()

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, bulk, fcc100, fcc111, graphene, molecule

from acemaker.campaign import Campaign
from acemaker.config import CampaignConfig, EngineConfig
from acemaker.errors import ConfigError, StructureError
from acemaker.lammps import script
from acemaker.lammps.box import put_structure, read_cell
from acemaker.lammps.ensemble import check_ensemble
from acemaker.lammps.library import open_lammps


def strains(coupling: str, structure: Atoms) -> np.ndarray:
    """Run a Lennard-Jones crystal under pressure, and return the relative changes of its three lengths."""
    config = EngineConfig(
        pressure_coupling=coupling, temperature=(50, 50), pressure=(2, 2), barostat_time=200, timestep=2
    )
    lmp = open_lammps()
    for command in script.header_commands(True):
        lmp.command(command)
    put_structure(lmp, structure, ["Ar"], triclinic=False)
    start, _ = read_cell(lmp)
    for command in (
        "pair_style lj/cut 8.0",
        "pair_coeff * * 0.0103 3.4",
        *script.neighbor_commands(1.0),
        *script.velocity_commands(50, 7),
        *script.ensemble_commands(config, 7),
        *script.output_commands(config, 50),
        script.run_command(200, 200),
    ):
        lmp.command(command)
    end, _ = read_cell(lmp)
    lmp.close()
    changes: np.ndarray = np.diag(end) / np.diag(start) - 1
    return changes


def argon() -> Atoms:
    atoms = bulk("Ar", cubic=True, a=5.3) * (3, 4, 3)
    atoms.set_cell(atoms.cell.array @ np.diag([1.0, 1.03, 1.0]), scale_atoms=True)
    return atoms


@pytest.mark.parametrize("coupling", ["x", "z", "xy", "xz", "yz", "x y", "y z"])
def test_only_the_named_lengths_change(coupling: str) -> None:
    changes = strains(coupling, argon())
    named = ["xyz".index(direction) for direction in coupling.replace(" ", "")]
    assert all(abs(changes[axis]) > 1e-3 for axis in named)
    assert all(changes[axis] == 0 for axis in range(3) if axis not in named)
    if len(named) == 2:
        difference = abs(changes[named[0]] - changes[named[1]])
        assert difference > 1e-6 if " " in coupling else difference < 1e-12


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("yx", "xy"),
        ("x,y", "x y"),
        ("z + x", "x z"),
        (["y", "x"], "x y"),
        (["z"], "z"),
        ("x y z", "aniso"),
        ("xyz", None),
    ],
)
def test_directions_in_other_words(value: Any, meaning: str | None) -> None:
    if meaning is None:
        with pytest.raises(ConfigError, match=r"EngineConfig.pressure_coupling: input should be 'iso'"):
            EngineConfig(pressure_coupling=value)
    else:
        assert EngineConfig(pressure_coupling=value).pressure_coupling == meaning


def slab() -> Atoms:
    atoms: Atoms = fcc111("Al", (2, 2, 3), vacuum=8.0, periodic=True)
    return atoms


def along_x() -> Atoms:
    atoms = fcc100("Cu", (2, 2, 4), vacuum=7.0, periodic=True)
    return Atoms(
        atoms.symbols,
        atoms.positions[:, [2, 0, 1]],
        cell=np.diag(atoms.cell.lengths()[[2, 0, 1]]),
        pbc=True,
    )


def adsorbate() -> Atoms:
    atoms = fcc100("Ni", (2, 2, 3), vacuum=9.0, periodic=True)
    add_adsorbate(atoms, "O", 1.2)
    return atoms


def wire() -> Atoms:
    atoms = bulk("Au", cubic=True) * (1, 1, 2)
    atoms.center(vacuum=6.0, axis=(0, 1))
    return atoms


def water() -> Atoms:
    atoms = molecule("H2O", cell=[12, 12, 12], pbc=True)
    atoms.center()
    return atoms


def sheet() -> Atoms:
    atoms: Atoms = graphene(size=(3, 3, 1), vacuum=10.0)
    atoms.pbc = True
    return atoms


@pytest.mark.parametrize(
    ("make", "refused", "remedy"),
    [
        (slab, ("iso", "aniso", "tri", "z", "xz", "x z"), "pressure_coupling='xy'"),
        (along_x, ("iso", "x", "xy"), "pressure_coupling='yz'"),
        (adsorbate, ("iso", "aniso", "yz"), "pressure_coupling='xy'"),
        (sheet, ("iso",), "pressure_coupling='xy'"),
        (wire, ("iso", "xy", "x"), "pressure_coupling='z'"),
        (water, ("iso", "x", "xy"), "choose ensemble='nvt'"),
    ],
)
def test_a_barostat_that_would_move_a_vacuum_is_refused(make: Any, refused: tuple[str, ...], remedy: str) -> None:
    structure = make()
    for coupling in refused:
        with pytest.raises(StructureError, match="contains vacuum") as caught:
            check_ensemble(EngineConfig(pressure_coupling=coupling), structure)
        assert remedy in str(caught.value)
    check_ensemble(EngineConfig(ensemble="nvt"), structure)
    if "pressure_coupling=" in remedy:
        check_ensemble(EngineConfig(pressure_coupling=remedy.split("'")[1]), structure)


@pytest.mark.parametrize(
    "structure",
    [bulk("Cs"), bulk("C", "diamond"), bulk("Zn"), bulk("NaCl", "rocksalt", a=5.6), bulk("Xe", "fcc", a=6.2)],
)
def test_crystals_contain_no_vacuum(structure: Atoms) -> None:
    check_ensemble(EngineConfig(), structure)


def test_a_slab_under_its_default_barostat_is_no_campaign(tmp_path: Any) -> None:
    config = CampaignConfig.from_parameters({"oracle": "emt", "structure": "Al", "n_functions": 15})
    with pytest.raises(StructureError, match=r"16 Å along z.*pressure_coupling='xy'"):
        Campaign.create(tmp_path / "c", config, structure=slab())
    assert not (tmp_path / "c").exists()

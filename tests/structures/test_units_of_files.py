"""Velocities, masses and lattice constants in other units, and supercells of structures that cannot be repeated."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.calculators.lammps import convert
from ase.io import write
from ase.units import Bohr

from acemaker.config import EngineConfig, SystemConfig
from acemaker.errors import ConfigError, StructureError
from acemaker.lammps.ensemble import check_ensemble
from acemaker.lammps.library import open_lammps
from acemaker.structures.crystals import build_crystal
from acemaker.structures.initial import initial_structure
from acemaker.structures.lengths import check_lengths

TEMPERATURE = 250.0
"""K, of the velocities in the files."""


def read(structure: object, **settings: Any) -> Atoms:
    config = SystemConfig(**{"structure": str(structure), "supercell": (1, 1, 1), **settings})
    return initial_structure(config, np.random.default_rng(0))


def moving_nickel(folder: Path, units: str) -> tuple[Path, Path]:
    """Let LAMMPS write a data file and a dump of moving atoms in its units, with masses and the names of the units."""
    data, dump = folder / "x.data", folder / "x.lammpstrj"
    lmp = open_lammps()
    edge, mass = (float(convert(value, kind, "ASE", units)) for value, kind in ((3.52, "distance"), (58.6934, "mass")))
    try:
        lmp.commands_string(
            f"units {units}\nlattice fcc {edge}\nregion box block 0 2 0 2 0 2\ncreate_box 1 box\ncreate_atoms 1 box\n"
            f"mass 1 {mass}\npair_style zero {edge}\npair_coeff * *\nvelocity all create {TEMPERATURE} 1\n"
            f"write_data {data} nocoeff\ndump d all custom 1 {dump} id type mass x y z vx vy vz\n"
            "dump_modify d units yes format float %.12g\nrun 0"
        )
    finally:
        lmp.close()
    return data, dump


@pytest.mark.parametrize("units", ["metal", "real"])
def test_velocities_of_files_that_state_their_units(tmp_path: Path, units: str) -> None:
    for path in moving_nickel(tmp_path, units):
        assert read(path).get_temperature() == pytest.approx(TEMPERATURE, rel=0.05), path


def test_velocities_in_real_units_are_not_read_as_metal(tmp_path: Path) -> None:
    data, dump = moving_nickel(tmp_path, "real")
    data.write_text(data.read_text().replace("units = real", ""))
    dump.write_text(dump.read_text().replace("ITEM: UNITS\nreal\n", ""))
    for path in data, dump:
        with pytest.raises(ConfigError, match=r"does not state its units.*'real' \(Å/fs\) 2[4-6]\d K. State the units"):
            read(path)


def test_velocities_of_metal_need_no_statement(tmp_path: Path) -> None:
    data, dump = moving_nickel(tmp_path, "metal")
    data.write_text(data.read_text().replace("units = metal", ""))
    dump.write_text(dump.read_text().replace("ITEM: UNITS\nmetal\n", ""))
    for path in data, dump:
        assert read(path).get_temperature() == pytest.approx(TEMPERATURE, rel=0.05), path


def test_masses_of_a_dump_in_si_units_name_the_elements(tmp_path: Path) -> None:
    path = tmp_path / "x.lammpstrj"
    path.write_text(
        "ITEM: UNITS\nsi\nITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n0 3e-10\n0 3e-10\n"
        "0 3e-10\nITEM: ATOMS id type mass x y z\n1 1 1.0552e-25 0 0 0\n2 2 4.4804e-26 1.5e-10 1.5e-10 1.5e-10\n"
    )
    atoms = read(path)
    assert atoms.get_chemical_formula() == "AlCu"
    assert atoms.cell.lengths() == pytest.approx(3.0)
    with pytest.raises(ConfigError, match=r"type 1 is Al, but has the mass 63\.5"):
        read(path, elements=["Al", "Cu"])


@pytest.mark.parametrize("supercell", [(2, 2, 2), (1, 1, 3)])
def test_a_structure_without_a_cell_is_not_repeated(tmp_path: Path, supercell: tuple[int, int, int]) -> None:
    crystal = bulk("Al", cubic=True) * (2, 2, 2)
    path = tmp_path / "al.xyz"
    write(path, crystal, format="xyz")  # without the cell
    with pytest.raises(
        ConfigError, match=rf"is not periodic, so that it cannot be repeated.*cluster of {len(crystal)}"
    ):
        read(path, supercell=supercell)
    assert len(read(path)) == len(crystal)
    write(path, crystal, format="extxyz")
    assert len(read(path, supercell=supercell)) == len(crystal) * np.prod(supercell)


@pytest.mark.parametrize("element", ["Al", "Ti", "W", "Ne", "Ge", "K"])
@pytest.mark.parametrize(("unit", "factor"), [("nm", 0.1), ("pm", 100.0), ("bohr", 1 / Bohr)])
def test_the_lattice_constant_of_an_element_in_another_unit_is_named(element: str, unit: str, factor: float) -> None:
    usual = float(build_crystal(SystemConfig(structure=element)).cell.lengths()[0])
    for strain in (0.95, 1.0, 1.05):  # of another functional, or of another temperature
        constant = strain * usual
        assert len(build_crystal(SystemConfig(structure=element, lattice_constant=constant)))
        with pytest.raises(ConfigError, match=f"as if it were in {unit}; set it in Å") as caught:
            build_crystal(SystemConfig(structure=element, lattice_constant=factor * constant))
        (proposed,) = re.findall(r"lattice_constant=([\d.]+\d)", str(caught.value))
        assert float(proposed) == pytest.approx(constant, rel=1e-3)
    stretched = SystemConfig(structure=element, lattice_constant=usual / Bohr, length_unit="angstrom")
    assert len(build_crystal(stretched))


@pytest.mark.parametrize("periodic", [True, False])
def test_lengths_in_pm_are_named(periodic: bool) -> None:
    atoms = bulk("MgO", "rocksalt", a=421.0, cubic=True)
    atoms.pbc = periodic
    with pytest.raises(StructureError, match=r"look like pm instead of Å.*divide positions and cell by 100"):
        check_lengths(atoms, "it", remedy="set length_unit='{unit}'")
    check_lengths(atoms, "it", accepted=True)
    gas = Atoms("Ar4", positions=[[0, 0, 0], [40, 0, 0], [0, 40, 0], [0, 0, 40]])
    check_lengths(gas, "a gas is far apart, too")


def test_a_barostat_that_would_shear_a_slab_is_refused() -> None:
    slab = fcc111("Ag", (2, 2, 4), vacuum=6.0, periodic=True)
    with pytest.raises(StructureError, match="pressure_coupling='xy'"):
        check_ensemble(EngineConfig(ensemble="npt", pressure_coupling="tri"), slab)
    check_ensemble(EngineConfig(ensemble="npt", pressure_coupling="xy"), slab)

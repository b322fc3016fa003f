"""Constraints and masses are used or refused by name, however they come, before anything is written."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.constraints import FixAtoms, FixBondLength, FixCartesian, FixCom, FixedPlane, FixScaled, Hookean
from ase.io import read, write

from acemaker import Campaign, CampaignConfig
from acemaker.cli import main
from acemaker.config import OracleConfig
from acemaker.errors import CampaignExistsError, ConfigError, StructureError
from acemaker.loop.checks import check_moments
from acemaker.structures.supported import as_initial, check_supported, with_masses_of_file
from acemaker.testing import ToyEngine, ToyOracle, toy_config
from tests.conftest import copper

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "otf_campaign.ipynb"


def with_constraint(*constraints: Any) -> Atoms:
    atoms = copper()
    atoms.set_constraint(list(constraints))
    return atoms


def with_masses(**masses: float) -> Atoms:
    atoms = molecule("CH3CH2OH", vacuum=4, pbc=True)
    atoms.set_masses([masses.get(atom.symbol, atom.mass) for atom in atoms])
    return atoms


def with_column(name: str, values: Any) -> Atoms:
    atoms = copper()
    atoms.set_array(name, np.asarray(values))
    return atoms


REFUSED: dict[str, tuple[Atoms, str]] = {
    "a direction": (with_constraint(FixCartesian([0], (0, 0, 1))), "constraints (FixCartesian on 1 of 32 atoms)"),
    "a plane": (with_constraint(FixedPlane([1, 2], (0, 0, 1))), "constraints (FixedPlane on 2 of 32 atoms)"),
    "two kinds": (
        with_constraint(FixAtoms([0]), FixScaled([1], [1, 0, 1])),
        "constraints (FixScaled on 1 of 32 atoms)",
    ),
    "a bond": (with_constraint(FixBondLength(0, 1)), "constraints (FixBondLengths"),
    "a spring": (with_constraint(Hookean(0, 1, k=2, rt=1)), "constraints (Hookean)"),
    "the center of mass": (with_constraint(FixCom()), "constraints (FixCom"),
    "all fixed": (with_column("selective_dynamics", [[False] * 3] * 32), "32 of 32 atoms fixed"),
    "all atoms": (with_constraint(FixAtoms(range(32))), "32 of 32 atoms fixed"),
    "one direction of a column": (with_column("if_pos", [[1, 1, 0]] + [[1, 1, 1]] * 31), "marks 1 of 32 atoms"),
    "numbers of groups": (with_column("fix", [0, 2] * 16), "a column 'fix' that seems to mark fixed atoms, but"),
    "other texts": (with_column("frozen", ["layer", "no"] * 16), "but contains 'layer'"),
    "two directions": (with_column("fixed", [[0, 1]] * 32), "but contains 'an array of shape (32, 2)'"),
    "a column that contradicts": (
        with_constraint(FixAtoms([0])),
        "marks other atoms as fixed in the column 'fixed' than in the constraints",
    ),
    "a negative mass": (with_column("mass", [-1.0] + [0] * 31), "a mass of -1 u at atom 0 (Cu) in the column 'mass'"),
    "unknown masses": (with_column("masses", [1.0] * 32), "a mass of 1 u at atom 0 (Cu)"),
    "two masses": (with_masses(H=2.014), "other masses in the column 'isotope' than in 'masses'"),
    "half a site": (
        with_column("occupancy", [0.5] + [1.0] * 31),
        "sites (0.5, in the column 'occupancy')",
    ),
}
REFUSED["a column that contradicts"][0].set_array("fixed", np.arange(32) < 2)
REFUSED["two masses"][0].set_array("isotope", np.where(REFUSED["two masses"][0].numbers == 1, 3, 0))


@pytest.mark.parametrize("name", REFUSED)
def test_an_object_is_refused_by_name(tmp_path: Path, name: str) -> None:
    atoms, words = REFUSED[name]
    with pytest.raises(StructureError, match=re.escape(words)):
        Campaign.create(tmp_path / "c", toy_config(), structure=atoms, engine=ToyEngine(), oracle=ToyOracle())
    assert not (tmp_path / "c").exists()


ACCEPTED: dict[str, Atoms] = {
    "plain": copper(),
    "masses that are the elements'": with_masses(),
    "masses to fewer digits": with_column("masses", [63.55] * 32),
    "nothing fixed": with_constraint(FixAtoms([]), FixCartesian([0, 1], (0, 0, 0))),
    "marks that mark nothing": with_column("fixed", [0] * 32),
    "words that mark nothing": with_column("fixed", ["F", "no"] * 16),
    "all free": with_column("selective_dynamics", [["T"] * 3] * 32),
    "masses as people write them": with_masses(H=1.0, C=12.0, O=16.0),
    "other roundings": with_masses(H=1.01, C=12.01, O=15.9994),
    "one mass for all": with_column("mass", [1.0] * 32),
    "some masses": with_column("isotope", [0, 64] * 16),
    "sites that say nothing": with_column("occupancy", [0.0] * 32),
    "masses that say nothing": with_column("mass", [0.0] * 32),
    "masses that are no numbers": with_column("mass", [float("nan")] * 32),
    "mass numbers": with_column("isotope", [64] * 32),
    "whole sites": with_column("occupancy", [1.0, 0.9999] * 16),
    "velocities": with_column("momenta", np.ones((32, 3))),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_says_nothing_else_is_accepted(name: str) -> None:
    initial = as_initial(ACCEPTED[name], "the structure")
    assert not {"frozen", "masses", "mass", "isotope", "fixed"} & set(initial.arrays)
    assert not initial.constraints
    assert initial.has("momenta") == (name == "velocities")


FIRST_THREE = np.arange(32) < 3

FROZEN: dict[str, Atoms] = {
    "an object": with_constraint(FixAtoms([0, 1, 2])),
    "a mask": with_constraint(FixAtoms(mask=FIRST_THREE)),
    "two constraints": with_constraint(FixAtoms([2]), FixCartesian([0, 1])),
    "scaled": with_constraint(FixScaled([0, 1, 2], [True, True, True])),
    "a column": with_column("fixed", FIRST_THREE.astype(int)),
    "words": with_column("Freeze", ["yes", "T", ".true."] + ["no"] * 29),
    "three columns": with_column("selective_dynamics", np.repeat(~FIRST_THREE[:, None], 3, axis=1)),
    "if_pos": with_column("if_pos", np.repeat(1 - FIRST_THREE[:, None].astype(int), 3, axis=1)),
    "move_mask": with_column("move_mask", ~FIRST_THREE),
    "is_fixed": with_column("is_fixed", FIRST_THREE),
    "is_frozen": with_column("is_frozen", FIRST_THREE.astype(int)),
    "frozen_mask": with_column("Frozen_Mask", FIRST_THREE),
    "movemask": with_column("movemask", 1 - FIRST_THREE.astype(int)),
    "an earlier campaign's": with_column("frozen", FIRST_THREE),
}


@pytest.mark.parametrize("name", FROZEN)
def test_atoms_fixed_in_all_directions_are_frozen(name: str) -> None:
    before = FROZEN[name].copy()
    initial = as_initial(FROZEN[name], "the structure")
    assert initial.arrays["frozen"].dtype == bool
    assert np.array_equal(initial.arrays["frozen"], FIRST_THREE)
    assert not initial.constraints
    assert set(initial.arrays) == {"numbers", "positions", "frozen"}
    assert FROZEN[name] == before
    assert len(FROZEN[name].constraints) == len(before.constraints)


@pytest.mark.parametrize("name", ["constraint", "Constraints", "selective", "dof", "moving", "fixed_layer", "mobile"])
@pytest.mark.parametrize("kind", [bool, int, float, str])
def test_a_column_that_may_mark_fixed_atoms_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, kind: type
) -> None:
    marks = np.where(FIRST_THREE, "T", "F") if kind is str else FIRST_THREE.astype(kind)
    write(tmp_path / "x.xyz", with_column(name, marks), format="extxyz")
    initial = as_initial(read(tmp_path / "x.xyz"), "the structure")
    assert "frozen" not in initial.arrays
    assert f"has a column '{name}' of true and false that is not used" in caplog.text
    assert "name it 'fixed'" in caplog.text


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("constraint", [0] * 32),
        ("is_surface", FIRST_THREE),
        ("mobility", np.arange(32) / 7),
        ("fixed", FIRST_THREE),
        ("momenta", np.zeros((32, 3))),
    ],
)
def test_other_columns_are_not_taken_for_marks_of_fixed_atoms(
    caplog: pytest.LogCaptureFixture, name: str, values: Any
) -> None:
    as_initial(with_column(name, values), "the structure")
    assert not caplog.text


MASSES: dict[str, tuple[Atoms, dict[str, float]]] = {
    "deuterium": (with_masses(H=2.014), {"H": 2.014, "C": 12.011}),
    "heavy hydrogen": (with_masses(H=4.0), {"H": 4.0, "O": 15.999}),
    "carbon 13": (with_masses(C=13.003), {"C": 13.003, "H": 1.008}),
    "one isotope": (with_column("masses", [62.93] * 32), {"Cu": 62.93}),
    "a column": (with_column("mass", [56.0] * 32), {"Cu": 56.0}),
    "another name": (with_column("atomic_mass", [62.93] * 32), {"Cu": 62.93}),
    "isotopes": (with_column("isotope", [65] * 32), {"Cu": 65.0}),
}


@pytest.mark.parametrize("name", MASSES)
def test_masses_are_used(name: str) -> None:
    atoms, expected = MASSES[name]
    initial = as_initial(atoms, "the structure")
    for symbol, mass in expected.items():
        assert np.allclose(initial.arrays["masses"][initial.symbols == symbol], mass, atol=1e-9)
    assert set(initial.arrays) <= {"numbers", "positions", "masses"}


def test_mass_numbers_of_some_hydrogen_atoms_are_isotopes() -> None:
    atoms = molecule("H2O")
    atoms.set_array("isotopes", np.array([0, 2, 3]))
    assert np.allclose(as_initial(atoms, "it").get_masses(), [15.999, 2.014102, 3.016049], atol=1e-6)


def poscar(path: Path) -> None:
    write(path, with_constraint(FixScaled([0], [True, True, False])), format="vasp")


def extended_xyz(path: Path) -> None:
    write(path, with_constraint(FixAtoms([5])), format="extxyz")
    assert "move_mask" in path.read_text()


def poscar_with_frozen_layer(path: Path) -> None:
    write(path, with_constraint(FixAtoms([5, 6])), format="vasp")
    assert "Selective" in path.read_text()


def extended_xyz_with_masses(path: Path) -> None:
    write(path, with_masses(H=3.016), format="extxyz", columns=["symbols", "positions", "masses"])


def extended_xyz_of_other_programs(path: Path) -> None:
    write(path, with_column("mass", [62.93] * 32), format="extxyz", columns=["symbols", "positions", "mass"])


def trajectory(path: Path) -> None:
    write(path, with_constraint(FixAtoms([5])), format="traj")


CIF = """\
data_heavy_water
_cell_length_a 5
_cell_length_b 5
_cell_length_c 5
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
O1 O 0 0 0 1
"""


def cif_with_deuterium(path: Path) -> None:
    path.write_text(CIF + "D1 D 0.19 0 0 1\nD2 D 0 0.19 0 1\n")


def cif_with_half_a_site(path: Path) -> None:
    path.write_text(CIF + "H1 H 0.19 0 0 1\nH2 H 0 0.19 0 0.5\n")


def cif_with_a_shared_site(path: Path) -> None:
    path.write_text(CIF + "Fe1 Fe 0.5 0.5 0.5 0.7\nNi1 Ni 0.5 0.5 0.5 0.3\n")


def cif_of_a_heavy_type(path: Path) -> None:
    path.write_text(CIF + "H1 2H 0.19 0 0 1\n")


def pw_input_with_deuterium(path: Path) -> None:
    atoms = molecule("H2O", vacuum=4, pbc=True)
    write(path, atoms, format="espresso-in", pseudopotentials={"H": "H.UPF", "O": "O.UPF"}, kpts=(1, 1, 1))
    path.write_text(path.read_text().replace("H 1.008", "H 2.014"))


def pw_input_with_fixed_atoms(path: Path) -> None:
    write(path, with_constraint(FixAtoms([0])), format="espresso-in", pseudopotentials={"Cu": "x"}, kpts=(1, 1, 1))


FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "POSCAR": (poscar, "constraints (FixScaled on 1 of 32 atoms)"),
    "heavy_type.cif": (cif_of_a_heavy_type, "2H in place of H"),
    "half.cif": (cif_with_half_a_site, "partially occupied sites (0.5 H)"),
    "shared.cif": (cif_with_a_shared_site, "partially occupied sites (0.7 Fe, 0.3 Ni)"),
}


def config_of(path: Path, supercell: tuple[int, int, int] = (1, 1, 1)) -> CampaignConfig:
    made = toy_config().model_dump()
    made["system"] |= {"structure": str(path), "supercell": supercell}
    return CampaignConfig(**made)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    make, words = FILES[name]
    make(tmp_path / name)
    with pytest.raises(StructureError, match=rf"{re.escape(name)}' has .*{re.escape(words)}"):
        Campaign.create(tmp_path / "c", config_of(tmp_path / name), engine=ToyEngine(), oracle=ToyOracle())
    assert not (tmp_path / "c").exists()


USED: dict[str, tuple[Callable[[Path], None], list[int], float]] = {
    "POSCAR": (poscar_with_frozen_layer, [5, 6], 0),
    "fixed.extxyz": (extended_xyz, [5], 0),
    "fixed.traj": (trajectory, [5], 0),
    "fixed.pwi": (pw_input_with_fixed_atoms, [0], 0),
    "tritium.extxyz": (extended_xyz_with_masses, [], 3.016),
    "mass.extxyz": (extended_xyz_of_other_programs, [], 62.93),
    "heavy_water.cif": (cif_with_deuterium, [], 2.01355),
    "deuterium.pwi": (pw_input_with_deuterium, [], 2.014),
}


@pytest.mark.parametrize("name", USED)
def test_a_campaign_starts_with_what_a_file_says(tmp_path: Path, name: str) -> None:
    """In every copy of a supercell, and after the campaign was closed and opened again."""
    make, frozen, mass = USED[name]
    make(tmp_path / name)
    n_atoms = len(read(tmp_path / name))
    config = config_of(tmp_path / name, (2, 1, 1))
    Campaign.create(tmp_path / "c", config, engine=ToyEngine(), oracle=ToyOracle()).close()
    with Campaign.create(tmp_path / "c", config, engine=ToyEngine(), oracle=ToyOracle(), exist_ok=True) as campaign:
        start = campaign.initial_structure()
    assert not start.constraints
    marked = np.flatnonzero(start.arrays.get("frozen", np.zeros(len(start), dtype=bool))).tolist()
    assert marked == [*frozen, *(index + n_atoms for index in frozen)]
    assert ("masses" in start.arrays) == bool(mass)
    if mass:
        special = np.abs(start.get_masses() - mass) < 1e-6
        assert special.any()
        assert len(set(start.symbols[special])) == 1
        assert np.array_equal(special[:n_atoms], special[n_atoms:])
        assert np.allclose(start.get_masses()[~special], Atoms(start.symbols).get_masses()[~special])


def test_the_command_refuses_it_before_a_kernel_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    poscar(tmp_path / "POSCAR")
    words = ["run", str(NOTEBOOK), str(tmp_path / "out.ipynb"), "-p", f"structure={tmp_path / 'POSCAR'}"]
    assert main([*words, "-p", f"directory={tmp_path / 'c'}"]) == 2
    said = capsys.readouterr()
    assert "constraints (FixScaled on 1 of 32 atoms), which are not supported" in said.err + said.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["POSCAR"]


def test_each_walkers_structure_is_looked_at(tmp_path: Path) -> None:
    """Also one whose atoms are where those of the first are: ASE's comparison does not see constraints."""
    write(tmp_path / "free.vasp", copper(), format="vasp")
    poscar(tmp_path / "held.vasp")
    made = toy_config().model_dump()
    names = [str(tmp_path / name) for name in ("free.vasp", "held.vasp")]
    made["walkers"] = [{"structure": name, "supercell": (1, 1, 1)} for name in names]
    with pytest.raises(StructureError, match=r"held\.vasp' has constraints"):
        Campaign.create(tmp_path / "c", CampaignConfig(**made), engine=ToyEngine(), oracle=ToyOracle())
    assert not (tmp_path / "c").exists()


def test_an_existing_campaign_is_no_back_door(tmp_path: Path) -> None:
    parts: dict[str, Any] = {"engine": ToyEngine(), "oracle": ToyOracle()}
    Campaign.create(tmp_path / "c", toy_config(), structure=copper(), **parts).close()
    with pytest.raises(StructureError, match="constraints"):
        Campaign.create(tmp_path / "c", toy_config(), structure=with_constraint(FixedPlane([0], (0, 0, 1))), **parts)
    frozen = with_constraint(FixAtoms([0]))
    with pytest.raises(CampaignExistsError):
        Campaign.create(tmp_path / "c", toy_config(), structure=frozen, exist_ok=True, **parts)
    Campaign.create(tmp_path / "c", toy_config(), structure=copper(), exist_ok=True, **parts).close()


SPIN = {"nspin": 2, "starting_magnetization(1)": 0.5}


def antiferromagnet() -> Atoms:
    atoms = bulk("Fe", cubic=True)
    atoms.set_initial_magnetic_moments([2, -2])
    return atoms


def iron_aluminum(iron: float, aluminum: float) -> Atoms:
    atoms = Atoms("FeAl", [[0, 0, 0], [1.45, 1.45, 1.45]], cell=[2.9] * 3, pbc=True).repeat(2)
    atoms.set_initial_magnetic_moments([iron, aluminum] * 8)
    return atoms


@pytest.mark.parametrize(
    ("atoms", "given", "said"),
    [
        (antiferromagnet(), SPIN, r"moments of Fe \(-2, 2 Bohr magnetons\), and espresso_input sets 0.5"),
        (bulk("Fe"), {"nspin": 1}, "espresso_input sets 'nspin': 1; omit it, or remove the moments"),
        (iron_aluminum(2.0, -1.0), SPIN, r"moments of Al \(-1 Bohr magnetons\), and espresso_input sets 0.5"),
    ],
    ids=["two moments of one element", "spin off", "another sign"],
)
def test_moments_that_contradict_the_input_of_pw_are_refused(
    tmp_path: Path, atoms: Atoms, given: dict[str, Any], said: str
) -> None:
    made = toy_config().model_dump()
    made["oracle"] |= {"oracle": "espresso", "ecutwfc": 20, "espresso_input": given}
    with pytest.raises(StructureError, match=said):
        Campaign.create(tmp_path / "c", CampaignConfig(**made), structure=atoms, engine=ToyEngine())
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("index", [0, 3])
def test_an_element_that_is_not_there_is_told_as_such(tmp_path: Path, index: int) -> None:
    made = toy_config().model_dump()
    given = {"nspin": 2, f"starting_magnetization({index})": 0.5}
    made["oracle"] |= {"oracle": "espresso", "ecutwfc": 20, "espresso_input": given}
    with pytest.raises(ConfigError, match="is not that of an element; the elements are 1 Al, 2 Fe"):
        Campaign.create(tmp_path / "c", CampaignConfig(**made), structure=iron_aluminum(2.0, 0.0), engine=ToyEngine())
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("given", [{"nspin": 2, "starting_magnetization(2)": 0.5}, SPIN, {}, {"nbnd": 12}])
def test_moments_that_reach_pw_are_accepted(given: dict[str, Any]) -> None:
    config = OracleConfig(oracle="espresso", ecutwfc=20, espresso_input=given)
    check_moments(config, iron_aluminum(2.0, 0.0), ("Al", "Fe"))


def test_a_total_charge_that_pw_does_not_receive_is_refused() -> None:
    atoms = iron_aluminum(0.0, 0.0)
    atoms.set_initial_charges([0.5, -0.5] * 8)
    check_moments(OracleConfig(oracle="espresso", ecutwfc=20), atoms, ("Al", "Fe"))
    atoms.set_initial_charges([0.5, -0.25] * 8)
    with pytest.raises(StructureError, match=r"add up to 2 e, which pw.x does not receive; set .*'tot_charge': 2"):
        check_moments(OracleConfig(oracle="espresso", ecutwfc=20), atoms, ("Al", "Fe"))
    check_moments(OracleConfig(oracle="espresso", ecutwfc=20, espresso_input={"tot_charge": 2}), atoms, ("Al", "Fe"))


def test_a_calculator_that_would_not_be_told_of_charges_is_not_asked() -> None:
    atoms = copper()
    atoms.set_initial_magnetic_moments([1.0, -1.0] * 16)
    check_moments(OracleConfig(oracle="my_dft:make"), atoms, ("Cu",))
    atoms.set_initial_charges([0.1] * 32)
    with pytest.raises(StructureError, match="has initial charges, which are not passed to the oracle 'my_dft:make'"):
        check_moments(OracleConfig(oracle="my_dft:make"), atoms, ("Cu",))
    for oracle in ("emt", "acemaker.oracles.universal:chgnet"):
        check_moments(OracleConfig(oracle=oracle), atoms, ("Cu",))


SPECIES = "ATOMIC_SPECIES\n{}\nATOMIC_POSITIONS angstrom\nSi 0 0 0\nCELL_PARAMETERS angstrom\n5 0 0\n0 5 0\n0 0 5\n"


def silicon() -> Atoms:
    return Atoms("Si", cell=[5, 5, 5], pbc=True)


@pytest.mark.parametrize(
    "lines",
    ["Si 28.0855 Si.UPF", "\nSi 28.0 Si.UPF", "! none\n\n  Si1 1.0 Si.UPF\n\n", "Si 0.0 Si.UPF", "Si 2.80855d1 a"],
)
def test_ordinary_inputs_of_pw_are_no_isotopes(tmp_path: Path, lines: str) -> None:
    (tmp_path / "pw.in").write_text(SPECIES.format(lines))
    assert "masses" not in with_masses_of_file(tmp_path / "pw.in", silicon(), "it").arrays


@pytest.mark.parametrize(
    ("lines", "mass"),
    [("Si 30 Si.UPF", 30), ("! none\nSi 30. Si.UPF", 30), ("Si 28.0855 a\n# more\n\nSi2 2.9973d1 b", 28.0855)],
)
def test_masses_of_pw_are_those_of_the_species_of_each_atom(tmp_path: Path, lines: str, mass: float) -> None:
    (tmp_path / "pw.in").write_text(SPECIES.format(lines))
    atoms = with_masses_of_file(tmp_path / "pw.in", silicon(), "it")
    assert atoms.arrays["masses"] == pytest.approx([mass])


def test_two_isotopes_of_an_element_in_pw_are_told_apart_by_label(tmp_path: Path) -> None:
    text = SPECIES.format("Si 28.0855 a\nSi2 29.973 b").replace("Si 0 0 0", "Si2 0 0 0\nSi 2.5 2.5 2.5")
    (tmp_path / "pw.in").write_text(text)
    atoms = Atoms("Si2", [[0, 0, 0], [2.5, 2.5, 2.5]], cell=[5, 5, 5], pbc=True)
    assert with_masses_of_file(tmp_path / "pw.in", atoms, "it").get_masses() == pytest.approx([29.973, 28.0855])
    with pytest.raises(StructureError, match=r"Si with 29\.973 u"):
        with_masses_of_file(tmp_path / "pw.in", silicon(), "it")  # atoms of another file


SITES = "data_x\n_publ_section_title\n;\n Vitamin D and its salts, T 2H\n;\nloop_\n{}\n{}\n\nloop_\n_other\nD T\n"


@pytest.mark.parametrize(
    ("tags", "row", "heavy"),
    [
        ("_atom_site_type_symbol\n_atom_site_label", "Si T1", ""),
        ("_atom_site_label\n_atom_site_type_symbol", "T1 Si", ""),
        ("_atom_site_label\n_atom_site_fract_x", "T1 0.1", ""),
        ("_atom_site_label\n_atom_site_fract_x", "D1 0.1", "D"),
        ("_atom_site_type_symbol\n_atom_site_label", "T H1", "T"),
        ("_atom_site_label\n_atom_site_type_symbol", "H1 2H", "2H"),
        ("_atom_site_fract_x\n_atom_site_type_symbol", "0.1 D1+", "D"),
    ],
)
def test_heavy_hydrogen_is_looked_for_where_sites_are(tmp_path: Path, tags: str, row: str, heavy: str) -> None:
    (tmp_path / "x.cif").write_text(SITES.format(tags, row))
    if not heavy:
        with_masses_of_file(tmp_path / "x.cif", silicon(), "it")
        return
    with pytest.raises(StructureError, match=rf"\({heavy} in place of H\)"):
        with_masses_of_file(tmp_path / "x.cif", silicon(), "it")


def test_long_files_are_looked_through_at_once(tmp_path: Path) -> None:
    (tmp_path / "blank.in").write_text("\n" * 2_000_000 + "ATOMIC_SPECIES" + "\n" * 100_000)
    with_masses_of_file(tmp_path / "blank.in", silicon(), "it")


def test_an_occupancy_that_is_not_known_is_no_part(tmp_path: Path) -> None:
    atoms = copper()
    atoms.info["occupancy"] = {"0": {"Cu": "?"}, "1": {"Cu": "1.00\x00"}, "2": {"Cu": 0.9999999}, "3": None}
    check_supported(atoms, "the structure")


def test_files_are_read_as_they_were_meant(tmp_path: Path) -> None:
    """The tests' own files hold what they are to hold."""
    cif_with_deuterium(tmp_path / "a.cif")
    assert read(tmp_path / "a.cif").get_masses()[1] == pytest.approx(2.014, abs=1e-3)
    extended_xyz_with_masses(tmp_path / "a.extxyz")
    assert read(tmp_path / "a.extxyz").get_masses().max() == pytest.approx(15.999)

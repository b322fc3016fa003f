"""Structure files: formats, frames, files of LAMMPS, deuterium, and lengths in other units."""

from __future__ import annotations

import gzip
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import write
from ase.units import Bohr

from acemaker import Campaign, CampaignConfig
from acemaker.config import SystemConfig
from acemaker.errors import AcemakerError, ConfigError, StructureError
from acemaker.lammps.library import open_lammps
from acemaker.loop.initial_structures import initial_structures_of
from acemaker.structures.geometry import closeness
from acemaker.structures.initial import initial_structure
from acemaker.structures.lengths import check_lengths

TYPES = {1: "Zr", 2: "Fe"}


def read(structure: object, **settings: Any) -> Atoms:
    config = SystemConfig(**{"structure": str(structure), "supercell": (1, 1, 1), **settings})
    return initial_structure(config, np.random.default_rng(0))


def compound() -> Atoms:
    """Return a skewed cell of two elements without symmetry."""
    atoms = bulk("ZrFe", "cesiumchloride", a=3.2).repeat((2, 2, 3))
    atoms.set_cell(atoms.cell.array + np.array([[0, 0, 0], [0.9, 0, 0], [-0.7, 1.1, 0]]), scale_atoms=True)
    atoms.rattle(0.1, seed=3)
    return atoms


def scaled_cell(atoms: Atoms, factor: float) -> Atoms:
    atoms.set_cell(atoms.cell.array * factor, scale_atoms=True)
    return atoms


def equal(one: Atoms, two: Atoms) -> bool:
    """Return whether two structures are the same, up to their order, origin and rotation."""
    if sorted(one.symbols) != sorted(two.symbols) or not np.allclose(one.cell.cellpar(), two.cell.cellpar(), atol=1e-4):
        return False
    first, second = (np.sort(atoms.get_all_distances(mic=True), axis=None) for atoms in (one, two))
    return bool(np.allclose(first, second, atol=1e-4))


def data_file(path: Path, style: str = "atomic", *, hint: bool = True, masses: str = "", labels: str = "") -> Path:
    """Let LAMMPS write a data file, and change what it says about elements."""
    lmp = open_lammps()
    try:
        atoms = compound()
        cell = atoms.cell.standard_form()[0].array
        numbers = {symbol: number for number, symbol in TYPES.items()}
        lmp.commands_string(
            f"units metal\natom_style {style}\nregion box prism 0 {cell[0, 0]} 0 {cell[1, 1]} 0 {cell[2, 2]} "
            f"{cell[1, 0]} {cell[2, 0]} {cell[2, 1]}\ncreate_box 2 box\nmass 1 91.224\nmass 2 55.845"
        )
        positions = (atoms.get_scaled_positions() @ cell).ravel().tolist()
        lmp.create_atoms(len(atoms), None, [numbers[symbol] for symbol in atoms.symbols], positions)
        lmp.command(f"write_data {path} nocoeff")
    finally:
        lmp.close()
    text = path.read_text()
    if not hint:
        text = text.replace(f"Atoms # {style}", "Atoms")
    text = text.replace("1 91.224\n2 55.845\n", masses) if masses else text
    path.write_text(text.replace("\nMasses", f"\n{labels}\nMasses") if labels else text)
    return path


@pytest.mark.parametrize("style", ["atomic", "charge", "molecular", "full"])
def test_a_data_file_of_lammps_is_read_with_the_elements_of_its_masses(tmp_path: Path, style: str) -> None:
    assert equal(read(data_file(tmp_path / "x.data", style)), compound())


NO_MASSES = "1 1.0\n2 1.0\n"
LABELS = "Atom Type Labels\n\n1 Zr\n2 Fe\n"


@pytest.mark.parametrize(
    ("file", "settings"),
    [
        ({"masses": NO_MASSES}, {"elements": ["Zr", "Fe"]}),
        ({"masses": NO_MASSES}, {"elements": {1: "Zr", 2: "Fe"}}),
        ({"masses": NO_MASSES, "labels": LABELS}, {}),
        ({"masses": "1 1.0 # Zr\n2 1.0 # Fe\n"}, {}),
        ({"masses": "1 91.2\n2 55.85\n"}, {}),
        ({"style": "charge", "hint": False}, {"atom_style": "charge"}),
        ({"style": "full", "hint": False}, {"atom_style": "full"}),
        ({"hint": False}, {}),
        ({}, {"format": "lammps-data"}),
    ],
)
def test_what_a_data_file_does_not_name_can_be_set(
    tmp_path: Path, file: dict[str, Any], settings: dict[str, Any]
) -> None:
    assert equal(read(data_file(tmp_path / "x.lmp", **file), **settings), compound())


@pytest.mark.parametrize(
    ("file", "settings", "message"),
    [
        ({"masses": NO_MASSES}, {}, "does not name the element of atom type 1, which has mass 1; set elements"),
        ({"masses": "1 91.224\n2 40.0\n"}, {}, "atom type 2, which has mass 40; set elements"),
        ({"masses": NO_MASSES}, {"elements": ["Zr"]}, "expected elements for the types 1, 2, got Zr"),
        ({}, {"elements": ["Fe", "Zr"]}, "type 1 is Fe, but has the mass 91.224, which belongs to Zr; check the order"),
        ({"labels": LABELS.replace("Fe", "Ti")}, {}, "type 2 is Ti, but has the mass 55.845, which belongs to Fe"),
        (
            {"style": "charge", "hint": False},
            {},
            "9 columns fit charge, bond, angle, molecular, dipole; set atom_style",
        ),
        ({"style": "full", "hint": False}, {"atom_style": "atomic"}, "for atom style 'atomic', got"),
        ({"style": "full"}, {"atom_style": "charge"}, "states the atom style 'full', atom_style is 'charge'"),
        ({}, {"atom_style": "fulll"}, "'fulll' is not supported; did you mean 'full'"),
    ],
)
def test_a_data_file_that_is_ambiguous_is_refused(
    tmp_path: Path, file: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        read(data_file(tmp_path / "x.data", **file), **settings)


def test_units_of_a_data_file_are_those_of_its_title(tmp_path: Path) -> None:
    path = data_file(tmp_path / "x.data")
    assert "units = metal" in path.read_text().splitlines()[0]
    path.write_text(path.read_text().replace("units = metal", "units = electron"))
    assert read(path).cell.lengths() == pytest.approx(compound().cell.lengths() * Bohr, rel=1e-5)
    path.write_text(path.read_text().replace("units = electron", "units = lj"))
    with pytest.raises(ConfigError, match="units 'lj', whose lengths are not defined"):
        read(path)


def dump(path: Path, columns: str, n_frames: int = 1) -> Path:
    """Let LAMMPS write a dump."""
    lmp = open_lammps()
    try:
        data_file(path.with_suffix(".source"))
        lmp.commands_string(
            f"units metal\nread_data {path.with_suffix('.source')}\npair_style zero 4.0\npair_coeff * *"
        )
        lmp.commands_string(f"dump d all custom 1 {path} {columns}\ndump_modify d sort -1")
        if "element" in columns:
            lmp.command("dump_modify d element Zr Fe")
        lmp.commands_string(f"fix move all nve\nvelocity all create 50 1\nrun {n_frames - 1}")
    finally:
        lmp.close()
    return path


@pytest.mark.parametrize(
    ("columns", "settings"),
    [
        ("id element x y z", {}),
        ("element xu yu zu", {}),
        ("id type mass xs ys zs", {}),
        ("id type x y z", {"elements": ["Zr", "Fe"]}),
        ("id type xsu ysu zsu", {"elements": "Zr Fe"}),
    ],
)
def test_a_dump_of_lammps_is_read_if_its_elements_are_named(
    tmp_path: Path, columns: str, settings: dict[str, Any]
) -> None:
    assert equal(read(dump(tmp_path / "x.lammpstrj", columns), **settings), compound())


@pytest.mark.parametrize(
    ("columns", "settings", "message"),
    [
        ("id type x y z", {}, "does not name the element of atom type 1, which has no mass; set elements"),
        ("id type x y z", {"elements": ["Zr"]}, "expected elements for the types 1, 2"),
        ("id type mass x y z", {"elements": ["Fe", "Zr"]}, "type 1 is Fe, but has the mass 91.224"),
        ("id x y z", {}, "expected a column 'element' or 'type'"),
        ("id type vx vy vz", {"elements": ["Zr", "Fe"]}, "expected columns x y z, xs ys zs"),
    ],
)
def test_a_dump_without_elements_is_refused_before_anything_is_written(
    tmp_path: Path, columns: str, settings: dict[str, Any], message: str
) -> None:
    path = dump(tmp_path / "x.dump", columns)
    config = CampaignConfig.from_parameters({"oracle": "emt", "structure": str(path), **settings})
    calls: list[Atoms] = []

    def oracle(atoms: Atoms) -> None:
        calls.append(atoms)

    with pytest.raises(ConfigError, match=message):
        Campaign.create(tmp_path / "campaign", config, oracle=oracle)
    assert not calls
    assert not (tmp_path / "campaign").exists()


def test_elements_that_lammps_writes_by_default_are_not_believed(tmp_path: Path) -> None:
    path = dump(tmp_path / "x.dump", "id type element x y z")
    text = path.read_text().replace(" Zr ", " C ").replace(" Fe ", " C ")
    path.write_text(text)
    with pytest.raises(ConfigError, match="all 2 atom types have the element C, which LAMMPS writes unless"):
        read(path)
    assert equal(read(path, elements=["Zr", "Fe"]), compound())


def dump_of_carbon(path: Path, atoms: Atoms, columns: str = "") -> Path:
    """Write a dump as LAMMPS does for one atom type without 'dump_modify element'."""
    lengths = atoms.cell.lengths()
    rows = [
        " ".join([str(number), "1", "C", *(f"{x:.6f}" for x in position), *columns.split()[1:]])
        for number, position in enumerate(atoms.positions, start=1)
    ]
    box = [f"0 {length:.6f}" for length in lengths]
    head = ["ITEM: TIMESTEP", "0", "ITEM: NUMBER OF ATOMS", str(len(atoms)), "ITEM: BOX BOUNDS pp pp pp", *box]
    name = " ".join(["ITEM: ATOMS id type element x y z", *columns.split()[:1]])
    path.write_text("\n".join([*head, name, *rows]) + "\n")
    return path


@pytest.mark.parametrize(
    "atoms",
    [
        bulk("Si", cubic=True),
        bulk("Fe", cubic=True).repeat(2),
        bulk("Cs", cubic=True),
        bulk("Be", orthorhombic=True),
        scaled_cell(bulk("Si", cubic=True), 0.1),
        Atoms("N2", [[3, 3, 3], [3, 3, 4.1]], cell=[6, 6, 6], pbc=True),
    ],
    ids=["Si", "Fe", "Cs", "Be", "Si in nm", "N2"],
)
def test_one_type_that_lammps_calls_carbon_by_default_is_not_believed(tmp_path: Path, atoms: Atoms) -> None:
    path = dump_of_carbon(tmp_path / "x.dump", atoms)
    with pytest.raises(ConfigError, match=r"'dump_modify element' names the elements, but .*elements=\['C'\] if it is"):
        read(path)
    symbol = atoms.symbols[0]
    assert set(read(path, elements=[symbol]).symbols) == {symbol}
    assert set(read(path, elements=["C"]).symbols) == {"C"}


def test_carbon_is_carbon(tmp_path: Path) -> None:
    graphite = Atoms(
        "C8",
        scaled_positions=[
            (x, y + shift, z)
            for z, shift in ((0, 0), (0.5, 1 / 3))
            for x, y in ((0, 0), (0, 1 / 3), (0.5, 0.5), (0.5, 5 / 6))
        ],
        cell=[2.46, 4.26, 6.7],
        pbc=True,
    )
    melt = bulk("C", cubic=True).repeat(2)
    melt.rattle(0.15, seed=1)
    for atoms in (bulk("C", cubic=True), graphite, melt, molecule("C6H6", vacuum=3)[:6]):
        assert set(read(dump_of_carbon(tmp_path / "x.dump", atoms)).symbols) == {"C"}
    stretched = scaled_cell(bulk("C", cubic=True), 1.5)
    assert set(read(dump_of_carbon(tmp_path / "x.dump", stretched, "mass 12.011")).symbols) == {"C"}


def test_atomic_numbers_in_a_column_of_their_own_are_elements(tmp_path: Path) -> None:
    cell = 'Lattice="9 0 0 0 9 0 0 0 9" Properties=pos:R:3:Z:I:1 pbc="T T T"'
    (tmp_path / "x.xyz").write_text(f"2\n{cell}\n0 0 0 8\n1 0 0 1\n")
    assert read(tmp_path / "x.xyz").get_chemical_formula() == "HO"


def test_elements_that_contradict_the_masses_are_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "x.cfg"
    write(path, bulk("Ag", cubic=True))
    assert read(path).get_chemical_formula() == "Ag4"
    path.write_text(path.read_text().replace("\nAg\n", "\nC\n"))
    with pytest.raises(ConfigError, match=r"has C with the mass 107\.868, which belongs to Ag"):
        read(path)
    with pytest.raises(ConfigError, match="a binary dump of LAMMPS does not name the elements"):
        read(path, format="lammps-dump-binary")


def test_atoms_without_an_element_are_refused(tmp_path: Path) -> None:
    atoms = bulk("Ag", cubic=True)
    atoms.numbers[2] = 0
    write(tmp_path / "x.xyz", atoms, format="extxyz")
    for structure in (None, atoms):
        config = CampaignConfig.from_parameters({"oracle": "emt", "structure": str(tmp_path / "x.xyz")})
        with pytest.raises(StructureError, match=r"has \d+ atoms without an element \(X\)"):
            initial_structures_of(config, structure)


def poscar_of_vasp_4(path: Path, comment: str, atoms: Atoms) -> Path:
    write(path, atoms, format="vasp", sort=True)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([comment, *lines[1:5], *lines[6:]]) + "\n")
    return path


@pytest.mark.parametrize("comment", ["H2 storage in Pd", "my slab", "", "Fe", "Zr3 Fe", "Zr Fe Zr", "X Fe", "Fe12Zr12"])
def test_a_poscar_without_elements_is_refused(tmp_path: Path, comment: str) -> None:
    path = poscar_of_vasp_4(tmp_path / "POSCAR", comment, compound())
    with pytest.raises(ConfigError, match=r"expected a line of elements .* got '12 12' as VASP 4 writes it; insert"):
        read(path)
    with pytest.raises(ConfigError, match="expected a line of elements"):
        read(path.rename(tmp_path / "x.dat"), format="vasp")


def test_a_poscar_without_elements_has_those_of_a_comment_that_consists_of_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = poscar_of_vasp_4(tmp_path / "POSCAR", "Fe Zr", compound())
    with caplog.at_level(logging.INFO, logger="acemaker"):
        assert equal(read(path), compound())
    assert "they are those of its first line: Fe Zr" in caplog.text


@pytest.mark.parametrize(
    ("name", "meant"), [("cu", "Cu"), ("CU", "Cu"), ("nacl", "NaCl"), ("NACL", "NaCl"), ("w", "W"), ("tin", "TiN")]
)
def test_a_symbol_in_other_letters_is_suggested(name: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"neither a chemical symbol nor a file; did you mean '{meant}'\\?"):
        read(name)


@pytest.mark.parametrize("name", ["copper", "slab", "xyz", "al.cif"])
def test_other_words_are_no_symbols(name: str) -> None:
    with pytest.raises(ConfigError, match="neither a chemical symbol nor a file; set it to"):
        read(name)


def test_types_in_an_xyz_file_are_not_atomic_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.xyz"
    path.write_text("2\nAtoms. Timestep: 0\n1 0 0 0\n2 0 0 2.4\n")
    with pytest.raises(ConfigError, match="the numbers 1, 2 instead of elements, like LAMMPS's atom types"):
        read(path)
    assert read(path, elements=["Ni", "Al"]).get_chemical_formula() == "AlNi"
    with pytest.raises(ConfigError, match="expected elements for the types 1, 2, got Ni"):
        read(path, elements=["Ni"])


@pytest.mark.parametrize(("symbol", "mass"), [("D", 2.014), ("T", 3.016)])
def test_heavy_hydrogen_is_hydrogen_with_its_mass(tmp_path: Path, symbol: str, mass: float) -> None:
    (tmp_path / "x.xyz").write_text(f"3\nwater\nO 0 0 0\n{symbol} 0 0 0.97\nH 0 0.93 -0.2\n")
    (tmp_path / "POSCAR").write_text(
        f"hydride\n1.0\n3.9 0 0\n0 3.9 0\n0 0 3.9\nPd {symbol} H\n4 1 1\n"
        "Direct\n0 0 0\n.5 .5 0\n.5 0 .5\n0 .5 .5\n.5 .5 .5\n0.5 0 0\n"
    )
    cell = 'Lattice="9 0 0 0 9 0 0 0 9" Properties=tag:I:1:species:S:1:pos:R:3 pbc="T T T"'
    (tmp_path / "x.extxyz").write_text(f"2\n{cell}\n0 H 0 0 0\n0 {symbol} 0 0 0.74\n")
    (tmp_path / "x.data").write_text(
        "LAMMPS data file\n\n2 atoms\n2 atom types\n0 9 xlo xhi\n0 9 ylo yhi\n0 9 zlo zhi\n\nAtoms # atomic\n\n"
        "1 2 0 0 0\n2 1 0 0 0.74\n"
    )
    for name, settings, heavy in (
        ("x.xyz", {}, 1),
        ("POSCAR", {}, 4),
        ("x.extxyz", {}, 1),
        ("x.data", {"elements": [symbol, "H"]}, 1),
    ):
        atoms = read(tmp_path / name, **settings)
        assert atoms.symbols[heavy] == "H"
        masses = atoms.get_masses()
        assert masses[heavy] == pytest.approx(mass)
        assert np.delete(masses, heavy) == pytest.approx(np.delete(Atoms(atoms.symbols).get_masses(), heavy))


def frames(path: Path, element: str = "Ag") -> Path:
    write(path, [bulk(element, a=a, cubic=True) for a in (4.0, 4.1, 4.2)])
    return path


@pytest.mark.parametrize("name", ["x.traj", "x.extxyz", "XDATCAR", "x@1.xyz"])
@pytest.mark.parametrize(("index", "length"), [("@0", 4.0), ("@1", 4.1), ("@-1", 4.2), ("@1:2", 4.1)])
def test_a_frame_is_chosen_by_its_index(tmp_path: Path, name: str, index: str, length: float) -> None:
    path = frames(tmp_path / name)
    assert read(f"{path}{index}").cell.lengths() == pytest.approx([length] * 3)


def test_a_frame_of_a_dump_is_chosen_by_its_index(tmp_path: Path) -> None:
    path = dump(tmp_path / "x.dump", "id element x y z", n_frames=4)
    first, last = read(f"{path}@0"), read(f"{path}@-1")
    assert equal(first, compound())
    assert not np.allclose(first.positions, last.positions, atol=1e-5)
    assert np.allclose(read(f"{path}@3").positions, last.positions)
    with pytest.raises(ConfigError, match="there is no frame 4, the file has 4, counted from 0"):
        read(f"{path}@4")


def test_without_an_index_the_last_frame_is_used_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = frames(tmp_path / "x.traj")
    with caplog.at_level(logging.WARNING, logger="acemaker"):
        assert read(path).cell.lengths() == pytest.approx([4.2] * 3)
    assert "has several frames; the last one is used" in caplog.text


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("@3", "there is no frame 3, the file has 3"),
        ("@-4", "there is no frame -4, the file has 3"),
        ("@5:", "there are no such frames, the file has 3"),
        ("@0:2", "are 2 frames, but a trajectory starts with one"),
        ("@last", "expected a number or a range like 0:4 as the index of a frame"),
    ],
)
def test_an_index_without_a_frame_is_refused(tmp_path: Path, index: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(f"{frames(tmp_path / 'x.extxyz')}{index}")


def lengths_of_walkers(**parameters: Any) -> list[float]:
    config = CampaignConfig.from_parameters({"oracle": "emt", "supercell": [1, 1, 1], **parameters})
    return [float(atoms.cell.lengths()[0]) for atoms in initial_structures_of(config)]


def test_several_frames_are_several_walkers(tmp_path: Path) -> None:
    path = frames(tmp_path / "x.traj", "Pd")
    assert lengths_of_walkers(structure=f"{path}@:", walkers=3) == pytest.approx([4.0, 4.1, 4.2])
    assert lengths_of_walkers(structure=f"{path}@::2", walkers=2) == pytest.approx([4.0, 4.2])
    mixed = [{"structure": f"{path}@1"}, {}, {"temperature": 900}]
    assert lengths_of_walkers(structure=f"{path}@0:2", walkers=mixed) == pytest.approx([4.1, 4.0, 4.1])
    for walkers in (2, 1, [{}, {"structure": f"{path}@0"}]):
        with pytest.raises(ConfigError, match=r"are 3 frames for \d walkers?.*; set walkers=3"):
            lengths_of_walkers(structure=f"{path}@:", walkers=walkers)


def test_a_format_is_set_for_a_file_whose_name_does_not_tell(tmp_path: Path) -> None:
    for kind, name in (("vasp", "one"), ("xsf", "two"), ("extxyz", "three.dat"), ("cif", "four.txt")):
        write(tmp_path / name, bulk("Ge", cubic=True), format=kind)
        assert len(read(tmp_path / name, format=kind)) == 8
    with pytest.raises(ConfigError, match=r"ASE cannot read .*; if ASE can read it, set format"):
        read(tmp_path / "one")
    with pytest.raises(ConfigError, match="ASE has no format 'lamps-data'; did you mean 'lammps-data'"):
        read(tmp_path / "one", format="lamps-data")


def test_compressed_files_are_read(tmp_path: Path) -> None:
    path = dump(tmp_path / "x.dump", "id element x y z")
    with gzip.open(tmp_path / "y.dump.gz", "wb") as stream:
        stream.write(path.read_bytes())
    assert equal(read(tmp_path / "y.dump.gz"), compound())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"crystal": "fcc"}, "crystal would have no effect"),
        ({"lattice_constant": 4.0}, "lattice_constant would have no effect"),
        ({"crystal": "hcp", "c_over_a": 1.6}, "crystal and c_over_a would have no effect"),
        ({"elements": ["Ag"]}, "names its elements itself; omit elements"),
        ({"atom_style": "full"}, "is no LAMMPS data file; omit atom_style"),
        ({"structure": "Ag", "format": "vasp"}, "format would have no effect"),
        ({"structure": "Ag", "elements": ["Ag"]}, "elements would have no effect"),
        ({"structure": "Ag", "length_unit": "nm"}, "it applies to structure files"),
    ],
)
def test_a_setting_without_effect_is_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    write(tmp_path / "x.cif", bulk("Ag", cubic=True))
    with pytest.raises(ConfigError, match=message):
        read(**{"structure": tmp_path / "x.cif", **settings})


@pytest.mark.parametrize("setting", [{"composition": {"Ag": 0.5, "Pd": 0.5}}, {"elements": ["Ag"]}, {"format": "cif"}])
def test_a_setting_that_an_object_would_ignore_is_refused(setting: dict[str, Any]) -> None:
    config = CampaignConfig.from_parameters({"oracle": "emt", "structure": "Ag", **setting})
    with pytest.raises(ConfigError, match="the structure was passed as an object, to which"):
        initial_structures_of(config, bulk("Ag", cubic=True))


def scaled(atoms: Atoms, factor: float) -> Atoms:
    atoms = atoms.copy()
    atoms.positions *= factor
    atoms.set_cell(atoms.cell.array * factor)
    return atoms


ORDINARY: dict[str, Callable[[], Atoms]] = {
    "metal": lambda: bulk("Al", cubic=True).repeat(2),
    "open metal": lambda: bulk("Cs", cubic=True),
    "covalent": lambda: bulk("Si", cubic=True),
    "ionic": lambda: bulk("NaCl", "rocksalt", a=5.64, cubic=True),
    "molecule": lambda: molecule("C6H6"),
    "cluster": lambda: Atoms(bulk("Pt").repeat(2).symbols, bulk("Pt").repeat(2).positions),
}

ODD: dict[str, Callable[[], Atoms]] = {
    "noble gas": lambda: bulk("Ar", cubic=True),
    "light noble gas": lambda: bulk("Ne", cubic=True).repeat(2),
    "gas": lambda: Atoms("Cu9", np.random.default_rng(4).uniform(0, 30, (9, 3)), cell=[30] * 3, pbc=True),
    "a molecule that is pulled apart": lambda: Atoms("N2", [[0, 0, 0], [0, 0, 2.7]]),
    "molecules of a gas": lambda: Atoms(
        "H4", [[0, 0, 0], [0, 0, 0.74], [6, 0, 0], [6, 0, 0.74]], cell=[12] * 3, pbc=True
    ),
    "an atom": lambda: Atoms("Cu"),
    "under pressure": lambda: scaled(bulk("Na", cubic=True), 0.7),
    "a stretched crystal": lambda: scaled(bulk("Al", cubic=True), 1.25),
    "helium in a metal": lambda: bulk("W", cubic=True).repeat(2) + Atoms("He", [[1.6, 0, 0.8]]),
}


@pytest.mark.parametrize("name", [*ORDINARY, *ODD])
def test_distances_in_angstrom_are_accepted(name: str) -> None:
    check_lengths((ORDINARY | ODD)[name](), "it")


@pytest.mark.parametrize("name", ORDINARY)
@pytest.mark.parametrize(("unit", "factor"), [("nm", 0.1), ("bohr", 1 / Bohr)])
@pytest.mark.parametrize("way", ["file", "object"])
def test_lengths_in_another_unit_are_betrayed_by_the_distances(
    tmp_path: Path, name: str, unit: str, factor: float, way: str
) -> None:
    right = ORDINARY[name]()
    wrong = scaled(right, factor)
    write(tmp_path / "x.xyz", wrong, format="extxyz")
    base = {"oracle": "emt", "structure": str(tmp_path / "x.xyz"), "supercell": [1, 1, 1]}
    config = CampaignConfig.from_parameters(base)
    with pytest.raises(StructureError, match=f"look like {unit} instead of Å"):
        initial_structures_of(config, wrong if way == "object" else None)
    converted = CampaignConfig.from_parameters({**base, "length_unit": unit})
    (atoms,) = initial_structures_of(converted)
    assert closeness(atoms).distance == pytest.approx(closeness(right).distance, rel=1e-5)


@pytest.mark.parametrize(("constant", "unit"), [(0.564, "nm"), (10.66, "bohr"), (564, "pm")])
def test_a_lattice_constant_of_a_compound_in_another_unit_is_betrayed(constant: float, unit: str) -> None:
    """ASE knows that of elements only (tests of the units of files)."""
    with pytest.raises(
        StructureError, match=rf"lattice_constant: 'NaCl' .* look like {unit} .*(: set lattice_constant|; set)"
    ):
        lengths_of_walkers(structure="NaCl", crystal="rocksalt", lattice_constant=constant)


@pytest.mark.parametrize("name", ["metal", "ionic", "an atom of a crystal", "cluster"])
@pytest.mark.parametrize(("factor", "text"), [(1e-3, "1000"), (1e-10, "1e\\+10, as if they were in m")])
@pytest.mark.parametrize("closest", [0.5, 0.0])
def test_a_cell_that_is_too_small_by_orders_of_magnitude_is_refused_without_a_search(
    monkeypatch: pytest.MonkeyPatch, name: str, factor: float, text: str, closest: float
) -> None:
    cluster = bulk("Pt", cubic=True).repeat(3)
    right = {
        **ORDINARY,
        "an atom of a crystal": lambda: bulk("Ag"),
        "cluster": lambda: Atoms(cluster.symbols, cluster.positions),
    }[name]()
    monkeypatch.setattr("acemaker.structures.lengths.pairs", lambda *_: pytest.fail("a search exhausts the memory"))
    expected = "orders of magnitude" if name == "cluster" else f"too small by a factor of about {text}"
    with pytest.raises(StructureError, match=expected):
        check_lengths(scaled(right, factor), "it", closest=closest)


@pytest.mark.parametrize("constant", [4.09e-3, 4.09e-10])
def test_a_lattice_constant_that_is_too_small_by_orders_of_magnitude_is_refused(constant: float) -> None:
    with pytest.raises(StructureError, match=r"lattice_constant: 'Ag' .* too small by a factor of about"):
        lengths_of_walkers(structure="Ag", lattice_constant=constant)


def test_an_almost_flat_cell_is_refused() -> None:
    atoms = scaled(bulk("Al", cubic=True), 1)
    atoms.set_cell([1e6, 1e6, 1e-4], scale_atoms=True)
    with pytest.raises(StructureError, match=r"smallest height is 0\.0001 Å"):
        check_lengths(atoms, "it")


def test_lengths_that_are_stated_to_be_in_angstrom_are_accepted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="acemaker"):
        assert lengths_of_walkers(structure="Ag", lattice_constant=7.71, length_unit="angstrom") == pytest.approx(
            [7.71]
        )
    assert "look like bohr" in caplog.text


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        (["Cu", "Xx"], "elements must be chemical symbols, got Xx"),
        ({1: "Cu", 3: "Ni"}, "elements must be a list in the order of the types, or a mapping of types 1, 2"),
        ("X", "elements must be chemical symbols, got X"),
    ],
)
def test_elements_that_do_not_exist_are_refused(elements: object, message: str) -> None:
    for parameters in ({"elements": elements}, {"walkers": [{}, {"structure": "x.data", "elements": elements}]}):
        with pytest.raises(ConfigError, match=message):
            CampaignConfig.from_parameters({"oracle": "emt", **parameters})


def test_two_atoms_at_the_same_place_are_named(tmp_path: Path) -> None:
    atoms = bulk("Ag", cubic=True)
    atoms += Atoms("Ag", [[4.09, 0, 0]])
    write(tmp_path / "x.vasp", atoms)
    with pytest.raises(
        StructureError, match=r"atoms 0 and 4 are 0\.0\d\d Å apart.*; correct the positions or the cell"
    ):
        lengths_of_walkers(structure=str(tmp_path / "x.vasp"))
    atoms.positions[-1] = [1.2, 0, 0]
    with pytest.raises(StructureError, match="on top of each other"):
        initial_structures_of(CampaignConfig.from_parameters({"oracle": "emt"}), atoms)
    assert initial_structures_of(CampaignConfig.from_parameters({"oracle": "emt", "min_label_distance": 0.3}), atoms)


CIF = """data_x
_cell_length_a 4
_cell_length_b 4
_cell_length_c 4
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
{}
"""


@pytest.mark.parametrize(
    ("sites", "named"),
    [
        ("A1 Pd 0 0 0 0.7\nA2 Ag 0 0 0 0.3\nA3 Pd .5 .5 0 1", r"0\.7 Pd.*0\.3 Ag|0\.3 Ag.*0\.7 Pd"),
        ("A1 Pd 0 0 0 1\nA2 H .5 .5 .5 0.6", r"0\.6 H"),
        ("A1 O 0 0 0 0.95(2)\nA2 Mg .5 .5 .5 1", r"0\.95 O"),
    ],
)
def test_partially_occupied_sites_are_named(tmp_path: Path, sites: str, named: str) -> None:
    (tmp_path / "x.cif").write_text(CIF.format(sites))
    with pytest.raises(StructureError, match=rf"partially occupied sites \((?:{named})\)"):
        read(tmp_path / "x.cif")


def test_errors_are_of_acemaker(tmp_path: Path) -> None:
    """Files that are cut off or damaged raise typed errors."""
    texts = [data_file(tmp_path / "x.data").read_text(), dump(tmp_path / "x.dump", "id element x y z").read_text()]
    for number, text in enumerate(texts):
        lines = text.splitlines()
        for cut in range(0, len(lines), 3):
            path = tmp_path / f"{number}_{cut}.cut"
            path.write_text("\n".join([*lines[:cut], lines[cut].replace("0", "x", 1)]))
            with pytest.raises(AcemakerError):
                read(path)


PAGE = Path(__file__).parents[2] / "docs" / "how_to" / "structures.md"


def examples() -> list[dict[str, Any]]:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.S)
    return [settings for block in blocks for settings in yaml.safe_load_all(block)]


@pytest.mark.parametrize("settings", examples(), ids=lambda settings: str(settings["structure"]))
def test_the_examples_of_the_page_are_valid(settings: dict[str, Any]) -> None:
    config = CampaignConfig.from_parameters({"oracle": "emt", **settings})
    if config.system.file is None:
        (atoms,) = initial_structures_of(config)
        assert set(atoms.get_chemical_symbols()) >= set(config.system.symbols)
    else:
        assert config.system.file.suffix or config.system.format
        with pytest.raises(ConfigError, match="neither a chemical symbol nor a file"):
            initial_structures_of(config)

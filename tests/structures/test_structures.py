from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write
from ase.neighborlist import neighbor_list

from acemaker.config import PotentialConfig, SystemConfig
from acemaker.errors import ConfigError, DamagedFileError, OracleError, StructureError
from acemaker.labeling.files import read_result
from acemaker.structures.files import as_written, read_structures, write_structures
from acemaker.structures.geometry import closeness, mean_coordination, nearest_distances, pairs
from acemaker.structures.initial import first_structures, first_weight, initial_structure
from acemaker.structures.mask import weight_of, with_mask_of
from tests.conftest import alloy, copper, rattled


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("atoms", [copper(), rattled(alloy(), 1)[0], Atoms("Cu", cell=np.eye(3) * 2.5 + 0.3, pbc=True)])
@pytest.mark.parametrize("reach", [2.7, 4.0, 6.0])
def test_pairs_are_those_of_ase(atoms: Atoms, reach: float) -> None:
    for periodic in (True, False):
        atoms.pbc = periodic
        ours = sorted(zip(*(array.round(9).tolist() for array in pairs(atoms, reach)), strict=True))
        theirs = sorted(zip(*(array.round(9).tolist() for array in neighbor_list("ijd", atoms, reach)), strict=True))
        assert np.allclose(ours, theirs) if ours else not theirs


def test_closeness() -> None:
    atoms = Atoms("Cu2", [[0, 0, 0], [0, 0, 2.0]])
    assert closeness(atoms).distance == pytest.approx(2.0)
    assert closeness(atoms).share == pytest.approx(2.0 / 2.64)
    atoms.positions[1, 2] = 7.0
    assert closeness(atoms).distance == pytest.approx(7.0)
    assert closeness(Atoms("Cu")).distance == np.inf
    atoms.positions[0, 0] = np.nan
    assert closeness(atoms).share == 0
    assert nearest_distances(copper(), np.arange(3)) == pytest.approx([3.615 / np.sqrt(2)] * 3)
    assert mean_coordination(copper(), 3.0) == pytest.approx(12)


def test_crystals_by_name() -> None:
    atoms = initial_structure(SystemConfig(structure="Cu", lattice_constant=3.6), rng())
    assert len(atoms) == 108
    assert atoms.cell.lengths() == pytest.approx([10.8] * 3)
    assert len(initial_structure(SystemConfig(structure="Si", crystal="diamond", supercell=(2, 2, 2)), rng())) == 64


def test_random_alloys_have_their_composition() -> None:
    config = SystemConfig(composition={"Cu": 0.75, "Ni": 0.25})
    one, two = (initial_structure(config, np.random.default_rng(seed)) for seed in (1, 2))
    assert one.symbols.count("Ni") == two.symbols.count("Ni") == 27
    assert str(one.symbols) != str(two.symbols)


def test_structures_from_files(tmp_path: Path) -> None:
    path = tmp_path / "cell.xyz"
    write(path, copper(1), format="extxyz")
    assert len(initial_structure(SystemConfig(structure=str(path), supercell=(2, 1, 1)), rng())) == 8
    path.write_text("nonsense")
    with pytest.raises(ConfigError, match="ASE cannot read"):
        initial_structure(SystemConfig(structure=str(path)), rng())


def test_first_structures_are_strained_and_rattled() -> None:
    made = first_structures(copper(), SystemConfig(first_strain=0.02, first_rattle=0.1), 3, rng())
    volumes = [atoms.get_volume() / copper().get_volume() for atoms in made]
    assert volumes == pytest.approx([0.98**3, 1, 1.02**3])
    assert (made[1].positions - copper().positions).std() == pytest.approx(0.1, rel=0.2)
    assert first_structures(copper(), SystemConfig(), 1, rng())[0].get_volume() == pytest.approx(copper().get_volume())


def test_first_structures_count_less(tmp_path: Path) -> None:
    made = first_structures(copper(), SystemConfig(), 2, rng(), weight=0.25)
    back = write_structures(tmp_path / "first.extxyz", made)
    assert [weight_of(atoms) for atoms in back] == [0.25, 0.25]
    assert weight_of(with_mask_of(back[0], copper())) == 0.25
    assert weight_of(with_mask_of(copper(), back[0])) == 1
    plain = first_structures(copper(), SystemConfig(), 1, rng())[0]
    assert weight_of(plain) == 1
    assert with_mask_of(copper(), plain) is plain


def test_first_structures_count_less_where_later_labels_can_do_without_them() -> None:
    cell, small, alloyed = copper(), copper(1), alloy()
    system, potential = SystemConfig(), PotentialConfig(n_functions=96)
    assert first_weight(system, potential, cell, cell) == 0.1  # 32 atoms, 96 force components
    assert first_weight(system, potential, alloyed, alloyed) == 1  # for twice as many coefficients
    assert first_weight(system, potential, cell, small) == 1
    assert first_weight(SystemConfig(first_weight=0.5), potential, cell, small) == 0.5


@pytest.mark.parametrize("given", [0, -1.0, np.inf, np.nan, "much"])
def test_a_weight_is_a_positive_number(given: object) -> None:
    atoms = copper()
    atoms.info["label_weight"] = given
    with pytest.raises(StructureError, match="positive number as info"):
        weight_of(atoms)


def test_files_are_whole_or_not_there_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.extxyz"
    atoms = rattled(copper(), 1)[0]
    atoms.arrays["gamma"] = np.arange(32.0) / 7
    (back,) = write_structures(path, [atoms])
    (again,) = read_structures(path)
    assert np.array_equal(back.positions, again.positions)
    assert np.array_equal(back.arrays["gamma"], again.arrays["gamma"])
    assert back.positions == pytest.approx(atoms.positions, abs=1e-8)
    assert [p.name for p in path.parent.iterdir()] == ["a.extxyz"]
    with pytest.raises(ValueError, match="read-only"):
        back.positions[0, 0] = 1


@pytest.mark.parametrize("atoms", [*rattled(alloy(), 3), Atoms("Cu2", [[0, 0, 1 / 3], [0, 1e4 / 7, 2.5]])])
def test_what_is_as_written_comes_back_to_the_bit(tmp_path: Path, atoms: Atoms) -> None:
    written = as_written(atoms)
    written.info |= {"origin": "my.module:strategy", "distance_A": 1 / 3}
    (back,) = write_structures(tmp_path / "a.extxyz", [written])
    assert np.array_equal(back.positions, written.positions)
    assert np.array_equal(back.cell.array, written.cell.array)
    assert (back.pbc == written.pbc).all()
    assert back.info == written.info


def test_a_file_that_was_changed_is_noticed_and_one_of_others_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.extxyz"
    write_structures(path, [bulk("Cu"), bulk("Cu", cubic=True)])
    text = path.read_text()
    foreign = re.sub(r" checksum=\S+", "", text)
    path.write_text(foreign)
    assert [len(atoms) for atoms in read_structures(path)] == [1, 4]
    frames = text.splitlines(keepends=True)
    changes = [
        text.replace("3.61", "3.62", 1),
        text.replace("checksum", "chdcksum", 1),
        text.replace("checksum=x", "checksum=y", 1),
        "".join(frames[:3]),
        text + "".join(frames[:3]),
        "".join(frames[3:] + frames[:3]),
        text[:-1],
        foreign.replace("4", "99999999999", 1),
        "",
    ]
    for changed in changes:
        path.write_text(changed)
        with pytest.raises(DamagedFileError, match=r"a\.extxyz is damaged: .*; restore it from a copy"):
            read_structures(path)


def test_a_structure_of_more_atoms_than_lines_is_refused_at_once(tmp_path: Path) -> None:
    copper().write(tmp_path / "a.xyz", format="extxyz")
    text = (tmp_path / "a.xyz").read_text()
    (tmp_path / "a.xyz").write_text(text.replace(text.split()[0], "99999999999", 1))
    with pytest.raises(ConfigError, match="line 1 declares 99999999999 atoms"):
        initial_structure(SystemConfig(structure=str(tmp_path / "a.xyz")), np.random.default_rng(1))
    with pytest.raises(OracleError, match="line 1 declares 99999999999 atoms"):
        read_result(tmp_path / "a.xyz", copper())
    (tmp_path / "a.xyz").write_text(text.replace("pos:R:3", "pos:R:99999999999"))
    with pytest.raises(ConfigError, match="line 2 declares 100000000000 columns"):
        initial_structure(SystemConfig(structure=str(tmp_path / "a.xyz")), np.random.default_rng(1))
    with pytest.raises(DamagedFileError, match="fewer columns than declared"):
        read_structures(tmp_path / "a.xyz")


def test_a_structure_without_a_volume_is_refused(tmp_path: Path) -> None:
    (tmp_path / "POSCAR").write_text("flat\n1.0\n3 0 0\n0 3 0\n0 0 0\nCu\n1\nDirect\n0 0 0\n")
    with pytest.raises(ConfigError, match="expected three cell vectors that span a volume"):
        initial_structure(SystemConfig(structure=str(tmp_path / "POSCAR")), np.random.default_rng(1))

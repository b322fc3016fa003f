"""Shared fixtures: small real objects that are created once."""

from __future__ import annotations

import atexit
import contextlib
import os
import shlex
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import HealthCheck, settings

from acemaker.config import OracleConfig, PotentialConfig
from acemaker.errors import MissingLibraryError
from acemaker.lammps.executable import native_command
from acemaker.oracles.factory import pair_commands
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.generation import Generation
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.potentials.pacemaker.installation import find_python
from tests import processes

# a machine that does something else for a moment is no failing example
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

MISHIN = OracleConfig(oracle="lammps", pair_style="eam/alloy", pair_coeff=("* * Cu_mishin1.eam.alloy Cu",))
CUNI = OracleConfig(oracle="lammps", pair_style="eam/alloy", pair_coeff=("* * CuNi.eam.alloy Cu Ni",))


# a shell starts what runs in the background with Ctrl-C ignored; children, whose Ctrl-C is tested, would inherit that
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


LONG = (
    "tests/workshop/test_workshop_notebooks.py",
    "tests/test_notebooks.py",
    "tests/test_main_job.py",
    "tests/test_real_dft.py",
    "tests/browser/",
    "tests/loop/test_pacemaker_campaign.py",
    "tests/loop/test_committee_campaign.py",
    "tests/potentials/test_pacemaker.py",
    "tests/labeling/test_slurm.py",
    "tests/engines/test_isolated.py",
)
"""Files that take minutes: begun first, or a worker is left alone with one of them at the end. The next file goes to a
worker that has two tests left, which should be short ones."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next((number for number, name in enumerate(LONG) if item.nodeid.startswith(name)), len(LONG))

    items.sort(key=place)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    ran = [report for report in reports if report.nodeid.startswith(LONG[:4])]
    if ran:
        wall = max(report.stop for report in ran) - min(report.start for report in ran)
        work = sum(report.duration for report in ran)
        terminalreporter.write_line(
            f"notebooks: {wall / 60:.1f} min from the first to the last, {work / 60:.1f} min of tests in them"
        )
    for report in reports:  # what tests have to tell even if all is well: with which seed they drew
        for name, words in report.user_properties:
            if name == "printed":
                terminalreporter.write_line(f"{report.nodeid}: {words}")


# what tests use is not the user's word; processes of theirs, which may import this file, have the same place for it
if not Path(os.environ.get("XDG_STATE_HOME", "")).name.startswith("acemaker-tests-"):
    os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="acemaker-tests-")
    atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"], ignore_errors=True)


@pytest.fixture(autouse=True)
def _end_processes() -> Iterator[None]:
    yield
    processes.end_all()


def small_basis(n_functions: int = 15, cutoff: float = 4.0) -> PotentialConfig:
    return PotentialConfig(
        n_functions=n_functions, cutoff=cutoff, nradmax_by_orders=(8, 4, 2), lmax_by_orders=(0, 3, 1)
    )


def rattled(atoms: Atoms, n: int, scale: float = 0.12, seed: int = 0) -> list[Atoms]:
    rng = np.random.default_rng(seed)
    made = []
    for strain in np.linspace(-0.03, 0.03, n):
        copy = atoms.copy()
        copy.set_cell(copy.cell * (1 + strain), scale_atoms=True)
        copy.positions += rng.normal(scale=scale, size=copy.positions.shape)
        made.append(copy)
    return made


def copper(repeat: int = 2) -> Atoms:
    return bulk("Cu", "fcc", a=3.615, cubic=True).repeat(repeat)


def alloy(repeat: int = 2) -> Atoms:
    """A triclinic Cu-Ni cell."""
    atoms = bulk("Cu", "fcc", a=3.58, cubic=True).repeat(repeat)
    atoms.symbols[np.random.default_rng(3).permutation(len(atoms))[: len(atoms) // 2]] = "Ni"
    atoms.set_cell(atoms.cell @ np.array([[1, 0, 0], [0.06, 1, 0], [0.04, -0.05, 1]]), scale_atoms=True)
    return atoms


def train(directory: Path, atoms: Atoms, oracle: OracleConfig, config: PotentialConfig, n: int = 4) -> Generation:
    elements = tuple(sorted(set(atoms.get_chemical_symbols())))
    labeler = CalculatorOracle.from_config(oracle, elements)
    trainer = LinearTrainer(config, elements)
    labels = [labeler.label(structure) for structure in rattled(atoms, n)]
    return trainer.train(
        labels, number=1, directory=directory, predecessor=None, halted=None, gamma_limit=2.0
    ).generation


@pytest.fixture(scope="session")
def copper_generation(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    return train(tmp_path_factory.mktemp("copper"), copper(), MISHIN, small_basis())


@pytest.fixture(scope="session")
def copper_over_zbl(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    config = PotentialConfig(
        **small_basis().model_dump() | {"baseline_style": "zbl 1.0 2.6", "baseline_coeff": ("* * 29 29",)}
    )
    return train(tmp_path_factory.mktemp("zbl"), copper(), MISHIN, config)


@pytest.fixture(scope="session")
def copper_over_emt(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    config = PotentialConfig(**small_basis().model_dump() | {"baseline_calculator": "ase.calculators.emt:EMT"})
    return train(tmp_path_factory.mktemp("emt"), copper(), MISHIN, config)


@pytest.fixture(scope="session")
def alloy_generation(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    return train(tmp_path_factory.mktemp("alloy"), alloy(), CUNI, small_basis(), n=6)


@pytest.fixture(scope="session")
def native_lammps() -> str:
    """The command line of a LAMMPS with ML-PACE, with its libraries beside it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    for name in (os.environ.get("ACEMAKER_LMP"), str(cache / "acemaker/lammps-mlpace/bin/lmp"), shutil.which("lmp")):
        if name and Path(name).is_file():
            command = f"env LD_LIBRARY_PATH={shlex.quote(str(Path(name).parents[1] / 'lib'))} {shlex.quote(name)}"
            with contextlib.suppress(MissingLibraryError):
                native_command(command)
                return command
    pytest.skip("no LAMMPS with ML-PACE: make lammps, or name one in ACEMAKER_LMP")


@pytest.fixture(scope="session")
def pacemaker_python() -> Path:
    """The Python of the environment in which pacemaker runs."""
    try:
        return find_python("")
    except MissingLibraryError as error:
        pytest.skip(f"no pacemaker: make pacemaker ({error})")


__all__ = ["CUNI", "MISHIN", "alloy", "copper", "pair_commands", "rattled", "small_basis", "train"]

"""A launcher: a command line put before those of a segment's processes, which runs them elsewhere."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from acemaker import Campaign, CampaignConfig
from acemaker.errors import ConfigError, MDHaltError, MissingLibraryError, UntrustedError
from acemaker.potentials.generation import Generation
from acemaker.testing.contracts import NERVOUS
from tests.conftest import copper
from tests.engines.test_inprocess import make_request
from tests.engines.test_isolated import SHORT, _set_directory, explore, run_processes
from tests.processes import start, until
from tests.soak.worlds import WORLDS

__all__ = ["_set_directory"]


def launcher(folder: Path, body: str = 'exec "$@"') -> str:
    """A launcher that records its working directory, and runs the command."""
    path = folder / "launch it"
    path.write_text(f'#!/bin/sh\necho "$PWD" >> "{folder}/asked"\nshift\n{body}\n')
    path.chmod(0o755)
    return f"'{path}' --exact"


@pytest.mark.parametrize("native", [False, True], ids=["python", "native"])
def test_it_changes_where_and_nothing_else(
    tmp_path: Path, copper_generation: Generation, native_lammps: str, native: bool
) -> None:
    lammps = native_lammps if native else "python"
    request = make_request(tmp_path / "here", copper_generation, copper())
    here = explore(request, lammps=lammps)
    there = explore(replace(request, directory=tmp_path / "there"), lammps=lammps, launcher=launcher(tmp_path))
    assert np.array_equal(here.timeline.gamma_max, there.timeline.gamma_max)
    assert np.array_equal(here.frames[-1].positions, there.frames[-1].positions)
    directories = (tmp_path / "asked").read_text().split()
    assert len(directories) == 1 + native, "the preflight of a LAMMPS with ML-PACE runs where that LAMMPS does"
    assert all(Path(directory).is_relative_to(tmp_path / "there/run") for directory in directories)
    assert not (tmp_path / "there/run").exists()


@pytest.mark.slow
def test_a_halt_ends_what_was_launched(tmp_path: Path, copper_generation: Generation) -> None:
    request = make_request(tmp_path / "segment", copper_generation, copper(), rule=NERVOUS)
    halted = explore(request, launcher=launcher(tmp_path), steps=100_000, restart_every=1000, trajectory_every=1000)
    assert halted.decision is not None
    assert run_processes() == []


@pytest.mark.slow
def test_when_the_driver_is_killed_it_ends(tmp_path: Path, copper_generation: Generation) -> None:
    settings = {**SHORT, "steps": 1_000_000, "launcher": launcher(tmp_path), "lammps": "python"}
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, '.')\n"
        "from acemaker.config import EngineConfig\n"
        "from acemaker.engines.isolated import IsolatedEngine\n"
        "from acemaker.potentials.generation import read_generation\n"
        "from tests.conftest import copper\nfrom tests.engines.test_inprocess import make_request\n"
        f"generation = read_generation(Path({str(copper_generation.directory)!r}), {copper_generation.number})\n"
        f"request = make_request(Path({str(tmp_path / 'segment')!r}), generation, copper())\n"
        f"IsolatedEngine(EngineConfig(**{settings!r}), seed=1).explore(request)\n"
    )
    child = start([sys.executable, "-c", code])
    until(lambda: list((tmp_path / "segment").rglob("*.dump*")) or child.poll() is not None)
    assert child.poll() is None
    assert run_processes()
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    until(lambda: not run_processes())


@pytest.mark.parametrize("native", [False, True], ids=["python", "native"])
def test_what_it_refuses_is_said(
    tmp_path: Path, copper_generation: Generation, native_lammps: str, native: bool
) -> None:
    refuses = launcher(tmp_path, "echo 'error: invalid partition' >&2; exit 1")
    request = make_request(tmp_path / "segment", copper_generation, copper())
    with pytest.raises(MDHaltError, match=r"(ended|died in segment 1) with exit status 1") as error:
        explore(request, lammps=native_lammps if native else "python", launcher=refuses)
    assert "invalid partition" in str(error.value)
    assert not (tmp_path / "segment/run").exists()


@pytest.mark.parametrize(
    ("launcher", "engine", "error", "match"),
    [
        ("srun", "inprocess", ConfigError, "launcher='srun' requires engine 'isolated', got 'inprocess'"),
        ("no-such-launcher ", "isolated", MissingLibraryError, "there is no program 'no-such-launcher'"),
        ("srun 'x", "isolated", ConfigError, r"expected a command line, got \"srun 'x\""),
        ("no-such-launcher -n 1", "isolated", MissingLibraryError, "there is no program 'no-such-launcher'"),
    ],
)
def test_one_that_cannot_be_is_refused_before_anything_is_written(
    tmp_path: Path, launcher: str, engine: str, error: type[Exception], match: str
) -> None:
    config = WORLDS["LAMMPS here"].config(tmp_path).model_dump()
    config["engine"] |= {"engine": engine, "launcher": launcher}
    with pytest.raises(error, match=match):
        Campaign.create(tmp_path / "c", CampaignConfig(**config))
    assert not (tmp_path / "c").exists()


def test_one_that_came_by_mail_is_not_run(tmp_path: Path) -> None:
    """A launcher is a command line, which the directory alone cannot authorize."""
    config = WORLDS["LAMMPS here"].config(tmp_path).model_dump()
    config["engine"] |= {"engine": "isolated", "launcher": launcher(tmp_path)}
    Campaign.create(tmp_path / "c", CampaignConfig(**config)).close()
    os.environ["XDG_STATE_HOME"], before = str(tmp_path / "another user"), os.environ["XDG_STATE_HOME"]
    try:
        with pytest.raises(UntrustedError, match="launcher = "):
            Campaign.open(tmp_path / "c")
        with pytest.raises(UntrustedError, match="oracle = "):
            Campaign.open(tmp_path / "c", launcher="")
    finally:
        os.environ["XDG_STATE_HOME"] = before

"""Atoms divided among force processes: the same physics, the same bits every time, and nothing left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acemaker.config import EngineConfig
from acemaker.engines.factory import make_engine
from acemaker.engines.inprocess import InProcessEngine
from acemaker.engines.neighbors import split_atoms
from acemaker.engines.preflight import preflight, run_here
from acemaker.engines.protocol import Exploration, Request
from acemaker.engines.workers import start_workers
from acemaker.errors import EngineError
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import Generation
from tests.conftest import alloy, copper
from tests.engines.test_inprocess import make_request
from tests.processes import PATIENCE, words_of

RUN: dict[str, Any] = {"temperature": (300, 900), "steps": 60, "restart_every": 20, "trajectory_every": 20}


def explore(request: Request, **changes: Any) -> Exploration:
    engine = make_engine(EngineConfig(**{**RUN, **changes}), seed=1)
    try:
        return engine.explore(request)
    finally:
        engine.close()


def force_processes() -> list[psutil.Process]:
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if "acemaker.engines.worker" in words_of(process)
    ]


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 5))
def test_shares_hold_every_pair_once(counts: list[int], n_shares: int) -> None:
    neighbors = np.arange(sum(counts))
    shares = split_atoms(np.array(counts, dtype=int), neighbors, np.zeros(50, int), np.zeros(50, int), n_shares)
    assert len(shares) == n_shares
    assert np.sum([share.counts for share in shares], axis=0).tolist() == counts
    assert np.concatenate([share.neighbors for share in shares]).tolist() == neighbors.tolist()
    for share in shares:
        assert share.counts.sum() == len(share.neighbors) <= sum(counts) / n_shares + 9


@pytest.mark.parametrize("n", [2, 3])
def test_shares_add_up_to_what_pyace_says(alloy_generation: Generation, n: int) -> None:
    """Energy, forces, pressure and gamma, in a triclinic box."""
    workers = start_workers(n, alloy_generation)
    assert workers is not None
    try:
        differences = preflight(
            evaluator_of(alloy_generation),
            alloy(),
            1.0,
            run=lambda evaluator, atoms, skin: run_here(evaluator, atoms, skin, workers),
        )
    finally:
        workers.close()
    assert differences["forces"] < 1e-12
    assert not force_processes()


@pytest.mark.parametrize("engine", ["inprocess", "isolated"])
def test_two_cores_give_the_same_run_each_time(tmp_path: Path, copper_generation: Generation, engine: str) -> None:
    one = explore(make_request(tmp_path / "one", copper_generation, copper()), n_force_processes=1)
    two = explore(make_request(tmp_path / "two", copper_generation, copper()), n_force_processes=2)
    again = explore(
        make_request(tmp_path / "again", copper_generation, copper()),
        n_force_processes=2,
        engine=engine,
        lammps="python",
    )
    assert np.array_equal(two.timeline.gamma_max, again.timeline.gamma_max)
    assert np.array_equal(two.frames[-1].positions, again.frames[-1].positions)
    assert two.timeline.gamma_max == pytest.approx(one.timeline.gamma_max, rel=1e-9)
    assert two.frames[-1].positions == pytest.approx(one.frames[-1].positions, abs=1e-9)
    assert not force_processes()


def test_a_run_on_two_cores_goes_on_from_its_checkpoints(tmp_path: Path, copper_generation: Generation) -> None:
    whole = explore(make_request(tmp_path / "whole", copper_generation, copper()), n_force_processes=2)
    request = make_request(tmp_path / "broken", copper_generation, copper())

    def stop(check: Any) -> None:
        if check.step == 45:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explore(replace(request, on_check=stop), n_force_processes=2)
    assert not force_processes()
    rest = explore(request, n_force_processes=2)
    assert np.array_equal(whole.timeline.gamma_max, rest.timeline.gamma_max)
    assert np.array_equal(whole.frames[-1].positions, rest.frames[-1].positions)


def test_a_new_generation_reaches_the_helpers(
    tmp_path: Path, copper_generation: Generation, copper_over_zbl: Generation
) -> None:
    engine = InProcessEngine(EngineConfig(**RUN, n_force_processes=2), seed=1)
    first = engine.explore(make_request(tmp_path / "first", copper_generation, copper()))
    pids = {process.pid for process in force_processes()}
    second = engine.explore(make_request(tmp_path / "second", copper_over_zbl, copper()))
    assert {process.pid for process in force_processes()} == pids, "they stay, since importing pyace takes seconds"
    engine.close()
    alone = explore(make_request(tmp_path / "alone", copper_over_zbl, copper()))
    assert second.timeline.gamma_max == pytest.approx(alone.timeline.gamma_max, rel=1e-9)
    assert second.timeline.gamma_max != pytest.approx(first.timeline.gamma_max, rel=1e-3)


def test_a_force_process_that_dies_is_an_error_and_the_run_goes_on_later(
    tmp_path: Path, copper_generation: Generation
) -> None:
    engine = InProcessEngine(EngineConfig(**RUN, n_force_processes=2), seed=1)
    request = make_request(tmp_path / "run", copper_generation, copper())

    def kill(check: Any) -> None:
        if check.step == 45:
            force_processes()[0].kill()

    with pytest.raises(EngineError, match=r"force process ended unexpectedly.*continues from the last checkpoint"):
        engine.explore(replace(request, on_check=kill))
    rest = engine.explore(request)
    engine.close()
    whole = explore(make_request(tmp_path / "whole", copper_generation, copper()), n_force_processes=2)
    assert np.array_equal(whole.frames[-1].positions, rest.frames[-1].positions)


def test_helpers_end_with_a_parent_that_is_killed(tmp_path: Path, copper_generation: Generation) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from acemaker.engines.workers import start_workers\n"
        "from acemaker.potentials.generation import read_generation\n"
        f"generation = read_generation(Path({str(copper_generation.directory)!r}), {copper_generation.number})\n"
        "workers = start_workers(3, generation)\n"
        "print(*(process.pid for process in workers._processes), flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=tmp_path) as parent:
        assert parent.stdout is not None
        workers = [psutil.Process(int(word)) for word in parent.stdout.readline().split()]
        assert len(workers) == 2
        os.kill(parent.pid, signal.SIGKILL)
    # a process that is still importing pyace notices the end of its parent only afterwards
    _, alive = psutil.wait_procs(workers, timeout=PATIENCE)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]

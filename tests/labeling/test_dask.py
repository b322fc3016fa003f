"""Labels on Dask workers."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import pytest

from acemaker.errors import OracleError
from acemaker.states import State
from tests.labeling.halted import at_halt, calls, create, journaled, nothing_is_left, potentials, reopen, tell
from tests.processes import start, until

TWO = {"executor": "dask", "n_parallel_labels": 2}


@pytest.mark.slow
def test_a_cluster_on_this_machine(tmp_path: Path) -> None:
    """One label kills its process at the first try."""
    pytest.importorskip("distributed", reason="no distributed: pip install 'acemaker[dask]'")
    with create(tmp_path / "one") as one:
        assert one.run().state is State.DONE
    campaign, selection = at_halt(tmp_path / "two", TWO)
    tell(tmp_path / "two", **{f"c{selection.selected[1]}": "die once"})
    with campaign:
        assert campaign.run().state is State.DONE
    assert potentials(tmp_path / "one") == potentials(tmp_path / "two")
    assert sorted(calls(tmp_path / "two")) == sorted(str(candidate) for candidate in selection.selected)
    assert nothing_is_left(tmp_path / "two")


@contextmanager
def apart(folder: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """A scheduler in a separate process, with a worker."""
    dask, address = [sys.executable, "-m"], f"tcp://127.0.0.1:{port}"
    quiet: dict[str, Any] = {"cwd": Path(__file__).parents[2], "stdout": DEVNULL, "stderr": DEVNULL}
    given = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    chief = start([*dask, "distributed.cli.dask_scheduler", *given], **quiet)
    given = ["--no-nanny", "--no-dashboard", "--nthreads", "4", "--local-directory", str(folder / "dask")]
    worker = start([*dask, "distributed.cli.dask_worker", address, *given], **quiet)
    try:
        yield chief
    finally:
        for process in (chief, worker):
            process.kill()
            process.wait()


@pytest.mark.slow
def test_a_lost_scheduler_costs_no_structure(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="no distributed: pip install 'acemaker[dask]'")
    import dask

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = {"address": f"tcp://127.0.0.1:{port}"}
    with dask.config.set({"distributed.comm.timeouts.connect": "3s"}):
        with apart(tmp_path, port) as chief:
            campaign, selection = at_halt(tmp_path, {"executor": "dask", "executor_arguments": address})
            first, *others = selection.selected
            tell(tmp_path, **{f"c{number}": "sleep 600" for number in others})

            def lose() -> None:
                until(lambda: first in journaled(tmp_path))
                chief.kill()

            thread = threading.Thread(target=lose)
            thread.start()
            with campaign, pytest.raises(OracleError, match=rf"no Dask scheduler answers at {address['address']}"):
                campaign.label()
            thread.join()
        assert journaled(tmp_path) == [first]
        assert campaign.progress.failures == {}
        with reopen(tmp_path) as campaign, apart(tmp_path, port):
            campaign.label()
    assert sorted(journaled(tmp_path)) == sorted(selection.selected)
    assert calls(tmp_path).count(str(first)) == 1


def test_an_address_without_a_scheduler_is_reported(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="no distributed: pip install 'acemaker[dask]'")
    campaign = create(tmp_path, {"executor": "dask", "executor_arguments": {"address": "nonsense://here"}})
    with campaign, pytest.raises(OracleError, match="no Dask scheduler answers at nonsense://here"):
        campaign.prepare()

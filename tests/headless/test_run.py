"""`acemaker run` with real kernels: its output, its exit status, and that no process is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from acemaker import Campaign
from acemaker.headless.run import run_notebook
from acemaker.states import State
from tests import processes
from tests.headless.test_check import CAMPAIGN, ROOT, write

COMMAND = [sys.executable, "-m", "acemaker", "run"]
# as by its full path: no environment is active
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_PLATFORM_DIRS": "1", "PATH": "/usr/bin:/bin"}
SMALL = ["supercell=[2,2,2]", "cutoff=4.5", "n_functions=20", "threshold_call_dft=3", "steps=400", "lammps=python"]


def start(folder: Path, *words: str | Path) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return processes.start([*COMMAND, *words], cwd=folder, env=ENVIRONMENT, stdout=pipe, stderr=pipe)


def run(folder: Path, *words: str | Path) -> tuple[int, str, str]:
    process = start(folder, *words)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def stop(process: subprocess.Popen[str], number: int, line: str) -> tuple[int, str, list[psutil.Process]]:
    """Send a signal after a line; returns status, errors, and what it had started and is still there."""
    assert process.stdout is not None
    for said in process.stdout:
        if said.startswith(line):
            break
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    process.send_signal(number)
    _, errors = process.communicate(timeout=processes.PATIENCE)
    left = psutil.wait_procs(family, timeout=20)[1]
    return process.returncode, errors, left


def outputs(notebook: Path) -> list[dict[str, Any]]:
    return [output for cell in json.loads(notebook.read_text())["cells"] for output in cell.get("outputs", [])]


def test_it_shows_the_notebooks_lines_once_and_runs_this_python(tmp_path: Path) -> None:
    (tmp_path / "{n}").mkdir()
    body = "import os, sys\nprint(f'n is {n}\\n\\n'); print(sys.executable); print(os.getcwd()); print('end', end='')"
    # a kernel that nobody has, no language, and braces that papermill would fill in
    plain = write(tmp_path / "{n}/plain.ipynb", "n: int = 1", body, kernelspec={"name": "none", "display_name": "none"})
    status, out, err = run(tmp_path, plain, "-p", "n", "7", "{n}/new/out.ipynb")
    assert (status, err) == (0, "")
    done = "the executed notebook is {n}/new/out.ipynb"
    assert out.splitlines() == ["n is 7", sys.executable, str(tmp_path), "end", done]
    assert outputs(tmp_path / "{n}/new/out.ipynb")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("1/0", "failed in cell [3]: ZeroDivisionError: division by zero\n"),
        ("import acemaker\nacemaker.Campaign.open('none')", "failed in cell [3]: there is no campaign in "),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "the Python process of fail.ipynb was killed"),
    ],
    ids=["python", "acemaker", "killed"],
)
def test_a_failure_is_one_clear_message(tmp_path: Path, body: str, said: str) -> None:
    write(tmp_path / "fail.ipynb", "seed: int = 1", body, "print('never')")
    status, out, err = run(tmp_path, "fail.ipynb", "out.ipynb", "-p", "seed=2")
    assert (status, out) == (1, "")
    assert err.startswith("acemaker run: ")
    assert said in err
    assert "executed cells are in out.ipynb; repeat the command to continue the campaign" in err
    assert len(err.splitlines()) == 2
    assert (tmp_path / "out.ipynb").is_file()


def test_a_notebook_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    stubborn = (
        "import subprocess, time\nsleeper = subprocess.Popen(['sleep', '100'])\nprint('on', flush=True)\n"
        "while True:\n    try:\n        time.sleep(100)\n    except KeyboardInterrupt:\n        pass"
    )
    write(tmp_path / "stubborn.ipynb", "n = 1", stubborn)
    started = time.monotonic()
    status, errors, left = stop(start(tmp_path, "stubborn.ipynb", "out.ipynb"), signal.SIGTERM, "on")
    assert (status, left) == (143, [])
    assert errors == "acemaker run: stopped by SIGTERM; executed cells are in out.ipynb\n"
    assert time.monotonic() - started < 90  # it sleeps for 100 s


def test_from_python(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = write(tmp_path / "plain.ipynb", "n: int = 1", "print(n)")
    run_notebook(notebook, tmp_path / "out.ipynb", {"n": 5})
    assert capsys.readouterr().out == "5\n"


def test_nobody_watches_a_headless_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("ACEMAKER_DISPLAY", "live")
    body = (
        "import os\nimport numpy as np\nfrom ase.build import bulk\nfrom acemaker.widgets.viewer.choice import view\n"
        "atoms = bulk('Cu', cubic=True); atoms.arrays['gamma'] = np.ones(4)\nprint(os.environ['ACEMAKER_DISPLAY'])\n"
        "view([atoms], 0, np.array([1]), ())"
    )
    run_notebook(write(tmp_path / "view.ipynb", "n: int = 1", body), tmp_path / "out.ipynb")
    printed, shown = outputs(tmp_path / "out.ipynb")
    assert "".join(printed["text"]) == "static\n"
    assert set(shown["data"]) == {"image/png", "text/plain"}
    assert "widgets" not in json.loads((tmp_path / "out.ipynb").read_text())["metadata"]


@pytest.mark.slow
def test_a_campaign_is_stopped_and_goes_on(tmp_path: Path) -> None:
    # so many that the signal comes in time on a busy machine, and so cold that it comes before a halt
    values = [*SMALL[:-2], "steps=8000", "temperature=[300,300]", SMALL[-1], "directory=here"]
    words: list[Any] = [CAMPAIGN, "out.ipynb", *(word for value in values for word in ("-p", value))]
    status, errors, left = stop(start(tmp_path, *words), signal.SIGINT, "step     800")
    assert (status, left) == (130, [])
    assert "stopped by Ctrl-C" in errors
    assert "repeat the command to continue the campaign" in errors
    assert not list((tmp_path / "here/segments").glob("*/run"))
    stopped = Campaign.open(tmp_path / "here")
    stopped.close()
    assert stopped.config.engine.engine == "isolated"
    assert stopped.state is State.EXPLORE

    status, out, errors = run(tmp_path, *words)
    assert (status, errors) == (0, "")
    lines = out.splitlines()
    assert all(line.strip() for line in lines)
    assert not [line for line in lines if "Generation 1:" in line]  # not started over
    assert lines[0].startswith(f"the campaign in {tmp_path / 'here'} is at step ")
    assert lines[0].endswith(" of 8000, continuing")
    reached = next(number for number, line in enumerate(lines) if line.endswith("reached step 8000"))
    assert lines[reached + 1].startswith("Not converged: ")
    assert lines[reached + 2] == "the executed notebook is out.ipynb"
    assert lines[reached + 3].startswith(f"the campaign in {tmp_path / 'here'} is DONE: 8000 of 8000 steps, ")
    assert " meV/Å" in lines[reached + 3]
    assert lines[-1].startswith("report:")
    summary = json.loads((tmp_path / "here/summary.json").read_text())
    assert (summary["state"], summary["steps"]) == ("DONE", 8000)
    assert any("image/png" in output.get("data", {}) for output in outputs(tmp_path / "out.ipynb"))
    done = Campaign.open(tmp_path / "here")
    done.close()
    labels = done.progress.labels
    assert len({entry.key for entry in labels}) == len(labels) == summary["labels"]

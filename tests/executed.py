"""Execute notebooks in each of the ways that users have, and read their outputs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from ase import Atoms
from ase.io import read

from acemaker.states import State

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_PLATFORM_DIRS": "1", "OMP_NUM_THREADS": "1"}


SECONDS_OF_A_LABEL = r"(?m)^(label \d+ of \d+: candidate \d+)(?:, \d+ s)?$"
"""They are told from one second on."""


def _python(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *map(str, words)]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)


def papermill(notebook: Path, out: Path, *options: object, **parameters: object) -> Any:
    """Execute by plain papermill, in the folder of the result; return it."""
    words = [word for name, value in parameters.items() for word in ("-p", name, value)]
    done = _python(out.parent, "papermill", notebook, out, "-k", "python3", "--no-progress-bar", *options, *words)
    assert done.returncode == 0, done.stderr[-3000:]
    return nbformat.read(out, as_version=4)


def acemaker_run(notebook: Path, out: Path, **parameters: object) -> Any:
    """Execute by `acemaker run`, in the folder of the result; return it."""
    words = [word for name, value in parameters.items() for word in ("-p", f"{name}={value}")]
    done = _python(out.parent, "acemaker", "run", notebook, out.name, *words)
    assert done.returncode == 0, done.stderr[-3000:]
    return nbformat.read(out, as_version=4)


def complaint_of_nbval(executed: Path, folder: Path) -> str:
    """Run an executed notebook again in an empty folder; return the differences that nbval reports, if any."""
    folder.mkdir(parents=True)
    (folder / executed.name).write_text(executed.read_text())
    (folder / "times.cfg").write_text(f"[label]\nregex: {SECONDS_OF_A_LABEL}\nreplace: \\1\n")
    options = ["-p", "nbval", "-p", "tests.pictures", "--nbval", "--nbval-current-env", "-c", "/dev/null"]
    options += ["--nbval-cell-timeout=300", "--nbval-sanitize-with=times.cfg"]
    done = _python(folder, "pytest", *options, executed.name)
    return done.stdout[-4000:] if done.returncode else ""


def holds_widgets(notebook: Any) -> bool:
    """Return whether an output of an executed notebook needs scripts of a browser."""
    shown = [output.data for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    return any(kind.startswith("application/vnd.jupyter.widget") for data in shown for kind in data)


def page(executed: Path) -> str:
    """Turn a notebook that was run into HTML, without wall times and the random id of the cell with its parameters."""
    from nbconvert import HTMLExporter

    notebook = nbformat.read(executed, as_version=4)
    html, _ = HTMLExporter().from_notebook_node(notebook)
    shown = [output.data for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    assert not holds_widgets(notebook)
    assert html.count("data:image/png;base64") >= sum("image/png" in data for data in shown) > 0
    html = re.sub(SECONDS_OF_A_LABEL.removeprefix("(?m)^").removesuffix("$"), r"\1", html)
    html = re.sub(r'id="cell-id=[0-9a-f]{8}"', "", html)
    html = re.sub(rf"\b({'|'.join(State)})(</t[dh]><td[^>]*>)\d+\.\d+", r"\1\2", html)  # s, in the summary
    return re.sub(r"\b\d+(\.\d+)? (s|min|h)\b", "a while", html)


def real_labels(directory: Path) -> list[Atoms]:
    """Read the labels of a campaign that is done."""
    summary = json.loads((directory / "summary.json").read_text())
    assert summary["state"] == "DONE"
    assert summary["steps"] == 400
    files = (directory / "labels").glob("*.extxyz")
    labels = [read(path) for path in sorted(files) if not path.name.startswith("isolated_")]
    assert len(labels) == summary["labels"]
    assert not (directory / "oracle_failures").exists()
    largest = [np.abs(atoms.get_forces()).max() for atoms in labels]
    assert max(largest) < 50
    assert sum(force > 0.01 for force in largest) >= len(labels) - 1  # the undistorted start may be one of them
    return labels

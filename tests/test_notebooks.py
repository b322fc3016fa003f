"""The notebooks are clean, run under papermill, and run again to the same outputs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from ase import Atoms
from ase.io import read

from acemaker.config.campaign import parameter_homes
from tests.executed import ROOT, acemaker_run, complaint_of_nbval, holds_widgets, page, papermill

NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_committed_notebooks_are_clean(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    tagged = [cell for cell in code if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    for line in tagged[0].source.splitlines():
        if line and not line.startswith("#"):
            assert ": " in line.split("=")[0], f"no type: {line}"
            assert "  # " in line, f"no comment: {line}"


@pytest.mark.parametrize(
    ("name", "own"),
    [("otf_campaign.ipynb", {"directory", "tolerance"}), ("02_real_dft.ipynb", {"directory", "n_test"})],
)
def test_the_campaigns_parameters_are_the_configurations(name: str, own: set[str]) -> None:
    notebook = nbformat.read(ROOT / "notebooks" / name, as_version=4)
    (cell,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    names = {line.split(":")[0] for line in cell.source.splitlines() if line and not line.startswith("#")}
    assert names - set(parameter_homes()) == own


FAST: dict[str, dict[str, Any]] = {
    "01_one_halt_by_hand.ipynb": {"n_functions": 40},
    "02_real_dft.ipynb": {"oracle": "tblite", "engine": "inprocess"},
    "otf_campaign.ipynb": {
        "engine": "inprocess",
        "steps": 600,
        "n_functions": 40,
        "threshold_call_dft": 3.0,
        "cutoff": 4.5,
    },
}
"""Parameters with which the notebooks are run three times."""


@pytest.mark.slow
@pytest.mark.parametrize("name", FAST)
def test_papermill_acemaker_run_and_nbval_find_the_same(tmp_path: Path, name: str) -> None:
    if name.startswith("02"):
        pytest.importorskip("tblite", reason="no tblite: pip install tblite")
    first, headless = tmp_path / "first" / name, tmp_path / "headless" / name
    first.parent.mkdir()
    headless.parent.mkdir()
    # a relative directory: each run begins in a folder of its own, where there is no campaign yet
    notebook = papermill(ROOT / "notebooks" / name, first, directory="campaign", **FAST[name])
    acemaker_run(ROOT / "notebooks" / name, headless, directory="campaign", **FAST[name])
    assert page(headless) == page(first)
    # plain papermill says nothing of who watches: the kernel finds it out
    assert not holds_widgets(notebook)
    assert any("text/html" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))
    assert not complaint_of_nbval(first, tmp_path / "second")
    if name.startswith("02"):
        assert {str(atoms.symbols) for atoms in real_labels(first.parent / "campaign")} == {"P4"}


@pytest.mark.slow
def test_an_alloy_runs_the_same_notebook_by_parameters_alone(tmp_path: Path) -> None:
    parameters = {"directory": tmp_path / "alloy", "steps": 500, "n_functions": 60, "cutoff": 4.5}
    of_the_alloy = ("-f", ROOT / "notebooks/parameters/cu_ni.yaml")
    papermill(ROOT / "notebooks/otf_campaign.ipynb", tmp_path / "alloy.ipynb", *of_the_alloy, **parameters)
    summary = json.loads((tmp_path / "alloy" / "summary.json").read_text())
    assert summary["state"] == "DONE"
    assert summary["steps"] == 500
    assert summary["force_rmse_meV_per_A"] < 60


def real_labels(directory: Path) -> list[Atoms]:
    """Read the labels of a campaign that is done."""
    summary = json.loads((directory / "summary.json").read_text())
    assert summary["state"] == "DONE"
    assert summary["steps"] == 400
    labels = [read(path) for path in sorted((directory / "labels").glob("*.extxyz"))]
    assert len(labels) == summary["labels"]
    assert not (directory / "oracle_failures").exists()
    assert all(0.01 < np.abs(atoms.get_forces()).max() < 50 for atoms in labels)
    return labels


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("pw.x") is None or not Path("/usr/share/espresso/pseudo").is_dir(),
    reason="no pw.x: apt-get install quantum-espresso quantum-espresso-data",
)
def test_real_dft(tmp_path: Path) -> None:
    papermill(ROOT / "notebooks" / "02_real_dft.ipynb", tmp_path / "out.ipynb", directory=tmp_path / "c")
    labels = real_labels(tmp_path / "c")
    assert len(labels) <= 10
    assert all(len(atoms) == 8 and atoms.get_stress().shape == (6,) for atoms in labels)
    assert all(-107.2 < atoms.get_potential_energy() / 8 < -105 for atoms in labels)  # eV, pseudo-atoms
    assert json.loads((tmp_path / "c" / "summary.json").read_text())["force_rmse_meV_per_A"] < 300


@pytest.mark.slow
def test_the_main_job(tmp_path: Path) -> None:
    """The whole of it, as `make demo` runs it: it heals, stays frugal, melts, and is right."""
    papermill(ROOT / "notebooks" / "otf_campaign.ipynb", tmp_path / "out.ipynb", directory=tmp_path / "demo")
    summary = json.loads((tmp_path / "demo" / "summary.json").read_text())
    assert summary["halts"] >= 4
    assert summary["labels"] <= 16
    assert summary["force_rmse_meV_per_A"] <= 7
    assert summary["energy_mae_meV_per_atom"] <= 0.5
    assert summary["liquid"]
    assert summary["misses"] < 50
    for name in ("timeline", "verdict"):
        assert (tmp_path / "demo" / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")

"""Notebooks that are campaigns: the main job, an alloy, and one labelled by density-functional theory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.executed import ROOT, papermill, real_labels


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


@pytest.mark.slow
def test_an_alloy_runs_the_same_notebook_by_parameters_alone(tmp_path: Path) -> None:
    parameters = {"directory": tmp_path / "alloy", "steps": 500, "n_functions": 60, "cutoff": 4.5}
    of_the_alloy = ("-f", ROOT / "notebooks/parameters/cu_ni.yaml")
    papermill(ROOT / "notebooks/otf_campaign.ipynb", tmp_path / "alloy.ipynb", *of_the_alloy, **parameters)
    summary = json.loads((tmp_path / "alloy" / "summary.json").read_text())
    assert summary["state"] == "DONE"
    assert summary["steps"] == 500
    assert summary["force_rmse_meV_per_A"] < 60

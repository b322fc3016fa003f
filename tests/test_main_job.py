"""The main job's notebook, as it stands and on an alloy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.executed import ROOT, papermill


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
    assert summary["target_met"]
    assert 1 / 1.5 <= summary["measured_force_error_meV_per_A"] / summary["force_rmse_meV_per_A"] <= 1.5
    assert summary["verdict"].startswith("Target met: ")
    assert summary["misses"] < 50
    for name in ("timeline", "accuracy"):
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

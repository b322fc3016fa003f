"""The notebooks are clean, run under papermill, and run again to the same outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

from acemaker.config.campaign import parameter_homes
from tests.executed import ROOT, acemaker_run, complaint_of_nbval, holds_widgets, page, papermill, real_labels

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


OWN = {
    "otf_campaign": {"tolerance"},
    "01_one_halt_by_hand": set(),
    "02_real_dft": {"n_test"},
    "1_what_gamma_means": {"threshold", "tolerance"},
    "2_one_halt_by_hand": set(),
    "3_a_campaign": {"careful", "strict", "tolerance"},
    "4_your_own_material": {"element"},
    "5_when_it_goes_wrong": {"allowed", "limit", "tolerance"},
}
"""Parameters of the notebooks' own, beside the directory and those of a campaign."""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_parameters_have_the_configurations_names(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    (cell,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    names = {line.split(":")[0] for line in cell.source.splitlines() if line and not line.startswith("#")}
    assert names - set(parameter_homes()) == OWN[path.stem] | {"directory"}


FAST: dict[str, dict[str, Any]] = {
    "otf_campaign.ipynb": {
        "engine": "inprocess",
        "steps": 600,
        "n_functions": 40,
        "threshold_call_dft": 3.0,
        "cutoff": 4.5,
    },
    "01_one_halt_by_hand.ipynb": {"n_functions": 40},
    "02_real_dft.ipynb": {"oracle": "tblite", "engine": "inprocess"},
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

"""The notebook of real density-functional theory."""

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

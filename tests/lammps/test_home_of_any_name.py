"""An installation in a home directory of any name: packages, LAMMPS's potentials, temporary files and campaigns."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import acemaker
from acemaker.lammps.library import load_lammps

CAMPAIGN = """
import json, sys
from pathlib import Path
import acemaker
from acemaker.lammps.library import potentials_directory

home, name, fields = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
assert Path(acemaker.__file__).is_relative_to(home), acemaker.__file__
assert potentials_directory().is_relative_to(home), potentials_directory()
config = acemaker.CampaignConfig.from_parameters({
    "structure": "Cu", "lattice_constant": 3.615, "supercell": (2, 2, 2), "n_first": 1,
    "n_candidates": 4, "n_select": 1, "threshold_add_train": 1.5, "threshold_call_dft": 2.5,
    "steps": 200, "temperature": (300, 1200), "restart_every": 50,
    "n_functions": 20, "cutoff": 4.5, "nradmax_by_orders": (8, 4, 2), "lmax_by_orders": (0, 3, 1),
    "pair_style": "eam/alloy", "pair_coeff": ["* * Cu_mishin1.eam.alloy Cu"], **fields,
})
with acemaker.Campaign.create(home / "runs" / name, config) as campaign:
    campaign.run()
    print("HALTS", len(campaign.progress.halts), "RMSE", campaign.evaluate_accuracy().force_rmse_all)
"""

RUNS = {
    "this process": '{"n_force_processes": 2}',
    "walkers in children": '{"engine": "isolated", "lammps": "python", "walkers": [{"seed": 1}, {"seed": 5}], '
    '"n_parallel_walkers": 2, "n_force_processes": 2}',
    "baseline": '{"baseline_style": "eam", "baseline_coeff": ["1 1 Cu_u6.eam"]}',
    "native with baseline": '{"engine": "isolated", "baseline_style": "eam", "baseline_coeff": ["1 1 Cu_u6.eam"]}',
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home directory in which the packages appear to be installed."""
    home = tmp_path_factory.mktemp("homes") / "Łódź Müller 研究 100% *'é'"
    (home / "tmp").mkdir(parents=True)
    (home / "site-packages").symlink_to(Path(str(load_lammps().__file__)).parents[1])
    (home / "source").mkdir()
    (home / "source" / "acemaker").symlink_to(Path(str(acemaker.__file__)).parent)
    return home


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_campaign_runs_there(home: Path, name: str, request: pytest.FixtureRequest) -> None:
    environment = {
        **os.environ,
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "PYTHONPATH": f"{home / 'source'}{os.pathsep}{home / 'site-packages'}",
        "PYTHONSAFEPATH": "1",
    }
    if name.startswith("native"):
        environment["ACEMAKER_LMP"] = request.getfixturevalue("native_lammps")
        assert "python" not in RUNS[name]
    command = [sys.executable, "-S", "-c", CAMPAIGN, str(home), name, RUNS[name]]
    result = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr[-2000:]
    words = result.stdout.split()
    assert int(words[words.index("HALTS") + 1]) >= 0
    assert 0 < float(words[words.index("RMSE") + 1]) < 30  # meV/Å
    assert np.isfinite(float(words[-1]))
    assert not [path for path in (home / "tmp").iterdir() if path.name.startswith("acemaker-names")]

"""The pages: examples in them run, and what they leave out or link wrongly is found."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from acemaker import Campaign, CampaignConfig
from acemaker.config.campaign import parameter_homes
from acemaker.states import State

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "docs" / "examples"
sys.path.insert(0, str(EXAMPLES))

from test_verlet_engine import TestVerletEngine  # noqa: E402, F401  # collected here, where there is a potential
from verlet_engine import VerletEngine  # noqa: E402

needs_sphinx = pytest.mark.skipif(
    find_spec("myst_nb") is None or find_spec("furo") is None, reason="no Sphinx: pip install 'acemaker[docs]'"
)


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Build the pages without running notebooks, warnings being errors."""
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", source, out]
    environment = {**os.environ, "ACEMAKER_DOCS_NOTEBOOKS": "off", "PYTHONPATH": str(source.parent)}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def copied(tmp_path: Path) -> Path:
    """Copy what the pages are made of."""
    for name in ("docs", "notebooks", "benchmarks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("_build", "__pycache__"))
    (tmp_path / "acemaker").symlink_to(ROOT / "acemaker")
    return tmp_path / "docs"


@pytest.mark.slow
@needs_sphinx
def test_pages_are_whole_and_faults_in_them_are_found(tmp_path: Path) -> None:
    docs = copied(tmp_path)
    done = build(docs, tmp_path / "good")
    assert done.returncode == 0, done.stderr
    index = (tmp_path / "good" / "index.html").read_text()
    assert "One halt by hand" in index
    assert "threshold_call_dft" in (tmp_path / "good" / "reference" / "configuration.html").read_text()
    limits = docs / "limits.md"
    limits.write_text(limits.read_text() + "\n[nowhere](nowhere.md), [a part](how_it_works/loop.md#no-such-part)\n")
    reference = docs / "reference" / "results.md"
    reference.write_text(reference.read_text().replace(".. autoclass:: acemaker.results.Halt\n   :members:\n", ""))
    done = build(docs, tmp_path / "bad")
    assert done.returncode != 0
    assert "nowhere.md" in done.stderr
    assert "no-such-part" in done.stderr
    assert "the reference does not describe acemaker.results.Halt" in done.stderr


def test_the_engine_of_the_example_runs_a_campaign(tmp_path: Path) -> None:
    parameters = {"structure": "Cu", "supercell": (2, 2, 2), "n_functions": 20, "cutoff": 4.5, "steps": 60}
    config = CampaignConfig.from_parameters(
        {**parameters, "oracle": "emt", "n_select": 1, "threshold_call_dft": 2.0, "smooth_steps": 1}
    )
    with Campaign.create(tmp_path / "c", config, engine=VerletEngine(60, 3000.0)) as campaign:
        campaign.run()
        assert campaign.state is State.DONE
        assert len(campaign.segments()) > 1  # it halted, and went on
        assert campaign.segments()[-1].end_step == 60


def test_the_parameters_of_the_cluster_page_are_valid() -> None:
    page = (ROOT / "docs" / "how_to" / "cluster.md").read_text()
    (text,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.S)
    values = yaml.safe_load(text)
    assert values.pop("directory")
    assert set(values) <= set(parameter_homes())
    CampaignConfig.from_parameters(values)

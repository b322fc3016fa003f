"""The pages: their examples run, and missing descriptions and broken links are detected."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from ase.io import write
from ase.units import GPa

from acemaker import Campaign, CampaignConfig
from acemaker.config.campaign import parameter_homes
from acemaker.loop.initial_structures import initial_structures_of
from acemaker.oracles.checks import pressure_remark
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.states import State
from acemaker.structures.initial import initial_structure

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "docs" / "examples"
MATERIAL = ROOT / "docs" / "how_to" / "material.md"
sys.path.insert(0, str(EXAMPLES))

from test_verlet_engine import TestVerletEngine  # noqa: E402, F401  # collected here, where there is a potential
from verlet_engine import VerletEngine  # noqa: E402

needs_sphinx = pytest.mark.skipif(
    find_spec("myst_nb") is None or find_spec("furo") is None, reason="no Sphinx: pip install 'acemaker[docs]'"
)


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Build the pages without running notebooks, warnings being errors."""
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", str(source), str(out)]
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


def test_the_walkers_of_their_page_can_start(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how_to" / "walkers.md").read_text()
    (text,) = re.findall(r"```python\n(.*?)```", page, flags=re.S)
    write(tmp_path / "liquid.extxyz", rattled())
    names: dict[str, Any] = {"CampaignConfig": CampaignConfig}
    exec(text.replace("liquid.extxyz", str(tmp_path / "liquid.extxyz")), names)
    config = names["config"]
    assert [len(atoms) for atoms in initial_structures_of(config)] == [108, 108, 32, 108]
    assert [config.walker(number).engine.ensemble for number in (1, 2, 3, 4)] == ["npt", "npt", "nvt", "npt"]
    assert config.walker(2).engine.temperature == (900, 900)
    assert config.walker(4).seed == 11


def rattled() -> Atoms:
    atoms: Atoms = bulk("Cu", cubic=True).repeat(2)
    atoms.rattle(0.3, seed=1)
    return atoms


def materials() -> dict[str, dict[str, object]]:
    cells = r" \| ".join([r"(\w+)", r"(\w+)", r"(\w+)", r"([\d.]+)", r"(\S+)", r"`(.*)`"])
    rows = re.findall(rf"^\| {cells} \|$", MATERIAL.read_text(), re.M)
    names = ("structure", "crystal", "lattice_constant", "pair_style", "pair_coeff")
    return {
        name: dict(zip(names, (symbol, crystal, float(constant), style, [coeff]), strict=True))
        for name, symbol, crystal, constant, style, coeff in rows
    }


@pytest.mark.parametrize("name", materials())
def test_the_materials_of_the_table_are_at_rest(name: str) -> None:
    config = CampaignConfig.from_parameters(materials()[name] | {"supercell": [2, 2, 2]})
    atoms = initial_structure(config.system, np.random.default_rng(0))
    labeled = CalculatorOracle.from_config(config.oracle, tuple(set(atoms.symbols))).label(atoms)
    assert abs(labeled.get_stress()[:3].mean()) / GPa < 5
    assert not pressure_remark([labeled])


def test_another_materials_lattice_constant_is_remarked_upon(tmp_path: Path) -> None:
    assert set(materials()) == {"copper", "aluminum", "tungsten", "silicon"}
    small = {"n_functions": 6, "cutoff": 4.0, "supercell": [2, 2, 2], "n_first": 2}
    wrong = CampaignConfig.from_parameters(materials()["aluminum"] | small | {"lattice_constant": 3.615})
    with Campaign.create(tmp_path / "c", wrong) as campaign:
        labels = campaign.label()
    for said in (labels.headline(), repr(labels), labels._repr_html_()):
        assert re.search(r"mean pressure of \d\d GPa; if this is not intended, check lattice_constant", said)


def test_the_command_for_another_material_is_one(tmp_path: Path) -> None:
    (command,) = re.findall(r"^    (\.venv/bin/acemaker run .*?[^\\])$", MATERIAL.read_text(), re.M | re.S)
    words = shlex.split(command.replace("\\\n", " "))
    assert words[1:4] == ["run", "notebooks/otf_campaign.ipynb", "runs/al.ipynb"]
    quick = ["steps=60", "n_functions=10", "cutoff=4.0", "supercell=[2, 2, 2]", f"directory={tmp_path / 'c'}"]
    more = [word for value in quick for word in ("-p", value)]
    command = [sys.executable, "-m", "acemaker", "run", ROOT / words[2], tmp_path / "al.ipynb", *words[4:], *more]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "c" / "report.html").exists()

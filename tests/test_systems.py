"""The configurations of the page on systems are accepted, and their structures are made without any label."""

from __future__ import annotations

import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from ase import Atom
from ase.build import add_adsorbate, bulk, fcc111, molecule
from ase.cluster import Octahedron
from ase.constraints import FixAtoms

from acemaker import CampaignConfig
from acemaker.errors import AcemakerError
from acemaker.health import SYSTEMS
from acemaker.loop.checks import check_settings
from acemaker.loop.creation import plan_for
from acemaker.loop.store import Store
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.oracles.process import ProcessOracle

PAGE = (Path(__file__).parents[1] / "docs" / "how_to" / "systems.md").read_text()
BLOCKS = dict(re.findall(r"^## (.+?)\n\n```python\n(.*?)```", PAGE, re.M | re.S))
NAMES: dict[str, Any] = {
    "CampaignConfig": CampaignConfig,
    "Atom": Atom,
    "FixAtoms": FixAtoms,
    "Octahedron": Octahedron,
    "add_adsorbate": add_adsorbate,
    "bulk": bulk,
    "fcc111": fcc111,
    "molecule": molecule,
}
PROGRAMS = {"espresso": shutil.which("pw.x"), "tblite": find_spec("tblite")}


def test_each_row_of_the_table_has_a_configuration() -> None:
    links = re.findall(r"\[below\]\(#([\w-]+)\)", PAGE)
    assert links == [name.lower().replace(" ", "-") for name in BLOCKS]


@pytest.mark.parametrize("name", BLOCKS)
def test_its_configuration_is_accepted_and_no_label_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    names = dict(NAMES)
    exec(BLOCKS[name], names)
    config: CampaignConfig = names["config"]
    if not PROGRAMS.get(config.oracle.oracle, True):
        pytest.skip(f"{config.oracle.oracle} is not installed")

    def label(*_: object) -> None:
        raise AssertionError("a label was computed")

    for oracle in (CalculatorOracle, ProcessOracle):
        monkeypatch.setattr(oracle, "label", label)
    structures = check_settings(Store(tmp_path / "c"), config, names.get("atoms"), None, None)
    plan = plan_for(config, structures, None)
    assert plan.n_first <= 40
    assert not (tmp_path / "c").exists()


def test_the_doctor_lists_the_same_settings() -> None:
    rows = re.findall(r"^\| (an? .+?|frames .+?) \| (.+?) \| \[.*\) \|$", PAGE, re.M)
    assert rows == list(SYSTEMS)


@pytest.mark.parametrize(
    ("name", "changes", "remedy"),
    [
        ("Slab", {"ensemble": "npt"}, "choose 'nvt'"),
        ("Cluster", {"ensemble": "npt"}, "choose 'nvt'"),
        ("Interstitial", {"oracle": "tblite"}, "atoms.pbc = False"),
        ("Cluster", {"oracle": "espresso", "ecutwfc": 20}, "atoms.pbc = True"),
        ("Bulk", {"pressure_coupling": "xy", "ensemble": "nve", "magnetic_moments": {"Al": 1.0}}, "omit them"),
    ],
)
def test_what_the_page_excludes_is_refused_with_the_remedy(
    tmp_path: Path, name: str, changes: dict[str, Any], remedy: str
) -> None:
    names = dict(NAMES)
    exec(BLOCKS[name], names)
    values = {
        key: value
        for section in names["config"].model_dump(exclude_unset=True).values()
        for key, value in section.items()
    }
    with pytest.raises(AcemakerError, match=remedy):
        config = CampaignConfig.from_parameters(values | changes)
        check_settings(Store(tmp_path / "c"), config, names.get("atoms"), None, None)
    assert not (tmp_path / "c").exists()


def test_a_slab_without_frozen_atoms_runs_under_a_barostat_in_its_plane(tmp_path: Path) -> None:
    names = dict(NAMES)
    exec(BLOCKS["Slab"], names)
    atoms = names["atoms"]
    atoms.set_constraint()
    values = {"oracle": "emt", "ensemble": "npt", "n_functions": 60}
    config = CampaignConfig.from_parameters({**values, "pressure_coupling": "xy"})
    check_settings(Store(tmp_path / "c"), config, atoms, None, None)
    with pytest.raises(AcemakerError, match="pressure_coupling"):
        check_settings(Store(tmp_path / "c"), CampaignConfig.from_parameters(values), atoms, None, None)

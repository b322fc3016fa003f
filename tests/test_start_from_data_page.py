"""The page on labels that exist: its example runs, and prints what the page shows."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from ase.io import write
from ase.units import GPa

from acemaker import Campaign, CampaignConfig
from acemaker.config.campaign import parameter_homes
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.structures.computed import energy_of, forces_of, stress_of
from tests.conftest import MISHIN, copper, rattled

PAGE = Path(__file__).parents[1] / "docs" / "how_to" / "start_from_data.md"


def test_the_example_of_the_page_prints_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    oracle = CalculatorOracle.from_config(MISHIN, ("Cu",))
    frames = []
    for atoms in map(oracle.label, rattled(copper(), 6, seed=5)):
        frame = atoms.copy()
        xx, yy, zz, yz, xz, xy = -stress_of(atoms) / GPa
        frame.info = {"REF_energy": energy_of(atoms), "REF_stress": np.array([xx, xy, xz, xy, yy, yz, xz, yz, zz])}
        frame.arrays["REF_forces"] = forces_of(atoms)
        frames.append(frame)
    del frames[4].arrays["REF_forces"]
    frames[5].symbols[0] = "Ag"
    write("labels.extxyz", frames)
    page = PAGE.read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.S)
    names: dict[str, object] = {}
    parameters = re.search(r"from_parameters\((.*?)\)\n", code, flags=re.S)
    assert parameters is not None
    values = eval(parameters[1])
    del values["first_labels"]
    with Campaign.create("runs/cold_copper", CampaignConfig.from_parameters(values | {"n_first": 4})) as campaign:
        campaign.prepare()
    capsys.readouterr()
    exec(code, names)
    printed = " ".join(capsys.readouterr().out.replace(f"{tmp_path}/", "").split())
    (shown,) = re.findall(r"\n\n((?:    .*\n)+)\nThe labels are those of generation 1", page)
    for line in shown.splitlines():
        assert " ".join(line.split()) in printed


def test_the_settings_of_the_page_exist() -> None:
    page = PAGE.read_text()
    assert set(re.findall(r"\bfirst_labels\w*(?==)", page)) <= set(parameter_homes())
    for value in re.findall(r'first_labels_stress="([^"]+)"', page):
        CampaignConfig.from_parameters({"oracle": "emt", "first_labels_stress": value})

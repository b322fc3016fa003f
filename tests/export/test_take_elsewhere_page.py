"""The page on taking data elsewhere: its examples run, and its tables name what exists."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from acemaker.campaign import AttachedCampaign
from acemaker.cli import main
from acemaker.export.programs import ALIASES, PROGRAMS

PAGE = Path(__file__).parents[2] / "docs" / "how_to" / "take_elsewhere.md"


def test_the_examples_of_the_page_run(
    campaign: AttachedCampaign,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    names: dict[str, Any] = {"campaign": campaign}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    assert len(blocks) == 4
    for block in blocks:
        exec(block, names)
    sys.modules.pop("ase_calculator")
    assert "Exported for MACE" in capsys.readouterr().out
    for name in ("data.extxyz", "data.db", "train.xyz", "test.xyz", "nequip.xyz", "nep/train.xyz", "nep/test.xyz"):
        assert (tmp_path / name).is_file()
    assert (tmp_path / "data_test.pckl.gzip").is_file()
    atoms = campaign.initial_structure().copy()
    atoms.calc = campaign.generation.calculator()
    assert names["atoms"].get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=1e-10)
    name = campaign.generation.name
    folder = {path.name.replace(name, "potential_v5") for path in Path("copper_potential").iterdir()}
    table = PAGE.read_text().split("| file | content |")[1]
    listed = re.findall(r"^\| (`[^|]*`) \|", table, re.M)
    for name in re.findall(r"`([\w.]+)`", " ".join(listed)):
        assert name in folder or f"potential_v5{name}" in folder


def test_the_commands_of_the_page_run(
    campaign: AttachedCampaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^    acemaker (export.*)$", PAGE.read_text(), re.M)
    assert len(commands) == 3
    for command in commands:
        words = [str(campaign.directory) if word == "runs/cu" else word for word in shlex.split(command)]
        assert main(words) == 0
    assert "Exported potential" in capsys.readouterr().out


def test_the_page_lists_every_program() -> None:
    rows = re.findall(r"^\| .* \| (.*?) \| .*$", PAGE.read_text().split("what it reads |")[1].split("\n\n")[0], re.M)
    assert set(re.findall(r'"(\w+)"', " ".join(rows))) == {*PROGRAMS, *ALIASES}

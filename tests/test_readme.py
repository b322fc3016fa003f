"""The README shows code that runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import acemaker

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_first_lines_of_python_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    assert len(code.strip().splitlines()) <= 10
    quick = code.replace('"steps": 4000', '"steps": 100, "n_functions": 30, "cutoff": 4.5, "supercell": (2, 2, 2)')
    assert quick != code
    monkeypatch.chdir(tmp_path)
    exec(quick, {})
    shown = capsys.readouterr().out
    assert "Segment" in shown
    assert "Accuracy of generation" in shown


def test_every_file_that_is_named_exists() -> None:
    named = set(re.findall(r"(?:notebooks|docs)/[\w/]+\.(?:ipynb|yaml|md|png)", README))
    assert len(named) >= 5
    for name in named:
        assert (ROOT / name).is_file(), name


def test_the_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    assert set(re.findall(r"make ([a-z]+)\b", README)) - {"and"} <= targets


def test_it_fits_on_a_screen_and_tells_the_truth_about_licenses() -> None:
    assert len(README.splitlines()) <= 80
    for words in ("Academic Software License", "non-commercial", "GPL-2.0", "MIT"):
        assert words in README


def test_conda_gets_what_pip_gets() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[\[<>=!~ ]", name)[0].lower() for name in project["dependencies"]}
    for extra in ("notebooks", "physics"):
        wanted |= {re.split(r"[<>=]", name)[0] for name in project["optional-dependencies"][extra]}
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    names = {re.split(r"[<>= ]", name)[0] for name in listed if isinstance(name, str)}
    names |= {re.split(r"[<>= ]", name)[0] for entry in listed if isinstance(entry, dict) for name in entry["pip"]}
    assert wanted <= names
    assert "mpich" in names


def test_the_version_is_the_installed_one() -> None:
    import importlib.metadata

    assert acemaker.__version__ == importlib.metadata.version("acemaker")
    assert re.match(r"\d+\.\d+", acemaker.__version__)
    assert acemaker.__doc__

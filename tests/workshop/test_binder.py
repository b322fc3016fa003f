"""Binder installs the packages that acemaker is tested with, by names and pins."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ELSEWHERE = {"python", "pip", "mpich", "pytest", "nbval"}
"""Of conda's list: what pip brings along, and what runs the notebooks' tests."""


def listed(path: str) -> dict[str, str]:
    """Read an environment: pins by name, whether conda or pip installs it."""
    entries: list[Any] = yaml.safe_load((ROOT / path).read_text())["dependencies"]
    words = [word for entry in entries for word in (entry["pip"] if isinstance(entry, dict) else [entry])]
    return dict(pinned(word) for word in words)


def pinned(word: str) -> tuple[str, str]:
    name, extras, pin = re.fullmatch(r"([\w.-]+)(\[[\w,]+\])?\s*(.*)", word).groups()
    del extras
    return name.lower(), pin.replace(" ", "")


def test_names_and_pins_are_those_of_the_project() -> None:
    binder = listed(".binder/environment.yml")
    extras = PROJECT["optional-dependencies"]
    wanted = dict(pinned(word) for word in [*PROJECT["dependencies"], *extras["notebooks"], *extras["physics"]])
    assert set(binder) == set(wanted) | ELSEWHERE
    assert {name: binder[name] for name in wanted} == wanted


def test_it_is_the_environment_of_conda_users_but_for_python_ace() -> None:
    binder, conda = listed(".binder/environment.yml"), listed("environment.yml")
    assert binder.pop("python-ace") == "==0.4.0rc1"
    assert conda.pop("python-ace") == ""
    assert binder == conda


def test_its_python_is_one_that_acemaker_runs_on() -> None:
    lower, upper = re.findall(r"\d+\.(\d+)", listed(".binder/environment.yml")["python"])
    own = re.findall(r"3\.(\d+)", PROJECT["requires-python"])
    assert int(own[0]) <= int(lower) < int(upper) <= int(own[1])


def test_what_is_run_after_it_can_be_run() -> None:
    script = ROOT / ".binder" / "postBuild"
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    assert "pip install --no-deps --editable ." in script.read_text()

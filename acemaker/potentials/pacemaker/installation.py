"""The Python environment in which pacemaker runs: one that acemaker's own cannot be, since TensorFlow pins too much."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from acemaker.errors import MissingLibraryError

REMEDY = (
    "make one with: make pacemaker (65 s, 2 GB; PACEMAKER=DIR puts it elsewhere), and name its folder in "
    "pacemaker_environment if that is not .pacemaker"
)

HERE = ".pacemaker"
"""Where ``make pacemaker`` puts it: in the current folder."""

ASK = """
import importlib.metadata, json
names = {"python-ace": ["python-ace"], "tensorpotential": ["tensorpotential"], "numpy": ["numpy"],
         "tensorflow": ["tensorflow-cpu", "tensorflow", "tensorflow-intel", "tensorflow-cpu-aws"]}
found = {}
for name, packages in names.items():
    for package in packages:
        try:
            found.setdefault(name, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            pass
print(json.dumps(found))
"""
"""Importing TensorFlow itself would take several seconds."""


def find_python(environment: str) -> Path:
    """Find the Python of an environment, and make sure that pacemaker can work in it.

    Parameters
    ----------
    environment
        Its folder, or the Python itself; empty for the usual places.

    Returns
    -------
    Path

    Raises
    ------
    MissingLibraryError
        If there is none, or a package is missing in it; names what makes one.
    """
    places = _places(environment)
    pythons = [place if place.is_file() else place / "bin" / "python" for place in places]
    python = next((path for path in pythons if path.is_file()), None)
    if python is None:
        looked = ", ".join(str(place) for place in places)
        raise MissingLibraryError(f"there is no environment with pacemaker in {looked}; {REMEDY}")
    _check(python)
    return python


def _places(environment: str) -> list[Path]:
    if environment:
        return [Path(environment).expanduser().absolute()]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "acemaker" / "pacemaker"
    named = [os.environ.get("ACEMAKER_PACEMAKER"), HERE, str(cache)]
    return [Path(name).expanduser().absolute() for name in named if name]


def _check(python: Path) -> None:
    """Ask for the versions of what the fit needs."""
    try:
        done = subprocess.run([str(python), "-I", "-c", ASK], capture_output=True, text=True, timeout=60, check=True)
        found = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise MissingLibraryError(f"{python} does not work ({error}); {REMEDY}") from error
    missing = [name for name in ("python-ace", "tensorpotential", "tensorflow", "numpy") if name not in found]
    if missing:
        raise MissingLibraryError(f"{python} has no {', '.join(missing)}; {REMEDY}")
    if tuple(int(part) for part in found["numpy"].split(".")[:2]) >= (2, 4):
        raise MissingLibraryError(
            f"{python} has numpy {found['numpy']}, with which tensorpotential's fit fails: it needs numpy<2.4; {REMEDY}"
        )

"""Find the Python environment of pacemaker, which is separate because TensorFlow pins too many versions."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from acemaker.errors import MissingLibraryError

REMEDY = (
    "create one with: make pacemaker (65 s, 2 GB; PACEMAKER=DIR sets another folder), and set pacemaker_environment "
    "to its folder if that is not .pacemaker"
)

LOCAL_ENVIRONMENT = ".pacemaker"
"""Folder that ``make pacemaker`` creates in the current directory."""

VERSIONS_SCRIPT = """
import importlib.metadata, json
names = {"python-ace": ["python-ace"], "tensorpotential": ["tensorpotential"], "numpy": ["numpy"],
         "tensorflow": ["tensorflow-cpu", "tensorflow", "tensorflow-intel", "tensorflow-cpu-aws"]}
versions = {}
for name, packages in names.items():
    for package in packages:
        try:
            versions.setdefault(name, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            pass
print(json.dumps(versions))
"""
"""Prints the versions of the required packages without importing TensorFlow, which would take several seconds."""


def find_python(environment: str) -> Path:
    """Find the Python of an environment and check that pacemaker can run in it.

    Parameters
    ----------
    environment
        Folder of the environment, or its Python; empty for the default folders.

    Returns
    -------
    Path

    Raises
    ------
    MissingLibraryError
        If there is no environment or a package is missing in it; the message contains the command that creates one.
    """
    folders = _default_folders(environment)
    pythons = [folder if folder.is_file() else folder / "bin" / "python" for folder in folders]
    python = next((path for path in pythons if path.is_file()), None)
    if python is None:
        searched = ", ".join(str(folder) for folder in folders)
        raise MissingLibraryError(f"there is no environment with pacemaker in {searched}; {REMEDY}")
    _check(python)
    return python


def _default_folders(environment: str) -> list[Path]:
    if environment:
        return [Path(environment).expanduser().absolute()]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "acemaker" / "pacemaker"
    names = [os.environ.get("ACEMAKER_PACEMAKER"), LOCAL_ENVIRONMENT, str(cache)]
    return [Path(name).expanduser().absolute() for name in names if name]


def _check(python: Path) -> None:
    """Check the versions of the packages that a fit needs."""
    command = [str(python), "-I", "-c", VERSIONS_SCRIPT]
    try:
        completed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        versions = json.loads(completed.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise MissingLibraryError(f"{python} does not work ({error}); {REMEDY}") from error
    missing = [name for name in ("python-ace", "tensorpotential", "tensorflow", "numpy") if name not in versions]
    if missing:
        raise MissingLibraryError(f"{python} has no {', '.join(missing)}; {REMEDY}")
    if tuple(int(part) for part in versions["numpy"].split(".")[:2]) >= (2, 4):
        raise MissingLibraryError(
            f"{python} has numpy {versions['numpy']}, but fits with tensorpotential need numpy<2.4; {REMEDY}"
        )

"""The Python in which a committee runs; that of MACE has its own environment, since it pins versions of others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from acemaker.errors import ConfigError, MissingLibraryError

LOCAL_ENVIRONMENT = ".mace"
"""Folder that ``make mace`` creates in the current directory."""

REMEDY = (
    "create one with: make mace (one minute; 1.4 GB with torch for CPUs; MACE=DIR sets another folder), and set "
    "committee_environment to its folder if that is not .mace"
)

FIELD = "CommitteeConfig.committee_environment"

VERSIONS_SCRIPT = """
import importlib.metadata, json
versions = {}
for name in ("mace-torch", "torch", "ase", "numpy"):
    try:
        versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(versions))
"""
"""Prints the versions of the required packages without importing torch, which would take seconds."""


def find_mace(environment: str) -> Path:
    """Find the Python of an environment with MACE.

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
        If there is no environment, or a package is missing in it; the message contains the command that creates one.
    """
    folders = [Path(name).expanduser().absolute() for name in _names(environment)]
    pythons = [_python_of(folder) for folder in folders]
    python = next((path for path in pythons if path.is_file()), None)
    if python is None:
        raise MissingLibraryError(f"there is no environment with MACE in {', '.join(map(str, folders))}; {REMEDY}")
    command = [str(python), "-I", "-c", VERSIONS_SCRIPT]
    try:
        completed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        versions = json.loads(completed.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise MissingLibraryError(f"{python} does not work ({error}); {REMEDY}") from error
    if missing := [name for name in ("mace-torch", "torch", "ase", "numpy") if name not in versions]:
        raise MissingLibraryError(f"{python} has no {', '.join(missing)}; {REMEDY}")
    return python


def find_python(environment: str) -> Path:
    """Return the Python of an environment; that of this process if the name is empty.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if not environment:
        return Path(sys.executable)
    python = _python_of(Path(environment).expanduser().absolute())
    if not python.is_file():
        raise ConfigError(
            f"{FIELD}: expected the folder of a Python environment or its Python, got {environment!r}: there is no "
            f"{python}"
        )
    return python


def _names(environment: str) -> list[str]:
    if environment:
        return [environment]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "acemaker" / "mace"
    return [name for name in (os.environ.get("ACEMAKER_MACE"), LOCAL_ENVIRONMENT, str(cache)) if name]


def _python_of(folder: Path) -> Path:
    return folder if folder.is_file() else folder / "bin" / "python"

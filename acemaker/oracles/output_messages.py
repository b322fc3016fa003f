"""What programs say when they fail, and what it means."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path
from traceback import walk_tb

from acemaker.errors import Cause, OracleError

LARGEST = 20_000_000
"""Bytes; a longer file is not looked through for words."""

FULL = r"No space left on device|Disk quota exceeded|File too large"
"""Of the system, whichever program passes it on."""

WORDS = (
    (
        Cause.NOT_CONVERGED,
        r"convergence NOT achieved|not enough SCF cycles|SCF run NOT converged|KohnShamConvergenceError"
        r"|SCF not converged|did not converge|too many bands are not converged|S matrix not positive"
        r"|problems computing cholesky|eigenvectors failed to converge|[Ee]rror in routine +[cr]diaghg",
    ),
    (Cause.BAD_PSEUDOPOTENTIAL, r"readpp|read_upf|pseudopotential file|[Uu][Pp][Ff].{0,20}not found"),
    (
        Cause.OUT_OF_MEMORY,
        r"[Nn]ot enough memory|[Cc]annot allocate|[Oo]ut of memory|insufficient virtual memory|MemoryError|bad_alloc"
        r"|[Aa]llocat\w+ .{0,40}(failed|exceed)",
    ),
    (Cause.DISK_FULL, FULL),
    (Cause.BAD_STRUCTURE, r"atoms overlap|AtomsTooClose"),
    (
        Cause.PROGRAM_MISSING,
        r"command not found|execvp error|could not find an executable|No module named"
        r"|unable to (find|launch) the specified|could not access\s+or execute",
    ),
)
"""Regular expressions by what they mean; the first that is found counts."""

KILLS = (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT, signal.SIGXCPU)
"""Other exit statuses above 128 are the programs' own."""

UNCONVERGED = re.compile(r"convergence NOT achieved|was not enough SCF cycles|SCF run NOT converged")
CONVERGED = re.compile(r"outer SCF loop converged|SCF run converged")

FRAMES = (
    re.compile(r"%{20,}\n(.*?)%{20,}", re.DOTALL),
    re.compile(r"--- !(?:ERROR|BUG)\n.*?message: \|\n(.*?)\n\.\.\.", re.DOTALL),
)
"""How Quantum ESPRESSO and ABINIT set off their errors."""


def texts(folder: Path) -> list[tuple[Path, str]]:
    """Read the text files that a program left, the newest first.

    Parameters
    ----------
    folder
        Where it ran.

    Returns
    -------
    list of (Path, str)
    """
    found = []
    for path in folder.rglob("*"):
        try:
            if path.is_file() and path.stat().st_size <= LARGEST:
                found.append((path.stat().st_mtime, path, path.read_bytes()))
        except OSError:  # it went while we looked
            continue
    read = sorted(((time, path, data.decode(errors="replace")) for time, path, data in found if b"\0" not in data))
    return [(path, text) for _, path, text in reversed(read)]


def unconverged(folder: Path) -> str:
    """Look for a program's own words that its result has not converged; ASE does not look.

    Parameters
    ----------
    folder
        Where it ran.

    Returns
    -------
    str
        File and line, or an empty text.
    """
    for path, text in texts(folder):
        for match in UNCONVERGED.finditer(text):
            if not CONVERGED.search(text, match.end()):  # CP2K says so of inner loops, too
                return f"{path.name}: {_line(text, match.start())}"
        if "Program PWSCF" in text and (words := _not_accurate(text)):
            return f"{path.name}: {words}"
    return ""


def _not_accurate(text: str) -> str:
    """Compare pw.x's last accuracy with its threshold: without scf_must_converge it calls anything converged."""
    asked = re.search(r"scf convergence threshold += +(\S+)", text)
    got = re.findall(r"estimated scf accuracy +< +(\S+)", text)
    if asked is None or not got or "EXX" in text:  # hybrids move their threshold
        return ""
    try:
        return f"SCF accuracy {got[-1]} Ry, {asked[1]} Ry asked for" if float(got[-1]) > 1.1 * float(asked[1]) else ""
    except ValueError:
        return f"SCF accuracy {got[-1]}"


def tells_of_full_disk(said: str) -> bool:
    """Tell whether a program has died for want of room on a disk."""
    return re.search(FULL, said) is not None


def explain(error: Exception, folder: Path | None = None) -> OracleError:
    """Say in one line, and in normalised words, why a calculator failed.

    Parameters
    ----------
    error
        What it raised.
    folder
        Where its program ran, if it had a folder of its own.

    Returns
    -------
    OracleError
    """
    if isinstance(error, OracleError):
        return error
    raised = f"the calculator raised {type(error).__name__}: {error}".rstrip(": ")
    if folder is not None and not folder.is_dir():
        return OracleError(f"the folder of the calculation is gone: {folder}", Cause.SCRATCH_LOST)
    if isinstance(error, FileNotFoundError | PermissionError) and _starting(error):
        return OracleError(f"{raised}; install it, or name it with its path", Cause.PROGRAM_MISSING)
    said = texts(folder) if folder is not None else []
    for text in (raised, *(text for _, text in said)):
        for cause, pattern in WORDS:
            if match := re.search(pattern, text):
                return OracleError(f"{_line(text, match.start())}", cause)
    if isinstance(error, MemoryError):
        return OracleError(raised, Cause.OUT_OF_MEMORY)
    if isinstance(error, subprocess.CalledProcessError):
        number = -error.returncode if error.returncode < 0 else error.returncode - 128
        if number in KILLS:
            return OracleError(f"{_name(error)} by {signal.Signals(number).name}", Cause.KILLED)
        if error.returncode == 127:
            return OracleError(f"{_name(error)} is not there: exit status 127", Cause.PROGRAM_MISSING)
        return OracleError(f"{_name(error)} ended with exit status {error.returncode}: {last_words(said)}")
    if folder is not None and isinstance(error, StopIteration | ValueError | IndexError | KeyError | AssertionError):
        return OracleError(f"no result can be read from its output ({raised}): {last_words(said)}", Cause.NONSENSE)
    return OracleError(raised)


def last_words(said: Iterable[tuple[Path, str]]) -> str:
    """Return a program's error, or else the end of its output, as one line."""
    said = list(said)
    for _, text in said:
        for frame in FRAMES:
            if match := frame.search(text):
                return " ".join(match.group(1).split())[:300]
    for path, text in said:
        if path.suffix not in (".pwi", ".json", ".in") and text.strip():
            lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
            return " | ".join(lines[-3:])[-300:]
    return "it said nothing"


def _line(text: str, place: int) -> str:
    """Return the line around a place; of an error that is set off all of it."""
    for match in (match for frame in FRAMES for match in frame.finditer(text)):
        if match.start() <= place < match.end():
            return " ".join(match.group(1).split())[:300]
    start = text.rfind("\n", 0, place) + 1
    end = text.find("\n", place)
    return " ".join(text[start : end if end >= 0 else len(text)].split())[:300]


def _starting(error: OSError) -> bool:
    """Tell a program that cannot be started from any other file that is missing."""
    return any(Path(frame.f_code.co_filename).name == "subprocess.py" for frame, _ in walk_tb(error.__traceback__))


def _name(error: subprocess.CalledProcessError) -> str:
    return error.cmd.split()[0] if isinstance(error.cmd, str) else Path(str(error.cmd[0])).name

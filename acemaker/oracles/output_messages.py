"""Diagnosis of failed calculations from the output of their programs."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path
from traceback import walk_tb

from acemaker.errors import Cause, OracleError

LARGEST = 20_000_000
"""Bytes; longer files are not searched."""

DISK_FULL = r"No space left on device|Disk quota exceeded|File too large"
"""Messages of the operating system, which any program may print."""

PATTERNS = (
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
    (Cause.DISK_FULL, DISK_FULL),
    (Cause.BAD_STRUCTURE, r"atoms overlap|AtomsTooClose"),
    (
        Cause.PROGRAM_MISSING,
        r"command not found|execvp error|could not find an executable|No module named"
        r"|unable to (find|launch) the specified|could not access\s+or execute",
    ),
)
"""Regular expressions by cause; the first match counts."""

FATAL_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT, signal.SIGXCPU)
"""Signals reported by exit statuses above 128; other such statuses are defined by the programs."""

UNCONVERGED = re.compile(r"convergence NOT achieved|was not enough SCF cycles|SCF run NOT converged")
CONVERGED = re.compile(r"outer SCF loop converged|SCF run converged")

ERROR_BLOCKS = (
    re.compile(r"%{20,}\n(.*?)%{20,}", re.DOTALL),
    re.compile(r"--- !(?:ERROR|BUG)\n.*?message: \|\n(.*?)\n\.\.\.", re.DOTALL),
)
"""Regular expressions of error messages that Quantum ESPRESSO and ABINIT print as a block."""


def read_outputs(folder: Path) -> list[tuple[Path, str]]:
    """Read the text files that a program wrote, the newest first.

    Parameters
    ----------
    folder
        Folder in which the program ran.

    Returns
    -------
    list of (Path, str)
    """
    contents = []
    for path in folder.rglob("*"):
        try:
            if path.is_file() and path.stat().st_size <= LARGEST:
                contents.append((path.stat().st_mtime, path, path.read_bytes()))
        except OSError:  # deleted in the meantime
            continue
    texts = sorted((time, path, data.decode(errors="replace")) for time, path, data in contents if b"\0" not in data)
    return [(path, text) for _, path, text in reversed(texts)]


def unconverged(folder: Path) -> str:
    """Search the output of a program for a statement that its result has not converged, which ASE does not do.

    Parameters
    ----------
    folder
        Folder in which the program ran.

    Returns
    -------
    str
        File and line; empty if there is no such statement.
    """
    for path, text in read_outputs(folder):
        for match in UNCONVERGED.finditer(text):
            if not CONVERGED.search(text, match.end()):  # CP2K prints it for inner loops too
                return f"{path.name}: {_line(text, match.start())}"
        if "Program PWSCF" in text and (message := _inaccurate_scf(text)):
            return f"{path.name}: {message}"
    return ""


def _inaccurate_scf(text: str) -> str:
    """Compare the final SCF accuracy of pw.x with its threshold, which pw.x ignores without scf_must_converge."""
    threshold = re.search(r"scf convergence threshold += +(\S+)", text)
    accuracies = re.findall(r"estimated scf accuracy +< +(\S+)", text)
    if threshold is None or not accuracies or "EXX" in text:  # hybrid functionals change their threshold
        return ""
    accuracy = accuracies[-1]
    try:
        if float(accuracy) > 1.1 * float(threshold[1]):
            return f"SCF accuracy {accuracy} Ry, above the threshold of {threshold[1]} Ry"
    except ValueError:
        return f"SCF accuracy {accuracy}"
    return ""


def is_disk_full(output: str) -> bool:
    """Return whether the output of a program reports a full disk."""
    return re.search(DISK_FULL, output) is not None


def diagnose_output(error: Exception, folder: Path | None = None) -> OracleError:
    """Return an error with a normalized cause and a message of one line for the failure of a calculator.

    Parameters
    ----------
    error
        Exception that the calculator raised.
    folder
        Folder in which its program ran; None if it had none.

    Returns
    -------
    OracleError
    """
    if isinstance(error, OracleError):
        return error
    message = f"the calculator raised {type(error).__name__}: {error}".rstrip(": ")
    if folder is not None and not folder.is_dir():
        return OracleError(f"the folder of the calculation was deleted: {folder}", Cause.SCRATCH_LOST)
    if isinstance(error, FileNotFoundError | PermissionError) and _is_start_failure(error):
        return OracleError(f"{message}; install the program, or specify its path", Cause.PROGRAM_MISSING)
    outputs = read_outputs(folder) if folder is not None else []
    for text in (message, *(text for _, text in outputs)):
        for cause, pattern in PATTERNS:
            if match := re.search(pattern, text):
                return OracleError(f"{_line(text, match.start())}", cause)
    if isinstance(error, MemoryError):
        return OracleError(message, Cause.OUT_OF_MEMORY)
    if isinstance(error, subprocess.CalledProcessError):
        number = -error.returncode if error.returncode < 0 else error.returncode - 128
        if number in FATAL_SIGNALS:
            return OracleError(f"{_name(error)} by {signal.Signals(number).name}", Cause.KILLED)
        if error.returncode == 127:
            return OracleError(f"{_name(error)} was not found (exit status 127)", Cause.PROGRAM_MISSING)
        return OracleError(f"{_name(error)} failed with exit status {error.returncode}: {last_output(outputs)}")
    if folder is not None and isinstance(error, StopIteration | ValueError | IndexError | KeyError | AssertionError):
        return OracleError(
            f"cannot read a result from the output of its program ({message}): {last_output(outputs)}", Cause.NONSENSE
        )
    return OracleError(message)


def last_output(outputs: Iterable[tuple[Path, str]]) -> str:
    """Return a program's error message, or else the last lines of its output, as one line.

    Parameters
    ----------
    outputs
        Paths and contents of files, as `read_outputs` returns them.
    """
    outputs = list(outputs)
    for _, text in outputs:
        for block in ERROR_BLOCKS:
            if match := block.search(text):
                return " ".join(match.group(1).split())[:300]
    for path, text in outputs:
        if path.suffix not in (".pwi", ".json", ".in") and text.strip():
            lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
            return " | ".join(lines[-3:])[-300:]
    return "no output"


def _line(text: str, position: int) -> str:
    """Return the line at a position, or the whole error block that contains it."""
    for match in (match for block in ERROR_BLOCKS for match in block.finditer(text)):
        if match.start() <= position < match.end():
            return " ".join(match.group(1).split())[:300]
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    return " ".join(text[start : end if end >= 0 else len(text)].split())[:300]


def _is_start_failure(error: OSError) -> bool:
    """Return whether a program could not be started, as opposed to any other missing file."""
    return any(Path(frame.f_code.co_filename).name == "subprocess.py" for frame, _ in walk_tb(error.__traceback__))


def _name(error: subprocess.CalledProcessError) -> str:
    return error.cmd.split()[0] if isinstance(error.cmd, str) else Path(str(error.cmd[0])).name

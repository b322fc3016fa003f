"""What can go wrong, by name.

::

    AcemakerError
    ├── ConfigError            (ValueError)       a parameter is wrong
    ├── StructureError         (ValueError)       a structure that cannot be used
    │   └── EmbeddingError       no small cell can stand for a large one
    ├── TooFewEnvironmentsError(ValueError)       fewer atoms of a species than basis functions
    ├── MissingLibraryError    (ImportError)      a library that is needed is not installed
    ├── CampaignError          (RuntimeError)     the campaign's directory or journal is not as expected
    │   ├── CampaignExistsError  another campaign lives there
    │   ├── CampaignLockedError  another process has it open
    │   ├── DamagedFileError     a file is missing, or not as it was written
    │   ├── UntrustedError       the directory names code that was not used here before
    │   └── StateError           a step was called out of turn
    ├── EngineError            (RuntimeError)     molecular dynamics could not go on
    │   └── MDHaltError          LAMMPS died or hung in its own process
    ├── OracleError            (RuntimeError)     a structure could not be labelled
    ├── FitError               (RuntimeError)     the program that fits a potential died
    ├── FitRejectedError       (RuntimeError)     no acceptable potential came out of training
    ├── IterationLimitError    (RuntimeError)     ``max_otf_iterations`` is used up
    ├── NoProgressError        (RuntimeError)     halt after halt at the same place, whatever is learnt
    ├── LabelBudgetError       (RuntimeError)     ``max_labels`` is used up
    └── NotebookError          (RuntimeError)     a notebook that was run headless failed

Every message says what was expected, what came and what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path


class AcemakerError(Exception):
    """Base of all errors that acemaker raises on purpose."""


class ConfigError(AcemakerError, ValueError):
    """A parameter is unknown, out of range or at odds with another one."""


class StructureError(AcemakerError, ValueError):
    """A structure that cannot be simulated, labelled or trained on."""


class EmbeddingError(StructureError):
    """No small cell can be cut out of a structure that stands for it."""


class TooFewEnvironmentsError(AcemakerError, ValueError):
    """A species has fewer atoms in the training set than it has basis functions."""


class MissingLibraryError(AcemakerError, ImportError):
    """A library that is needed here is not installed or cannot be loaded."""


class CampaignError(AcemakerError, RuntimeError):
    """A campaign's directory or journal is not as expected."""


class CampaignExistsError(CampaignError):
    """The directory already holds another campaign."""


class CampaignLockedError(CampaignError):
    """Another process has the campaign open."""


class DamagedFileError(CampaignError):
    """A file is missing, or is not as it was written.

    Parameters
    ----------
    file
        The file.
    wrong
        What is wrong with it.
    remedy
        What to do.
    """

    def __init__(self, file: Path, wrong: str, remedy: str = "restore it from a copy") -> None:
        self.file = file
        super().__init__(f"{file} is not as it was written: {wrong}; {remedy}")

    def __reduce__(self) -> tuple[Callable[..., DamagedFileError], tuple[str, Path]]:
        """Let it come back from another process."""
        return _damaged, (str(self), self.file)


class UntrustedError(CampaignError):
    """A campaign's directory names programs or code that nobody has used on this machine."""


class StateError(CampaignError):
    """A step was called while the campaign is in another state."""


class EngineError(AcemakerError, RuntimeError):
    """The engine could not go on.

    Parameters
    ----------
    message
        What happened and what to do.
    log
        The engine's log file, where there is one; its last lines become part of the message.
    """

    def __init__(self, message: str, log: Path | None = None) -> None:
        self.log = log
        super().__init__(_with_tail(message, log))


class MDHaltError(EngineError):
    """A child process that ran LAMMPS died or hung.

    Parameters
    ----------
    message
        What happened and what to do.
    log
        What it said; the last lines become part of the message.
    status
        Its exit status, 128 plus the number for a signal; None where it hung and was killed.
    """

    def __init__(self, message: str, log: Path | None = None, status: int | None = None) -> None:
        super().__init__(message, log)
        self.status = status


class Cause(StrEnum):
    """Why a structure could not be labelled, in the same few words for every program."""

    NOT_CONVERGED = "not converged"
    TIMED_OUT = "timed out"
    KILLED = "killed"
    OUT_OF_MEMORY = "out of memory"
    PROGRAM_MISSING = "program missing"
    BAD_PSEUDOPOTENTIAL = "bad pseudopotential"
    BAD_STRUCTURE = "impossible structure"
    NONSENSE = "nonsense result"
    SCRATCH_LOST = "scratch lost"
    DISK_FULL = "disk full"
    FAILED = "failed"

    @property
    def everywhere(self) -> bool:
        """Whether every other structure would fail likewise: the oracle has to be mended first."""
        return self in (Cause.PROGRAM_MISSING, Cause.BAD_PSEUDOPOTENTIAL, Cause.DISK_FULL)

    @property
    def lasting(self) -> bool:
        """Whether the same structure would fail likewise once more."""
        return self.everywhere or self in (Cause.NOT_CONVERGED, Cause.BAD_STRUCTURE)


class OracleError(AcemakerError, RuntimeError):
    """A structure could not be labelled, or its label cannot be right.

    Parameters
    ----------
    message
        What happened, in one line.
    cause
        The same in normalised words; they begin the message, unless it only ``failed``.
    """

    def __init__(self, message: str, cause: Cause = Cause.FAILED) -> None:
        self.cause = cause
        super().__init__(message if cause is Cause.FAILED else f"{cause}: {message}")


class FitError(AcemakerError, RuntimeError):
    """A child process that fitted a potential died, or said nothing.

    Parameters
    ----------
    message
        What happened and what to do.
    log
        What it said; the last lines become part of the message.
    """

    def __init__(self, message: str, log: Path | None = None) -> None:
        self.log = log
        super().__init__(_with_tail(message, log))


class FitRejectedError(AcemakerError, RuntimeError):
    """Training gave no potential that is good enough to go on with."""


class IterationLimitError(AcemakerError, RuntimeError):
    """The campaign has halted more often than ``max_otf_iterations`` allows."""


class NoProgressError(AcemakerError, RuntimeError):
    """The run has halted again and again without getting further, although each halt was labelled and learnt."""


class LabelBudgetError(AcemakerError, RuntimeError):
    """More labels are needed than were allowed: by ``max_labels``, or by ``max_calls`` of a comparison."""


class NotebookError(AcemakerError, RuntimeError):
    """A notebook that was run headless failed."""


def _damaged(message: str, file: Path) -> DamagedFileError:
    error = DamagedFileError(file, "")
    error.args = (message,)
    return error


def _with_tail(message: str, log: Path | None) -> str:
    """Let the last lines of a log become part of a message."""
    if log is None or not log.exists():
        return message
    lines = log.read_text(errors="replace").splitlines()[-12:]
    return "\n".join([message, f"the last lines of {log}:", *("  " + line for line in lines)])

"""Errors that acemaker raises.

::

    AcemakerError
    ├── ConfigError            (ValueError)       a parameter is invalid
    ├── StructureError         (ValueError)       a structure cannot be used
    │   └── EmbeddingError       no small cell can represent a large structure
    ├── TooFewEnvironmentsError(ValueError)       fewer atoms of a species than basis functions
    ├── NoPredictionError      (ValueError)       a potential predicts no force errors
    ├── MissingLibraryError    (ImportError)      a required library is not installed
    ├── CampaignError          (RuntimeError)     the campaign's directory or journal is not as expected
    │   ├── CampaignExistsError  the directory contains another campaign
    │   ├── CampaignLockedError  another process has the campaign open
    │   ├── DamagedFileError     a file is missing or damaged
    │   ├── UntrustedError       the directory names code that has not been authorized on this machine
    │   └── StateError           a method was called in the wrong state
    ├── EngineError            (RuntimeError)     molecular dynamics failed
    │   ├── MDHaltError          LAMMPS crashed or hung in its child process
    │   └── RunawayError         temperature, pressure or volume left their course
    ├── OracleError            (RuntimeError)     a structure could not be labeled
    ├── FitError               (RuntimeError)     the program that fits a potential failed
    ├── FitRejectedError       (RuntimeError)     training produced no acceptable potential
    ├── IterationLimitError    (RuntimeError)     ``max_otf_iterations`` was reached
    ├── NoProgressError        (RuntimeError)     repeated halts at the same place despite new labels
    ├── LabelBudgetError       (RuntimeError)     ``max_labels`` was reached
    └── NotebookError          (RuntimeError)     a notebook run headless failed

Each message states what was expected, what was found and what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path


class AcemakerError(Exception):
    """Base class of all errors that acemaker raises.

    Examples
    --------
    >>> import acemaker
    >>> try:
    ...     acemaker.attach("no_such_campaign")
    ... except acemaker.AcemakerError as error:
    ...     print(type(error).__name__)
    CampaignError
    """


class ConfigError(AcemakerError, ValueError):
    """A parameter is unknown, out of range or inconsistent with another one.

    Parameters
    ----------
    message
        Description of the problem and its remedy.
    fields
        Fields whose own values are invalid, ``Section.field``; empty if they are unknown, or if valid values are
        inconsistent with each other.

    Examples
    --------
    >>> from acemaker import EngineConfig
    >>> try:
    ...     EngineConfig(steps=-1)
    ... except ConfigError as error:
    ...     error.fields
    ('EngineConfig.steps',)
    """

    def __init__(self, message: str, *, fields: Sequence[str] = ()) -> None:
        self.fields = tuple(fields)
        super().__init__(message)


class StructureError(AcemakerError, ValueError):
    """A structure cannot be simulated, labeled or used for training."""


class EmbeddingError(StructureError):
    """No small cell can be cut out of a structure to represent it."""


class TooFewEnvironmentsError(AcemakerError, ValueError):
    """A species has fewer atoms in the training set than it has basis functions."""


class NoPredictionError(AcemakerError, ValueError):
    """A potential predicts no force errors: it is of an older version, or of a trainer that cannot predict them."""


class MissingLibraryError(AcemakerError, ImportError):
    """A required library is not installed or cannot be loaded."""


class CampaignError(AcemakerError, RuntimeError):
    """A campaign's directory or journal is not as expected."""


class CampaignExistsError(CampaignError):
    """The directory already contains another campaign."""


class CampaignLockedError(CampaignError):
    """Another process has the campaign open."""


class DamagedFileError(CampaignError):
    """A file is missing, or has changed since it was written.

    Parameters
    ----------
    file
        The file.
    problem
        Description of the damage.
    remedy
        Instructions for the user.
    """

    def __init__(self, file: Path, problem: str, remedy: str = "restore it from a copy") -> None:
        self.file = file
        super().__init__(f"{file} is damaged: {problem}; {remedy}")

    def __reduce__(self) -> tuple[Callable[..., DamagedFileError], tuple[str, Path]]:
        """Support pickling, so that another process can raise the error."""
        return _damaged, (str(self), self.file)


class UntrustedError(CampaignError):
    """A campaign's directory names programs or code that have not been authorized on this machine."""


class StateError(CampaignError):
    """A method was called that belongs to another state than that of the campaign."""


class EngineError(AcemakerError, RuntimeError):
    """The engine failed.

    Parameters
    ----------
    message
        Description of the failure and its remedy.
    log
        The engine's log file, if any; its last lines are appended to the message.
    """

    def __init__(self, message: str, log: Path | None = None) -> None:
        self.log = log
        super().__init__(_with_tail(message, log))


class MDHaltError(EngineError):
    """A child process that ran LAMMPS crashed or hung.

    Parameters
    ----------
    message
        Description of the failure and its remedy.
    log
        File with its output; the last lines are appended to the message.
    status
        Exit status, which is 128 plus the number of a signal; None if the process hung and was killed.
    """

    def __init__(self, message: str, log: Path | None = None, status: int | None = None) -> None:
        super().__init__(message, log)
        self.status = status


class RunawayError(EngineError):
    """Temperature, pressure or volume of a run left their course although gamma is low.

    Parameters
    ----------
    message
        Description of the departure, the last safe state, and what to do.
    quantity
        "temperature", "pressure" or "volume".
    value
        Value at the last check: K, GPa, or Å³.
    target
        Target of the ramp at that step, or the volume at the start; NaN if there is none.
    step
        Step of the last check.
    safe_step
        Step of the last state before the departure.
    safe_checkpoint
        Restart file of that state; None if it is the start of the trajectory, or a frame.
    """

    def __init__(
        self,
        message: str,
        *,
        quantity: str = "temperature",
        value: float = float("nan"),
        target: float = float("nan"),
        step: int = 0,
        safe_step: int = 0,
        safe_checkpoint: Path | None = None,
    ) -> None:
        super().__init__(message)
        self.quantity, self.value, self.target, self.step = quantity, value, target, step
        self.safe_step, self.safe_checkpoint = safe_step, safe_checkpoint


class Cause(StrEnum):
    """Normalized reason why a structure could not be labeled, common to all programs."""

    NOT_CONVERGED = "not converged"
    TIMED_OUT = "timed out"
    KILLED = "killed"
    OUT_OF_MEMORY = "out of memory"
    PROGRAM_MISSING = "program missing"
    BAD_PSEUDOPOTENTIAL = "bad pseudopotential"
    BAD_STRUCTURE = "impossible structure"
    NONSENSE = "nonsense result"
    NO_STRESS = "no stress"
    SCRATCH_LOST = "scratch lost"
    DISK_FULL = "disk full"
    FAILED = "failed"

    @property
    def everywhere(self) -> bool:
        """Whether all other structures would fail too, so that the oracle has to be fixed first."""
        return self in (Cause.PROGRAM_MISSING, Cause.BAD_PSEUDOPOTENTIAL, Cause.DISK_FULL, Cause.NO_STRESS)

    @property
    def lasting(self) -> bool:
        """Whether the same structure would fail again."""
        return self.everywhere or self in (Cause.NOT_CONVERGED, Cause.BAD_STRUCTURE)


class OracleError(AcemakerError, RuntimeError):
    """A structure could not be labeled, or its label is implausible.

    Parameters
    ----------
    message
        Description of the failure in one line.
    cause
        Normalized cause, which is put in front of the message unless it is ``FAILED``.
    """

    def __init__(self, message: str, cause: Cause = Cause.FAILED) -> None:
        self.cause = cause
        super().__init__(message if cause is Cause.FAILED else f"{cause}: {message}")


class FitError(AcemakerError, RuntimeError):
    """A child process that fitted a potential failed, or returned no result.

    Parameters
    ----------
    message
        Description of the failure and its remedy.
    log
        File with its output; the last lines are appended to the message.
    """

    def __init__(self, message: str, log: Path | None = None) -> None:
        self.log = log
        super().__init__(_with_tail(message, log))


class FitRejectedError(AcemakerError, RuntimeError):
    """Training produced no potential that is accurate enough to continue."""


class IterationLimitError(AcemakerError, RuntimeError):
    """The campaign has halted more often than ``max_otf_iterations`` allows."""


class NoProgressError(AcemakerError, RuntimeError):
    """The run has halted repeatedly without progress, although each halt was labeled and used for training."""


class LabelBudgetError(AcemakerError, RuntimeError):
    """More labels are needed than allowed by ``max_labels``, or by ``max_calls`` of a comparison."""


class NotebookError(AcemakerError, RuntimeError):
    """A notebook run headless failed."""


def _damaged(message: str, file: Path) -> DamagedFileError:
    error = DamagedFileError(file, "")
    error.args = (message,)
    return error


def _with_tail(message: str, log: Path | None) -> str:
    """Append the last lines of a log to a message."""
    if log is None or not log.exists():
        return message
    lines = log.read_text(errors="replace").splitlines()[-12:]
    return "\n".join([message, f"last lines of {log}:", *("  " + line for line in lines)])

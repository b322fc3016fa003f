"""A job, which is one label to compute, and its answer on the way back: in memory, or as a file in the queue folder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.errors import Cause, ConfigError, MissingLibraryError, OracleError
from acemaker.utils.array_file import UNREADABLE, read_arrays, write_arrays

Answer = dict[str, Any]
"""``labeled`` (Atoms) or ``results`` and ``info`` of a label, otherwise ``cause`` and ``message``; ``seconds`` in any
case; ``tries``, if the job is not to be tried again."""

COPIES = ("npz", "spare.npz")
"""Endings of the two files of a finished label: if one is damaged, the label is not computed a second time."""

RESULT = "result "
"""Prefix of the names of a label's results in its file."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One label to compute.

    Attributes
    ----------
    key : str
        Hash of structure and oracle settings; equal for the same label, whenever and wherever it is requested.
    candidate : int
        Number of the structure among the candidates.
    atoms : Atoms
        The structure.
    finished : str
        Folder for the finished label, where it is found even if no process waits for it.
    label : str
        File of the label in the campaign.
    halt : int or None
        Number of the halt; None for an initial structure.
    """

    key: str
    candidate: int
    atoms: Atoms
    finished: str
    label: str
    halt: int | None = None


@dataclass(frozen=True, kw_only=True)
class LabelFailure:
    """A structure that could not be labeled.

    Attributes
    ----------
    candidate : int
        Its number among the candidates.
    attempts : int
        How often it was tried.
    cause : str
        Error of the oracle, or what is wrong with its results.
    """

    candidate: int
    attempts: int
    cause: str


def ask(label: Callable[[Atoms], Atoms], atoms: Atoms) -> Answer:
    """Compute a label; an exception becomes an answer, too, which any process can receive."""
    start = time.monotonic()
    try:
        answer: Answer = {"labeled": label(atoms)}
    except OracleError as error:
        answer = failure(str(error), error.cause)
    except (MissingLibraryError, ConfigError) as error:  # a package or file that the campaign's process has is missing
        answer = failure(str(error), Cause.PROGRAM_MISSING)
    except Exception as error:  # a user's oracle may raise anything
        answer = failure(f"the oracle raised {type(error).__name__}: {error}")
    return {**answer, "seconds": time.monotonic() - start}


def failure(message: str, cause: Cause = Cause.FAILED) -> Answer:
    """Return the answer of a job that failed."""
    return {"cause": str(cause), "message": message, "seconds": 0.0}


def plain(answer: Answer) -> Answer:
    """Convert the label in an answer into numbers, which any process can read."""
    if "labeled" not in answer:
        return answer
    labeled = answer["labeled"]
    results = dict(labeled.calc.results) if labeled.calc is not None else {}
    rest = {name: value for name, value in answer.items() if name != "labeled"}
    return {"results": results, "info": dict(labeled.info), **rest}


class FinishedLabels:
    """A folder of finished labels by their keys, which a campaign collects even if it was closed in the meantime.

    Parameters
    ----------
    folder
        Folder of one campaign. A process that cannot see it writes nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, Answer] = {}

    def make(self) -> None:
        """Create the folder; without it, finished labels cannot be found after a crash, which is no error."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def alone(self, key: str, stopped: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Wait while another process computes the same label; on file systems without locks, both compute it.

        Parameters
        ----------
        key
            Key of the label.
        stopped
            Ends the wait.
        """
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):
                stream = stack.enter_context((self._folder / f"{key}.lock").open("w"))
                while not stopped():
                    try:
                        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        break
                    except BlockingIOError:
                        time.sleep(0.2)
            yield

    def leave(self, key: str, answer: Answer) -> None:
        """Write a label, whole or not at all; if it cannot be written, only the executor returns it."""
        if self._folder.is_dir():
            with contextlib.suppress(OSError):
                _write(self._folder, key, answer)

    def save(self, key: str, answer: Answer) -> str:
        """Save a label that the campaign cannot write.

        Returns
        -------
        str
            Where it is: in this folder, else where temporary files go, else in memory. `read` searches all three.
        """
        for folder in (self._folder, _temporary_folder()):
            with contextlib.suppress(OSError):
                return str(_write(folder, key, answer))
        self._held[key] = answer
        return "this process's memory alone"

    def read(self, key: str) -> Answer | None:
        """Return the finished label of a key, or None."""
        if key in self._held:
            return self._held[key]
        for file in (folder / f"{key}.{end}" for folder in (self._folder, _temporary_folder()) for end in COPIES):
            with contextlib.suppress(*UNREADABLE):
                arrays = read_arrays(file) if file.stat().st_uid == os.getuid() else None
                if arrays is not None:
                    rest = json.loads(str(arrays.pop("rest")))
                    named = {name.removeprefix(RESULT): value for name, value in arrays.items()}
                    results = {name: float(value) if value.ndim == 0 else value for name, value in named.items()}
                    return {"results": results, **rest}
        return None

    def discard(self, key: str) -> None:
        """Delete a label that the campaign has stored or rejected."""
        self._held.pop(key, None)
        for folder in (self._folder, _temporary_folder()):
            for suffix in (*COPIES, "lock"):
                (folder / f"{key}.{suffix}").unlink(missing_ok=True)


def _write(folder: Path, key: str, answer: Answer) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    results = {f"{RESULT}{name}": np.asarray(value) for name, value in answer["results"].items()}
    results = {name: value for name, value in results.items() if value.dtype.kind in "fiub"}
    info = {name: value for name, value in answer["info"].items() if isinstance(value, str | int | float)}
    rest = np.asarray(json.dumps({"info": info, "seconds": answer["seconds"]}))
    file, spare = (folder / f"{key}.{end}" for end in COPIES)
    write_arrays(file, {"rest": rest, **results})
    part = folder / f"{key}.{os.getpid()}.part"
    try:
        with contextlib.suppress(OSError):  # one copy is better than none
            shutil.copyfile(file, part)
            part.replace(spare)
    finally:
        part.unlink(missing_ok=True)
    return file


def _temporary_folder() -> Path:
    return Path(tempfile.gettempdir()) / f"acemaker-labels-{os.getuid()}"

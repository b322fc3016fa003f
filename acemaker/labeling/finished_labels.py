"""Finished labels on their way to the campaign: left where it finds them, even if it is gone meanwhile."""

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
from pathlib import Path
from typing import Any

import numpy as np

from acemaker.utils.array_file import UNREADABLE, read_arrays, write_arrays

COPIES = ("npz", "spare.npz")
"""Endings of a label's two files: one that is damaged costs no second calculation."""

RESULT = "result "
"""Before the names of a label's results in its file."""


class Outbox:
    """A folder of finished labels by their keys.

    Parameters
    ----------
    folder
        A campaign's own. A process that does not see it leaves nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, dict[str, Any]] = {}

    def make(self) -> None:
        """Make the folder; one that cannot be made is missed by none but those who come after a crash."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def alone(self, key: str, stopped: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Wait while another process makes the same label; file systems that know no locks let both.

        Parameters
        ----------
        key
            Of the label.
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

    def leave(self, key: str, answer: dict[str, Any]) -> None:
        """Leave a label, whole or not at all; where that is impossible, it has to come back by itself."""
        if self._folder.is_dir():
            with contextlib.suppress(OSError):
                _write(self._folder, key, answer)

    def save(self, key: str, answer: dict[str, Any]) -> str:
        """Bring a label that the campaign cannot write to safety.

        Returns
        -------
        str
            Where it is: here, else where temporary files go, else in memory. It is found in all three.
        """
        for folder in (self._folder, _elsewhere()):
            with contextlib.suppress(OSError):
                return str(_write(folder, key, answer))
        self._held[key] = answer
        return "this process's memory alone"

    def read(self, key: str) -> dict[str, Any] | None:
        """Return the answer that was left, or None."""
        if key in self._held:
            return self._held[key]
        for file in (folder / f"{key}.{end}" for folder in (self._folder, _elsewhere()) for end in COPIES):
            with contextlib.suppress(*UNREADABLE):
                arrays = read_arrays(file) if file.stat().st_uid == os.getuid() else None
                if arrays is not None:
                    rest = json.loads(str(arrays.pop("rest")))
                    named = {name.removeprefix(RESULT): value for name, value in arrays.items()}
                    results = {name: float(value) if value.ndim == 0 else value for name, value in named.items()}
                    return {"results": results, **rest}
        return None

    def discard(self, key: str) -> None:
        """Drop a label that the campaign has, or does not believe."""
        self._held.pop(key, None)
        for folder in (self._folder, _elsewhere()):
            for suffix in (*COPIES, "lock"):
                (folder / f"{key}.{suffix}").unlink(missing_ok=True)


def _write(folder: Path, key: str, answer: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    results = {f"{RESULT}{name}": np.asarray(value) for name, value in answer["results"].items()}
    results = {name: value for name, value in results.items() if value.dtype.kind in "fiub"}
    info = {name: value for name, value in answer["info"].items() if isinstance(value, str | int | float)}
    rest = np.asarray(json.dumps({"info": info, "seconds": answer["seconds"]}))
    file, spare = (folder / f"{key}.{end}" for end in COPIES)
    write_arrays(file, {"rest": rest, **results})
    part = folder / f"{key}.{os.getpid()}.part"
    try:
        with contextlib.suppress(OSError):  # one is better than none
            shutil.copyfile(file, part)
            part.replace(spare)
    finally:
        part.unlink(missing_ok=True)
    return file


def _elsewhere() -> Path:
    return Path(tempfile.gettempdir()) / f"acemaker-labels-{os.getuid()}"

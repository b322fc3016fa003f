"""Recovery of finished labels from the scratch folders of killed processes."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from acemaker.config.campaign import CHANGEABLE
from acemaker.oracles.scratch import abandoned_folders
from acemaker.oracles.worker import JOB, LABEL, STRUCTURE
from acemaker.utils.array_file import UNREADABLE

FREE = CHANGEABLE["oracle"]
"""Settings that may change when a campaign is reopened, and on which labels do not depend."""


def recover(folder: Path, root: str) -> bool:
    """Move the finished label of the same job of a killed process of the same campaign to a folder.

    Parameters
    ----------
    folder
        Folder of the job, as written by `write_job`, to which the label is moved.
    root
        Folder that contains the scratch folders, as for `scratch_folder`.

    Returns
    -------
    bool
        Whether a label was recovered.
    """
    with contextlib.suppress(*UNREADABLE):
        job = _job(folder)
        if not job["campaign"]:
            return False
        for other in abandoned_folders(root):
            with contextlib.suppress(*UNREADABLE):
                if _is_whole(other) and _job(other) == job and _same_structure(folder, other):
                    with (other / LABEL).open("rb") as stream, np.load(stream) as results:
                        dict(results)  # reads and checks all arrays
                    (other / LABEL).replace(folder / LABEL)  # atomic: only one of several processes succeeds
                    shutil.rmtree(other, ignore_errors=True)
                    return True
    return False


def _is_whole(folder: Path) -> bool:
    """Return whether a folder contains a finished label in regular files; opening a pipe would block."""
    files = [folder / name for name in (JOB, STRUCTURE, LABEL)]
    return all(file.is_file() and not file.is_symlink() for file in files)


def _job(folder: Path) -> dict[str, Any]:
    job = json.loads((folder / JOB).read_text())
    settings = {name: value for name, value in job["config"].items() if name not in FREE}
    return {"settings": settings, "elements": job["elements"], "campaign": job["campaign"]}


def _same_structure(folder: Path, other: Path) -> bool:
    structures = []
    for path in (folder / STRUCTURE, other / STRUCTURE):
        with path.open("rb") as stream, np.load(stream) as arrays:  # np.load of a path leaves a bad file open
            structures.append(dict(arrays))
    first, second = structures
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)

"""Labels that were finished when whoever had asked for them was gone: found in the folders of killed processes."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from acemaker.oracles.scratch import folders_of_the_dead
from acemaker.oracles.worker import JOB, LABEL, STRUCTURE
from acemaker.utils.array_file import UNREADABLE

FREE = ("max_atoms", "oracle_timeout", "scratch", "espresso_command", "label_store")
"""Settings that a campaign may change when it is reopened, and that a label does not depend on."""


def claim(folder: Path, root: str) -> bool:
    """Take over the label of a job that a killed process of the same campaign has paid for, and not taken home.

    Parameters
    ----------
    folder
        Of the job, as `write_job` has written it; the label comes to lie there.
    root
        Where such folders are, as for `scratch_folder`.

    Returns
    -------
    bool
        Whether there was one.
    """
    with contextlib.suppress(*UNREADABLE):
        wanted = _job(folder)
        if not wanted["campaign"]:
            return False
        for other in folders_of_the_dead(root):
            with contextlib.suppress(*UNREADABLE):
                if _is_whole(other) and _job(other) == wanted and _same_structure(folder, other):
                    with (other / LABEL).open("rb") as stream, np.load(stream) as results:
                        dict(results)  # reads all of it
                    (other / LABEL).replace(folder / LABEL)  # of two who try, one has it
                    shutil.rmtree(other, ignore_errors=True)
                    return True
    return False


def _is_whole(folder: Path) -> bool:
    """Tell whether a folder holds a finished label in files of its own: a pipe would be waited for."""
    files = [folder / name for name in (JOB, STRUCTURE, LABEL)]
    return all(file.is_file() and not file.is_symlink() for file in files)


def _job(folder: Path) -> dict[str, Any]:
    job = json.loads((folder / JOB).read_text())
    settings = {name: value for name, value in job["config"].items() if name not in FREE}
    return {"settings": settings, "elements": job["elements"], "campaign": job["campaign"]}


def _same_structure(one: Path, other: Path) -> bool:
    arrays = []
    for folder in (one, other):
        with (folder / STRUCTURE).open("rb") as stream, np.load(stream) as read:  # numpy leaves a bad file open
            arrays.append(dict(read))
    mine, theirs = arrays
    return mine.keys() == theirs.keys() and all(np.array_equal(mine[name], theirs[name]) for name in mine)

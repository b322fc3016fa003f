"""Labels that were finished when whoever had asked for them was gone: found in the folders of killed processes."""

from __future__ import annotations

import contextlib
import json
import shutil
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.config import OracleConfig
from acemaker.oracles.scratch import folders_of_the_dead
from acemaker.oracles.worker import JOB, LABEL, STRUCTURE, read_answer

UNREADABLE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy and zipfile raise for a file that was cut off or changed: the label is made anew."""

Results = dict[str, float | np.ndarray]


def claim(config: OracleConfig, elements: Sequence[str], atoms: Atoms) -> Results | None:
    """Take over the label of a structure that a killed process has paid for, and not taken home.

    Parameters
    ----------
    config
        The oracle.
    elements
        Of the system.
    atoms
        The structure.

    Returns
    -------
    dict or None
        Energy (eV), forces (eV/Å) and, where there is one, stress (eV/Å³); None if there is no such label.
    """
    for folder in folders_of_the_dead(config.scratch):
        with contextlib.suppress(*UNREADABLE):
            if (folder / LABEL).is_file() and _is_of(folder, config, elements, atoms):
                results = read_answer(folder)
                shutil.rmtree(folder, ignore_errors=True)
                return results
    return None


def _is_of(folder: Path, config: OracleConfig, elements: Sequence[str], atoms: Atoms) -> bool:
    job = json.loads((folder / JOB).read_text())
    if job["config"] != json.loads(config.model_dump_json()) or job["elements"] != list(elements):
        return False
    wanted = {
        "numbers": atoms.numbers,
        "positions": atoms.positions,
        "cell": atoms.cell.array,
        "pbc": atoms.pbc,
    }
    with (folder / STRUCTURE).open("rb") as stream, np.load(stream) as arrays:
        return all(np.array_equal(arrays[name], array) for name, array in wanted.items())

"""Labels that several campaigns share: what one of them has paid for, no other pays for again."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from ase import Atoms

from acemaker.structures.files import read_structures, write_structures


class LabelStore:
    """A folder of labels by their keys; any number of campaigns may read and write it at once.

    Parameters
    ----------
    folder
        Where they lie; it is made with the first label.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, key: str, key_of: Callable[[Atoms], str]) -> Atoms | None:
        """Return a label.

        Parameters
        ----------
        key
            Of structure and oracle settings, as `label_key` makes it.
        key_of
            Makes the key of a structure, to see whether the file holds what its name says.

        Returns
        -------
        Atoms or None
            None if there is none, or its file cannot be read: then it is made anew.
        """
        with contextlib.suppress(Exception):  # whatever ASE raises for a file that somebody has cut off
            (labelled,) = read_structures(self._file(key))
            if key_of(labelled) == key and labelled.calc is not None:
                return labelled
        return None

    def keep(self, key: str, labelled: Atoms) -> None:
        """Keep a label, whole or not at all."""
        file = self._file(key)
        own = file.with_name(f"{key}.{os.getpid()}.extxyz")  # another campaign may be writing the same one
        write_structures(own, [labelled])
        own.replace(file)

    def _file(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.extxyz"

"""Labels that several campaigns share: what one of them has paid for, no other pays for again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import warnings
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
    fingerprint
        Of what the keys do not say: files that the oracle's settings name, elements.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder
        self._fingerprint = fingerprint

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
        if not self._file(key).is_file():  # a pipe would be waited for
            return None
        with contextlib.suppress(Exception):  # whatever ASE raises for a file that somebody has cut off
            (labelled,) = read_structures(self._file(key))
            if key_of(labelled) == key and labelled.calc is not None:
                return labelled
        return None

    def keep(self, key: str, labelled: Atoms) -> None:
        """Keep a label, whole or not at all; a store that cannot be written costs others, not this campaign."""
        file = self._file(key)
        own = file.with_name(f"{file.stem}.{os.getpid()}.extxyz")  # another campaign may be writing the same one
        try:
            write_structures(own, [labelled])
            own.replace(file)
        except OSError as error:
            warnings.warn(f"the label store {self._folder} cannot be written: {error}", stacklevel=2)

    def _file(self, key: str) -> Path:
        name = hashlib.sha256(f"{self._fingerprint} {key}".encode()).hexdigest()[:20]
        return self._folder / name[:2] / f"{name}.extxyz"

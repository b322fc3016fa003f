"""Labels that several campaigns share: one that a campaign has computed is not computed again by another."""

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
    """A folder of labels by their keys, which any number of campaigns read and write at the same time.

    Parameters
    ----------
    folder
        The folder; it is created with the first label.
    fingerprint
        Hash of what the keys do not contain: elements, and files that the oracle's settings name.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder
        self._fingerprint = fingerprint

    def find(self, key: str, key_of: Callable[[Atoms], str]) -> Atoms | None:
        """Return a label.

        Parameters
        ----------
        key
            Of structure and oracle settings, as from `label_key`.
        key_of
            Returns the key of a structure, to check that the file holds the label of its name.

        Returns
        -------
        Atoms or None
            None if there is none, or its file cannot be read: the label is then computed again.
        """
        if not self._file(key).is_file():  # reading a pipe would block
            return None
        with contextlib.suppress(Exception):  # ASE raises many exceptions for a truncated file
            (labeled,) = read_structures(self._file(key))
            if key_of(labeled) == key and labeled.calc is not None:
                return labeled
        return None

    def keep(self, key: str, labeled: Atoms) -> None:
        """Store a label, whole or not at all; if the folder cannot be written, this is a warning only."""
        file = self._file(key)
        own = file.with_name(f"{file.stem}.{os.getpid()}.extxyz")  # another campaign may be writing the same label
        try:
            write_structures(own, [labeled])
            own.replace(file)
        except OSError as error:
            warnings.warn(f"the label store {self._folder} cannot be written: {error}", stacklevel=2)

    def _file(self, key: str) -> Path:
        name = hashlib.sha256(f"{self._fingerprint} {key}".encode()).hexdigest()[:20]
        return self._folder / name[:2] / f"{name}.extxyz"

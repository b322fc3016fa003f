"""Base class of all results: frozen values whose text and HTML representations have the same content."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms

from acemaker.formatting import html, text
from acemaker.formatting.summary import Summary


class Record:
    """Base class of the frozen dataclasses that steps return.

    Subclasses implement `summary`. Both representations are rendered from it and contain no times and no random ids, so
    that two representations of the same object are identical.
    """

    def summary(self) -> Summary:
        """Return the content of the record's representation."""
        raise NotImplementedError

    def headline(self) -> str:
        """Return the title of the summary, in one line."""
        return self.summary().title

    def __repr__(self) -> str:
        return text.render(self.summary())

    def _repr_html_(self) -> str:
        return html.render(self.summary())


def read_only(values: Any, dtype: Any = None) -> np.ndarray:
    """Copy values to a read-only array."""
    array = np.array(values, dtype=dtype)
    array.flags.writeable = False
    return array


def frozen(atoms: Atoms) -> Atoms:
    """Copy a structure and its results; the arrays of the copy are read-only."""
    copy = atoms.copy()
    copy.calc = atoms.calc
    for array in copy.arrays.values():
        array.flags.writeable = False
    copy.cell.array.flags.writeable = False
    return copy

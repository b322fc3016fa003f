"""What all results have in common: frozen values that show themselves in text and HTML alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms

from acemaker.formatting import html, text
from acemaker.formatting.summary import Summary


class Record:
    """Base of the frozen dataclasses that steps return.

    Subclasses say what they hold in `summary`; both reprs are made from it and hold no times and no
    random ids, so two displays of one object are identical.
    """

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        raise NotImplementedError

    def headline(self) -> str:
        """Say it in one line."""
        return self.summary().title

    def __repr__(self) -> str:
        return text.render(self.summary())

    def _repr_html_(self) -> str:
        return html.render(self.summary())


def read_only(values: Any, dtype: Any = None) -> np.ndarray:
    """Copy values into an array that cannot be written to."""
    array = np.array(values, dtype=dtype)
    array.flags.writeable = False
    return array


def frozen(atoms: Atoms) -> Atoms:
    """Copy a structure, with its results, into one whose arrays cannot be written to."""
    copy = atoms.copy()
    copy.calc = atoms.calc
    for array in copy.arrays.values():
        array.flags.writeable = False
    copy.cell.array.flags.writeable = False
    return copy

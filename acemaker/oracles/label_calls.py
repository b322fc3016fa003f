"""Calls of an oracle for its check: counted, timed, and with their results as numbers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from acemaker.oracles.checks import check_label, check_unmoved
from acemaker.oracles.oracle import STRESS_FAILURE
from acemaker.structures.per_atom import bare_copy

Label = Callable[[Atoms], Atoms]
"""A function that returns a labeled copy of a structure."""


@dataclass(frozen=True)
class LabelValues:
    """A label in numbers."""

    energy: float
    forces: np.ndarray
    stress: np.ndarray | None
    volume: float


class LabelCalls:
    """Calls the label function, counts the calls and measures their time."""

    def __init__(self, label: Label) -> None:
        self._label = label
        self.calls = 0
        self.seconds = 0.0
        self.has_stress = True
        self.stress_failure = ""

    def __call__(self, atoms: Atoms) -> LabelValues:
        """Return the label of a copy of a structure."""
        self.calls += 1
        start = time.perf_counter()
        labeled = self._label(received := bare_copy(atoms))
        self.seconds = time.perf_counter() - start
        check_label(labeled, math.inf)
        for after in (received, labeled):  # an oracle of the user may have moved atoms
            check_unmoved(atoms, after)
        results = labeled.calc.results
        stress = results.get("stress") if atoms.pbc.all() else None
        if stress is None:
            self.has_stress = False
            self.stress_failure = self.stress_failure or str(labeled.info.get(STRESS_FAILURE, ""))
        return LabelValues(
            float(np.asarray(results["energy"]).reshape(())),
            np.asarray(results["forces"], dtype=float),
            None if stress is None else np.asarray(stress, dtype=float),
            abs(float(np.linalg.det(atoms.cell.array))) if atoms.pbc.all() else 0.0,
        )

    def try_call(self, atoms: Atoms) -> LabelValues | str:
        """Return the label, or the message of the error: many oracles refuse structures that a campaign has not."""
        try:
            return self(atoms)
        except Exception as error:  # a user's oracle may raise anything
            return f"{type(error).__name__}: {error}".splitlines()[0][:120]

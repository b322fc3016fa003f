"""Gamma with two basis functions, for which the active set can be drawn as a parallelogram."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from acemaker.formatting.record import Record, read_only
from acemaker.formatting.summary import Summary, Table
from acemaker.potentials.active_set import ActiveSet, gamma_of
from acemaker.potentials.maxvol import swap_rows

if TYPE_CHECKING:
    from acemaker.plotting.png_figure import PngFigure

STRANGERS = {"P": (0.45, 0.8), "Q": (2.35, 0.95), "R": (3.3, 0.75)}
"""Environments that are not labeled: one within the trained ones, one outside, and one further outside."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Plane(Record):
    """Environments with two basis functions, some of them in the training set.

    Attributes
    ----------
    trained : ndarray, shape (n_trained, 2)
        Values of the two functions, dimensionless.
    strangers : mapping of str to tuple of float
        Environments outside of the training set, by name.
    active : ndarray, shape (2, 2)
        The active set, i.e. the two trained environments (rows) that span the largest parallelogram.
    """

    trained: np.ndarray
    strangers: Mapping[str, tuple[float, float]] = field(default_factory=lambda: dict(STRANGERS))

    @classmethod
    def example(cls, seed: int = 1) -> Plane:
        """Return a plane with 14 random similar environments, like those of the atoms of a crystal."""
        rng = np.random.default_rng(seed)
        return cls(trained=read_only(rng.normal(size=(14, 2)) @ [[0.42, -0.12], [0.0, 0.22]] + [1.1, 1.0]))

    @property
    def active(self) -> np.ndarray:
        """The active set, selected by MaxVol."""
        matrix = np.asarray(self.trained)
        rows: np.ndarray = matrix[swap_rows(matrix, np.arange(2))]
        return rows

    def gamma(self, name: str) -> float:
        """Return the gamma of an environment outside of the training set."""
        row = np.array([self.strangers[name]])
        return float(gamma_of([row], [np.linalg.inv(self.active)])[0][0])

    def with_label(self, name: str) -> Plane:
        """Return the plane with an environment added to the training set."""
        return replace(self, trained=read_only(np.vstack([self.trained, self.strangers[name]])))

    def active_set(self) -> ActiveSet:
        """Return the active set as an `ActiveSet`."""
        return ActiveSet(elements=("X",), matrices=(self.active,), sources=(np.zeros(2, dtype=int),))

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        rows = tuple((name, *(f"{value:.2f}" for value in point)) for name, point in self.strangers.items())
        table = Table(("environment", "B1", "B2"), rows)
        area = abs(np.linalg.det(self.active))
        items = (("trained environments", str(len(self.trained))), ("area of the active set", f"{area:.2f}"))
        return Summary("A potential with two basis functions", items, table)

    def figure(self, *, active: bool = False) -> PngFigure:
        """Draw the environments.

        Parameters
        ----------
        active
            Whether to draw the active set and lines of constant gamma.
        """
        from acemaker.workshop.figures import plane_figure

        return plane_figure(self, active)

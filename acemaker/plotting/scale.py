"""The colours of gamma: one logarithmic scale, so that a colour means the same in every picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LogNorm, to_hex

GAMMA_RANGE = (0.3, 30.0)
"""Of all halts and generations; thresholds outside of it, for other measures than gamma, widen it."""

COLOUR_MAP = "plasma"
"""Its lightness rises all the way, so that it is read without colours, too."""

NAMES = ("epicentre", "halt", "break")
"""What the three thresholds do."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """From gamma to colour.

    Attributes
    ----------
    low, high : float
        Gamma below and above which the colour stays the same, dimensionless.
    marks : tuple of float
        ``threshold_add_train``, ``threshold_call_dft`` and ``threshold_break``; empty where they are not known.
    """

    low: float = GAMMA_RANGE[0]
    high: float = GAMMA_RANGE[1]
    marks: tuple[float, ...] = ()

    @property
    def norm(self) -> LogNorm:
        """The same for matplotlib."""
        return LogNorm(self.low, self.high)

    def clipped(self, gamma: np.ndarray) -> np.ndarray:
        """Bring values onto the scale; what is not a number lies beyond it, as for the halting rule."""
        clipped: np.ndarray = np.clip(np.nan_to_num(gamma, nan=self.high, posinf=self.high), self.low, self.high)
        return clipped

    def logarithms(self, gamma: np.ndarray) -> np.ndarray:
        """Return the decimal logarithm of values brought onto the scale."""
        logarithms: np.ndarray = np.log10(self.clipped(gamma))
        return logarithms

    def share(self, gamma: float) -> float:
        """Return how far along the scale a value is, 0 to 1."""
        low, value, high = self.logarithms(np.array([self.low, gamma, self.high]))
        return float((value - low) / (high - low))

    def colours(self, n: int = 16) -> list[str]:
        """Return evenly spaced colours of the scale, ``#rrggbb``."""
        return [to_hex(colour) for colour in colormaps[COLOUR_MAP](np.linspace(0, 1, n))]


def scale_with(thresholds: Sequence[float]) -> Scale:
    """Make the scale on which thresholds can be marked.

    Parameters
    ----------
    thresholds
        The three of a halt, or none.

    Returns
    -------
    Scale
        With `GAMMA_RANGE`, unless one of them lies outside.
    """
    low, high = GAMMA_RANGE
    if thresholds and (min(thresholds) <= low or max(thresholds) >= high):
        low, high = 0.15 * min(thresholds), 1.5 * max(thresholds)
    return Scale(low=low, high=high, marks=tuple(thresholds))

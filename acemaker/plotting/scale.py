"""Colors of gamma: one logarithmic scale, so that a color has the same meaning in every figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LogNorm, to_hex

GAMMA_RANGE = (0.3, 30.0)
"""Range for all halts and generations; thresholds outside of it, of measures other than gamma, extend it."""

COLOR_MAP = "plasma"
"""Color map with monotonic lightness, so that it can also be read in gray."""

NAMES = ("epicenter", "halt", "break")
"""Effects of the three thresholds."""

THRESHOLD_COLOR, THRESHOLD_OUTLINE = "#595959", "#ffffff"
"""Colors of every line that marks a threshold or tolerance, and of its outline where the background is colored; in the
notation that matplotlib, HTML and CSS share."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Mapping from gamma to color.

    Attributes
    ----------
    low, high : float
        Gamma below and above which the color does not change, dimensionless.
    marks : tuple of float
        ``threshold_add_train``, ``threshold_call_dft`` and ``threshold_break``; empty if they are unknown.
    """

    low: float = GAMMA_RANGE[0]
    high: float = GAMMA_RANGE[1]
    marks: tuple[float, ...] = ()

    @property
    def norm(self) -> LogNorm:
        """The scale as a matplotlib norm."""
        return LogNorm(self.low, self.high)

    def clipped(self, gamma: np.ndarray) -> np.ndarray:
        """Clip values to the scale; NaN counts as above it, as for the halting rule."""
        clipped: np.ndarray = np.clip(np.nan_to_num(gamma, nan=self.high, posinf=self.high), self.low, self.high)
        return clipped

    def logarithms(self, gamma: np.ndarray) -> np.ndarray:
        """Return the decimal logarithm of values clipped to the scale."""
        logarithms: np.ndarray = np.log10(self.clipped(gamma))
        return logarithms

    def share(self, gamma: float) -> float:
        """Return the position of a value along the scale, from 0 to 1."""
        low, value, high = self.logarithms(np.array([self.low, gamma, self.high]))
        return float((value - low) / (high - low))

    def colors(self, n: int = 16) -> list[str]:
        """Return evenly spaced colors of the scale, ``#rrggbb``."""
        return [to_hex(color) for color in colormaps[COLOR_MAP](np.linspace(0, 1, n))]


def scale_with(thresholds: Sequence[float]) -> Scale:
    """Return a scale that contains the thresholds.

    Parameters
    ----------
    thresholds
        The three thresholds of a halt, or none.

    Returns
    -------
    Scale
        A scale of `GAMMA_RANGE`, unless a threshold is outside of it.
    """
    low, high = GAMMA_RANGE
    if thresholds and (min(thresholds) <= low or max(thresholds) >= high):
        low, high = 0.15 * min(thresholds), 1.5 * max(thresholds)
    return Scale(low=low, high=high, marks=tuple(thresholds))

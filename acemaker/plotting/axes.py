"""What several figures do to their axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

POINTS = 1500
"""Points of a curve at most: more than pixels across."""


def even_legend(axes: Axes, **how: Any) -> None:
    """Make a legend whose points are of one size, however small those of the picture are.

    Parameters
    ----------
    axes
        Whose points are drawn by `plot`.
    **how
        As `Axes.legend` takes it.
    """
    for handle in axes.legend(**how).legend_handles:
        if isinstance(handle, Line2D):
            handle.set_markersize(5)
            handle.set_alpha(1)


def plain_log_ticks(axis: Axis) -> None:
    """Label a logarithmic axis at 1, 2, 5 of every decade with plain numbers.

    Parameters
    ----------
    axis
        ``axes.xaxis`` or ``axes.yaxis``.
    """
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def thinned(steps: np.ndarray, values: np.ndarray, most: int = POINTS) -> tuple[np.ndarray, np.ndarray]:
    """Leave out points of a curve where there are more than pixels; the largest and smallest of each group stay.

    Parameters
    ----------
    steps, values : ndarray, shape (n,)
        The curve.
    most
        Points to be left, about.

    Returns
    -------
    steps, values : ndarray
    """
    if len(steps) <= most:
        return steps, values
    group = -(-2 * len(steps) // most)
    whole = len(steps) // group * group
    rows = np.nan_to_num(values[:whole]).reshape(-1, group)
    offsets = np.arange(0, whole, group)
    kept = np.unique(
        np.concatenate([offsets + rows.argmin(axis=1), offsets + rows.argmax(axis=1), np.arange(whole, len(steps))])
    )
    return steps[kept], values[kept]

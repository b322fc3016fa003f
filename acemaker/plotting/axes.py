"""Legends, ticks, threshold lines and thinned curves that several figures share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from acemaker.config import OTFConfig
from acemaker.plotting.scale import NAMES, THRESHOLD_COLOR

POINTS = 1500
"""Maximum number of points of a curve: more than pixels across."""

THRESHOLD_WIDTH = 0.9

THRESHOLD_STYLES = dict(zip(NAMES, (":", "--", "-"), strict=True))
"""Line styles by the effect of a threshold."""

TOLERANCE: dict[str, Any] = {"color": THRESHOLD_COLOR, "lw": THRESHOLD_WIDTH, "linestyle": ":"}
"""Line of a tolerated force error, on the other axis than the thresholds of gamma."""

SPIKE: dict[str, Any] = {"mfc": "none", "mec": THRESHOLD_COLOR, "ms": 5, "mew": 0.8}
"""Marker of a check above a threshold that did not halt the run."""


def even_legend(axes: Axes, **options: Any) -> None:
    """Add a legend whose points all have the same size, independent of their size in the figure.

    Parameters
    ----------
    axes
        Axes whose points were drawn with `plot`.
    **options
        Options of `Axes.legend`.
    """
    for handle in axes.legend(**options).legend_handles:
        if isinstance(handle, Line2D):
            handle.set_markersize(5)
            handle.set_alpha(1)


def plain_log_ticks(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers at 1, 2 and 5 of each decade.

    Parameters
    ----------
    axis
        ``axes.xaxis`` or ``axes.yaxis``.
    """
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def thresholds_of(rule: OTFConfig) -> dict[str, float]:
    """Return the thresholds of a halting rule by their effect: epicenter, halt and break."""
    return dict(zip(NAMES, (rule.threshold_add_train, rule.threshold_call_dft, rule.threshold_break), strict=True))


def threshold_style(name: str) -> dict[str, Any]:
    """Return color, width and style of the line of a threshold.

    Parameters
    ----------
    name
        Effect of the threshold, one of `NAMES`.

    Returns
    -------
    dict
        Options of `Axes.plot` and `Axes.axhline`.
    """
    return {"color": THRESHOLD_COLOR, "lw": THRESHOLD_WIDTH, "ls": THRESHOLD_STYLES[name]}


def threshold_lines(
    axes: Axes,
    thresholds: Mapping[str, float],
    *,
    vertical: bool = False,
    label: str = "{name} ({value:g})",
) -> list[Line2D]:
    """Draw thresholds of gamma as lines across the axes.

    Parameters
    ----------
    axes
        Axes with gamma along y, or along x if `vertical`.
    thresholds
        Values by effect, which determines the style of the line: some of `NAMES`.
    vertical
        Whether the lines are vertical.
    label
        Template of the labels for the legend.

    Returns
    -------
    list of Line2D
    """
    draw_line = axes.axvline if vertical else axes.axhline
    lines = []
    for name, value in thresholds.items():
        text = label.format(name=name, value=value)
        lines.append(draw_line(value, label=text, **threshold_style(name)))
    return lines


def tolerance_line(axes: Axes, tolerance: float, label: str = "tolerance ({value:g} meV/Å)") -> Line2D:
    """Draw the tolerated force error as a line across the axes.

    Parameters
    ----------
    axes
        Axes with the force error along y.
    tolerance
        Tolerated force error in meV/Å.
    label
        Template of the label for the legend.

    Returns
    -------
    Line2D
    """
    text = label.format(value=tolerance)
    return axes.axhline(tolerance, label=text, **TOLERANCE)


def thinned(steps: np.ndarray, values: np.ndarray, most: int = POINTS) -> tuple[np.ndarray, np.ndarray]:
    """Reduce the number of points of a curve, keeping the largest and smallest value of each group.

    Parameters
    ----------
    steps, values : ndarray, shape (n,)
        The curve.
    most
        Approximate number of points to return.

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
    indices = np.unique(
        np.concatenate([offsets + rows.argmin(axis=1), offsets + rows.argmax(axis=1), np.arange(whole, len(steps))])
    )
    return steps[indices], values[indices]

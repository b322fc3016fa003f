"""What several figures do to their axes."""

from __future__ import annotations

from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter


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

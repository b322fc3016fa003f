"""Draw what label_systems.py has found: python benchmarks/label_systems_picture.py RESULTS.csv PICTURE.png."""

from __future__ import annotations

import sys
from pathlib import Path

from equal_error import Point, medians
from label_strategies import SMALLER, STRATEGIES, TRUE, WHOLE
from label_systems import KEY
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from rows import read_rows
from systems import SYSTEMS

STYLES = {
    WHOLE: ("C3", "D", "none"),
    SMALLER: ("C2", "s", "none"),
    TRUE: ("0.5", "^", "-"),
    "own run, random frames": ("C0", "o", "-"),
    "own run, every N-th frame": ("C4", "v", "-"),
    "own run, the last frame": ("C1", "x", "-"),
}


def main() -> None:
    """Draw error against labels above, and against their cost below, a column a system."""
    rows = list(read_rows(Path(sys.argv[1]), KEY).values())
    figure = Figure(figsize=(12.6, 6.4), layout="constrained")
    axes = figure.subplots(2, len(SYSTEMS), sharey="col", squeeze=False)
    for column, system in enumerate(SYSTEMS):
        for axis, labels in zip(axes[:, column], (True, False), strict=True):
            for name in STRATEGIES:
                _draw(axis, name, medians(rows, system.name, name), labels=labels)
            axis.set_xscale("log")
            axis.set_yscale("log")
            for one in (axis.xaxis, axis.yaxis):
                one.set_major_locator(LogLocator(subs=(1, 2, 5)))
                one.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                one.set_minor_formatter(NullFormatter())
            axis.set_xlabel("labels" if labels else "cost / labels of all atoms")
        axes[0, column].set_title(system.name, fontsize=10)
    for axis in axes[:, 0]:
        axis.set_ylabel("force RMSE / (meV/Å)")
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, fontsize=9)
    figure.savefig(sys.argv[2], dpi=100)


def _draw(axis: Axes, name: str, points: list[Point], *, labels: bool) -> None:
    """Draw one strategy: a mark a point at the median of its seeds, and a line from the least to the largest."""
    color, marker, line = STYLES[name]
    across = [one.labels if labels else one.cost for one in points]
    errors = [one.error for one in points]
    axis.plot(across, errors, color=color, marker=marker, ls=line, lw=1, ms=6, label=name)
    for x, one in zip(across, points, strict=True):
        axis.plot([x, x], [one.least, one.largest], color=color, lw=2, alpha=0.5)


if __name__ == "__main__":
    main()

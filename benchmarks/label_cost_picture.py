"""Draw what benchmarks/label_cost.py has found: python benchmarks/label_cost_picture.py RESULTS.csv PICTURE.png."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from label_cost import KEY
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from rows import Row, read_rows

KINDS = {
    "halted structure alone": ("whole cells, the halted structure alone", "C3", "D"),
    "by chance": ("whole cells, candidates by chance", "C1", "x"),
    "random_displacement": ("whole cells, some random displacements", "C0", "o"),
    "normal_modes": ("whole cells, some along normal modes", "C4", "v"),
    "md_burst": ("whole cells, some out of bursts", "C5", "P"),
    "strain": ("whole cells, some strained", "C9", "*"),
    "embedded": ("small cells around the epicenter, of so many atoms", "C2", "s"),
    "frames": ("frames of a true trajectory, which nobody has", "0.5", "^"),
}


def main() -> None:
    """Draw force error against labels and against cost, a mark a setting at the median of its seeds."""
    rows = list(read_rows(Path(sys.argv[1]), KEY).values())
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    by_labels, by_cost = figure.subplots(1, 2, sharey=True)
    _draw(by_labels, rows, "labels")
    _draw(by_cost, rows, "cost")
    by_labels.set_xlabel("labels")
    by_labels.set_ylabel("force RMSE / (meV/Å)")
    by_cost.set_xlabel("cost of all labels: atoms cubed, in labels of the 108 atoms that run")
    figure.legend(*by_labels.get_legend_handles_labels(), fontsize=8, loc="outside upper center", ncols=3)
    figure.savefig(sys.argv[2], dpi=110)


def _draw(axis: Axes, rows: Sequence[Row], column: str) -> None:
    """Fill one panel: the range over the seeds is a line."""
    for word, (label, color, marker) in KINDS.items():
        names = [name for name in dict.fromkeys(row["setting"] for row in rows) if _kind(name) == word]
        for number, name in enumerate(names):
            own = [row for row in rows if row["setting"] == name]
            across = statistics.median(float(row[column]) for row in own)
            errors = [float(row["force_rmse_meV_per_A"]) for row in own]
            middle = statistics.median(errors)
            axis.plot([across, across], [min(errors), max(errors)], color=color, lw=1)
            axis.plot(across, middle, marker, color=color, ms=7, label=None if number else label)
            axis.annotate(
                _short(name),
                (across, middle),
                xytext=(5, 4),
                textcoords="offset points",
                fontsize=7,
                color=color,
            )
    axis.set_xscale("log")
    axis.margins(x=0.15)
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())


def _short(name: str) -> str:
    """Say of how many atoms small cells are: of all others the legend and the axis say enough."""
    if not name.startswith("embedded"):
        return ""
    return name.removeprefix("embedded, ").replace(" atoms", "").replace(" random_displacement", " a halt")


def _kind(name: str) -> str:
    if name.startswith("embedded"):
        return "embedded"
    return next(word for word in KINDS if word in name)


if __name__ == "__main__":
    main()

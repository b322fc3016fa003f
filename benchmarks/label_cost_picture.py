"""Draw what benchmarks/label_cost.py has found: python benchmarks/label_cost_picture.py RESULTS.csv PICTURE.png."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from label_cost import KEY
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from rows import read_rows

KINDS = {
    "halted structure alone": ("whole cells, the halted structure alone", "C3", "D"),
    "by chance": ("whole cells, candidates by chance", "C1", "x"),
    "random_displacement": ("whole cells, some random displacements", "C0", "o"),
    "normal_modes": ("whole cells, some along normal modes", "C4", "v"),
    "md_burst": ("whole cells, some out of bursts", "C5", "P"),
    "strain": ("whole cells, some strained", "C9", "*"),
    "embedded": ("small cells around the epicentre", "C2", "s"),
    "frames": ("frames of a true trajectory, which nobody has", "0.5", "^"),
}


def main() -> None:
    """Draw force error against cost, a mark a setting at the median of its seeds."""
    rows = read_rows(Path(sys.argv[1]), KEY).values()
    figure = Figure(figsize=(8.4, 4.4), layout="constrained")
    axis = figure.subplots()
    for word, (label, colour, marker) in KINDS.items():
        names = [name for name in dict.fromkeys(row["setting"] for row in rows) if _kind(name) == word]
        for number, name in enumerate(names):
            own = [row for row in rows if row["setting"] == name]
            cost = statistics.median(float(row["cost"]) for row in own)
            errors = [float(row["force_rmse_meV_per_A"]) for row in own]
            middle = statistics.median(errors)
            axis.plot([cost, cost], [min(errors), max(errors)], color=colour, lw=1)
            axis.plot(cost, middle, marker, color=colour, ms=7, label=None if number else label)
            axis.annotate(
                _short(name), (cost, middle), xytext=(5, 4), textcoords="offset points", fontsize=7, color=colour
            )
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlabel("cost of all labels: atoms cubed, in labels of the 108 atoms that run")
    axis.set_ylabel("force RMSE / (meV/Å)")
    axis.legend(fontsize=8, loc="upper right")
    figure.savefig(sys.argv[2], dpi=110)


def _short(name: str) -> str:
    """Say how many labels a halt, or of how many atoms: the rest is in the legend."""
    words = name.partition(" frames")[0].removeprefix("embedded, ").replace(" random_displacement", " a halt")
    if name.startswith("whole"):
        return name.split()[1]
    return "" if name == "halted structure alone" else words


def _kind(name: str) -> str:
    if name.startswith("embedded"):
        return "embedded"
    return next(word for word in KINDS if word in name)


if __name__ == "__main__":
    main()

"""Draw what benchmarks/label_cost.py has found: python benchmarks/label_cost_picture.py RESULTS.csv PICTURE.png."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from label_cost import read_rows
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

KINDS = {
    "halted structure alone": ("whole cells, the halted structure alone", "C3", "D"),
    "whole": ("whole cells, 2 to 10 a halt", "C0", "o"),
    "embedded": ("small cells around the epicentre", "C2", "s"),
    "frames": ("frames of a true trajectory, which nobody has", "0.5", "^"),
}


def main() -> None:
    """Draw force error against cost, a mark a setting at the median of its seeds."""
    rows = read_rows(Path(sys.argv[1])).values()
    figure = Figure(figsize=(7.6, 4.2), layout="constrained")
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
            above = (5, 4) if number % 2 else (5, -11)
            axis.annotate(_short(name), (cost, middle), xytext=above, textcoords="offset points", fontsize=7)
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlabel("cost of all labels: atoms cubed, in labels of the 108 atoms that run")
    axis.set_ylabel("force RMSE / (meV/Å)")
    axis.legend(fontsize=8)
    figure.savefig(sys.argv[2], dpi=110)


def _short(name: str) -> str:
    words = name.removeprefix("whole, ").removeprefix("embedded, ").partition(" frames")[0]
    for long, short in {"random_displacement": "random", "normal_modes": "modes", "md_burst": "burst"}.items():
        words = words.replace(long, short)
    return words


def _kind(name: str) -> str:
    return next(word for word in KINDS if word in name)


if __name__ == "__main__":
    main()

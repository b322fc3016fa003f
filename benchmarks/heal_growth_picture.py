"""Draw what benchmarks/heal_growth.py has kept: python benchmarks/heal_growth_picture.py RESULTS.json PICTURE.png."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from matplotlib.figure import Figure


def main() -> None:
    """Draw the time of a heal against labels, and that of a campaign of many halts beside it."""
    rows = json.loads(Path(sys.argv[1]).read_text())["tables"][0]["rows"]
    *grown, long = [[float(value) for value in row] for row in rows]
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axis = figure.subplots()
    labels = [row[0] for row in grown]
    for column, colour, name in ((2, "C0", "a heal"), (3, "C1", "of it solving the least squares")):
        axis.plot(
            labels, [row[column] for row in grown], "o-", color=colour, label=f"{name}, at {grown[0][1]:.0f} halts"
        )
        axis.plot(long[0], long[column], "D", color=colour, mfc="none", ms=8, label=f"{name}, at {long[1]:.0f} halts")
    axis.set_xscale("log")
    axis.set_ylim(bottom=0)
    axis.set_xlabel("labelled structures")
    axis.set_ylabel("from halt to resumed, without the oracle / s")
    axis.legend(fontsize=8)
    figure.savefig(sys.argv[2], dpi=110)


if __name__ == "__main__":
    main()

"""How long the workshop's notebooks compute: python benchmarks/workshop.py [--solutions].

Each is run by papermill as it stands, in a folder of its own, one after the other.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
from pathlib import Path

import papermill
from outcome import Outcome

WORKSHOP = Path(__file__).parents[1] / "notebooks" / "workshop"
LONGEST = 120.0
"""s of computing, of any of them."""


def main(solved: bool) -> None:
    """Print the wall time of each notebook and of its slowest cell."""
    outcome = Outcome("How long the workshop's notebooks compute")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    outcome.table({"notebook": "", "in all / s": ".1f", "slowest cell / s": ".1f", "that cell": ""})
    longest = 0.0
    folder = WORKSHOP / "solutions" if solved else WORKSHOP
    with tempfile.TemporaryDirectory() as scratch:
        for path in sorted(folder.glob("*.ipynb")):
            done = papermill.execute_notebook(
                path, Path(scratch) / path.name, cwd=scratch, kernel_name="python3", progress_bar=False
            )
            seconds = done.metadata.papermill.duration
            cells = [cell for cell in done.cells if cell.cell_type == "code"]
            slowest = max(cells, key=lambda cell: cell.metadata.papermill.duration)
            first = slowest.source.splitlines()[0]
            outcome.row(path.stem, seconds, slowest.metadata.papermill.duration, first)
            longest = max(longest, seconds)
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    outcome.note(f"The largest memory of a kernel was {largest:.0f} MiB.")
    outcome.at_most("the longest notebook", longest, LONGEST, "s")
    outcome.finish()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--solutions", action="store_true", help="the solved ones")
    main(parser.parse_args(sys.argv[1:]).solutions)

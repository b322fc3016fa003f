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
from common import print_machine

WORKSHOP = Path(__file__).parents[1] / "notebooks" / "workshop"


def main(solved: bool) -> None:
    """Print the wall time of each notebook and of its slowest cell."""
    print_machine()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(f"{'notebook':>28} {'in all':>8} {'slowest':>8}  cell")
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
            print(f"{path.stem:>28} {seconds:6.1f} s {slowest.metadata.papermill.duration:6.1f} s  {first}", flush=True)
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"largest memory of a kernel: {largest:.0f} MiB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--solutions", action="store_true", help="the solved ones")
    main(parser.parse_args(sys.argv[1:]).solutions)

"""How long `import acemaker` takes beyond starting Python: python benchmarks/import_time.py."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from outcome import Outcome

RUNS, BOUND = 15, 0.3  # s


def seconds(code: str) -> float:
    """Time one fresh interpreter."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started


def main() -> None:
    """Print the median, and fail above the bound."""
    outcome = Outcome("Importing acemaker")
    empty, full = [], []
    for _ in range(RUNS):
        empty.append(seconds("pass"))
        full.append(seconds("import acemaker"))
    python, both = statistics.median(empty), statistics.median(full)
    outcome.table({"Python alone / s": ".3f", "with acemaker / s": ".3f"})
    outcome.row(python, both)
    outcome.at_most("import acemaker beyond Python's own start", both - python, BOUND, "s")
    outcome.finish()


if __name__ == "__main__":
    main()

"""How long `import acemaker` takes beyond starting Python: python benchmarks/import_time.py."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS, BOUND = 15, 0.3  # s


def seconds(code: str) -> float:
    """Time one fresh interpreter."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started


def main() -> None:
    """Print the median, and fail above the bound."""
    empty, full = [], []
    for _ in range(RUNS):
        empty.append(seconds("pass"))
        full.append(seconds("import acemaker"))
    cost = statistics.median(full) - statistics.median(empty)
    print(f"import acemaker: {cost:.3f} s beyond Python's own {statistics.median(empty):.3f} s (bound {BOUND} s)")
    sys.exit(cost > BOUND)


if __name__ == "__main__":
    main()

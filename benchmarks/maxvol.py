"""MaxVol over very many environments, beside pyace's own: python benchmarks/maxvol.py [ENVIRONMENTS FUNCTIONS].

B-projections of copper, crystals and melts of several densities, by default of 100,000 environments in 500 functions.
Each contender chooses the active set in a process of its own, on one core: acemaker's as it makes generation 1, pyace's
`compute_active_set` as `pace_activeset` calls it (at most 300 swaps, done or not), and the same let go on to its end.
Told are processor time, peak memory beyond what the process has before it starts, and what is found: the determinant,
and the largest gamma of any environment. Fails if acemaker's takes longer, or more memory, than pyace's that is led to
its end, or leaves an environment above gamma 1.01.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from ase.build import bulk
from outcome import Outcome

from acemaker.config import PotentialConfig
from acemaker.potentials.basis import Basis
from acemaker.potentials.design import DesignBuilder

ENVIRONMENTS, FUNCTIONS = 100_000, 500
CELL = 4  # repeats of the cubic cell
ORDERS = {"nradmax_by_orders": (20, 10, 6, 4), "lmax_by_orders": (0, 6, 4, 3)}

CONTENDERS = {
    "acemaker": "build_active_set(['Cu'], [rows.shape[1]], [[rows]]).matrices[0]",
    "pyace, as pace_activeset calls it": "compute_active_set({0: rows}, tol=1.01, max_iters=300)[0]",
    "pyace, to its end": "compute_active_set({0: rows}, tol=1.001, max_iters=10**6)[0]",
}

CHILD = """
import json, re, sys, time
from pathlib import Path
import numpy as np
from acemaker.potentials.active_set import build_active_set
from acemaker.potentials.pyace_library import load_pyace
load_pyace()
from pyace.activelearning import compute_active_set
def memory(what):
    return int(re.search(what + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1e3
rows = np.load(sys.argv[1])
Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
before, started = memory("VmRSS"), time.process_time()
matrix = {call}
seconds = time.process_time() - started
more = memory("VmHWM") - before
inverse = np.linalg.inv(matrix)
gamma = max(float(np.abs(rows[at : at + 1000] @ inverse).max()) for at in range(0, len(rows), 1000))
print(json.dumps([seconds, more, float(np.linalg.slogdet(matrix)[1]), gamma]))
"""


def main() -> None:
    """Print the table, and fail beyond the bounds."""
    n_rows, n_functions = [int(word) for word in sys.argv[1:]] or (ENVIRONMENTS, FUNCTIONS)
    outcome = Outcome("MaxVol over very many environments", seeds=(0,))
    outcome.table(
        {"active set by": "", "time / s": ".1f", "memory / MB": ".0f", "ln |det|": ".2f", "largest gamma": ".4f"},
        f"{n_rows:,} environments, {n_functions} functions: {8e-6 * n_rows * n_functions:.0f} MB of projections",
    )
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.npy"
        np.save(file, projections(n_rows, n_functions))
        for name, call in CONTENDERS.items():
            found[name] = choose(call, file)
            outcome.row(name, *found[name])
    (ours, memory, volume, gamma), _, (theirs, their_memory, their_volume, _) = found.values()
    outcome.at_most("MaxVol's time to pyace's", ours / theirs, 1.0)
    outcome.at_most("MaxVol's memory to pyace's", memory / their_memory, 1.0)
    outcome.at_most("largest gamma of a trained environment", gamma, 1.01)
    outcome.note(
        f"acemaker's volume is e^{volume - their_volume:.2f} times that of pyace's: each is the largest up to single "
        "swaps, and there are many such."
    )
    outcome.finish()


def projections(n_rows: int, n_functions: int) -> np.ndarray:
    """Compute the B-projections of many copper atoms."""
    config = PotentialConfig.model_validate({"n_functions": n_functions, **ORDERS})
    builder, rng = DesignBuilder(Basis.create(config, ["Cu"])), np.random.default_rng(0)
    rows: list[np.ndarray] = []
    while sum(map(len, rows)) < n_rows:
        atoms = bulk("Cu", "fcc", a=3.615 * rng.uniform(0.97, 1.06), cubic=True).repeat(CELL)
        atoms.positions += rng.normal(scale=rng.uniform(0.05, 0.4), size=atoms.positions.shape)
        rows.append(builder.projections(atoms)[0])
    return np.vstack(rows)[:n_rows]


def choose(call: str, file: Path) -> tuple[float, float, float, float]:
    """Let one of them choose: s, MB, ln |det| and the largest gamma."""
    command = [sys.executable, "-c", CHILD.format(call=call), str(file)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(command, env={**os.environ, **threads}, stdout=subprocess.PIPE, text=True, check=True)
    seconds, memory, volume, gamma = json.loads(done.stdout.splitlines()[-1])
    return seconds, memory, volume, gamma


if __name__ == "__main__":
    main()

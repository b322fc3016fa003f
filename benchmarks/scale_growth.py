"""How a campaign's files and the shared store bear very many labels."""

from __future__ import annotations

import hashlib
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from journal import LABELS_A_HALT, write

from acemaker.config import OracleConfig
from acemaker.loop.label_store import LabelStore
from acemaker.loop.labels import label_key
from acemaker.loop.store import Store
from acemaker.testing import ToyOracle

NOTING = """
import resource, statistics, sys, time
from pathlib import Path
import numpy as np
from acemaker import Campaign
from acemaker.loop.labels import CampaignLabels
from acemaker.loop.store import Store
from acemaker.results import Candidates
from acemaker.testing import ToyEngine, ToyOracle

def timed(do):
    before = time.perf_counter()
    return do(), time.perf_counter() - before

directory, walkers = Path(sys.argv[1]), int(sys.argv[2])
campaign, opened = timed(lambda: Campaign.open(directory, engine=ToyEngine(), oracle=ToyOracle()))
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
assert len({event["walker"] for event in campaign.progress.segments}) == len(campaign.progress.walkers) == walkers
journaled, oracle = campaign._journaled, ToyOracle()
events = [timed(lambda: journaled.append("note"))[1] for _ in range(50)]
labels, notes = CampaignLabels(journaled, Store(directory)), []
for number in range(1, 13):
    atoms = campaign.initial_structure().copy()
    atoms.rattle(0.02, seed=number)
    none = np.zeros(1)
    candidates = Candidates(
        halt_number=10**6 + number,
        structures=(atoms,),
        origins=("halted structure",),
        gamma_max=none,
        distance_min=none,
        map=np.zeros((1, 2)),
    )
    (job,), labeled = labels.jobs(candidates), oracle.label(atoms)

    def note():
        assert labels.find(job) is None
        labels.store(job, labeled)

    notes.append(timed(note)[1])
n_segments = len(campaign.progress.segments)
first, then = (timed(lambda: campaign._work._store.keep_checkpoints([None], n_segments))[1] for _ in range(2))
print(opened, memory, statistics.median(events), statistics.median(notes), first, then)
"""


def campaign_of(directory: Path, n_labels: int, walkers: int) -> tuple[float, ...]:
    """Write the journal of a campaign, open it in another process, and go on there.

    Parameters
    ----------
    directory
        Of the campaign; it is made.
    n_labels
        At its halts.
    walkers
        Trajectories that halt by turns.

    Returns
    -------
    tuple of float
        MB of the journal; s to open it; MB of memory then; s for an event, for a label that is looked for, not found
        and noted, for the first look for old checkpoints and for the next.
    """
    n_halts = n_labels // LABELS_A_HALT
    walkers = min(walkers, n_halts)
    write(directory, n_halts, walkers)
    store = Store(directory)
    for number in range(1, n_halts + 1):
        store.segment(number).mkdir(parents=True, exist_ok=True)
    size = store.journal.stat().st_size / 1e6
    command = [sys.executable, "-c", NOTING, str(directory), str(walkers)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return size, *map(float, done.stdout.split())


def largest_folder(n_labels: int) -> int:
    """Count the files in the fullest folder of labels."""
    store, chosen = Store(Path()), range(LABELS_A_HALT)
    files = (store.label(halt, candidate) for halt in range(1, n_labels // LABELS_A_HALT + 1) for candidate in chosen)
    return max(Counter(file.parent for file in files).values())


class Shared:
    """A store of labels that grows.

    Parameters
    ----------
    folder
        Where it is made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._config = OracleConfig(oracle="emt")
        self._store = LabelStore(folder, "benchmark")
        self._start = bulk("Cu", cubic=True).repeat(2)
        self._oracle, self._rng = ToyOracle(), np.random.default_rng(1)
        self._kept: list[str] = []

    def grow(self, total: int, real: int = 30) -> float:
        """Have so many labels in it, some of which can be looked up; return s for keeping one of these."""
        here = sum(1 for _ in self.folder.glob("*/*"))
        times = []
        for _ in range(real):
            labeled = self._oracle.label(self._new())
            key = label_key(labeled, self._config)
            times.append(seconds(lambda key=key, labeled=labeled: self._store.keep(key, labeled)))  # type: ignore[misc]
            self._kept.append(key)
        content = next(self.folder.glob("*/*")).read_bytes()
        for number in range(here + real, total):
            file = self._store._file(hashlib.sha256(f"{number}".encode()).hexdigest()[:20])
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
        return statistics.median(times)

    def look_up(self) -> tuple[float, float]:
        """Return s for a label that is there, and for one that is not."""
        chosen = self._rng.choice(self._kept, 30)
        there = [seconds(lambda key=key: self._found(key, True)) for key in chosen]  # type: ignore[misc]
        missing = [label_key(self._new(), self._config) for _ in range(30)]
        absent = [seconds(lambda key=key: self._found(key, False)) for key in missing]  # type: ignore[misc]
        return statistics.median(there), statistics.median(absent)

    def folders(self) -> int:
        """Count the files in the fullest folder."""
        return max(sum(1 for _ in folder.iterdir()) for folder in self.folder.iterdir())

    def _found(self, key: str, expected: bool) -> None:
        found = self._store.find(key, lambda atoms: label_key(atoms, self._config))
        assert (found is not None) is expected

    def _new(self) -> Atoms:
        atoms = self._start.copy()
        atoms.positions = np.round(atoms.positions + self._rng.normal(0, 0.02, atoms.positions.shape), 8)
        return atoms


def seconds(do: Callable[[], object]) -> float:
    """Time something."""
    before = time.perf_counter()
    do()
    return time.perf_counter() - before


def sizes(total: int) -> Sequence[int]:
    """Return a hundredth, a tenth and the whole of it."""
    return total // 100, total // 10, total

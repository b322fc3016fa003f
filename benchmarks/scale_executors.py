"""What a label costs beyond the oracle, by where it is made."""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from acemaker import Campaign, CampaignConfig
from acemaker.loop.store import Store
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.testing import ToyEngine, toy_config

ROOT = Path(__file__).parents[1]

PLACES: dict[str, dict[str, Any]] = {
    "threads: this process": {"labeling": {"executor": "threads"}},
    "threads: a process each": {"labeling": {"executor": "threads"}, "label_process": "own"},
    "processes": {"labeling": {"executor": "processes"}},
    "dask": {"labeling": {"executor": "dask"}},
    "slurm: a job each": {"labeling": {"executor": "slurm", "executor_arguments": {"exclusive": True}}},
}
"""By what people call it."""


def overheads(n_labels: int, places: Sequence[str] = tuple(PLACES)) -> Iterator[tuple[str, float, float]]:
    """Label the first structures of a small campaign at each place that is here.

    Parameters
    ----------
    n_labels
        How many.
    places
        Of `PLACES`; those that are not here are left out.

    Yields
    ------
    place : str
    first : float
        s, until the first label is kept, with all that is started for it.
    each : float
        s, for each further one, the oracle's own time taken off.
    """
    with slurm() if any("slurm" in name for name in places) else nullcontext(False) as has_slurm:
        for name, place in ((name, PLACES[name]) for name in places):
            kind = place["labeling"]["executor"]
            if (kind == "slurm" and not has_slurm) or (kind == "dask" and find_spec("distributed") is None):
                continue
            given = toy_config().model_dump()
            given["system"]["n_first"] = n_labels
            given["oracle"]["label_process"] = place.get("label_process", "auto")
            config = CampaignConfig(**{**given, "labeling": {"n_parallel_labels": 1, **place["labeling"]}})
            with tempfile.TemporaryDirectory() as folder:
                yield (name, *_labeled(Path(folder) / "campaign", config))


def _labeled(directory: Path, config: CampaignConfig) -> tuple[float, float]:
    oracle, taken = CalculatorOracle.from_config(config.oracle, ("Cu",)), []
    with Campaign.create(directory, config, engine=ToyEngine()) as campaign:
        started = time.time()
        labels = campaign.label()
    for atoms in labels.structures:
        before = time.perf_counter()
        oracle.label(atoms)
        taken.append(time.perf_counter() - before)
    store = Store(directory)
    kept = sorted(store.label(None, candidate).stat().st_mtime for candidate in labels.candidates)
    return kept[0] - started, (kept[-1] - kept[0]) / (len(kept) - 1) - statistics.median(taken)


@contextmanager
def slurm() -> Iterator[bool]:
    """Have a SLURM that answers: the one that is here, or one that ``ACEMAKER_SLURM_LOCAL`` starts, as for the tests.

    Yields
    ------
    bool
        Whether there is one.
    """
    starter = os.environ.get("ACEMAKER_SLURM_LOCAL")
    if find_spec("executorlib") is None or find_spec("pysqa") is None:
        yield False
        return
    if not starter:
        yield shutil.which("sinfo") is not None and not subprocess.run(["sinfo", "-h"], capture_output=True).returncode
        return
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "acemaker/slurm"
    command = ["bash", str(ROOT / "tests/labeling/start_slurm.sh"), starter, str(cache)]
    before = dict(os.environ)
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        said = [line.rstrip("\n") for line in iter(process.stdout.readline, "ready\n")]
        os.environ.update(dict(line.split("=", 1) for line in said))
        yield True
    finally:
        os.environ.clear()
        os.environ.update(before)
        process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)

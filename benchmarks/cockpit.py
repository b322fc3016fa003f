"""The cockpit on a campaign of many halts, on the toy engine: python benchmarks/cockpit.py [HALTS].

Times to open it and to update it, what threads and memory 1,000 updates leave, and the size of the widgets' state,
which is what a notebook saves.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from ipywidgets.embed import dependency_state
from ipywidgets.widgets.widget import _instances
from outcome import Outcome

from acemaker import Campaign
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from acemaker.widgets.cockpit import Cockpit

OPEN, UPDATE, SAVED, GROWTH = 2.0, 0.05, 5.0, 10.0  # s, s, MB, MB


def main() -> None:
    """Print the figures, and fail beyond the bounds."""
    n_halts = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    steps = 50 * (n_halts + 1)
    outcome = Outcome("The cockpit on a campaign of many halts")
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "campaign"
        engine = ToyEngine(steps=steps, gamma=halting_at(*range(50, steps, 50)))
        base = toy_config(max_otf_iterations=n_halts + 1, max_retries=2)
        config = base.model_copy(update={"engine": base.engine.model_copy(update={"steps": steps})})
        with Campaign.create(directory, config, engine=engine, oracle=ToyOracle()) as campaign:
            campaign.run()
            assert campaign.progress.halt == n_halts
        campaign = Campaign.open(directory, engine=engine, oracle=ToyOracle())
        started = time.perf_counter()
        cockpit = Cockpit(campaign)
        opened = time.perf_counter() - started
        times = []
        for _ in range(20):
            started = time.perf_counter()
            cockpit.update()
            times.append(time.perf_counter() - started)
        updated = statistics.median(times)
        threads, widgets, before = threading.active_count(), len(_instances), _memory()
        for _ in range(1000):
            cockpit.update()
        more_threads, more_widgets = threading.active_count() - threads, len(_instances) - widgets
        growth = _memory() - before
        saved = len(json.dumps(dependency_state([cockpit.box]))) / 1e6
        cockpit.close()
        campaign.close()
    outcome.table({"halts": "d", "opened / s": ".2f", "updated / ms": ".0f", "page's state / MB": ".2f"})
    outcome.row(n_halts, opened, 1e3 * updated, saved)
    outcome.at_most("opened", opened, OPEN, "s")
    outcome.at_most("updated", updated, UPDATE, "s")
    outcome.at_most("threads more after 1,000 updates", more_threads, 0)
    outcome.at_most("widgets more after 1,000 updates", more_widgets, 0)
    outcome.at_most("memory more after 1,000 updates", growth, GROWTH, "MB")
    outcome.at_most("widgets' state in the saved notebook", saved, SAVED, "MB")
    outcome.finish()


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()

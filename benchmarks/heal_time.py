"""From halt to resumed, without the oracle's own time: python benchmarks/heal_time.py.

108 copper atoms, 100 functions. A low threshold makes ten halts come soon. The clock runs from the return of
one `explore` to the first check of the next, so that loading potential and checkpoint counts. The soft start is
off: its steps are molecular dynamics with the new potential already. What the machine is worth at the moment stands
beside the result, as the time of one evaluation with gamma.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import timeit
from pathlib import Path

from common import copper
from heals import Stopwatch
from outcome import Outcome

from acemaker import Callback, Campaign, State
from acemaker.potentials.evaluator import evaluator_of

HEALS, BOUND, GROWTH = 10, 1.0, 1.5  # s, and the tenth to the first


def main() -> None:
    """Print each heal, the median and the growth, and fail beyond the bounds."""
    outcome = Outcome("From halt to resumed, without the oracle", seeds=(1,))
    outcome.table({"heal": "d", "time / s": ".3f"}, "108 copper atoms, 100 functions")
    config = copper(
        n_probes=0,  # only halts due to gamma are timed
        soft_start_steps=0,
        threshold_add_train=1.5,
        threshold_call_dft=2.5,
        steps=6000,
        temperature=(600.0, 2500.0),
    )
    oracle = Stopwatch.from_config(config.oracle, ("Cu",))
    assert isinstance(oracle, Stopwatch)
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign.create(Path(folder) / "campaign", config, oracle=oracle)
        campaign.prepare()
        heals: list[float] = []
        first_check: list[float] = []
        campaign.callbacks.append(Callback(on_check=lambda _: first_check.append(time.perf_counter())))
        halted, labeled = 0.0, 0.0
        while len(heals) < HEALS and campaign.state is not State.DONE:
            first_check.clear()
            campaign.explore()
            if halted:
                heals.append(first_check[0] - halted - labeled)
                outcome.row(len(heals), heals[-1])
            halted, oracle.seconds = time.perf_counter(), 0.0
            while campaign.state not in (State.EXPLORE, State.DONE):
                campaign.step()
            labeled = oracle.seconds
        assert campaign.generation is not None
        evaluator, atoms = evaluator_of(campaign.generation), campaign.initial_structure()
        once = statistics.median(timeit.repeat(lambda: evaluator.structure(atoms), number=1, repeat=30))
        campaign.close()
    # single heals scatter with the machine: medians of three stand beside the bounded ratio
    smooth = statistics.median(heals[-3:]) / statistics.median(heals[:3])
    median = statistics.median(heals)
    outcome.note(
        f"The median heal is {median / once:.0f} evaluations with gamma, of {1e3 * once:.1f} ms each at that moment; "
        f"medians of three, last to first: {smooth:.2f}."
    )
    outcome.at_least("heals", len(heals), HEALS)
    outcome.at_most("median heal", median, BOUND, "s")
    outcome.at_most("tenth heal to the first", heals[-1] / heals[0], GROWTH)
    outcome.finish()


if __name__ == "__main__":
    main()

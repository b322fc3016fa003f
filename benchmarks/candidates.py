"""What candidates cost by each strategy: python benchmarks/candidates.py.

At the first halt of the main job, 108 atoms and 100 functions: seconds a candidate, and the same in units of one
evaluation of energy and forces with gamma by the current potential.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import copper
from outcome import Outcome

from acemaker import Campaign, OTFConfig, State, steps
from acemaker.structures.computed import forces_of

STRATEGIES = ("random_displacement", "strain", "md_burst", "normal_modes")
REPEATS = 3


def main() -> None:
    """Print a row a strategy."""
    outcome = Outcome("What candidates cost by each strategy", seeds=(1,))
    with tempfile.TemporaryDirectory() as folder, Campaign.create(Path(folder) / "c", copper()) as campaign:
        while campaign.state is not State.HALT:
            campaign.step()
        diagnosis = campaign.diagnose()
        generation, trainer = campaign.generation, campaign._work.trainer()
        assert generation is not None
        calculator = generation.calculator()
        atoms = diagnosis.structure.copy()

        def evaluate() -> None:
            atoms.rattle(0.001, rng=np.random.default_rng(0))
            atoms.calc = calculator
            forces_of(atoms)

        evaluate()
        unit = _median(evaluate)
        outcome.table(
            {
                "strategy": "",
                "candidates": "d",
                "s a halt": ".2f",
                "ms a candidate": ".0f",
                "evaluations a candidate": ".1f",
            },
            f"One evaluation of {len(atoms)} atoms with gamma: {1e3 * unit:.0f} ms",
        )
        for strategy in STRATEGIES:
            rule = OTFConfig(n_candidates=10, n_select=1, strategies={strategy: 1.0})
            made: list[Any] = []

            def generate(rule: OTFConfig = rule, made: list[int] = made) -> None:
                candidates = steps.generate(
                    diagnosis,
                    rule,
                    np.random.default_rng(1),
                    trainer.grade,
                    temperature=1300.0,
                    calculator=generation.calculator,
                )
                made.append(len(candidates.structures) - 1)

            seconds = _median(generate)
            each = seconds / max(made[-1], 1)
            outcome.row(strategy, made[-1], seconds, 1e3 * each, each / unit)
    outcome.finish()


def _median(work: Callable[[], None]) -> float:
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


if __name__ == "__main__":
    main()

"""Baselines and pretraining against the fit alone, on silicon labeled by Quantum ESPRESSO (see silicon_labels.py).

    python benchmarks/delta_learning.py                # force errors by number of labels, three minutes
    python benchmarks/delta_learning.py --write        # and write results/delta_learning.csv
    python benchmarks/delta_learning.py --draw         # draw these for the docs
    python benchmarks/delta_learning.py --speed        # what a baseline costs in molecular dynamics

It needs chgnet and sevenn: pip install 'acemaker[universal]'.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from outcome import Outcome

from acemaker.config import EngineConfig, OTFConfig, PotentialConfig
from acemaker.engines.inprocess import InProcessEngine
from acemaker.engines.protocol import Request
from acemaker.oracles.oracle import with_results
from acemaker.potentials.baseline import Baseline
from acemaker.potentials.baseline_files import find_baseline
from acemaker.potentials.basis import Basis
from acemaker.potentials.calculator_baseline import CalculatorBaseline
from acemaker.potentials.design import Design, DesignBuilder
from acemaker.potentials.generation import Generation
from acemaker.potentials.linear import LeastSquares, Rows
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.potentials.ridge_prior import Prior, prior_of
from acemaker.potentials.targets import reference_energies, structure_rows
from acemaker.potentials.threads import single_threaded
from acemaker.structures.computed import forces_of
from acemaker.structures.files import read_structures
from acemaker.structures.pretraining import pretraining_structures, springs_of

HERE = Path(__file__).parent
LABELS, RESULTS = HERE / "data" / "silicon.extxyz", HERE / "results" / "delta_learning.csv"
FIGURE = HERE.parent / "docs" / "images" / "delta_learning.png"
N_TEST, DRAWS, NUMBERS = 20, 9, (2, 4, 8, 16, 32)
ERRORS = (50, 100, 200, 500, 1000, 2000)
"""meV/Å, on the figure's axis."""
CONFIG = PotentialConfig(n_functions=60)
RIDGED = CONFIG.model_copy(update={"regularization": 1e-5})
UNIVERSAL = {"chgnet": "acemaker.oracles.universal:chgnet", "7net-0": "acemaker.oracles.universal:sevennet"}
CLASSICAL = {
    "zbl": ("zbl 1.0 2.0", "* * 14 14"),
    "sw": ("sw", "* * Si.sw Si"),
    "tersoff": ("tersoff", "* * Si.tersoff Si"),
}
STEPS = {True: (10, 10, 40), False: (10, 100, 400)}
"""Of the runs that are timed, over a universal baseline or not; the first warms up."""

PLENTY = 60
"""Structures for pretraining."""


def baseline_of(name: str) -> Baseline:
    """Find one of `UNIVERSAL` or `CLASSICAL`."""
    if name in UNIVERSAL:
        return CalculatorBaseline(path=UNIVERSAL[name])
    style, coeff = CLASSICAL[name]
    found = find_baseline(PotentialConfig(baseline_style=style, baseline_coeff=(coeff,)), ("Si",))
    assert found is not None
    return found


class Bench:
    """Fits and judges.

    Attributes
    ----------
    labels : list of Atoms
        The first are drawn from, the last `N_TEST` are predicted.
    """

    def __init__(self) -> None:
        frames = list(read_structures(LABELS))
        order = np.random.default_rng(0).permutation(len(frames))
        self.labels = [frames[number] for number in order]
        self.basis = Basis.create(CONFIG, ["Si"])
        self._builder = DesignBuilder(self.basis)
        self._designs = [self._builder.rows(atoms) for atoms in self.labels]
        self._rest = {"": self.labels}
        for name in [*CLASSICAL, *UNIVERSAL]:
            self._rest[name] = [baseline_of(name).subtract(atoms) for atoms in self.labels]
        self._priors = {name: self._pretrain(name) for name in UNIVERSAL}

    def error(
        self, numbers: Sequence[int], baseline: str = "", prior: str = "", config: PotentialConfig = CONFIG
    ) -> float:
        """Return the force RMSE, meV/Å, on the unseen structures of a fit to some of the others."""
        fit = _empty(self.basis.size, config)
        if prior:
            fit.shrink_toward(self._priors[prior])
        rest, designs = self._rest[baseline], self._designs
        reference = reference_energies([rest[number] for number in numbers], ["Si"], config)
        for number in numbers:
            fit.add(_rows(rest[number], designs[number], reference))
        return self._judge(fit.solve(), rest)

    def alone(self, name: str) -> float:
        """Return the error of a baseline, or of a prior's own coefficients, without any label."""
        if name.startswith("prior "):
            return self._judge(self._priors[name.removeprefix("prior ")].coefficients, self.labels)
        return self._judge(np.zeros(self.basis.size), self._rest[name])

    def worth(self, name: str, numbers: Sequence[int]) -> float:
        """Return what pretraining weighs beside some labels."""
        prior, squares = self._priors[name], []
        for number in numbers:
            rows = _rows(self.labels[number], self._designs[number], {"Si": 0.0})
            squares.append(np.sum((rows.matrices["forces"] @ np.append(prior.coefficients, -1.0)) ** 2))
        return prior.worth(float(np.mean(squares)))

    def _judge(self, coefficients: np.ndarray, rest: Sequence[Atoms]) -> float:
        squares = []
        for atoms, design in list(zip(rest, self._designs, strict=True))[-N_TEST:]:
            squares.append(np.mean((design.forces @ coefficients - forces_of(atoms).ravel()) ** 2))
        return 1e3 * float(np.sqrt(np.mean(squares)))

    def _pretrain(self, name: str) -> Prior:
        """Label structures as a campaign on a ramp from 300 to 2000 K does."""
        cheap, crystal = baseline_of(name), bulk("Si", a=5.47, cubic=True)
        rng = np.random.default_rng([1, 3])
        displaced = crystal.copy()
        displaced.positions += rng.normal(scale=0.12, size=crystal.positions.shape)
        springs = springs_of(crystal, displaced, cheap.evaluate(crystal)[1], cheap.evaluate(displaced)[1])
        made = pretraining_structures(
            crystal, PLENTY, temperatures=(300.0, 2000.0), strain=0.03, springs=springs, rng=rng
        )
        labels = [_labeled(atoms, cheap) for atoms in made]
        rows = [_rows(atoms, self._builder.rows(atoms), {"Si": 0.0}) for atoms in labels]
        return prior_of(labels, rows, ["Si"], _empty(self.basis.size, CONFIG))


def _empty(size: int, config: PotentialConfig) -> LeastSquares:
    weights = {"energy": config.energy_weight, "forces": config.force_weight, "virial": config.stress_weight}
    return LeastSquares(size, weights, config.regularization, config.cv_folds)


def _rows(atoms: Atoms, design: Design, reference: dict[str, float]) -> Rows:
    return structure_rows(atoms, design, reference, stress=True)


def _labeled(atoms: Atoms, cheap: Baseline) -> Atoms:
    energy, forces, virial = cheap.evaluate(atoms)
    stress = (virial / atoms.get_volume())[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    return with_results(atoms, {"energy": energy, "forces": forces, "stress": stress})


def methods(bench: Bench) -> dict[str, Callable[[Sequence[int]], float]]:
    """Name what is compared."""
    found: dict[str, Callable[[Sequence[int]], float]] = {
        "direct": bench.error,
        "direct, ridge 1e-5": partial(bench.error, config=RIDGED),
    }
    for name in [*CLASSICAL, *UNIVERSAL]:
        found[f"{name} baseline"] = partial(bench.error, baseline=name)
    for name in UNIVERSAL:
        found[f"{name} pretraining"] = partial(bench.error, prior=name)
    return found


@single_threaded
def compare(bench: Bench, outcome: Outcome) -> list[tuple[str, int, float, float, float]]:
    """Fill the table, and return method, labels, and median, least and largest error in meV/Å."""
    pool = len(bench.labels) - N_TEST
    draws = [np.random.default_rng([7, draw]).permutation(pool).tolist() for draw in range(DRAWS)]
    title = f"Force RMSE / (meV/Å) on {N_TEST} unseen structures: median (least-largest) of {DRAWS} draws"
    outcome.table({"method": ""} | {f"{number} labels": "" for number in NUMBERS}, title)
    rows = []
    for name, error in methods(bench).items():
        texts = []
        for number in NUMBERS:
            errors = [error(draw[:number]) for draw in draws]
            rows.append((name, number, float(np.median(errors)), min(errors), max(errors)))
            texts.append(f"{np.median(errors):.0f} ({min(errors):.0f}-{max(errors):.0f})")
        outcome.row(name, *texts)
    alone = ", ".join(f"{name} {bench.alone(name):.0f}" for name in [*CLASSICAL, *UNIVERSAL])
    fitted = ", ".join(f"{name} {bench.alone(f'prior {name}'):.0f}" for name in UNIVERSAL)
    worth = (f"{name} {np.median([bench.worth(name, draw[:8]) for draw in draws]):.3f}" for name in UNIVERSAL)
    outcome.note(f"Without any label: {alone}; ACE fitted to the universal labels alone: {fitted}.")
    outcome.note(f"Pretraining weighs, in labels: {', '.join(worth)}.")
    return rows


def write(rows: Sequence[tuple[str, int, float, float, float]]) -> None:
    """Write the results."""
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["method", "labels", "median_meV_per_A", "least", "largest"])
        writer.writerows([(name, number, *(f"{value:.1f}" for value in values)) for name, number, *values in rows])
    print(f"written: {RESULTS}")


def draw() -> None:
    """Draw the results that were written."""
    from matplotlib.figure import Figure

    with RESULTS.open(newline="") as stream:
        rows: list[tuple[Any, ...]] = [(name, *map(float, values)) for name, *values in list(csv.reader(stream))[1:]]
    figure = Figure(figsize=(8.0, 3.6), layout="constrained")
    both = figure.subplots(1, 2, sharey=True)
    for axes, kind in zip(both, ("baseline", "pretraining"), strict=True):
        for name in dict.fromkeys(row[0] for row in rows):
            if kind not in name and not name.startswith("direct"):
                continue
            number, median, least, largest = np.array([row[1:] for row in rows if row[0] == name]).T
            style = "k-" if name == "direct" else "k:" if name.startswith("direct") else "-"
            (line,) = axes.plot(number, median, style, marker="o", markersize=3, label=name)
            axes.fill_between(number, least, largest, color=line.get_color(), alpha=0.12, linewidth=0)
        axes.set(xscale="log", yscale="log", xlabel="labels of 8 atoms", title=kind, ylim=(40, 2500))
        axes.set_xticks(NUMBERS, [str(number) for number in NUMBERS])
        axes.set_yticks(ERRORS, [str(error) for error in ERRORS])
        axes.minorticks_off()
        axes.legend(fontsize=7, frameon=False)
    both[0].set_ylabel("force RMSE (meV/Å)")
    FIGURE.parent.mkdir(exist_ok=True)
    figure.savefig(FIGURE, dpi=110)
    print(f"written: {FIGURE}")


def speed() -> None:
    """Print what a step of molecular dynamics costs over each baseline, 64 atoms of silicon."""
    labels = read_structures(LABELS)
    print("CPU ms per step, 64 atoms of silicon, 60 functions, gamma every 10 steps, one thread")
    for name in ("", *CLASSICAL, *UNIVERSAL):
        values = CONFIG.model_dump()
        if name in UNIVERSAL:
            values["baseline_calculator"] = UNIVERSAL[name]
        elif name:
            values |= {"baseline_style": CLASSICAL[name][0], "baseline_coeff": (CLASSICAL[name][1],)}
        with tempfile.TemporaryDirectory() as folder:
            trainer = LinearTrainer(PotentialConfig(**values), ["Si"])
            training = trainer.train(
                labels[:12], number=1, directory=Path(folder), predecessor=None, halted=None, gamma_limit=2.0
            )
            lengths = STEPS[name in UNIVERSAL]  # what is not of the steps is in both
            runs = [_run(training.generation, steps, Path(folder) / str(turn)) for turn, steps in enumerate(lengths)]
        print(f"{name or 'ACE alone':>12} {1e3 * (runs[2] - runs[1]) / (lengths[2] - lengths[1]):>8.1f}", flush=True)


def _run(generation: Generation, steps: int, directory: Path) -> float:
    """Run molecular dynamics, and return the CPU time in s."""
    never = OTFConfig(threshold_add_train=1e6, threshold_call_dft=1e6, threshold_break=1e6, check_every=10)
    config = EngineConfig(ensemble="nvt", temperature=600.0, steps=steps, restart_every=400, trajectory_every=0)
    engine = InProcessEngine(config, seed=1)
    began = time.process_time()
    engine.explore(
        Request(
            number=1,
            structure=bulk("Si", a=5.47, cubic=True).repeat(2),
            start_step=0,
            checkpoint=None,
            generation=generation,
            rule=never,
            directory=directory,
        )
    )
    engine.close()
    return time.process_time() - began


if __name__ == "__main__":
    if "--speed" in sys.argv:
        speed()
    elif "--draw" in sys.argv:
        draw()
    else:
        outcome = Outcome("Baselines and pretraining against the fit alone", seeds=(7,))
        table = compare(Bench(), outcome)
        if "--write" in sys.argv:
            write(table)
        outcome.finish()

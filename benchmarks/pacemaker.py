"""Linear and non-linear fits of the same labels: python benchmarks/pacemaker.py [LABELS] [ITERATIONS].

Copper, 108 atoms, on the main job's ramp: labels from one trajectory of the oracle, evenly spaced; errors along another
one that starts from other velocities. Fits of generation 1; the last row goes on from the default, with half
of the iterations and two labels that were kept back.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from common import copper
from outcome import Outcome

from acemaker.analysis.reference import reference_trajectory
from acemaker.config import PacemakerConfig, PotentialConfig
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import Generation
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.potentials.pacemaker.trainer import PacemakerTrainer
from acemaker.potentials.trainer import Trainer
from acemaker.results import Training
from acemaker.structures.computed import energy_of, forces_of
from acemaker.structures.initial import initial_structure

FUNCTIONS = 40


def trajectory(seed: int, n: int) -> tuple[Atoms, ...]:
    """Let the oracle itself run the ramp."""
    config = copper(seed=seed)
    start = initial_structure(config.system, np.random.default_rng([seed, 0]))
    return reference_trajectory(config, start, n_frames=n)


def test_error(generation: Generation, frames: Sequence[Atoms]) -> tuple[float, float]:
    """Compute force RMSE, meV/Å, and energy RMSE, meV/atom."""
    evaluator, forces, energies = evaluator_of(generation), [], []
    for atoms in frames:
        said = evaluator.structure(atoms)
        free = sum(generation.reference_energies[symbol] for symbol in atoms.symbols)
        forces.append(said.forces - forces_of(atoms))
        energies.append((said.energy + free - energy_of(atoms)) / len(atoms))
    return 1e3 * float(np.sqrt(np.mean(np.square(forces)))), 1e3 * float(np.sqrt(np.mean(np.square(energies))))


def fitted(trainer: Trainer, labels: Sequence[Atoms], folder: Path, old: Generation | None = None) -> Training:
    """Train one generation."""
    number = 1 if old is None else old.number + 1
    return trainer.train(labels, number=number, directory=folder, predecessor=old, halted=None, gamma_limit=2.0)


def add_row(outcome: Outcome, name: str, training: Training, frames: Sequence[Atoms], wall: float) -> None:
    """Add one fit to the table."""
    forces, energy = test_error(training.generation, frames)
    learned = (training.n_structures, training.train_errors.forces)
    outcome.row(name, *learned, forces, energy, wall, str(training.optimizer or ""))


def main() -> None:
    """Print a row a fit, and fail if a warm start is not accepted."""
    n_labels, iterations = [*(int(word) for word in sys.argv[1:]), *(8, 100)[len(sys.argv) - 1 :]]
    known, frames = trajectory(11, n_labels + 2), trajectory(12, 40)
    kept_back = {n_labels // 3, 2 * n_labels // 3}
    labels = [atoms for number, atoms in enumerate(known) if number not in kept_back]
    later = [atoms for number, atoms in enumerate(known) if number in kept_back]
    outcome = Outcome("Non-linear fits beside linear ones", seeds=(11, 12))
    outcome.table(
        {
            "fit": "",
            "labels": "d",
            "training / (meV/Å)": ".1f",
            "test / (meV/Å)": ".1f",
            "test / (meV/atom)": ".2f",
            "wall / s": ".0f",
            "how it ended": "",
        },
        f"RMSE of forces and energies of melting copper; {FUNCTIONS} functions unless said otherwise",
    )
    with tempfile.TemporaryDirectory() as name:
        for functions in (FUNCTIONS, PotentialConfig().n_functions):
            trainer = LinearTrainer(PotentialConfig(n_functions=functions), ["Cu"])
            started = time.perf_counter()
            training = fitted(trainer, labels, Path(name) / f"linear{functions}")
            add_row(outcome, f"linear, {functions} functions", training, frames, time.perf_counter() - started)
        for densities, start in ((1, "linear"), (2, "zero"), (2, "linear")):
            fit = PacemakerConfig(
                densities=densities, first_start=start, first_iterations=iterations, fit_iterations=iterations // 2
            )
            made = PacemakerTrainer(PotentialConfig(n_functions=FUNCTIONS), fit, ["Cu"])
            folder, started = Path(name) / f"pacemaker{densities}{start}", time.perf_counter()
            training = fitted(made, labels, folder)
            title = f"pacemaker, {FUNCTIONS}, {densities} densities, from {start}"
            add_row(outcome, title, training, frames, time.perf_counter() - started)
        started = time.perf_counter()
        training = fitted(made, later, folder, training.generation)
        add_row(outcome, "that one, going on with two more labels", training, frames, time.perf_counter() - started)
    outcome.must("a warm start with more labels is accepted", training.accepted)
    outcome.finish()


if __name__ == "__main__":
    main()

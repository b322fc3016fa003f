"""The in-process engine beside a native LAMMPS with ML-PACE: python benchmarks/engine_speed.py [COMMAND LINE OF lmp].

Time per atom and step on one core, same potential of 100 functions, same gamma interval; the engines take turns.
Then the in-process engine on two cores, the atoms shared out, beside native LAMMPS on one. A second core that has
other work shows in the spread.
"""

from __future__ import annotations

import os
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from outcome import Outcome

from acemaker.config import EngineConfig, OracleConfig, OTFConfig, PotentialConfig, SystemConfig
from acemaker.engines.factory import make_engine
from acemaker.engines.neighbors import split_atoms
from acemaker.engines.protocol import Request
from acemaker.engines.workers import start_workers
from acemaker.errors import MissingLibraryError
from acemaker.lammps.executable import native_command
from acemaker.lammps.script import LOG_FILE
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.environment import environment
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import Generation
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.structures.initial import first_structures

SIZES = {4: 100, 6: 60, 10: 30}
"""Steps by repetitions of the cubic cell: 256, 864 and 4,000 atoms."""

TURNS, BOUND, BOUND_SHARED = 3, 1.10, 0.60
CORES = sorted(os.sched_getaffinity(0))
NEVER = OTFConfig(threshold_add_train=1e6, threshold_call_dft=1e6, threshold_break=1e6, check_every=10)
ORACLE = OracleConfig(oracle="lammps", pair_style="eam/alloy", pair_coeff=("* * Cu_mishin1.eam.alloy Cu",))


def main() -> None:
    """Print the times and their ratio, and fail beyond the bound."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else "auto"
    try:
        command = native_command(wanted)
    except MissingLibraryError as error:
        sys.exit(str(error))
    if not command:
        print("skipped: no LAMMPS with ML-PACE; give its command line, or set ACEMAKER_LMP")
        return
    outcome = Outcome("The in-process engine beside native LAMMPS", seeds=(1,))
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), wanted, outcome)
        ratios = bench.compare_all(1, "One core each, 100 functions, gamma every 10 steps")
        for repeat, ratio in ratios.items():
            outcome.at_most(f"in-process to native, {4 * repeat**3:,} atoms", ratio, BOUND)
        if len(CORES) > 1:
            ratios = bench.compare_all(2, "In-process on two cores, native on one")
            largest = max(SIZES)
            outcome.at_most(f"two cores to native's one, {4 * largest**3:,} atoms", ratios[largest], BOUND_SHARED)
            bench.halves(largest)
    outcome.finish()


class Bench:
    """Lets the engines take turns.

    Parameters
    ----------
    folder
        For the runs.
    lammps
        The native command line.
    outcome
        Where figures go.
    """

    def __init__(self, folder: Path, lammps: str, outcome: Outcome) -> None:
        self.folder = folder
        self.lammps = lammps
        self.outcome = outcome
        self.generation = train(folder)

    def compare_all(self, n_force_processes: int, title: str) -> dict[int, float]:
        """Fill a table, and return the ratios by size."""
        times = ("in-process / (µs/atom/step)", "native / (µs/atom/step)")
        self.outcome.table({"atoms": "d"} | dict.fromkeys(times, ".1f") | {"ratio": ".2f", "of the turns": ""}, title)
        return {repeat: self.compare(repeat, n_force_processes) for repeat in SIZES}

    def compare(self, repeat: int, n_force_processes: int) -> float:
        """Fill one row, and return the median of the turns' ratios."""
        atoms = bulk("Cu", "fcc", a=3.615, cubic=True).repeat(repeat)
        here, native = [], []
        for turn in range(TURNS):
            directory = self.folder / f"{repeat}_{n_force_processes}_{turn}"
            here.append(self.measure("inprocess", n_force_processes, atoms, SIZES[repeat], directory / "here"))
            native.append(self.measure("isolated", 1, atoms, SIZES[repeat], directory / "native"))
        ratios = [one / other for one, other in zip(here, native, strict=True)]
        ratio = statistics.median(ratios)
        ours, theirs = (1e6 * statistics.median(found) for found in (here, native))
        self.outcome.row(len(atoms), ours, theirs, ratio, f"{min(ratios):.2f} to {max(ratios):.2f}")
        return ratio

    def halves(self, repeat: int) -> None:
        """Print what the machine makes of two processes at once: pyace alone, without LAMMPS and its time step."""
        os.sched_setaffinity(0, CORES[:2])
        atoms = bulk("Cu", "fcc", a=3.615, cubic=True).repeat(repeat)
        evaluator, workers = evaluator_of(self.generation), start_workers(2, self.generation)
        assert workers is not None
        env = environment(atoms, evaluator.elements, evaluator.cutoff)
        counts = np.array([len(one) for one in env.neighbour_list])
        lists = np.concatenate([np.array(one) for one in env.neighbour_list])
        shares = split_atoms(counts, lists, np.array(env.species_type), np.array(env.origins), 2)
        workers.share(shares[1:])
        half, positions = shares[0].environment(), np.array(env.x)
        half.x = env.x
        times: dict[str, list[float]] = {"whole": [], "half": [], "both halves": []}
        for _ in range(TURNS + 2):
            for name, found in times.items():
                started = time.perf_counter()
                if name == "both halves":
                    workers.begin(positions, graded=False)
                own = evaluator.fast(env if name == "whole" else half)
                if name == "both halves":
                    workers.add_to(own)
                found.append(time.perf_counter() - started)
        workers.close()
        whole, alone, both = (statistics.median(found) for found in times.values())
        self.outcome.note(
            f"pyace by itself on {len(atoms):,} atoms takes {whole:.3f} s for all; for half of them alone "
            f"{alone / whole:.2f} of that, for both halves at once, a process each, {both / whole:.2f}."
        )

    def measure(self, name: str, n_force_processes: int, atoms: Atoms, steps: int, directory: Path) -> float:
        """Return s per atom and step."""
        return loop_time(self.generation, name, self.lammps, n_force_processes, atoms, steps, directory)


def loop_time(
    generation: Generation,
    name: str,
    lammps: str,
    n_force_processes: int,
    atoms: Atoms,
    steps: int,
    directory: Path,
    busy: bool = False,
) -> float:
    """Run an engine, and return s per atom and step by LAMMPS's own clock, without the set-up.

    With `busy`, only the time for which the process had a core: other work on the machine is left out.
    """
    os.sched_setaffinity(0, CORES[:n_force_processes])  # children inherit it
    config = EngineConfig.model_validate(
        {
            "engine": name,
            "lammps": lammps,
            "cores": n_force_processes,
            "ensemble": "nvt",
            "temperature": 600.0,
            "steps": steps,
            "restart_every": 10 * steps,
            "trajectory_every": 0,
        }
    )
    engine = make_engine(config, seed=1)
    engine.explore(
        Request(
            number=1,
            structure=atoms,
            start_step=0,
            checkpoint=None,
            generation=generation,
            rule=NEVER,
            directory=directory,
        )
    )
    engine.close()
    log = (directory / LOG_FILE).read_text()
    seconds, done = re.findall(r"Loop time of (\S+) on 1 procs for (\d+) steps", log)[-1]
    share = float(re.findall(r"(\S+)% CPU use", log)[-1]) / 100 if busy else 1.0
    return share * float(seconds) / int(done) / len(atoms)


def train(folder: Path) -> Generation:
    """Make a potential."""
    oracle = CalculatorOracle.from_config(ORACLE, ("Cu",))
    atoms = bulk("Cu", "fcc", a=3.615, cubic=True).repeat(3)
    rng = np.random.default_rng(0)
    labels = [
        oracle.label(one) for one in first_structures(atoms, SystemConfig(first_rattle=0.1, first_strain=0.02), 4, rng)
    ]
    trainer = LinearTrainer(PotentialConfig(), ["Cu"])
    return trainer.train(labels, number=1, directory=folder, predecessor=None, halted=None, gamma_limit=2.0).generation


if __name__ == "__main__":
    main()

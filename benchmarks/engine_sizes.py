"""What a time step costs, by atoms and functions: python benchmarks/engine_sizes.py [--reduced].

One core, gamma every 10 steps: LAMMPS in this process, the isolated engine's Python child, a native LAMMPS with
`pace/extrapolation`, and ASE's MD with pyace's `PyACECalculator`, which gives gamma at every step. Times are those for
which a process had the core. The first and the third take turns, and fail where the ratio exceeds 1.10 from 256 atoms
on; the others run once. Without a LAMMPS with ML-PACE (set ACEMAKER_LMP) there is nothing to compare with.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.md.verlet import VelocityVerlet
from ase.units import fs
from engine_speed import BOUND, CORES, ORACLE, loop_time, train
from outcome import Outcome

from acemaker.config import PotentialConfig
from acemaker.errors import MissingLibraryError
from acemaker.lammps.executable import native_command
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.active_set import build_active_set
from acemaker.potentials.basis import Basis
from acemaker.potentials.design import DesignBuilder
from acemaker.potentials.generation import Generation, write_generation
from acemaker.potentials.linear_fit import LinearFit
from acemaker.potentials.pyace_library import load_pyace

GRID = {100: (2, 3, 4, 6, 10, 20), 300: (2, 4, 10), 700: (2, 4, 10)}
REDUCED = {100: (2, 4), 300: (4,)}
"""Repeats of the cubic cell, by functions: 32, 108, 256, 864, 4,000 and 32,000 atoms."""

TURNS, FROM = 5, 256
WORK = 6_000_000
"""Atoms times steps times functions of a run, where that is more than 10 steps: two seconds of 100 functions."""

ORDERS = {"nradmax_by_orders": (20, 10, 6, 4), "lmax_by_orders": (0, 6, 4, 3)}


def main() -> None:
    """Print a row a size, and fail beyond the bound."""
    grid = REDUCED if "--reduced" in sys.argv else GRID
    try:
        command = native_command("auto")
    except MissingLibraryError as error:
        sys.exit(str(error))
    if not command:
        print("skipped: no LAMMPS with ML-PACE; set ACEMAKER_LMP")
        return
    outcome = Outcome("What a time step costs, by atoms and functions", seeds=(0, 1))
    columns = ("in-process", "isolated, Python", "native", "ASE and pyace")
    heads = {"functions": "d", "atoms": "d"} | dict.fromkeys(columns, ".1f")
    outcome.table(
        heads | {"in-process to native": ".2f", "of the turns": ""}, "µs per atom and step, one core, gamma every 10"
    )
    bounds: list[tuple[str, float]] = []
    with tempfile.TemporaryDirectory() as name:
        for functions, repeats in grid.items():
            folder = Path(name) / str(functions)
            generation = train(folder) if functions == 100 else sketch(folder, functions)
            for repeat in repeats:
                atoms = bulk("Cu", "fcc", a=3.615, cubic=True).repeat(repeat)
                times, ratios = compare(generation, functions, atoms, folder / str(repeat))
                ratio = statistics.median(ratios)
                spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
                outcome.row(functions, len(atoms), *(1e6 * one for one in times), ratio, spread)
                if len(atoms) >= FROM:
                    bounds.append((f"{len(atoms):,} atoms, {functions} functions", ratio))
    for what, ratio in bounds:
        outcome.at_most(f"in-process to native, {what}", ratio, BOUND)
    outcome.finish()


def compare(
    generation: Generation, functions: int, atoms: Atoms, folder: Path
) -> tuple[tuple[float, float, float, float], list[float]]:
    """Let them run; return s per atom and step of each, and the ratios of in-process to native."""
    steps = 10 * max(1, WORK // (10 * len(atoms) * functions))

    def run(name: str, lammps: str, turn: int = 0) -> float:
        return loop_time(generation, name, lammps, 1, atoms, steps, folder / f"{name}_{lammps}_{turn}", busy=True)

    isolated, by_ase = run("isolated", "python"), ase_time(generation, atoms, max(2, steps // 10))
    here, native = [], []
    for turn in range(TURNS):
        here.append(run("inprocess", "auto", turn))
        native.append(run("isolated", "auto", turn))
    ratios = [one / other for one, other in zip(here, native, strict=True)]
    return (statistics.median(here), isolated, statistics.median(native), by_ase), ratios


def ase_time(generation: Generation, atoms: Atoms, steps: int) -> float:
    """Return s per atom and step of ASE's own MD."""
    os.sched_setaffinity(0, CORES[:1])
    moving = atoms.copy()
    moving.calc = load_pyace().PyACECalculator(str(generation.yaml))
    moving.calc.set_active_set(str(generation.asi))
    moving.set_velocities(np.random.default_rng(1).normal(scale=0.03, size=moving.positions.shape))  # some 600 K
    dynamics = VelocityVerlet(moving, timestep=2 * fs)
    dynamics.run(1)
    started = time.process_time()
    dynamics.run(steps)
    return (time.process_time() - started) / steps / len(atoms)


def sketch(folder: Path, n_functions: int) -> Generation:
    """Make a potential of many functions out of few labels: what a time step costs does not depend on how good it is.

    The active set takes structures that are not labeled, since projections cost far less than a design matrix.
    """
    config = PotentialConfig.model_validate({"n_functions": n_functions, **ORDERS})
    basis = Basis.create(config, ["Cu"])
    builder, fit = DesignBuilder(basis), LinearFit(config, basis)
    oracle, rng = CalculatorOracle.from_config(ORACLE, ("Cu",)), np.random.default_rng(0)

    def rattled(repeat: int) -> Atoms:
        atoms = bulk("Cu", "fcc", a=3.615 * rng.uniform(0.97, 1.03), cubic=True).repeat(repeat)
        atoms.positions += rng.normal(scale=rng.uniform(0.05, 0.3), size=atoms.positions.shape)
        return atoms

    labels = [oracle.label(rattled(2)) for _ in range(2)]
    fit.add(labels, labels, [builder.rows(atoms) for atoms in labels])
    projections = [builder.projections(rattled(3)) for _ in range(2 + 2 * n_functions // 108)]
    active_set = build_active_set(basis.elements, basis.n_functions, projections)
    generation = Generation(
        number=1,
        directory=folder,
        elements=basis.elements,
        cutoff=basis.cutoff,
        reference_energies=fit.reference,
        cv_forces=None,
        cv_folds=(None,) * config.cv_folds,
        n_structures=len(labels),
    )
    write_generation(generation, basis, fit.solve(), active_set)
    return generation


if __name__ == "__main__":
    main()

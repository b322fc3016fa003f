"""Eight systems that people bring, run by parameters alone: python benchmarks/materials.py [--only WORD ...] [--dft].

A dopant, an interstitial, a molecule, a cluster, a slab with frozen layers, an adsorbate, an ionic compound and a
magnetic metal: each campaign has to end, with no atom lost and no frozen atom moved, and its potential is compared with
the oracle along frames of the oracle's own dynamics, with other random numbers. A frame with a gamma above
``threshold_call_dft`` is one at which a campaign would halt; such frames are counted, and the bound is on the others.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.build import add_adsorbate, bulk, fcc111, molecule
from ase.cluster import Octahedron
from ase.constraints import FixAtoms
from ase.io import write
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from outcome import Outcome

from acemaker import Campaign, CampaignConfig
from acemaker.analysis import reference_trajectory
from acemaker.oracles.factory import calculator_factory
from acemaker.oracles.process import ProcessOracle
from acemaker.states import State
from acemaker.structures.computed import energy_of, forces_of
from acemaker.structures.per_atom import frozen_atoms

N_FRAMES = 20
"""Frames of the oracle's own dynamics."""

RATTLE = 0.07
"""Å, standard deviation of displacements in place of dynamics with pw.x, about that of iron at 300 K."""

MAX_ERROR = 100.0
"""meV/Å, force RMSE above which a potential does not describe its system."""


@dataclass(frozen=True, eq=False)
class Material:
    """A system, as its user would describe it.

    Attributes
    ----------
    name : str
        The kind of system.
    parameters : dict
        Parameters of the campaign; ``structure`` is the name of a file if `make` is not None.
    make : callable, optional
        Returns the structure, which is written to an extended XYZ file.
    needs : str
        Program without which it is skipped.
    n_frames : int
        Number of frames of the comparison.
    frame_steps : int
        MD steps between two of them.
    """

    name: str
    parameters: dict[str, Any]
    make: Callable[[], Atoms] | None = None
    needs: str = ""
    n_frames: int = N_FRAMES
    frame_steps: int = 50


def hydrogen_in_palladium() -> Atoms:
    """Put a hydrogen atom on an octahedral site of 32 palladium atoms."""
    palladium = bulk("Pd", cubic=True) * (2, 2, 2)
    edge = palladium.cell[0, 0] / 2
    return palladium + Atoms("H", positions=[[edge / 2, 0, 0]])


def slab_with_adatom() -> Atoms:
    """Put an adatom on four layers of aluminum, the lower two of which are fixed."""
    slab = fcc111("Al", (3, 3, 4), a=3.99, vacuum=7.0, periodic=True)
    add_adsorbate(slab, "Al", 2.3, "fcc")
    slab.set_constraint(FixAtoms([atom.index for atom in slab if atom.tag in (3, 4)]))
    return slab


def oxygen_on_copper() -> Atoms:
    """Put an oxygen atom on three layers of copper, the lowest of which is fixed."""
    slab = fcc111("Cu", (3, 3, 3), a=3.59, vacuum=7.0, periodic=True)
    add_adsorbate(slab, "O", 1.3, "fcc")
    slab.set_constraint(FixAtoms([atom.index for atom in slab if atom.tag == 3]))
    return slab


COMMON = {"ensemble": "csvr", "steps": 2000, "n_candidates": 10}

MATERIALS = (
    Material(
        "dopant: Ni in Cu107",
        {
            "structure": "Cu",
            "composition": {"Cu": 107 / 108, "Ni": 1 / 108},
            "lattice_constant": 3.615,
            "pair_style": "eam/alloy",
            "pair_coeff": ["* * CuNi.eam.alloy Cu Ni"],
            "temperature": 600.0,
        },
    ),
    Material(
        "interstitial: H in Pd32", {"oracle": "emt", "temperature": 600.0, "timestep": 0.5}, hydrogen_in_palladium
    ),
    Material(
        "molecule: ethanol",
        {"oracle": "tblite", "temperature": 300.0, "timestep": 0.5, "n_functions": 300, "cutoff": 4.5},
        lambda: molecule("CH3CH2OH"),
        frame_steps=20,
    ),
    Material("cluster: Cu38", {"oracle": "emt", "temperature": 500.0}, lambda: Octahedron("Cu", 4, 1)),
    Material("slab: Al(111), adatom", {"oracle": "emt", "temperature": 400.0}, slab_with_adatom),
    Material("adsorbate: O on Cu(111)", {"oracle": "emt", "temperature": 400.0, "timestep": 1.0}, oxygen_on_copper),
    Material(
        "compound: NaCl",
        {
            "structure": "NaCl",
            "crystal": "rocksalt",
            "lattice_constant": 5.64,
            "supercell": (2, 2, 2),
            "pair_style": "eim",
            "pair_coeff": ["* * Na Cl ffield.eim Cl Na"],
            "temperature": 400.0,
        },
    ),
    Material(
        "magnetic metal: Fe",
        {
            "structure": "Fe",
            "crystal": "bcc",
            "lattice_constant": 2.87,
            "supercell": (1, 1, 1),
            "oracle": "espresso",
            "ecutwfc": 22.0,
            "ecutrho": 160.0,
            "degauss": 0.03,
            "conv_thr": 1e-6,
            "pseudopotentials": {"Fe": "Fe.pbe-nd-rrkjus.UPF"},
            "kspacing": 0.25,
            "magnetic_moments": {"Fe": 2.5},
            "isolated_atoms": False,  # pw.x takes more than six minutes for one
            "n_first": 3,
            "temperature": 300.0,
            "steps": 100,
            "cutoff": 4.0,
            "n_functions": 12,
            "n_candidates": 6,
        },
        needs="pw.x",
        n_frames=4,
        frame_steps=10,
    ),
)


def main() -> None:
    """Run the campaigns, and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[], help="words of which a name must contain one")
    parser.add_argument("--dft", action="store_true", help="the magnetic metal, too, which pw.x labels in minutes")
    arguments = parser.parse_args()
    chosen = [
        material
        for material in MATERIALS
        if (arguments.dft or not material.needs)
        and (not arguments.only or any(word.lower() in material.name.lower() for word in arguments.only))
    ]
    outcome = Outcome("Systems that people bring", seeds=(1,))
    outcome.table(
        {
            "system": "",
            "oracle": "",
            "atoms": "d",
            "steps": "d",
            "halts": "d",
            "labels": "d",
            "force RMSE / (meV/Å)": ".1f",
            "of all frames": ".1f",
            "unknown frames": "d",
            "RMS force / (meV/Å)": ".0f",
            "energy MAE / (meV/atom)": ".2f",
            "wall / s": ".0f",
            "ended": "",
        }
    )
    for material in chosen:
        if material.needs and shutil.which(material.needs) is None:
            outcome.note(f"{material.name}: skipped, {material.needs} is not installed.")
            continue
        with tempfile.TemporaryDirectory() as scratch:
            _run(outcome, material, Path(scratch))
    outcome.finish()


def _run(outcome: Outcome, material: Material, folder: Path) -> None:
    """Run a campaign, and compare its potential with its oracle."""
    parameters = {**COMMON, "seed": 1, **material.parameters}
    if material.make is not None:
        write(folder / "start.extxyz", material.make())
        parameters |= {"structure": str(folder / "start.extxyz"), "supercell": (1, 1, 1)}
    config = CampaignConfig.from_parameters(parameters)
    started = time.perf_counter()
    with Campaign.create(folder / "campaign", config) as campaign:
        state = campaign.run().state
        wall = time.perf_counter() - started
        generation, start = campaign.generation, campaign.initial_structure()
        frames = list(campaign.trajectory())
        halts = campaign.progress.n_halts
        labels = len(campaign.labeled_structures())
    elements = tuple(sorted(set(start.get_chemical_symbols())))
    reference = _frames_of(config, material, start, elements, folder)
    if generation is None:
        outcome.must(f"{material.name}: has a potential", False)
        return
    calculator = generation.calculator()
    forces, errors, energies, gamma = [], [], [], []
    for atoms in reference:
        own = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, calculator=calculator)
        energies.append((energy_of(own) - energy_of(atoms)) / len(atoms))
        forces.append(forces_of(atoms))
        errors.append(forces_of(own) - forces_of(atoms))
        gamma.append(float(calculator.results["gamma"].max()))
    known = np.array(gamma) <= config.otf.threshold_call_dft
    squares = np.mean(np.square(errors), axis=(1, 2))
    rmse = 1e3 * float(np.sqrt(np.mean(squares[known]))) if known.any() else float("nan")
    outcome.row(
        material.name,
        config.oracle.oracle,
        len(start),
        config.engine.steps,
        halts,
        labels,
        rmse,
        1e3 * float(np.sqrt(np.mean(squares))),
        int((~known).sum()),
        1e3 * float(np.sqrt(np.mean(np.square(forces)))),
        1e3 * float(np.mean(np.abs(energies))),
        wall,
        state.value,
    )
    outcome.must(f"{material.name}: ends", state is State.DONE)
    outcome.at_most(f"{material.name}: force RMSE", rmse, MAX_ERROR, "meV/Å")
    if not start.pbc.any():
        outcome.must(f"{material.name}: no atom is lost", max(_widest_gap(atoms) for atoms in frames) < 4.0)
    if (still := frozen_atoms(start)).any():
        moved = max(float(np.abs((atoms.positions - start.positions)[still]).max()) for atoms in frames)
        outcome.at_most(f"{material.name}: frozen atoms move", moved, 1e-7, "Å")


def _widest_gap(atoms: Atoms) -> float:
    """Return the largest distance of an atom to its nearest neighbor, Å."""
    distances = atoms.get_all_distances()
    np.fill_diagonal(distances, np.inf)
    return float(distances.min(axis=1).max())


def _frames_of(
    config: CampaignConfig, material: Material, start: Atoms, elements: Sequence[str], folder: Path
) -> list[Atoms]:
    """Run the oracle's own dynamics: LAMMPS's, or Langevin dynamics with its calculator; label random ones of pw.x."""
    if config.oracle.oracle == "lammps":
        return list(reference_trajectory(config, start, n_frames=material.n_frames, elements=elements))
    if config.oracle.oracle == "espresso":  # dynamics would take a hundred labels
        rng, oracle = np.random.default_rng(2), ProcessOracle(config.oracle, tuple(elements))
        frames = [start.copy() for _ in range(material.n_frames)]
        for atoms in frames:
            atoms.positions += rng.normal(scale=RATTLE, size=atoms.positions.shape)
        return [oracle.label(atoms) for atoms in frames]
    atoms = start.copy()
    atoms.set_constraint(FixAtoms(np.flatnonzero(frozen_atoms(start))))
    scratch = folder / "reference"
    scratch.mkdir()
    here = Path.cwd()
    os.chdir(scratch)  # programs write into the current folder
    try:
        atoms.calc = calculator_factory(config.oracle, tuple(elements))()
        rng = np.random.default_rng(2)
        temperature = config.engine.temperature[0]
        MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=rng)
        dynamics = Langevin(
            atoms,
            config.engine.timestep * units.fs,
            temperature_K=temperature,
            friction=0.02 / units.fs,
            rng=rng,
        )
        frames = []
        for _ in range(material.n_frames):
            dynamics.run(material.frame_steps)
            frame = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
            frame.calc = _single_point(frame, atoms)
            frames.append(frame)
        return frames
    finally:
        os.chdir(here)


def _single_point(frame: Atoms, atoms: Atoms) -> Any:
    from ase.calculators.singlepoint import SinglePointCalculator

    return SinglePointCalculator(frame, energy=energy_of(atoms), forces=forces_of(atoms).copy())


if __name__ == "__main__":
    main()

"""Label the silicon of delta_learning.py by Quantum ESPRESSO: python benchmarks/silicon_labels.py (five minutes).

Eight atoms, PBE, 20 Ry, 2x2x2 k-points; rattled and strained crystals, and frames of molecular dynamics from 300 to
2000 K by the Stillinger-Weber potential, all strained. The labels are in data/silicon.extxyz.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk

from acemaker.config import OracleConfig
from acemaker.lammps.box import put_structure, read_cell
from acemaker.lammps.library import open_lammps
from acemaker.lammps.pair_coeff import find_file
from acemaker.lammps.script import header_commands
from acemaker.oracles.process import make_oracle
from acemaker.structures.files import write_structures

FILE = Path(__file__).parent / "data" / "silicon.extxyz"
N_STRUCTURES, SEED, LATTICE = 70, 20, 5.47
ESPRESSO = OracleConfig(
    oracle="espresso", ecutwfc=20, kspacing=0.1, pseudopotentials={"Si": "Si.pbe-rrkj.UPF"}, espresso_command="pw.x"
)


def strained(atoms: Atoms, rng: np.random.Generator) -> Atoms:
    """Strain a cell: its volume by some 4 %, its shape by less."""
    strain = rng.normal(scale=0.006, size=(3, 3))
    strain = (strain + strain.T) / 2 + np.eye(3) * rng.normal(scale=0.012)
    made = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)
    made.set_cell(made.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    return made


def frame(temperature: float, rng: np.random.Generator) -> Atoms:
    """Return a frame of dynamics at a temperature, 400 fs after the start from the crystal."""
    atoms = strained(bulk("Si", a=LATTICE, cubic=True), rng)
    lmp = open_lammps()
    for command in header_commands(True):
        lmp.command(command)
    put_structure(lmp, atoms, ("Si",), triclinic=True)
    for command in (
        "pair_style sw",
        f'pair_coeff * * "{find_file("Si.sw", "Si.sw")}" Si',
        f"velocity all create {2 * temperature} {rng.integers(1, 900_000_000)} mom yes dist gaussian",
        "timestep 0.002",
        "fix 1 all nve",
        f"fix 2 all temp/csvr {temperature} {temperature} 0.05 {rng.integers(1, 900_000_000)}",
        "run 200",
    ):
        lmp.command(command)
    cell, origin = read_cell(lmp)
    positions = np.array(lmp.gather_atoms("x", 1, 3)).reshape(-1, 3) - origin
    lmp.close()
    return Atoms(atoms.symbols, positions, cell=cell, pbc=True)


def structures() -> list[Atoms]:
    """Make them: every other one is a frame of dynamics."""
    rng = np.random.default_rng(SEED)
    made = []
    for number in range(N_STRUCTURES):
        if number % 2:
            atoms = frame(rng.uniform(300, 2000), rng)
        else:
            atoms = strained(bulk("Si", a=LATTICE, cubic=True), rng)
            atoms.positions += rng.normal(scale=rng.uniform(0.03, 0.2), size=atoms.positions.shape)
        atoms.positions = np.round(atoms.positions, 8)  # as the file has them
        made.append(atoms)
    return made


def main() -> None:
    """Label them all and write the file."""
    oracle = make_oracle(ESPRESSO, ("Si",))
    labels = []
    for number, atoms in enumerate(structures(), start=1):
        labels.append(oracle.label(atoms))
        print(f"\r{number} of {N_STRUCTURES}", end="", flush=True)
    FILE.parent.mkdir(exist_ok=True)
    write_structures(FILE, labels)
    print(f"\n{FILE}: {FILE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()

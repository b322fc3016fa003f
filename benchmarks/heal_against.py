"""A heal beside the same by pacemaker's own tools: python benchmarks/heal_against.py [LABELS ...].

108 copper atoms, 100 functions. At halt after halt of a campaign with so many labels (10 and 100 by default)
acemaker heals, from the halt to the first check after it and without the oracle. Then, on the same candidates and
labels, `pace_select` chooses, pyace's `LinearACEFit` fits from scratch on all cores, `pace_activeset` chooses the
active set, and a new native LAMMPS starts from the halted structure and computes gamma once. What lies between these
commands, making candidates, writing data sets and a person's time, costs nothing here. Fails where acemaker is not
ten times faster.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from ase import Atoms
from ase.io import write
from common import copper
from heals import Stopwatch, heal
from outcome import Outcome

from acemaker import Campaign
from acemaker.engines.native import extrapolating
from acemaker.lammps.executable import native_command
from acemaker.loop.label_files import read_label
from acemaker.loop.store import Store
from acemaker.potentials.generation import Generation
from acemaker.structures.computed import energy_of, forces_of
from acemaker.structures.files import read_structures

LABELS, TURNS, BOUND = (10, 100), 3, 10.0
TOOLS = Path(sys.executable).parent
HERE = Path(__file__).parent


def main() -> None:
    """Print a row a number of labels, and fail beyond the bound."""
    sizes = [int(word) for word in sys.argv[1:]] or list(LABELS)
    lammps = native_command("auto")
    parts = ["pace_select", "LinearACEFit", "pace_activeset", *(["LAMMPS"] if lammps else [])]
    outcome = Outcome("A heal beside pacemaker's own tools", seeds=(1,))
    heads = ("acemaker / s", "pacemaker's tools / s", *(f"{part} / s" for part in parts))
    outcome.table(
        {"labels": "d"} | dict.fromkeys(heads, ".2f") | {"ratio": ".1f", "of the turns": ""},
        "108 copper atoms, 100 functions, medians",
    )
    ratios = {}
    for labels in sizes:
        turns = compare(labels, lammps)
        found = [sum(theirs.values()) / ours for ours, theirs in turns]
        ratios[labels] = statistics.median(found)
        outcome.row(
            labels,
            statistics.median(ours for ours, _ in turns),
            statistics.median(sum(theirs.values()) for _, theirs in turns),
            *(statistics.median(theirs[part] for _, theirs in turns) for part in parts),
            ratios[labels],
            f"{min(found):.1f} to {max(found):.1f}",
        )
    if not lammps:
        outcome.note("No LAMMPS with ML-PACE was found: its start is missing among pacemaker's tools.")
    for labels, ratio in ratios.items():
        outcome.at_least(f"pacemaker's tools to acemaker, {labels} labels", ratio, BOUND)
    outcome.finish()


def compare(labels: int, lammps: Sequence[str]) -> list[tuple[float, dict[str, float]]]:
    """Heal some halts in both ways; return s of acemaker and s of the tools, a pair a turn."""
    config = copper(
        n_probes=0,  # only halts due to gamma are timed
        n_first=labels,
        steps=10**6,
        temperature=(1500.0, 1500.0),
        threshold_add_train=1.5,
        threshold_call_dft=1.5,
        smooth_steps=1,
        soft_start_steps=0,
    )
    oracle = Stopwatch.from_config(config.oracle, ("Cu",))
    assert isinstance(oracle, Stopwatch)
    turns = []
    with tempfile.TemporaryDirectory() as name, Campaign.create(Path(name) / "c", config, oracle=oracle) as campaign:
        campaign.prepare()
        campaign.explore()
        for turn in range(TURNS + 1):
            old, number = campaign.generation, campaign.progress.halt
            assert old is not None
            ours = heal(campaign, oracle).seconds
            candidates = read_structures(Store(campaign.directory).candidates(number))
            known = [read_label(campaign.directory / entry.file) for entry in campaign.progress.labels]
            folder = Path(name) / f"tools_{turn}"
            theirs = by_tools(folder, candidates, known, old, lammps)
            if turn:  # the first one reads what those after it have in memory, or in the system's
                turns.append((ours, theirs))
    return turns


def by_tools(
    folder: Path, candidates: Sequence[Atoms], labels: Sequence[Atoms], old: Generation, lammps: Sequence[str]
) -> dict[str, float]:
    """Do with pacemaker's tools what a heal does; return s by tool."""
    folder.mkdir()
    for suffix in ("yaml", "asi"):
        shutil.copy(old.directory / f"{old.name}.{suffix}", folder / f"old.{suffix}")
    _frame(candidates).to_pickle(folder / "candidates.pckl.gzip", compression="gzip")
    _frame(labels, old.reference_energies).to_pickle(folder / "labels.pckl.gzip", compression="gzip")
    script, data = _lammps_script(old.elements), folder / "start.data"
    (folder / "in.lammps").write_text(script)
    write(data, candidates[0], format="lammps-data", specorder=list(old.elements), masses=True)
    commands = {
        "pace_select": [
            str(TOOLS / "pace_select"),
            "-p",
            "old.yaml",
            "-a",
            "old.asi",
            "-m",
            "1",
            "candidates.pckl.gzip",
        ],
        "LinearACEFit": [sys.executable, str(HERE / "stock_fit.py"), "labels.pckl.gzip", "old.yaml", "potential.yaml"],
        "pace_activeset": [str(TOOLS / "pace_activeset"), "potential.yaml", "-d", "labels.pckl.gzip", "--all-atoms"],
    }
    if lammps:
        commands["LAMMPS"] = [*lammps, "-in", "in.lammps"]
    seconds = {}
    for name, command in commands.items():
        started = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        seconds[name] = time.perf_counter() - started
        if done.returncode:
            sys.exit(f"{name} failed:\n{done.stdout}\n{done.stderr}")
    return seconds


def _frame(structures: Sequence[Atoms], reference: dict[str, float] | None = None) -> pd.DataFrame:
    """Write structures as pacemaker wants them, with the energy above the reference energies."""
    bare = [Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc) for atoms in structures]
    if reference is None:
        return pd.DataFrame({"ase_atoms": bare})
    free = [sum(reference[symbol] for symbol in atoms.symbols) for atoms in structures]
    energies = [energy_of(atoms) for atoms in structures]
    return pd.DataFrame(
        {
            "ase_atoms": bare,
            "energy_corrected": [energy - of_atoms for energy, of_atoms in zip(energies, free, strict=True)],
            "forces": [forces_of(atoms) for atoms in structures],
        }
    )


def _lammps_script(elements: Sequence[str]) -> str:
    potential = extrapolating(elements, 1)
    return "\n".join(
        [
            "units metal",
            "atom_style atomic",
            "read_data start.data",
            *potential.pair,
            *potential.gamma,
            "compute largest all reduce max f_gamma",
            "thermo_style custom step pe press c_largest",
            "run 0",
            "",
        ]
    )


if __name__ == "__main__":
    main()

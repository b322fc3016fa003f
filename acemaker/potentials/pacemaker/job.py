"""A fit as a folder that pacemaker reads: labels, start and settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from ase import Atoms

from acemaker.config import PacemakerConfig, PotentialConfig
from acemaker.structures.computed import energy_of, forces_of
from acemaker.structures.mask import energy_counts, mask_of, weight_of

INPUT, DATA, START, OUTPUT_POTENTIAL = "input.yaml", "data.pckl.gzip", "start.yaml", "output_potential.yaml"
"""Names of a job's files; the last is pacemaker's own."""

SEED = 42

OPTIONS = {"L-BFGS-B": {"gtol": 1e-8, "ftol": 1e-14, "maxcor": 100}}
"""By its own measure it would be content with the first short step, and ten corrections are few."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be fitted, and how.

    Attributes
    ----------
    settings : dict
        Pacemaker's input, which `pacemaker input.yaml` in the job's folder runs again.
    table : dict of str to list
        Columns of its data, an entry a structure.
    start : str
        The potential that the fit starts from, as a B-basis ``.yaml``.
    """

    settings: dict[str, Any]
    table: dict[str, list[Any]]
    start: str

    @property
    def key(self) -> str:
        """Hash of all that decides the result: a finished fit with the same key need not be repeated."""
        found = hashlib.sha256(json.dumps([self.settings, self.start], sort_keys=True).encode())
        for atoms, *values in zip(*self.table.values(), strict=True):
            for array in (atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc, *values):
                found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()

    def write(self, folder: Path) -> None:
        """Lay the job's files out in an empty folder."""
        import pandas

        (folder / INPUT).write_text(yaml.safe_dump(self.settings, sort_keys=False))
        (folder / START).write_text(self.start)
        pandas.DataFrame(self.table).to_pickle(folder / DATA, compression="gzip", protocol=4)


def make_job(
    structures: Sequence[Atoms],
    targets: Sequence[Atoms],
    reference: dict[str, float],
    start: str,
    config: PotentialConfig,
    fit: PacemakerConfig,
    *,
    first: bool,
) -> Job:
    """Say in pacemaker's words what the linear fit would be given.

    The loss is the linear fit's without the virial, which pacemaker does not fit: each structure counts by its weight,
    with its energy per atom and the mean of its force components that count, in the ratio of the squared weights.

    Parameters
    ----------
    structures
        All labels, with their masks.
    targets
        What of them is to be learned: without the baseline's part.
    reference
        eV per atom, by element.
    start
        The B-basis ``.yaml`` to start from.
    config
        Weights.
    fit
        Optimiser and penalty.
    first
        Whether this is generation 0, which starts from nothing.

    Returns
    -------
    Job
    """
    shares = np.array([weight_of(atoms) for atoms in structures])
    counted = shares * [energy_counts(atoms) for atoms in structures]
    ratio = float(3 * (config.energy_weight / config.force_weight) ** 2 * counted.sum() / shares.sum())
    if not ratio:  # pacemaker divides by the sum of the weights, which then do not matter
        counted = shares
    settings: dict[str, Any] = {
        "seed": SEED,
        # energies have no part of single atoms any more; told so, pacemaker leaves them as they are
        "data": {"filename": DATA, "reference_energy": dict.fromkeys(sorted(reference), 0.0)},
        "potential": START,
        "fit": {
            "loss": {"kappa": 1 / (1 + ratio), "L1_coeffs": 0.0, "L2_coeffs": fit.l2_penalty},
            "optimizer": fit.optimiser,
            "maxiter": fit.first_iterations if first else fit.fit_iterations,
        },
        "backend": {"evaluator": "tensorpot", "batch_size": 100, "display_step": 50},
    }
    if fit.optimiser in OPTIONS:
        settings["fit"]["options"] = OPTIONS[fit.optimiser]
    if first and fit.ladder_step:
        settings["fit"] |= {"ladder_step": fit.ladder_step, "ladder_type": "power_order"}
    table: dict[str, list[Any]] = {name: [] for name in ("ase_atoms", "energy", "forces", "w_energy", "w_forces")}
    for atoms, target, share, counts in zip(structures, targets, shares, counted, strict=True):
        mask = mask_of(atoms)
        weights = np.ones(len(atoms)) if mask is None else mask.astype(float)
        free = sum(reference[symbol] for symbol in atoms.get_chemical_symbols())
        table["ase_atoms"].append(Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc))
        table["energy"].append(energy_of(target) - free)
        table["forces"].append(forces_of(target))
        table["w_energy"].append(float(counts))
        table["w_forces"].append(share * weights / weights.sum())
    return Job(settings=settings, table=table, start=start)

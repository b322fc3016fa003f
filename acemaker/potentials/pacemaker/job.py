"""Input of a pacemaker fit: labels, initial potential and settings."""

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
"""Names of the files of a job; the last one is written by pacemaker."""

SEED = 42

OPTIONS = {"L-BFGS-B": {"gtol": 1e-8, "ftol": 1e-14, "maxcor": 100}}
"""Options of the optimizers. With its defaults, L-BFGS-B stops at the first short step, and stores only ten
corrections."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """Labels, settings and initial potential of a fit.

    Attributes
    ----------
    settings : dict
        Input of pacemaker; `pacemaker input.yaml` in the folder of the job runs it again.
    table : dict of str to list
        Columns of the data, with one entry per structure.
    start : str
        Initial potential as a B-basis ``.yaml``.
    """

    settings: dict[str, Any]
    table: dict[str, list[Any]]
    start: str

    @property
    def key(self) -> str:
        """Hash of all input that affects the result; a finished fit with the same key is not repeated."""
        digest = hashlib.sha256(json.dumps([self.settings, self.start], sort_keys=True).encode())
        for atoms, *values in zip(*self.table.values(), strict=True):
            for array in (atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc, *values):
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def write(self, folder: Path) -> None:
        """Write the files of the job to an empty folder."""
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
    """Create the job of a fit, with the same labels and weights as the linear fit.

    The loss is that of the linear fit without the virial, which pacemaker does not fit: the weighted sum over
    structures of the squared error of the energy per atom and the mean squared error of the unmasked force components,
    in the ratio of the squared weights.

    Parameters
    ----------
    structures
        All labels, with their masks.
    targets
        The labels minus the baseline.
    reference
        Reference energies in eV per atom, by element.
    start
        Initial potential as a B-basis ``.yaml``.
    config
        Weights.
    fit
        Optimizer and penalty.
    first
        Whether this is the first generation, which has no predecessor.

    Returns
    -------
    Job
    """
    force_weights = np.array([weight_of(atoms) for atoms in structures])
    energy_weights = force_weights * [energy_counts(atoms) for atoms in structures]
    ratio = float(3 * (config.energy_weight / config.force_weight) ** 2 * energy_weights.sum() / force_weights.sum())
    if not ratio:  # pacemaker divides by the sum of the energy weights, which have no effect in this case
        energy_weights = force_weights
    settings: dict[str, Any] = {
        "seed": SEED,
        # the reference energies are already subtracted; with zeros here pacemaker does not change the energies
        "data": {"filename": DATA, "reference_energy": dict.fromkeys(sorted(reference), 0.0)},
        "potential": START,
        "fit": {
            "loss": {"kappa": 1 / (1 + ratio), "L1_coeffs": 0.0, "L2_coeffs": fit.l2_penalty},
            "optimizer": fit.optimizer,
            "maxiter": fit.first_iterations if first else fit.fit_iterations,
        },
        "backend": {"evaluator": "tensorpot", "batch_size": 100, "display_step": 50},
    }
    if fit.optimizer in OPTIONS:
        settings["fit"]["options"] = OPTIONS[fit.optimizer]
    if first and fit.ladder_step:
        settings["fit"] |= {"ladder_step": fit.ladder_step, "ladder_type": "power_order"}
    table: dict[str, list[Any]] = {name: [] for name in ("ase_atoms", "energy", "forces", "w_energy", "w_forces")}
    weights = zip(force_weights, energy_weights, strict=True)
    for atoms, target, (force_weight, energy_weight) in zip(structures, targets, weights, strict=True):
        mask = mask_of(atoms)
        counted = np.ones(len(atoms)) if mask is None else mask.astype(float)
        free = sum(reference[symbol] for symbol in atoms.get_chemical_symbols())
        table["ase_atoms"].append(Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc))
        table["energy"].append(energy_of(target) - free)
        table["forces"].append(forces_of(target))
        table["w_energy"].append(float(energy_weight))
        table["w_forces"].append(force_weight * counted / counted.sum())
    return Job(settings=settings, table=table, start=start)

"""Small campaigns with the toy engine and with LAMMPS, and the comparison of two of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

import acemaker
from acemaker import CampaignConfig
from acemaker.engines.protocol import Engine, Exploration, Request
from acemaker.testing import ToyEngine, halting_at, toy_config

BASIS = {"n_functions": 12, "cutoff": 4.0, "nradmax_by_orders": (6, 3, 2), "lmax_by_orders": (0, 2, 1)}
LOOP = {"n_candidates": 4, "n_select": 2, "max_retries": 1}
PAIRED = {"engine": "isolated", "lammps": "python", "steps": 200, "temperature": (300, 1500), "restart_every": 50}
ERRORS = {"uncertainty": "force_error", "force_error_tolerance": 10.0}
HEATED = {"steps": 400, "temperature": (300, 2500), "restart_every": 50}


@dataclass(frozen=True)
class World:
    """A kind of campaign.

    Attributes
    ----------
    name : str
        Name in the table.
    engine : dict
        Fields of `EngineConfig`; empty for the toy engine.
    apart : bool
        Whether labels are computed in separate processes, two at a time.
    weight : float
        Relative frequency with which it is drawn.
    walkers : int
        Number of trajectories that share its potential.
    loop : dict
        Fields of `OTFConfig` besides those of all worlds.
    """

    name: str
    engine: dict[str, Any]
    apart: bool
    weight: float
    walkers: int = 1
    loop: dict[str, Any] = field(default_factory=dict)

    @property
    def in_child(self) -> bool:
        """Whether LAMMPS runs in a child process."""
        return self.engine.get("engine") == "isolated"

    def config(self, folder: Path) -> CampaignConfig:
        """Return the configuration of a campaign whose oracle writes its label registry to a folder."""
        made = toy_config(**{**LOOP, **self.loop}).model_dump()
        made["potential"] = BASIS
        if self.engine:
            made |= {"engine": self.engine, "otf": {**LOOP, "threshold_add_train": 1.5, "threshold_call_dft": 2.5}}
            made["system"] = {"structure": "Cu", "lattice_constant": 3.615, "supercell": (2, 2, 2), "n_first": 1}
        made["oracle"] = {
            "oracle": "tests.soak.paid:Paid",
            "oracle_arguments": {"folder": str(folder)},
            "label_process": "own" if self.apart else "this",
            "oracle_timeout": 8.0,
            "oracle_check": False,  # its calls are counted, too
            "scratch": str(folder / "scratch"),
        }
        made["labeling"] = {"n_parallel_labels": 2 if self.apart else 1}
        made["walkers"] = self.walkers
        return CampaignConfig(**made)

    def make_engine(self) -> Engine | None:
        """Create the engine if it is not that of the configuration."""
        if self.engine:
            return None
        return ToyEngine(200, halting_at(60, 130)) if self.walkers == 1 else ToyWalkers()


class ToyWalkers:
    """Toy engines of three walkers that halt at different steps, and move differently."""

    def __init__(self) -> None:
        scripts = (halting_at(60, 130), halting_at(90), halting_at(30, 60, 150))
        self._engines = [ToyEngine(200, script, seed=seed) for seed, script in enumerate(scripts, start=1)]

    def explore(self, request: Request) -> Exploration:
        """Explore with the engine of the walker."""
        return self._engines[request.walker - 1].explore(request)

    def close(self) -> None:
        """Do nothing: there are no resources to release."""


WORLDS = {
    world.name: world
    for world in (
        World("toy", {}, apart=False, weight=0.89),
        World("toy, labels apart", {}, apart=True, weight=0.05),
        World("LAMMPS here", {"engine": "inprocess", **HEATED}, apart=False, weight=0.04),
        World("LAMMPS in a child", {"engine": "isolated", **HEATED}, apart=False, weight=0.02),
        World("toy, predicted errors", {}, apart=False, weight=0.15, loop=ERRORS),
        World("toy walkers", {}, apart=False, weight=0.2, walkers=3),
        World("walkers in children", {**PAIRED, "n_parallel_walkers": 2}, apart=False, weight=0.02, walkers=2),
    )
}


def ending(directory: Path) -> dict[str, str]:
    """Compute digests of the end of a campaign, which are equal for campaigns that ended in the same way.

    Parameters
    ----------
    directory
        Directory of the campaign; nothing is written.

    Returns
    -------
    dict of str to str
        A digest of each part: halts, labels, coefficients, active sets, timeline and trajectory.
    """
    campaign = acemaker.attach(directory)
    progress = campaign.progress
    walkers = range(1, campaign.n_walkers + 1)
    timelines = [campaign.timeline(walker) for walker in walkers]
    # two workers finish in any order
    entries = zip(progress.labels, campaign.labeled_structures(), strict=True)
    labels = sorted(((one.halt or 0, one.candidate, atoms) for one, atoms in entries), key=lambda label: label[:2])
    parts: dict[str, list[Any]] = {
        "state": [progress.state, *progress.steps],
        "halts": [[halt["step"], halt["tier"], halt["first_step"]] for halt in progress.halts],
        "labels": [[halt, candidate] for halt, candidate, _ in labels],
        "figures": [array for *_, atoms in labels for array in (atoms.positions, *_figures(atoms))],
        "coefficients": [known.generation.coefficients() for known in campaign.generations()],
        "active sets": [known.generation.asi.read_bytes() for known in campaign.generations()],
        "timeline": [array for one in timelines for array in (one.step, one.gamma_max, *one.observables.values())],
        "trajectory": [atoms.positions for walker in walkers for atoms in campaign.trajectory(walker)],
    }
    return {name: _digest(values) for name, values in parts.items()}


def _figures(atoms: Atoms) -> tuple[Any, ...]:
    return atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()


def _digest(values: list[Any]) -> str:
    digest = hashlib.sha256()
    for value in values:
        digest.update(
            np.ascontiguousarray(value).tobytes()
            if isinstance(value, np.ndarray)
            else value
            if isinstance(value, bytes)
            else repr(value).encode()
        )
    return digest.hexdigest()[:16]

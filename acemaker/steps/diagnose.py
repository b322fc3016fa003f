"""DIAGNOSE: find the halted structure and the epicenter of a halt."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ase import Atoms

from acemaker.config import OTFConfig
from acemaker.engines.halting import epicenter
from acemaker.formatting.record import read_only
from acemaker.formatting.summary import counted
from acemaker.potentials.explanation import Explanation
from acemaker.results import Diagnosis, Halt
from acemaker.structures.geometry import closeness, nearest_distances

Explain = Callable[[Atoms, np.ndarray], Explanation]


def diagnose(halt: Halt, rule: OTFConfig, explain: Explain) -> Diagnosis:
    """Diagnose a halt.

    The structure to label is the halted structure. If the potential has already pushed atoms into each other, it is
    the last frame in which no pair was closer than physically possible: a label of an unphysical structure has no
    value, and most codes cannot compute it.

    Parameters
    ----------
    halt
        The halt.
    rule
        Thresholds and the minimum distance.
    explain
        Returns what the training set lacks around some atoms of a structure: ``trainer.explain``.

    Returns
    -------
    Diagnosis
    """
    fraction = rule.min_distance_fraction
    physical = next((atoms for atoms in reversed(halt.frames) if closeness(atoms).share >= fraction), None)
    structure = halt.structure if physical is None else physical
    note = ""
    if physical is None:
        note = "no frame before the halt is physical; the halted structure is used anyway"
    elif structure is not halt.structure:
        note = (
            f"the halted structure has a pair below min_distance_fraction; the frame of step "
            f"{structure.info['step']} is used instead"
        )
    if n_few := int(np.isinf(structure.arrays["gamma"]).sum()):
        few = f"gamma is infinite for {counted(n_few, 'atom')} with clearly fewer neighbors than any trained one"
        note = f"{note}; {few}" if note else few
    uncertain = _uncertain_atoms(halt)
    atoms_beyond = epicenter(structure.arrays["gamma"], rule) if uncertain is None else uncertain
    reasons = explain(structure, atoms_beyond)
    return Diagnosis(
        halt=halt,
        structure=structure,
        epicenter=read_only(atoms_beyond, int),
        distances=read_only(nearest_distances(structure, atoms_beyond), float),
        since=read_only(_since(halt, structure, atoms_beyond, rule), int),
        trained_distance=reasons.trained_distance,
        outside=reasons.outside,
        contributions=reasons.contributions,
        note=note,
    )


def _uncertain_atoms(halt: Halt) -> np.ndarray | None:
    """Return the atoms above the tolerance of a halt for its uncertainty, the largest first; None for other halts."""
    values, above = halt.uncertainty, halt.epicenter
    if halt.tier != "uncertainty" or values is None:
        return None
    order: np.ndarray = above[np.argsort(-values[above], kind="stable")]
    return order


def _since(halt: Halt, halted: Atoms, atoms: np.ndarray, rule: OTFConfig) -> np.ndarray:
    """Return the step from which each atom exceeds ``threshold_add_train`` in every stored frame."""
    since = np.full(len(atoms), halted.info["step"])
    if halt.tier == "uncertainty":
        return since  # it is evaluated at some checks only
    unbroken = np.ones(len(atoms), dtype=bool)
    for frame in reversed([frame for frame in halt.frames if frame.info["step"] <= halted.info["step"]]):
        unbroken &= ~(frame.arrays["gamma"][atoms] <= rule.threshold_add_train)
        since[unbroken] = frame.info["step"]
    return since

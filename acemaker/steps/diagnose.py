"""DIAGNOSE: find the anchor and the epicentre of a halt."""

from __future__ import annotations

from acemaker.config import OTFConfig
from acemaker.engines.halting import epicentre
from acemaker.results import Diagnosis, Halt
from acemaker.results.record import read_only
from acemaker.structures.geometry import closeness, nearest_distances


def diagnose(halt: Halt, rule: OTFConfig, trained_distance: float) -> Diagnosis:
    """Diagnose a halt.

    The anchor is the halted structure. Where a potential beyond its region has already pushed atoms into
    each other, it is the last frame in which no pair was closer than physically possible: a label of
    less than that teaches nothing, and most codes cannot give it.

    Parameters
    ----------
    halt
        The halt.
    rule
        Thresholds and the smallest distance allowed.
    trained_distance
        Å, the smallest pair distance in the training set.

    Returns
    -------
    Diagnosis
    """
    fraction = rule.min_distance_fraction
    physical = next((atoms for atoms in reversed(halt.frames) if closeness(atoms).share >= fraction), None)
    structure = halt.structure if physical is None else physical
    note = ""
    if physical is None:
        note = "no frame before the halt is physical; the halted structure is used all the same"
    elif structure is not halt.structure:
        note = (
            f"the halted structure has a pair below min_distance_fraction; the frame of step "
            f"{structure.info['step']} takes its place"
        )
    atoms_beyond = epicentre(structure.arrays["gamma"], rule)
    return Diagnosis(
        halt=halt,
        structure=structure,
        epicentre=read_only(atoms_beyond, int),
        distances=read_only(nearest_distances(structure, atoms_beyond), float),
        trained_distance=trained_distance,
        note=note,
    )

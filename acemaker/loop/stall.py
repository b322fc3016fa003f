"""Halts that lead nowhere: labels are paid, and the trajectory halts where it halted before."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.config import OTFConfig
from acemaker.structures.computed import forces_of, stress_of
from acemaker.structures.consistency import consistency

LARGE_ERROR = 0.5
"""Share of the forces themselves; with a larger held-out error a potential has learnt nothing of them."""

LARGE_STRESS = 5.0
"""eV/Å^3, 800 GPa: more than matter is simulated under, less than a stress in GPa of ordinary solids."""


def halts_without_progress(segments: Iterable[Mapping[str, Any]], walker: int, window: int) -> list[int]:
    """List the last halts of a walker that got no further.

    Parameters
    ----------
    segments
        The events of all explored segments, the newest first.
    walker
        Its number, from 1.
    window
        MD steps; a halt has got further that comes more of them after the furthest one so far.

    Returns
    -------
    list of int
        Their MD steps, oldest first: of the last halts in a row that go back to the same safe state, the one that got
        furthest, and those after it.
    """
    halts: list[Mapping[str, Any]] = []
    for segment in segments:
        if segment.get("walker", 1) != walker:
            continue
        if segment["halt"] is None or (halts and segment["halt"]["safe_step"] != halts[-1]["safe_step"]):
            break
        halts.append(segment["halt"])
    row: list[int] = []
    furthest = 0
    for step in (halt["step"] for halt in reversed(halts)):
        if not row or step > furthest + window:
            furthest, row = step, []
        row.append(step)
    gets_on = all(later > earlier for earlier, later in itertools.pairwise(row))
    return row[-1:] if gets_on else row  # slowly, but each one further than all before


def what_is_wrong(labels: Sequence[Atoms], rule: OTFConfig) -> list[str]:
    """List what is seen to be wrong with labels and thresholds, with what to check; empty if nothing is."""
    seen = []
    for name in ("threshold_add_train", "threshold_call_dft"):
        if (threshold := getattr(rule, name)) < 1:
            seen.append(
                f"{name}={threshold:g} is below 1, which gamma reaches on structures that were trained on: raise it "
                "above 1 (the defaults are 2 and 5)"
            )
    pressures = [abs(float(stress_of(atoms)[:3].mean())) for atoms in labels if "stress" in atoms.calc.results]
    pressure = float(np.median(pressures)) if pressures else 0.0
    if len(labels) > 1 and not any(forces_of(atoms).any() for atoms in labels):
        seen.append("all forces of the labels are zero: the oracle does not compute them")
    elif pressure > LARGE_STRESS:
        seen.append(
            f"the labels are under {pressure:.3g} eV/Å^3, {160.2 * pressure:.3g} GPa: the stresses are in another unit "
            "than eV/Å^3, GPa say, or multiplied by the volume"
        )
    elif told := consistency(labels).words():
        seen.append(f"by the labels' energies, {told}: compare the oracle's forces with differences of its energies")
    return seen


def explain_stall(labels: Sequence[Atoms], rule: OTFConfig, force_error: float | None) -> str:
    """Say what halts without progress look like, and what to check.

    Parameters
    ----------
    labels
        Of the campaign.
    rule
        Its thresholds.
    force_error
        meV/Å, cross-validated force error of the generation in use; None if it is not known.

    Returns
    -------
    str
        Sentences, the likeliest cause first.
    """
    seen = what_is_wrong(labels, rule)
    typical = 1e3 * float(np.sqrt(np.mean(np.concatenate([forces_of(atoms).ravel() for atoms in labels]) ** 2)))
    if force_error is not None and typical and force_error > LARGE_ERROR * typical:
        seen.append(
            f"the held-out force error, {force_error:.3g} meV/Å, is as large as the forces themselves "
            f"({typical:.3g} meV/Å): the forces may have another sign, unit or order of atoms than the energies "
            "(compare them with differences of energies), the oracle may not be deterministic (label one structure "
            "twice), or the basis is too small for this system (n_functions, cutoff)"
        )
    if seen:
        return "It looks like this: " + "; ".join(seen)
    return (
        "Nothing is seen to be wrong with the labels. Check the sign and unit of the oracle's forces and stress (eV/Å, "
        "eV/Å^3), whether it gives the same result twice, threshold_call_dft, and the temperature, pressure and time "
        "step of the run"
    )

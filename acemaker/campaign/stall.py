"""Halts that lead nowhere: labels are paid, and the trajectory halts where it halted before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.config import OTFConfig
from acemaker.structures.computed import forces_of
from acemaker.structures.consistency import consistency

LARGE_ERROR = 0.5
"""Share of the forces themselves; with a larger held-out error a potential has learnt nothing of them."""


def halts_without_progress(segments: Iterable[Mapping[str, Any]], walker: int, window: int) -> list[int]:
    """List the last halts of a walker that got no further.

    Parameters
    ----------
    segments
        The events of all explored segments, the newest first.
    walker
        Its number, from 1.
    window
        MD steps; a halt that comes more of them later than an earlier one has got further.

    Returns
    -------
    list of int
        Their MD steps, oldest first: the last halts in a row that go back to the same safe state, without one that
        came more than the window after the first of them.
    """
    steps: list[int] = []
    safe_step = None
    for segment in segments:
        if segment.get("walker", 1) != walker:
            continue
        halt = segment["halt"]
        if halt is None or (safe_step is not None and halt["safe_step"] != safe_step):
            break
        if steps and max(steps) - halt["step"] > window:
            break
        safe_step = halt["safe_step"]
        steps.insert(0, halt["step"])
    return steps


def what_is_wrong(labels: Sequence[Atoms], rule: OTFConfig) -> list[str]:
    """List what is seen to be wrong with labels and thresholds, with what to check; empty if nothing is."""
    seen = []
    for name in ("threshold_add_train", "threshold_call_dft"):
        if (threshold := getattr(rule, name)) < 1:
            seen.append(
                f"{name}={threshold:g} is below 1, which gamma reaches on structures that were trained on: raise it "
                "above 1 (the defaults are 2 and 5)"
            )
    if told := consistency(labels).words():
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
    sizes = [float(np.sqrt(np.mean(forces_of(atoms) ** 2))) for atoms in labels]
    typical = 1e3 * float(np.median(sizes))
    if force_error is not None and force_error > LARGE_ERROR * typical:
        seen.append(
            f"the held-out force error, {force_error:.3g} meV/Å, is as large as the forces themselves "
            f"({typical:.3g} meV/Å): label one structure twice, and compare; or the basis is too small for this system "
            "(n_functions, cutoff)"
        )
    if seen:
        return "It looks like this: " + "; ".join(seen)
    return (
        "Nothing is seen to be wrong with the labels. Check the sign and unit of the oracle's forces and stress (eV/Å, "
        "eV/Å^3), whether it gives the same result twice, threshold_call_dft, and the temperature, pressure and time "
        "step of the run"
    )

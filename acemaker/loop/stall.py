"""Halts without progress: labels are added, but the trajectory halts where it halted before."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.config import OTFConfig
from acemaker.loop.probes import is_probe
from acemaker.structures.computed import forces_of, stress_of
from acemaker.structures.consistency import consistency

LARGE_ERROR = 0.5
"""Ratio of the held-out force error to the forces themselves above which a potential has not learned the forces."""

LARGE_STRESS = 5.0
"""eV/Å^3, 800 GPa: above pressures that are simulated, below the values of ordinary stresses in GPa."""


def halts_without_progress(segments: Iterable[Mapping[str, Any]], walker: int, window: int) -> list[int]:
    """Return the steps of the last halts of a walker that made no progress.

    Parameters
    ----------
    segments
        The events of all explored segments, newest first.
    walker
        Number of the walker, from 1.
    window
        MD steps; a halt is progress if it comes more than this after the last halt that was progress.

    Returns
    -------
    list of int
        MD steps, oldest first: among the last consecutive halts that go back to the same safe state, the last one that
        was progress, and those after it.
    """
    halts = list(_halts_at_safe_state(segments, walker))
    stalled: list[int] = []
    last_progress = 0
    for step in (halt["step"] for halt in reversed(halts)):
        if not stalled or step > last_progress + window:
            last_progress, stalled = step, []
        stalled.append(step)
    advances = all(later > earlier for earlier, later in itertools.pairwise(stalled))
    return stalled[-1:] if advances else stalled  # slow progress, each halt later than the one before


def repeated_breaks(segments: Iterable[Mapping[str, Any]], walker: int) -> list[int]:
    """Return the steps of the last consecutive breaks of a walker that go back to the same safe state.

    Breaks at that state itself, in the soft start after it, end the sequence: `halts_without_progress` counts them.

    Parameters
    ----------
    segments
        The events of all explored segments, newest first.
    walker
        Number of the walker, from 1.

    Returns
    -------
    list of int
        MD steps, oldest first.
    """
    halts = _halts_at_safe_state(segments, walker)
    breaks = itertools.takewhile(lambda halt: halt["tier"] == "break" and halt["step"] > halt["safe_step"], halts)
    return [halt["step"] for halt in breaks][::-1]


def _halts_at_safe_state(segments: Iterable[Mapping[str, Any]], walker: int) -> Iterator[Mapping[str, Any]]:
    """Yield the last consecutive halts of a walker that go back to the same safe state, newest first."""
    safe_step = None
    for segment in segments:
        if (segment.get("walker") or 1) != walker:
            continue
        halt = segment["halt"]
        if halt is None or is_probe(halt) or safe_step not in (None, halt["safe_step"]):
            return
        safe_step = halt["safe_step"]
        yield halt


def find_problems(labels: Sequence[Atoms], rule: OTFConfig) -> list[str]:
    """Return the problems of labels and thresholds that can be detected, with what to check; empty without problems.

    Parameters
    ----------
    labels
        Labels of the campaign.
    rule
        Its thresholds.
    """
    problems = []
    for name in ("threshold_add_train", "threshold_call_dft"):
        if (threshold := getattr(rule, name)) < 1:
            problems.append(
                f"{name}={threshold:g} is below 1, which gamma reaches on structures of the training set: set it to "
                "more than 1 (the defaults are 2 and 5)"
            )
    pressures = [abs(float(stress_of(atoms)[:3].mean())) for atoms in labels if "stress" in atoms.calc.results]
    pressure = float(np.median(pressures)) if pressures else 0.0
    if len(labels) > 1 and not any(forces_of(atoms).any() for atoms in labels):
        problems.append("all forces of the labels are zero: the oracle does not compute forces")
    elif pressure > LARGE_STRESS:
        problems.append(
            f"the labels have a pressure of {pressure:.3g} eV/Å^3, {160.2 * pressure:.3g} GPa: the stresses are not in "
            "eV/Å^3 (but in GPa, for example), or are multiplied by the volume"
        )
    elif diagnosis := consistency(labels).diagnosis():
        problems.append(
            f"according to the labels' energies, {diagnosis}: compare the oracle's forces with differences of its "
            "energies"
        )
    return problems


def explain_stall(labels: Sequence[Atoms], rule: OTFConfig, force_error: float | None) -> str:
    """Return likely causes of halts without progress, and what to check.

    Parameters
    ----------
    labels
        Labels of the campaign.
    rule
        Its thresholds.
    force_error
        meV/Å, cross-validated force error of the generation in use; None if it is unknown.

    Returns
    -------
    str
        Sentences, the most likely cause first.
    """
    problems = find_problems(labels, rule)
    typical = 1e3 * float(np.sqrt(np.mean(np.concatenate([forces_of(atoms).ravel() for atoms in labels]) ** 2)))
    if force_error is not None and typical and force_error > LARGE_ERROR * typical:
        problems.append(
            f"the held-out force error, {force_error:.3g} meV/Å, is as large as the forces themselves "
            f"({typical:.3g} meV/Å): the forces may have another sign, unit or order of atoms than the energies "
            "(compare them with differences of energies), the oracle may not be deterministic (label one structure "
            "twice), or the basis may be too small for this system (n_functions, cutoff)"
        )
    if problems:
        return "Likely cause: " + "; ".join(problems)
    return (
        "No problem of the labels was detected. Check the sign and unit of the oracle's forces and stress (eV/Å, "
        "eV/Å^3), whether it returns the same result twice, threshold_call_dft, and the temperature, pressure and time "
        "step of the run"
    )

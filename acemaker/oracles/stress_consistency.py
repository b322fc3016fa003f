"""Comparison of an oracle's stress with its energies: sign, unit, and order of the components."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.units import Bohr, GPa, Hartree, Rydberg

from acemaker.formatting.summary import number
from acemaker.oracles.label_calls import LabelCalls, LabelValues
from acemaker.oracles.oracle_check import Finding
from acemaker.oracles.ratios import MATCH, Hypothesis, nearest_hypothesis
from acemaker.structures.per_atom import bare_copy

SHEAR = np.array([[0.6, -0.8, 0.1], [-0.8, -0.6, 1.0], [0.1, 1.0, 0.0]])
"""Strain without change of volume, whose components differ, so that another order of the components shows."""

STRAIN = 0.01
"""Strain of the step from the checked structure."""

SMALL_STRAIN = 2e-3
"""Change of the energy in eV below which a ratio says nothing: a strain also changes the plane waves."""

SHEARS = ("yz", "xz", "xy")
"""Shear components in ASE's order."""


def apply_strain(atoms: Atoms, strain: np.ndarray) -> None:
    """Strain a structure; `strain` has the shape (3, 3) and is dimensionless."""
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)


@dataclass(frozen=True)
class _Strained:
    """Change of the energy under a strain, and its prediction by the stress for each order of the shear components."""

    change: float
    predictions: dict[tuple[int, ...], float]
    curvature: float

    def ratio(self, order: tuple[int, ...] = (0, 1, 2)) -> float:
        predicted = self.predictions[order]
        return self.change / predicted if predicted else math.inf

    @property
    def is_small(self) -> bool:
        """Whether the ratio says nothing, also because the stress changes its sign on the way."""
        largest = max(abs(self.change), abs(self.predictions[0, 1, 2]))
        return largest < max(SMALL_STRAIN, 0.2 * self.curvature)


def check_stress(run: LabelCalls, probe: Atoms, first: LabelValues, energy_factor: float) -> Finding:
    """Compare the stress with the energy under a change of volume and under a shear."""
    name = "energy and stress"
    strained = []
    for strain in (-STRAIN * np.eye(3), STRAIN * SHEAR):
        work = bare_copy(probe)
        apply_strain(work, strain)
        second = run(work)
        if second.stress is None:
            return Finding(name, "–", math.nan, "warning", "the stress is missing in some labels")
        strained.append(_strained(first, second, strain, energy_factor))
    volume, shear = strained
    if all(not any(item.predictions.values()) for item in strained) and abs(shear.change) > SMALL_STRAIN:
        words = "all components are zero, although the energy depends on the cell; leave out a stress that is not known"
        return Finding(name, "zero", math.inf, "wrong", words)
    ratios = f"ΔE by stress: volume {number(volume.ratio())}, shear {number(shear.ratio())}"
    leading = volume if shear.is_small else shear
    ratio = leading.ratio()
    if volume.is_small and shear.is_small:
        return Finding(name, ratios, math.nan, "skipped", "too small to be judged")
    match = nearest_hypothesis(ratio, _stress_hypotheses(first.volume))
    others = [item for item in (volume, shear) if not item.is_small]
    # a Pulay stress changes the ratio under a change of volume, but not by orders of magnitude
    agree = match is not None and all(
        nearest_hypothesis(item.ratio(), [match], 5 * MATCH) is not None for item in others
    )
    if match is not None and (agree or abs(math.log(abs(match.ratio))) > 2):
        words = f"the energy changes by {number(ratio)} times what the stress predicts: {match.words}"
        return Finding(name, ratios, ratio, "wrong", words)
    deviates = abs(shear.ratio() - 1) > 0.15 and not shear.is_small
    if deviates and (order := _other_order(shear)) is not None:
        names = ", ".join(SHEARS[index] for index in order)
        words = (
            f"the shear components are not in the order yz, xz, xy: with those of the label taken as {names}, energy "
            "and stress agree. Return (xx, yy, zz, yz, xz, xy), or the 3x3 matrix"
        )
        return Finding(name, ratios, ratio, "wrong", words)
    if all(abs(item.ratio() - 1) <= 0.05 for item in others):
        return Finding(name, ratios, ratio, "ok")
    if all(not 0.5 < item.ratio() < 2 for item in others) and abs(shear.change) > 5 * SMALL_STRAIN:
        words = (
            "the stress is not the derivative of the energy, by ratios of no known unit: check its unit (eV/Å^3), sign "
            "(positive under tension) and order (xx, yy, zz, yz, xz, xy)"
        )
        return Finding(name, ratios, ratio, "wrong", words)
    words = (
        "the stress deviates from the derivative of the energy: with plane waves, increase the cutoff or the k-points "
        "(Pulay stress); a potential that is cut off without a smooth end does this, too"
    )
    return Finding(name, ratios, ratio, "warning", words)


def _strained(first: LabelValues, second: LabelValues, strain: np.ndarray, energy_factor: float) -> _Strained:
    """Integrate the stress along a strain by the trapezoidal rule."""
    assert first.stress is not None
    assert second.stress is not None
    at_end = strain @ np.linalg.inv(np.eye(3) + strain)
    predictions, curvature = {}, 0.0
    for order in itertools.permutations(range(3)):
        # component i of the label is taken as component order[i]
        start, end = (_matrix(stress, order) for stress in (first.stress, second.stress))
        start_power = first.volume * float((start * strain).sum())
        end_power = second.volume * float((end * at_end.T).sum())
        predictions[order] = 0.5 * (start_power + end_power)
        if order == (0, 1, 2):
            curvature = 0.25 * abs(end_power - start_power)
    return _Strained((second.energy - first.energy) / energy_factor, predictions, curvature)


def _matrix(stress: np.ndarray, order: Sequence[int]) -> np.ndarray:
    shear = np.empty(3)
    shear[list(order)] = stress[3:]
    yz, xz, xy = shear
    xx, yy, zz = stress[:3]
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def _stress_hypotheses(volume: float) -> list[Hypothesis]:
    units = {
        GPa: "the stress is in GPa; multiply it by 0.00624151 (ase.units.GPa), i.e. divide it by 160.2177",
        0.1 * GPa: "the stress is in kbar; multiply it by 0.000624151 (0.1 * ase.units.GPa)",
        1e-4 * GPa: "the stress is in bar; multiply it by 6.24151e-7 (1e-4 * ase.units.GPa)",
        1e-9 * GPa: "the stress is in Pa; multiply it by 6.24151e-12 (ase.units.Pascal)",
        Hartree / Bohr**3: "the stress is in Hartree/bohr^3; multiply it by 183.6315 (ase.units.Hartree / "
        "ase.units.Bohr**3)",
        Rydberg / Bohr**3: "the stress is in Rydberg/bohr^3; multiply it by 91.8158 (ase.units.Rydberg / "
        "ase.units.Bohr**3)",
        1 / volume: f"the stress is a virial in eV; divide it by the volume, {volume:.4g} Å^3",
    }
    plain = [Hypothesis(factor, words) for factor, words in units.items()]
    sign = "and its sign is wrong: it is positive under tension, so negate it"
    negated = [Hypothesis(-item.ratio, f"{item.words}; {sign}") for item in plain]
    wrong_sign = "the stress has the wrong sign: it is positive under tension (dE/dε / V), so negate it"
    return [Hypothesis(-1.0, wrong_sign), *plain, *negated]


def _other_order(shear: _Strained) -> tuple[int, ...] | None:
    """Return the order of shear components with which energy and stress agree, if it is another one."""
    orders = [order for order in shear.predictions if order != (0, 1, 2) and abs(shear.ratio(order) - 1) < MATCH]
    return min(orders, key=lambda order: abs(shear.ratio(order) - 1)) if orders else None

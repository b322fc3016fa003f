"""Check of an oracle by a few calls: whether energy, forces and stress belong together, and in which units they are.

The forces are the derivative of the energy with respect to the positions, and the stress with respect to a strain. A
step along the forces, or along a strain, changes the energy by the integral of that derivative; the ratio of the two
is 1, or betrays a unit: 27.2114 is Hartree, 51.4221 is Hartree/bohr, 160.2177 is GPa, -1 is a sign, and 1 / n_atoms is
an energy per atom.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list
from ase.units import Bohr, GPa, Hartree, Rydberg, kcal, kJ, mol

from acemaker.errors import OracleError
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, counted, number
from acemaker.oracles.checks import check_label, check_unmoved
from acemaker.structures.per_atom import bare_copy

Label = Callable[[Atoms], Atoms]
"""A function that returns a labeled copy of a structure."""

Status = Literal["ok", "warning", "wrong", "skipped"]

MAX_CALLS = 9
"""Maximum number of calls of a check."""

CHEAP = 1.0
"""Seconds per label up to which an oracle is checked before a campaign is created."""

LOADING = 15.0
"""Seconds that the first label may take if the second one is cheap: a model is loaded, or a function compiled."""

DISPLACEMENT, RATTLE = 0.02, 0.07
"""Largest displacement of an atom along the forces, and standard deviation of the initial displacements, Å."""

SHEAR = np.array([[0.6, -0.8, 0.1], [-0.8, -0.6, 1.0], [0.1, 1.0, 0.0]])
"""Strain without change of volume, whose components differ, so that another order of the components shows."""

PRESTRAIN, STRAIN = 0.02, 0.01
"""Strain of the checked structure, and of the step from there."""

MATCH = 0.03
"""Relative deviation up to which a ratio is that of a unit."""

SMALL, SMALL_STRAIN = 1e-4, 2e-3
"""Change of the energy in eV below which a ratio says nothing; a strain also changes the plane waves."""

BOX = 12.0
"""Edge of the box of an isolated atom in a periodic system, Å."""

BONDED = 1.5
"""Distance in units of the sum of covalent radii up to which two atoms act on each other in any oracle."""

LEAST_ZEROS = 3
"""Number of force components that are exactly zero from which they are no coincidence: those of one fixed atom."""

SHEARS = ("yz", "xz", "xy")
"""Shear components in ASE's order."""


@dataclass(frozen=True)
class Finding:
    """Result of one part of a check.

    Attributes
    ----------
    name : str
        What was compared.
    value : str
        What came out, with units.
    ratio : float
        Measured by expected value; NaN if there is none.
    status : {"ok", "warning", "wrong", "skipped"}
        Judgment.
    explanation : str
        What this means, and what to do; empty if there is nothing to say.
    """

    name: str
    value: str
    ratio: float
    status: Status
    explanation: str = ""


@dataclass(frozen=True, repr=False)
class OracleCheck(Record):
    """Result of the check of an oracle.

    Attributes
    ----------
    name : str
        The oracle.
    n_atoms : int
        Number of atoms of the checked structure.
    n_calls : int
        Number of labels that were computed.
    seconds : float
        Time of one label of that structure.
    findings : tuple of Finding
        One per comparison.
    has_stress : bool
        Whether the labels contain a stress.
    is_complete : bool
        Whether all comparisons were made; only the first ones are if a label is expensive and a time limit is set.
    """

    name: str
    n_atoms: int
    n_calls: int
    seconds: float
    findings: tuple[Finding, ...]
    has_stress: bool
    is_complete: bool = True

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """Findings for which labels would be wrong."""
        return tuple(finding for finding in self.findings if finding.status == "wrong")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings that may have a good reason, but should be known."""
        return tuple(finding for finding in self.findings if finding.status == "warning")

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong

    def explain(self) -> str:
        """Return what is wrong, in one line; empty if nothing is."""
        return "; ".join(f"{finding.name}: {finding.explanation}" for finding in self.wrong)

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        if self.wrong:
            title, step = f"Oracle {self.name}: wrong", "correct the oracle as stated below, and check it again"
        elif self.warnings:
            title, step = f"Oracle {self.name}: usable, with warnings", "read the warnings below"
        else:
            title, step = f"Oracle {self.name}: consistent", "create the campaign"
        if self.passed and not self.has_stress:
            step += "; choose an ensemble other than 'npt' for periodic structures, since there is no stress"
        items = (
            ("structure", counted(self.n_atoms, "atom")),
            ("oracle calls", str(self.n_calls)),
            ("next step", step),
        )
        rows = tuple(
            (
                finding.name,
                finding.value,
                number(finding.ratio),
                finding.status + (f": {finding.explanation}" if finding.explanation else ""),
            )
            for finding in self.findings
        )
        return Summary(title, items, Table(("check", "result", "ratio", "judgment"), rows, words=True))


@dataclass(frozen=True)
class _Hypothesis:
    """An explanation of a ratio other than 1."""

    ratio: float
    words: str


def check_consistency(
    label: Label,
    atoms: Atoms,
    name: str = "",
    *,
    cheap: float | None = None,
    isolated: bool = True,
    max_net_force: float = 0.1,
) -> OracleCheck:
    """Check an oracle by at most nine calls.

    Parameters
    ----------
    label
        Returns a labeled copy of a structure: energy in eV, forces in eV/Å, and possibly the stress in eV/Å^3.
    atoms
        A structure that the oracle should label. A distorted copy is labeled, since symmetry would hide errors.
    name
        Name of the oracle for the record.
    cheap
        Seconds per label; the check ends after one or two calls if they take longer. None for no limit.
    isolated
        Whether isolated atoms are labeled, too.
    max_net_force
        Maximum norm of the sum of forces in eV/Å per atom.

    Returns
    -------
    OracleCheck

    Raises
    ------
    OracleError
        If the structure cannot be labeled, or the label is no energy with forces.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from acemaker.oracles.consistency import check_consistency
    >>> from acemaker.testing import ToyOracle
    >>> check = check_consistency(ToyOracle().label, bulk("Cu", cubic=True), "toy", isolated=False)
    >>> check.passed, check.n_calls
    (True, 6)
    """
    run = _Run(label)
    probe = distorted(atoms)
    first = run(probe)
    seconds = run.seconds
    complete = _is_cheap(seconds, cheap)
    findings = [_sum_of_forces(first, max_net_force), *_constrained_forces(probe, first)]
    if complete or (cheap is not None and seconds <= LOADING):
        again = run(probe)
        seconds = min(seconds, run.seconds)
        findings.append(_repetition(first, again))
        complete = _is_cheap(seconds, cheap)
    if complete:
        size = run.try_call(_doubled(probe))
        per_atom = _is_per_atom(first, size)
        moved = _moved(probe, first.forces)
        force = _compare_forces(first, run(moved), moved.positions - probe.positions, per_atom=per_atom)
        findings.append(force.finding)
        if first.stress is not None:
            findings.append(_check_stress(run, probe, first, force.energy_factor))
        findings.append(_extensivity(first, size, len(probe), periodic=bool(probe.pbc.any())))
        if isolated:
            findings.append(_isolated_atoms(run, probe, first))
    return OracleCheck(
        name=name or "of your own",
        n_atoms=len(probe),
        n_calls=run.calls,
        seconds=seconds,
        findings=tuple(findings),
        has_stress=first.stress is not None,
        is_complete=complete,
    )


def distorted(atoms: Atoms) -> Atoms:
    """Return a distorted copy of a structure, in which neither forces nor shear stresses vanish by symmetry.

    Parameters
    ----------
    atoms
        The structure; a single atom in a periodic cell is repeated, since no force acts on it.

    Returns
    -------
    Atoms
    """
    work = bare_copy(atoms)
    if len(work) == 1 and work.pbc.all():
        work = bare_copy(work.repeat((2, 1, 1)))
    if work.pbc.all():
        _strain(work, PRESTRAIN * SHEAR)
    noise = np.random.default_rng(20).normal(scale=RATTLE, size=(len(work), 3))
    work.positions += np.clip(noise, -2 * RATTLE, 2 * RATTLE)
    return work


@dataclass(frozen=True)
class _Label:
    """A label in numbers."""

    energy: float
    forces: np.ndarray
    stress: np.ndarray | None
    volume: float


class _Run:
    """Calls the label function, counts the calls and measures their time."""

    def __init__(self, label: Label) -> None:
        self._label = label
        self.calls = 0
        self.seconds = 0.0

    def __call__(self, atoms: Atoms) -> _Label:
        self.calls += 1
        start = time.perf_counter()
        labeled = self._label(received := bare_copy(atoms))
        self.seconds = time.perf_counter() - start
        check_label(labeled, math.inf)
        for after in (received, labeled):  # an oracle of the user may have moved atoms
            check_unmoved(atoms, after)
        results = labeled.calc.results
        stress = results.get("stress") if atoms.pbc.all() else None
        return _Label(
            float(np.asarray(results["energy"]).reshape(())),
            np.asarray(results["forces"], dtype=float),
            None if stress is None else np.asarray(stress, dtype=float),
            abs(float(np.linalg.det(atoms.cell.array))) if atoms.pbc.all() else 0.0,
        )

    def try_call(self, atoms: Atoms) -> _Label | str:
        """Return the label, or the message of the error: many oracles refuse structures that a campaign has not."""
        try:
            return self(atoms)
        except Exception as error:  # a user's oracle may raise anything
            return f"{type(error).__name__}: {error}".splitlines()[0][:120]


def _is_cheap(seconds: float, cheap: float | None) -> bool:
    return cheap is None or seconds <= cheap


def _strain(atoms: Atoms, strain: np.ndarray) -> None:
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)


def _doubled(atoms: Atoms) -> Atoms:
    """Repeat a periodic structure along its shortest vector; put a second cluster far from the first one."""
    if atoms.pbc.any():
        axis = int(np.argmin(np.where(atoms.pbc, atoms.cell.lengths(), np.inf)))
        return bare_copy(atoms.repeat(np.where(np.arange(3) == axis, 2, 1)))
    other = atoms.copy()
    other.positions[:, 0] += np.ptp(atoms.positions[:, 0]) + 15.0
    return bare_copy(atoms + other)


def _moved(atoms: Atoms, forces: np.ndarray) -> Atoms:
    """Move the atoms along the forces and, half of it, along random directions, which forces may be wrong in."""
    noise = np.random.default_rng(21).normal(size=forces.shape)
    step = forces / max(np.linalg.norm(forces), 1e-30) + 0.5 * noise / np.linalg.norm(noise)
    work = bare_copy(atoms)
    work.positions += step * DISPLACEMENT / max(float(np.linalg.norm(step, axis=1).max()), 1e-30)
    return work


def _sum_of_forces(first: _Label, limit: float) -> Finding:
    net = float(np.linalg.norm(first.forces.sum(axis=0))) / len(first.forces)
    value, name = f"{number(net)} eV/Å per atom", "sum of forces"
    if net <= limit:
        return Finding(name, value, math.nan, "ok")
    return Finding(
        name,
        value,
        math.nan,
        "wrong",
        f"{number(net)} eV/Å per atom, expected at most {limit:g}: forces are missing, belong to other atoms, or there "
        "is an external field",
    )


def _constrained_forces(probe: Atoms, first: _Label) -> list[Finding]:
    """Find forces that a constraint has set to zero, which a step along the forces does not show; empty without any.

    All atoms of the distorted structure are displaced in all directions, so no force between neighbors vanishes. A
    direction in which all forces are zero is another matter: then the energy may not depend on it.
    """
    cutoffs = BONDED * covalent_radii[probe.numbers]
    neighbored = np.zeros(len(probe), dtype=bool)
    neighbored[neighbor_list("i", probe, cutoffs)] = True
    zero = (first.forces == 0) & neighbored[:, None] & first.forces.any(axis=0)
    if zero.sum() < LEAST_ZEROS:
        return []
    atoms = np.flatnonzero(zero.any(axis=1))
    listed = ", ".join(map(str, atoms[:6])) + (", …" if len(atoms) > 6 else "")
    value = f"exactly zero on {counted(len(atoms), 'atom')}"
    words = (
        f"constraints were applied to the forces: {'all' if zero[atoms].all() else 'some'} components are {value} "
        f"({listed}) with neighbors, in a distorted structure. Call get_forces(apply_constraint=False), or remove the "
        "constraints in the oracle (atoms.set_constraint()); atoms are frozen by constraints of the initial structure"
    )
    return [Finding("forces of each atom", value, math.nan, "wrong", words)]


def _repetition(first: _Label, again: _Label) -> Finding:
    energy = abs(first.energy - again.energy) / len(first.forces)
    forces = float(np.abs(first.forces - again.forces).max(initial=0.0))
    name = "same structure twice"
    if energy == 0 and forces == 0:
        return Finding(name, "equal", math.nan, "ok")
    value = f"{number(1e3 * energy)} meV/atom, {number(1e3 * forces)} meV/Å"
    if energy < 1e-5 and forces < 1e-3:
        return Finding(name, value, math.nan, "ok")
    if energy < 5e-3 and forces < 0.05:
        return Finding(name, value, math.nan, "warning", "labels are not reproducible; converge the calculation better")
    return Finding(
        name,
        value,
        math.nan,
        "wrong",
        f"two labels of the same structure differ by {value}: the oracle is random, or it depends on earlier calls",
    )


def _extensivity(first: _Label, double: _Label | str, n_atoms: int, *, periodic: bool) -> Finding:
    name = "doubled cell" if periodic else "two copies"
    if isinstance(double, str):
        return Finding(name, "–", math.nan, "skipped", f"cannot be labeled ({double})")
    if abs(first.energy) < SMALL and abs(double.energy) < SMALL:
        return Finding(name, "–", math.nan, "skipped", "the energy is zero")
    deviation = (double.energy - 2 * first.energy) / (2 * n_atoms)
    ratio = double.energy / first.energy if first.energy else math.inf
    value = f"{number(1e3 * deviation)} meV/atom"
    if _is_per_atom(first, double):
        return Finding(
            name, value, ratio, "wrong", "it has the same energy: the energy is per atom; multiply it by len(atoms)"
        )
    if abs(deviation) < 2e-3:
        return Finding(name, value, ratio, "ok")
    return Finding(
        name,
        value,
        ratio,
        "warning",
        f"the energy per atom changes by {value}: labels of cells of different size are inconsistent; choose k-points "
        "by their density, not by their number, and enough of them",
    )


def _is_per_atom(first: _Label, double: _Label | str) -> bool | None:
    """Return whether a doubled structure has the same energy; None if that cannot be judged."""
    if isinstance(double, str) or abs(first.energy) < SMALL:
        return None
    ratio = double.energy / first.energy
    return True if abs(ratio - 1) < 0.05 else False if abs(ratio - 2) < 0.1 else None


@dataclass(frozen=True)
class _ForceResult:
    """Finding about the forces, and the factor by which the energy is wrong, 1 if it is not."""

    finding: Finding
    energy_factor: float


def _compare_forces(first: _Label, second: _Label, step: np.ndarray, *, per_atom: bool | None) -> _ForceResult:
    """Compare the change of the energy along a step with that predicted by the forces, by the trapezoidal rule."""
    name = "energy and forces"
    change = second.energy - first.energy
    powers = [-float((label.forces * step).sum()) for label in (first, second)]
    predicted, curvature = 0.5 * sum(powers), 0.5 * abs(powers[1] - powers[0])
    value = f"ΔE {number(change)}, by forces {number(predicted)} eV"
    if max(abs(change), abs(predicted)) < max(SMALL, 0.3 * curvature):  # the force changes its sign on the way
        return _ForceResult(Finding(name, value, math.nan, "skipped", "too small to be judged"), 1.0)
    ratio = change / predicted if predicted else math.inf
    if not (first.forces.any() or second.forces.any()):
        words = "all forces are zero, although the energy depends on the positions"
        return _ForceResult(Finding(name, value, ratio, "wrong", words), 1.0)
    if abs(change - predicted) <= 0.02 * abs(predicted) + 0.05 * curvature:
        return _ForceResult(Finding(name, value, ratio, "ok"), 1.0)
    n_atoms = len(first.forces)
    energies = {
        1 / Hartree: "energies are in Hartree; multiply them by 27.2114 (ase.units.Hartree)",
        1 / Rydberg: "energies are in Rydberg; multiply them by 13.6057 (ase.units.Rydberg)",
        mol / kcal: "energies are in kcal/mol; multiply them by 0.0433641 (ase.units.kcal / ase.units.mol)",
        mol / kJ: "energies are in kJ/mol; multiply them by 0.0103643 (ase.units.kJ / ase.units.mol)",
        1e3: "energies are in meV; divide them by 1000",
    }
    if per_atom is not False and n_atoms > 1:
        per = {1 / n_atoms: "the energy is per atom; multiply it by len(atoms)"}
        energies = per if per_atom else energies | per
    forces = {
        Hartree / Bohr: "forces are in Hartree/bohr; multiply them by 51.4221 (ase.units.Hartree / ase.units.Bohr)",
        Hartree: "forces are in Hartree/Å; multiply them by 27.2114 (ase.units.Hartree)",
        Rydberg / Bohr: "forces are in Rydberg/bohr; multiply them by 25.7110 (ase.units.Rydberg / ase.units.Bohr)",
        Rydberg: "forces are in Rydberg/Å; multiply them by 13.6057 (ase.units.Rydberg)",
        1 / Bohr: "forces are in eV/bohr (divide them by 0.529177), or energies are in Hartree and forces in "
        "Hartree/bohr, or in Rydberg and Rydberg/bohr (see ase.units)",
        Bohr: "forces were multiplied by 1.88973 instead of 0.529177, or positions are in bohr (see ase.units.Bohr)",
        1e-3: "forces are in meV/Å; divide them by 1000",
        kcal / mol: "forces are in kcal/mol/Å; multiply them by 0.0433641 (ase.units.kcal / ase.units.mol)",
        kJ / mol: "forces are in kJ/mol/Å; multiply them by 0.0103643 (ase.units.kJ / ase.units.mol)",
    }
    hypotheses = [_Hypothesis(factor, words) for factor, words in [*energies.items(), *forces.items()]]
    negated = [
        _Hypothesis(-item.ratio, f"{item.words}; and their sign is wrong, negate the forces") for item in hypotheses
    ]
    sign = _Hypothesis(-1.0, "forces have the wrong sign, they are the gradient; negate them")
    match = _nearest(ratio, [sign, *hypotheses, *negated])
    if match is not None:
        words = f"the energy changes by {number(ratio)} times what the forces predict: {match.words}"
        factor = abs(match.ratio) if abs(match.ratio) in energies else 1.0
        return _ForceResult(Finding(name, value, ratio, "wrong", words), factor)
    if 0.67 < ratio < 1.5:
        words = (
            f"the energy changes by {number(ratio)} times what the forces predict: converge the calculation better; "
            "a potential that is cut off without a smooth end does this, too"
        )
        return _ForceResult(Finding(name, value, ratio, "warning", words), 1.0)
    words = (
        f"the energy changes by {number(ratio)} times what the forces predict, which is the ratio of no known units: "
        "check the units, the order of atoms and components, and whether the energy belongs to the forces (with "
        "smearing, the free energy)"
    )
    return _ForceResult(Finding(name, value, ratio, "wrong", words), 1.0)


def _nearest(ratio: float, hypotheses: Sequence[_Hypothesis], tolerance: float = MATCH) -> _Hypothesis | None:
    """Return the hypothesis with the nearest ratio of the same sign, if it is near enough."""
    fitting = [item for item in hypotheses if item.ratio * ratio > 0 and math.isfinite(ratio)]
    if not fitting:
        return None
    nearest = min(fitting, key=lambda item: abs(math.log(ratio / item.ratio)))
    return nearest if abs(math.log(ratio / nearest.ratio)) < tolerance else None


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


def _check_stress(run: _Run, probe: Atoms, first: _Label, energy_factor: float) -> Finding:
    """Compare the stress with the energy under a change of volume and under a shear."""
    name = "energy and stress"
    strained = []
    for strain in (-STRAIN * np.eye(3), STRAIN * SHEAR):
        work = bare_copy(probe)
        _strain(work, strain)
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
    match = _nearest(ratio, _stress_hypotheses(first.volume))
    others = [item for item in (volume, shear) if not item.is_small]
    # a Pulay stress changes the ratio under a change of volume, but not by orders of magnitude
    agree = match is not None and all(_nearest(item.ratio(), [match], 5 * MATCH) is not None for item in others)
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


def _strained(first: _Label, second: _Label, strain: np.ndarray, energy_factor: float) -> _Strained:
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


def _stress_hypotheses(volume: float) -> list[_Hypothesis]:
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
    plain = [_Hypothesis(factor, words) for factor, words in units.items()]
    sign = "and its sign is wrong: it is positive under tension, so negate it"
    negated = [_Hypothesis(-item.ratio, f"{item.words}; {sign}") for item in plain]
    wrong_sign = "the stress has the wrong sign: it is positive under tension (dE/dε / V), so negate it"
    return [_Hypothesis(-1.0, wrong_sign), *plain, *negated]


def _other_order(shear: _Strained) -> tuple[int, ...] | None:
    """Return the order of shear components with which energy and stress agree, if it is another one."""
    orders = [order for order in shear.predictions if order != (0, 1, 2) and abs(shear.ratio(order) - 1) < MATCH]
    return min(orders, key=lambda order: abs(shear.ratio(order) - 1)) if orders else None


def _isolated_atoms(run: _Run, probe: Atoms, first: _Label) -> Finding:
    """Label each element alone, as far as the number of calls allows, and compare with the structure."""
    name = "isolated atoms"
    symbols = probe.get_chemical_symbols()
    elements = sorted(set(symbols), key=symbols.count, reverse=True)[: MAX_CALLS - run.calls]
    energies: dict[str, float] = {}
    for element in elements:
        periodic = bool(probe.pbc.all())
        atom = Atoms(element, [[0.5 * BOX] * 3], cell=[BOX] * 3 if periodic else None, pbc=periodic)
        result = run.try_call(atom)
        if isinstance(result, str):
            return Finding(name, "–", math.nan, "skipped", f"{element} cannot be labeled alone ({result})")
        if (force := float(np.abs(result.forces).max())) > 0.05:
            words = f"a force of {number(force)} eV/Å acts on a single {element} atom, expected none"
            return Finding(name, f"{element}: {number(force)} eV/Å", math.nan, "warning", words)
        energies[element] = result.energy
    if len(elements) < len(set(symbols)):
        return Finding(
            name, ", ".join(f"{symbol} {energy:.6g} eV" for symbol, energy in energies.items()), math.nan, "ok"
        )
    binding = (sum(energies[symbol] for symbol in symbols) - first.energy) / len(symbols)
    value = f"bound by {number(binding)} eV/atom"
    if binding > 15:
        words = f"no solid is bound by {number(binding)} eV/atom: energy and forces may both be in kcal/mol or kJ/mol"
        return Finding(name, value, math.nan, "warning", words)
    if binding < 0.2 and not set(symbols) <= {"He", "Ne", "Ar", "Kr", "Xe", "Rn"}:
        words = (
            "the atoms are hardly bound: energy and forces may both be in Hartree or Rydberg, or the oracle does not "
            "describe isolated atoms (their spin)"
        )
        return Finding(name, value, math.nan, "warning", words)
    return Finding(name, value, math.nan, "ok")


def refusal(check: OracleCheck, remedy: str = "") -> OracleError:
    """Return the error of an oracle whose labels would be wrong.

    Parameters
    ----------
    check
        A check that did not pass.
    remedy
        What to do apart from correcting the oracle.
    """
    return OracleError(f"the labels of the oracle {check.name} would be wrong: {check.explain()}" + remedy)

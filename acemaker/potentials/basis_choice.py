"""The comparison of bases on labels that exist: which cutoff and which number of functions predict forces best.

A basis whose cutoff is too long spends its functions on distances that hardly matter, and has an error that no label
lowers. Labels do not depend on the basis, so that other bases cost nothing but the evaluation of their functions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from ase import Atoms

from acemaker.config import PotentialConfig
from acemaker.errors import ConfigError
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, counted, number
from acemaker.potentials.active_set import SMALL, build_active_set
from acemaker.potentials.baseline import Baseline
from acemaker.potentials.basis import Basis
from acemaker.potentials.design import DesignBuilder
from acemaker.potentials.force_error import LatestLabels
from acemaker.potentials.linear import LeastSquares
from acemaker.potentials.ridge import NEGLIGIBLE
from acemaker.potentials.targets import reference_energies, structure_rows
from acemaker.potentials.threads import single_threaded
from acemaker.potentials.typical_values import typical_values
from acemaker.structures.geometry import closeness
from acemaker.structures.mask import counted_blocks, energy_counts, mask_of, stress_counts, weight_of

SHARES = (1.0, 0.9, 0.8, 0.7)
"""Cutoffs that are compared, in units of the configured one. Longer ones are not: the sizes of cells were checked for
the configured cutoff."""

FACTORS = (1, 2)
"""Numbers of functions that are compared, in units of the configured one."""

NEAREST = 1.3
"""Smallest cutoff that is compared, in units of the shortest distance in the labels."""

BETTER = 0.9
"""Error in units of that of another basis below which a basis is better, and not only by chance."""

WORTH = 0.7
"""The same for a basis with twice as many functions, which take twice the time in every MD step."""

FEWEST_FOLDS = 4
"""Minimum number of labels with which whole structures are left out."""

MOST = 12
"""Maximum number of labels on which bases are compared: the latest ones."""


@dataclass(frozen=True, kw_only=True)
class BasisCandidate:
    """A basis and its error on labels.

    Attributes
    ----------
    cutoff : float
        Å.
    n_functions : int
        Number of functions per element, as in `PotentialConfig`.
    lmax_by_orders : tuple of int
        Maximum angular momentum by correlation order.
    error : float
        Held-out force error, meV/Å: the geometric mean over what was left out; NaN if the labels are too few.
    penalty : float
        Its ridge penalty.
    is_spanned : bool
        Whether the environments in the labels span the functions of each element. Otherwise, gamma would halt at one
        new environment after another.
    """

    cutoff: float
    n_functions: int
    lmax_by_orders: tuple[int, ...]
    error: float
    penalty: float
    is_spanned: bool = True

    def is_same(self, other: BasisCandidate) -> bool:
        """Return whether another candidate is the same basis, perhaps compared on other labels."""
        own, others = ((basis.cutoff, basis.n_functions, tuple(basis.lmax_by_orders)) for basis in (self, other))
        return own == others

    def apply(self, config: PotentialConfig) -> PotentialConfig:
        """Return a configuration with this basis."""
        basis = {"cutoff": self.cutoff, "n_functions": self.n_functions, "lmax_by_orders": self.lmax_by_orders}
        return config.model_copy(update=basis)

    def __str__(self) -> str:
        """Return the parameters of the basis in one line."""
        return f"cutoff={self.cutoff:g}, n_functions={self.n_functions}, lmax_by_orders={self.lmax_by_orders}"


@dataclass(frozen=True, kw_only=True, repr=False)
class BasisChoice(Record):
    """Bases compared by their held-out force errors on the same labels.

    Attributes
    ----------
    candidates : tuple of BasisCandidate
        The bases; the configured one is the first.
    n_structures : int
        Number of labels.
    left_out : str
        "structures", or "blocks of atoms" if there are fewer than four structures.
    is_poor : bool
        Whether the potential was measured not to be good enough, so that accuracy counts more than speed.

    Examples
    --------
    >>> from acemaker.analysis import compare_bases
    >>> from acemaker.testing import toy_campaign
    >>> choice = compare_bases(toy_campaign())
    >>> choice.configured.cutoff, choice.best.cutoff <= choice.configured.cutoff
    (4.0, True)
    """

    candidates: tuple[BasisCandidate, ...]
    n_structures: int
    left_out: str
    is_poor: bool = False

    @property
    def configured(self) -> BasisCandidate:
        """The configured basis."""
        return self.candidates[0]

    @property
    def best(self) -> BasisCandidate:
        """The configured basis, unless the error of another one is smaller by 10 %.

        A basis with twice as many functions, which take twice the time in every MD step, must have an error that is
        smaller by 30 %, unless the potential is not good enough. Bases whose functions the labels do not span are not
        chosen, unless those of the configured basis are not spanned either.
        """
        best = self.configured
        eligible = [other for other in self.candidates if other.is_spanned or not self.configured.is_spanned]
        for n_functions in sorted({other.n_functions for other in eligible}):
            rivals = [other for other in eligible if other.n_functions == n_functions]
            rival = min(rivals, key=lambda other: other.error)
            if rival.error < (WORTH if n_functions > best.n_functions and not self.is_poor else BETTER) * best.error:
                best = rival
        return best

    @property
    def reason(self) -> str:
        """Why `best` was chosen, in one sentence."""
        if not math.isfinite(self.configured.error):
            return "the configured basis, since the labels are too few to compare others"
        if self.best == self.configured:
            twice = "" if self.is_poor else ", or by 30 % with twice as many functions"
            return f"the configured basis: no other one has a held-out force error that is smaller by 10 %{twice}"
        return (
            f"held-out force error {number(self.best.error)} meV/Å, {number(self.configured.error)} with the "
            f"configured basis ({self.configured})"
        )

    def headline(self) -> str:
        """Return the chosen basis in one line."""
        return f"Basis: {self.best}"

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        table = Table(
            ("cutoff / Å", "functions per element", "lmax by order", "held-out force error / (meV/Å)", "penalty", ""),
            tuple(
                (
                    f"{candidate.cutoff:g}",
                    str(candidate.n_functions),
                    " ".join(map(str, candidate.lmax_by_orders)),
                    number(candidate.error),
                    f"{candidate.penalty:g}",
                    ", ".join(
                        word
                        for word, applies in (
                            ("configured", candidate == self.configured),
                            ("chosen", candidate == self.best),
                            ("too few environments", not candidate.is_spanned),
                        )
                        if applies
                    ),
                )
                for candidate in self.candidates
            ),
        )
        items = (
            ("chosen", str(self.best)),
            ("reason", self.reason),
            ("compared on", f"{counted(self.n_structures, 'label')}, leaving out {self.left_out}"),
        )
        return Summary("Comparison of bases", items, table)

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Self:
        """Create from the fields of a JSON file, with lists for tuples."""
        candidates = tuple(
            BasisCandidate(**{**candidate, "lmax_by_orders": tuple(candidate["lmax_by_orders"])})
            for candidate in fields["candidates"]
        )
        return cls(**{**fields, "candidates": candidates})


@single_threaded
def choose_basis(
    config: PotentialConfig,
    structures: Sequence[Atoms],
    elements: Sequence[str],
    *,
    baseline: Baseline | None = None,
    reference: Mapping[str, float] | None = None,
    is_poor: bool = False,
) -> BasisChoice:
    """Compare bases by their held-out force errors on labels.

    With four labels or more, structures are left out; with fewer, blocks of atoms of each of them. Each basis has the
    ridge penalty that suits it best.

    Parameters
    ----------
    config
        The configured basis, with the weights of the fit.
    structures
        The labels, of which the latest twelve are used.
    elements
        Chemical symbols of the system.
    baseline
        Baseline that is subtracted from the labels.
    reference
        Reference energies, eV per atom by element; fitted to the labels if None or empty.
    is_poor
        Whether the potential is not good enough, so that accuracy counts more than speed.

    Returns
    -------
    BasisChoice
        Bases that the configured orders do not allow, with too many functions, are left out.

    Examples
    --------
    >>> from acemaker import PotentialConfig
    >>> from acemaker.potentials.basis_choice import choose_basis
    >>> from acemaker.testing import toy_campaign
    >>> choice = choose_basis(PotentialConfig(n_functions=20), toy_campaign().labeled_structures(), ["Cu"])
    >>> choice.configured.n_functions
    20
    """
    used = structures[-MOST:]
    targets = used if baseline is None else [baseline.subtract(atoms) for atoms in used]
    energies = dict(reference or {}) or reference_energies(targets, sorted(elements), config)
    candidates: list[BasisCandidate] = []
    for candidate in candidates_of(config, used):
        try:
            error, penalty, is_spanned = held_out_error(candidate, used, targets, energies)
        except ConfigError:
            if not candidates:  # the configured basis
                raise
            continue
        candidates.append(
            BasisCandidate(
                cutoff=candidate.cutoff,
                n_functions=candidate.n_functions,
                lmax_by_orders=candidate.lmax_by_orders,
                error=error,
                penalty=penalty,
                is_spanned=is_spanned,
            )
        )
    left_out = "structures" if len(used) >= FEWEST_FOLDS else "blocks of atoms"
    return BasisChoice(candidates=tuple(candidates), n_structures=len(used), left_out=left_out, is_poor=is_poor)


def candidates_of(config: PotentialConfig, structures: Sequence[Atoms]) -> tuple[PotentialConfig, ...]:
    """Return the bases that are compared, the configured one first.

    Parameters
    ----------
    config
        The configured basis.
    structures
        The labels, whose shortest distance limits the cutoff.

    Returns
    -------
    tuple of PotentialConfig
        Bases with the same or a shorter cutoff, with as many functions or more, and with higher angular momenta.
    """
    shortest = NEAREST * min(closeness(atoms).distance for atoms in structures)
    shorter = [round(share * config.cutoff, 3) for share in SHARES[1:]]
    cutoffs = [config.cutoff, *(cutoff for cutoff in shorter if cutoff > shortest)]
    angular = (0, *(momentum + 1 for momentum in config.lmax_by_orders[1:]))
    changes: list[dict[str, Any]] = [
        {"cutoff": cutoff, "n_functions": factor * config.n_functions} for factor in FACTORS for cutoff in cutoffs
    ]
    if len(angular) > 1:
        changes += [
            {"cutoff": cutoff, "lmax_by_orders": angular} for cutoff in dict.fromkeys((cutoffs[0], cutoffs[-1]))
        ]
    return tuple(config.model_copy(update=change) for change in changes)


def held_out_error(
    config: PotentialConfig, structures: Sequence[Atoms], targets: Sequence[Atoms], reference: Mapping[str, float]
) -> tuple[float, float, bool]:
    """Compute the held-out force error of a basis with the ridge penalty that suits it.

    Parameters
    ----------
    config
        The basis.
    structures, targets
        Labels, and labels minus the baseline.
    reference
        Reference energies, eV per atom by element.

    Returns
    -------
    error : float
        meV/Å, geometric mean over structures or blocks of atoms.
    penalty : float
        The ridge penalty.
    is_spanned : bool
        Whether the environments span the functions of each element.
    """
    basis = Basis.create(config, sorted(reference))
    builder = DesignBuilder(basis)
    rows, projections = [], []
    for atoms, target in zip(structures, targets, strict=True):
        design = builder.rows(target)
        projections.append(counted_blocks(atoms, basis.elements, design.projections))
        stress = config.stress_weight > 0 and stress_counts(atoms)
        counts, weight = energy_counts(atoms), weight_of(atoms)
        rows.append(structure_rows(target, design, dict(reference), stress, mask_of(atoms), counts, weight))
    active_set = build_active_set(
        basis.elements, basis.n_functions, projections, lambda: typical_values(builder, structures)
    )
    weights = {"energy": config.energy_weight, "forces": config.force_weight, "virial": config.stress_weight}
    fit, latest = LeastSquares(basis.size, weights, "auto", max(FEWEST_FOLDS, config.cv_folds)), LatestLabels()
    fit.leave_out_blocks(lambda: latest.force_blocks(config.force_weight))
    fit.leave_out(np.concatenate(active_set.negligible))
    for atoms, row in zip(structures, rows, strict=True):
        fit.add(row)
        latest.add(atoms, row, mask_of(atoms))
    is_spanned = not any((sources <= SMALL).any() for sources in active_set.sources)
    error = min(fit.ridge.errors, default=math.nan)
    if len(structures) >= FEWEST_FOLDS:
        errors = [fold for fold in fit.fold_forces(fit.cross_validate()) if fold is not None]
        error = float(np.exp(np.mean(np.log(np.maximum(errors, NEGLIGIBLE)))))
    return error, fit.ridge.penalty, is_spanned

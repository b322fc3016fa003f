"""Embedding: a small periodic cell in place of a structure that is too large for the oracle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from acemaker.config import EmbeddingConfig, OTFConfig
from acemaker.errors import EmbeddingError
from acemaker.formatting.record import frozen, read_only
from acemaker.structures.computed import forces_of
from acemaker.structures.embedding.boundary import relax_boundary
from acemaker.structures.embedding.cell import SmallCell, choose_cells, reach
from acemaker.structures.embedding.cut import SQUEEZE, cut
from acemaker.structures.embedding.embedded import EmbeddedCell
from acemaker.structures.embedding.surroundings import Surroundings, check_parent, surroundings
from acemaker.structures.embedding.validation import EmbeddingValidation, fewest_reasons, validate_cell
from acemaker.structures.files import as_written
from acemaker.structures.geometry import closeness
from acemaker.structures.per_atom import bare_copy

CENTERS = 3
"""Maximum number of atoms of the epicenter around which cells are cut, largest gamma first."""

SAFETY_FACTOR = 0.75
"""The core is reduced until its error is this share of the limit, since the current potential has an error, too."""

OUTLIER = 5.0
"""Force error in units of the limit above which an atom is excluded from the core: it has lost a neighbor to the
boundary."""

MIN_CORE_RADIUS = 1.4
"""Radius of the smallest core in units of the spacing: the center and its nearest neighbors."""


def embed(
    parent: Atoms,
    epicenter: Sequence[int] | np.ndarray,
    calculator: BaseCalculator,
    *,
    max_atoms: int,
    config: EmbeddingConfig | None = None,
    rule: OTFConfig | None = None,
) -> EmbeddedCell:
    """Cut a small periodic cell around the epicenter, relax its boundary, and validate it.

    The periods of the cell are translations that map the atoms around the epicenter onto themselves, if such exist; its
    atoms are those that are nearer to the center than to its images. Core atoms are at least ``core_margin`` inside the
    sphere that contains no atom twice, and closer to the center if their forces would differ too much from those in the
    parent. The relaxation of the boundary moves only atoms outside that sphere, so that core atoms keep their
    neighbors. If the parent has a surface nearby, the cell contains it and vacuum. Cells are tried until one passes the
    validation. The result is deterministic.

    Parameters
    ----------
    parent
        Periodic structure with more than `max_atoms` atoms; it is not changed.
    epicenter : sequence of int
        Indices of the atoms to cut around, largest gamma first.
    calculator
        Calculator of the current potential, ``generation.calculator()``: forces, and optionally ``results["gamma"]``.
    max_atoms
        Maximum number of atoms per label.
    config
        Sizes and limits; the defaults if None.
    rule
        ``threshold_add_train``, the target for gamma of the boundary; ``threshold_call_dft``, the limit above which the
        cell is rejected unless gamma is also larger in the parent; and ``min_distance_fraction``. The defaults if None.

    Returns
    -------
    EmbeddedCell

    Raises
    ------
    EmbeddingError
        If the parent is not larger than `max_atoms`, is not periodic, has vacuum in more than one direction, or no cell
        passes the validation. The message describes the best cell.
    """
    config, rule = config or EmbeddingConfig(), rule or OTFConfig()
    if len(parent) <= max_atoms:
        raise EmbeddingError(
            f"expected a structure with more than max_atoms={max_atoms} atoms, got {len(parent)}; label it without "
            "embedding"
        )
    if not len(epicenter):
        raise EmbeddingError("expected at least one atom to cut around, got none; pass the one with the largest gamma")
    check_parent(parent)
    evaluated = _Parent.evaluate(parent, calculator, rule)
    n_min = max(1, round(config.embed_least * max_atoms))
    validations: list[EmbeddingValidation] = []
    rejected: list[str] = []
    for near, cell in _cells_to_try(parent, epicenter, n_min, max_atoms, config):
        embedded = _cut_and_relax(evaluated, near, cell, calculator, config, rule)
        if embedded.validation.passed:
            return replace(embedded, rejected=tuple(rejected))
        validations.append(embedded.validation)
        reasons = ", ".join(embedded.validation.reasons)
        rejected.append(f"{len(embedded.structure)} atoms around {embedded.center}: {reasons}")
    if not validations:
        raise EmbeddingError(
            f"no cell of {n_min} to {max_atoms} atoms fits into the surroundings of atom {int(epicenter[0])} of "
            f"{len(parent)}; raise max_atoms or lower embed_least"
        )
    best = fewest_reasons(validations)
    raise EmbeddingError(
        f"none of {len(validations)} cells of {n_min} to {max_atoms} atoms around atom {int(epicenter[0])} of "
        f"{len(parent)} passes the validation; the best was rejected for {', '.join(validations[best].reasons)} "
        f"({validations[best].figures()}); raise max_atoms, embed_tries or embed_force_error, or lower the "
        "temperature"
    )


@dataclass(frozen=True, kw_only=True)
class _Parent:
    """The parent with its forces and gamma."""

    atoms: Atoms
    forces: np.ndarray
    force_max: float
    gamma: np.ndarray
    share: float

    @classmethod
    def evaluate(cls, atoms: Atoms, calculator: BaseCalculator, rule: OTFConfig) -> _Parent:
        copy = bare_copy(atoms)
        copy.calc = calculator
        forces = forces_of(copy)
        gamma = calculator.results.get("gamma")
        return cls(
            atoms=copy,
            forces=forces,
            force_max=float(np.linalg.norm(forces, axis=1).max()),
            gamma=np.zeros(len(atoms)) if gamma is None else np.array(gamma, dtype=float),
            share=max(SQUEEZE * closeness(copy).share, rule.min_distance_fraction),
        )


def _cells_to_try(
    parent: Atoms, epicenter: Sequence[int] | np.ndarray, n_min: int, n_max: int, config: EmbeddingConfig
) -> list[tuple[Surroundings, SmallCell]]:
    """List cells around atoms of the epicenter: two thirds around the first, two thirds of the rest around the next."""
    cells: list[tuple[Surroundings, SmallCell]] = []
    centers = [int(atom) for atom in epicenter[:CENTERS]]
    for rank, center in enumerate(centers):
        spacing = surroundings(parent, center, 0.1).spacing
        near = surroundings(parent, center, reach(n_max, spacing))
        remaining = config.embed_tries - len(cells)
        share = remaining if rank == len(centers) - 1 else max(1, -(-2 * remaining // 3))
        cells += [(near, cell) for cell in choose_cells(near, n_min, n_max, config.embed_vacuum)[:share]]
    return cells[: config.embed_tries]


def _cut_and_relax(
    parent: _Parent,
    near: Surroundings,
    cell: SmallCell,
    calculator: BaseCalculator,
    config: EmbeddingConfig,
    rule: OTFConfig,
) -> EmbeddedCell:
    piece = cut(near, cell, parent.share)
    relaxed = relax_boundary(
        piece.structure,
        piece.distances > cell.radius,
        piece.distances > max(cell.radius - config.core_margin, 0.0),
        calculator,
        # where the small cell cuts through the epicenter, gamma may be as large as in the parent
        gamma_limit=np.maximum(rule.threshold_add_train, parent.gamma[piece.indices]),
        force_limit=parent.force_max,
        max_steps=config.boundary_steps,
    )
    parent_forces = parent.forces[piece.indices]
    errors = 1e3 * np.linalg.norm(relaxed.forces - parent_forces, axis=1)
    core = piece.distances <= _core_radius(
        piece.distances,
        errors,
        SAFETY_FACTOR * config.embed_force_error,
        min_radius=MIN_CORE_RADIUS * near.spacing,
        max_radius=cell.radius - config.core_margin,
    )
    if np.median(errors[core]) <= config.embed_force_error:  # otherwise the validation needs the errors of all atoms
        core &= errors <= OUTLIER * config.embed_force_error
        core[0] = True
    validation = validate_cell(
        relaxed.structure,
        core,
        relaxed.forces,
        parent_forces,
        relaxed.gamma,
        error_limit=config.embed_force_error,
        gamma_limit=max(rule.threshold_call_dft, float(parent.gamma.max())),
        share_limit=rule.min_distance_fraction,
    )
    structure = as_written(relaxed.structure)
    structure.arrays["mask"] = core
    clean = validation.boundary_gamma <= rule.threshold_add_train and validation.boundary_force <= parent.force_max
    # with forces only, the cell expanded in runs at constant pressure
    structure.info |= {"energy_counts": bool(clean), "stress_counts": True}
    return EmbeddedCell(
        structure=frozen(structure),
        core=read_only(core, bool),
        indices=read_only(piece.indices, int),
        n_parent=len(parent.atoms),
        radius=cell.radius,
        mismatch=cell.mismatch,
        gamma=read_only(relaxed.gamma, float),
        validation=validation,
        boundary_steps=relaxed.steps,
    )


def _core_radius(
    distances: np.ndarray, errors: np.ndarray, limit: float, *, min_radius: float, max_radius: float
) -> float:
    """Return the radius of the largest core with a median force error within the limit, or that of the smallest core.

    Distances are in ascending order; the first is that of the center.
    """
    inner = int(np.searchsorted(distances, min_radius, side="right"))
    outer = max(inner, int(np.searchsorted(distances, max_radius, side="right")))
    for n in range(outer, inner - 1, -1):
        if np.median(errors[:n]) <= limit:
            return float(distances[n - 1])
    return float(distances[inner - 1])

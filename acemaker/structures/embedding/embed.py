"""Embedding: a small periodic cell in place of a structure that the oracle cannot afford."""

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
from acemaker.structures.embedding.boundary import relax_seam
from acemaker.structures.embedding.cell import SmallCell, choose_cells, reach
from acemaker.structures.embedding.cut import SQUEEZE, cut
from acemaker.structures.embedding.embedded import EmbeddedCell
from acemaker.structures.embedding.surroundings import Surroundings, check_parent, surroundings
from acemaker.structures.embedding.validation import Audit, audit, fewest_reasons
from acemaker.structures.files import as_written
from acemaker.structures.geometry import closeness

CENTRES = 3
"""Atoms of the epicentre around which cells are cut, worst first."""

SHY = 0.75
"""The core is made smaller until its error is this share of the limit: the current potential has an error, too."""

OUTLYING = 5.0
"""Times the limit; an atom whose force error is as large has lost a neighbour to the seam and does not count."""

LEAST_CORE = 1.4
"""Spacings, radius of the smallest core: the centre and its nearest neighbours."""


def embed(
    parent: Atoms,
    epicentre: Sequence[int] | np.ndarray,
    calculator: BaseCalculator,
    *,
    max_atoms: int,
    config: EmbeddingConfig | None = None,
    rule: OTFConfig | None = None,
) -> EmbeddedCell:
    """Cut a small periodic cell around the epicentre, relax its seam, and audit it.

    The cell's periods are those that carry the atoms about the epicentre onto themselves, where there are any; its
    atoms are those nearer to the centre than to its images. Core atoms lie at least ``core_margin`` within the sphere
    that holds no atom twice, and nearer to the centre where their forces would differ too much from the parent's. What
    moves when the seam is relaxed lies outside that sphere, so core atoms keep their neighbours. Where the parent has
    a surface near by, that and the vacuum are kept. Cells are tried until one passes the audit; no chance is in it.

    Parameters
    ----------
    parent
        Periodic, larger than `max_atoms`; it is not changed.
    epicentre : sequence of int
        Atoms to cut around, worst first.
    calculator
        The current potential, ``generation.calculator()``: forces, and ``results["gamma"]`` where it knows one.
    max_atoms
        What the oracle affords.
    config
        Sizes and limits; the defaults if None.
    rule
        ``threshold_add_train``, to which the seam's gamma is brought, ``threshold_call_dft``, above which (and above
        the parent's own) it is rejected, and ``min_distance_fraction``; the defaults if None.

    Returns
    -------
    EmbeddedCell

    Raises
    ------
    EmbeddingError
        If the parent is not larger than `max_atoms`, not periodic, has vacuum in more than one direction, or no cell
        passes; says why, and what the best one was.
    """
    config, rule = config or EmbeddingConfig(), rule or OTFConfig()
    if len(parent) <= max_atoms:
        raise EmbeddingError(
            f"expected a structure larger than the {max_atoms} atoms that the oracle affords (max_atoms), got "
            f"{len(parent)}: label it as it is"
        )
    if not len(epicentre):
        raise EmbeddingError("expected at least one atom to cut around, got none: give the one with the largest gamma")
    check_parent(parent)
    site = _Parent.of(parent, calculator, rule)
    n_min = max(1, round(config.embed_least * max_atoms))
    audits: list[Audit] = []
    described: list[str] = []
    for near, cell in _tries(parent, epicentre, n_min, max_atoms, config):
        made = _make(site, near, cell, calculator, config, rule)
        if made.audit.passed:
            return replace(made, rejected=tuple(described))
        audits.append(made.audit)
        described.append(f"{len(made.structure)} atoms around {made.centre}: {', '.join(made.audit.reasons)}")
    if not audits:
        raise EmbeddingError(
            f"no cell of {n_min} to {max_atoms} atoms fits into the surroundings of atom {int(epicentre[0])} of "
            f"{len(parent)}; raise max_atoms or lower embed_least"
        )
    best = fewest_reasons(audits)
    raise EmbeddingError(
        f"none of {len(audits)} cells of {n_min} to {max_atoms} atoms around atom {int(epicentre[0])} of "
        f"{len(parent)} passes the audit; the best is rejected for {', '.join(audits[best].reasons)} "
        f"({audits[best].figures()}); raise max_atoms, embed_tries or embed_force_error, or lower the cell's "
        "temperature"
    )


@dataclass(frozen=True, kw_only=True)
class _Parent:
    """What is compared with, evaluated once."""

    atoms: Atoms
    forces: np.ndarray
    force_max: float
    gamma: np.ndarray
    share: float

    @classmethod
    def of(cls, atoms: Atoms, calculator: BaseCalculator, rule: OTFConfig) -> _Parent:
        work = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        work.calc = calculator
        forces = forces_of(work)
        gamma = calculator.results.get("gamma")
        return cls(
            atoms=work,
            forces=forces,
            force_max=float(np.linalg.norm(forces, axis=1).max()),
            gamma=np.zeros(len(atoms)) if gamma is None else np.array(gamma, dtype=float),
            share=max(SQUEEZE * closeness(work).share, rule.min_distance_fraction),
        )


def _tries(
    parent: Atoms, epicentre: Sequence[int] | np.ndarray, n_min: int, n_max: int, config: EmbeddingConfig
) -> list[tuple[Surroundings, SmallCell]]:
    """List cells around the worst atom, then around others of the epicentre: two thirds of them around the first."""
    found: list[tuple[Surroundings, SmallCell]] = []
    centres = [int(atom) for atom in epicentre[:CENTRES]]
    for rank, centre in enumerate(centres):
        spacing = surroundings(parent, centre, 0.1).spacing
        near = surroundings(parent, centre, reach(n_max, spacing))
        left = config.embed_tries - len(found)
        share = left if rank == len(centres) - 1 else max(1, -(-2 * left // 3))
        found += [(near, cell) for cell in choose_cells(near, n_min, n_max, config.embed_vacuum)[:share]]
    return found[: config.embed_tries]


def _make(
    parent: _Parent,
    near: Surroundings,
    cell: SmallCell,
    calculator: BaseCalculator,
    config: EmbeddingConfig,
    rule: OTFConfig,
) -> EmbeddedCell:
    piece = cut(near, cell, parent.share)
    relaxed = relax_seam(
        piece.structure,
        piece.distances > cell.radius,
        piece.distances > max(cell.radius - config.core_margin, 0.0),
        calculator,
        # an epicentre that the small cell cuts through is as unknown there as it is in the parent
        gamma_limit=np.maximum(rule.threshold_add_train, parent.gamma[piece.indices]),
        force_limit=parent.force_max,
        max_steps=config.seam_steps,
    )
    parent_forces = parent.forces[piece.indices]
    errors = 1e3 * np.linalg.norm(relaxed.forces - parent_forces, axis=1)
    core = piece.distances <= _rim(
        piece.distances,
        errors,
        SHY * config.embed_force_error,
        least=LEAST_CORE * near.spacing,
        most=cell.radius - config.core_margin,
    )
    if np.median(errors[core]) <= config.embed_force_error:  # else the audit shall see all of them
        core &= errors <= OUTLYING * config.embed_force_error
        core[0] = True
    found = audit(
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
    clean = found.seam_gamma <= rule.threshold_add_train and found.seam_force <= parent.force_max
    # the pressure rests on the stress: forces alone let a run under constant pressure swell
    structure.info |= {"energy_counts": bool(clean), "stress_counts": True}
    return EmbeddedCell(
        structure=frozen(structure),
        core=read_only(core, bool),
        indices=read_only(piece.indices, int),
        n_parent=len(parent.atoms),
        radius=cell.radius,
        mismatch=cell.mismatch,
        gamma=read_only(relaxed.gamma, float),
        audit=found,
        seam_steps=relaxed.steps,
    )


def _rim(distances: np.ndarray, errors: np.ndarray, limit: float, *, least: float, most: float) -> float:
    """Return the radius of the largest core whose median force error is within the limit; else the smallest core's.

    Distances ascend, the centre is the first.
    """
    inner = int(np.searchsorted(distances, least, side="right"))
    outer = max(inner, int(np.searchsorted(distances, most, side="right")))
    for n in range(outer, inner - 1, -1):
        if np.median(errors[:n]) <= limit:
            return float(distances[n - 1])
    return float(distances[inner - 1])

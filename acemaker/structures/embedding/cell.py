"""The small cell: three vectors that suit the surroundings and keep images far from each other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from acemaker.structures.embedding.surroundings import Surroundings
from acemaker.structures.embedding.translations import FINE, Translations, find_translations, mismatch

MISMATCH_WEIGHT = 2.0
"""What a seam that meets nowhere costs, in units of the largest possible inscribed radius."""

DEPTH = 1.3
"""Depth of a cut below a surface's atom, in units of the inscribed radius within the surface: the free surface that
is cut there disturbs more than a seam across which a crystal goes on."""

LATTICE = 0.5
"""Mismatch up to which vectors are a lattice's, hot or distorted as it may be: halfway between a period of the parent
and vectors that meet nothing. Shapes do not compete with it: one of nearly the lattice's size would be taken for its
larger radius, and strain it."""

CONSIDERED = 100
"""Vectors that are combined."""

ALIKE = 0.05
"""Å; cells whose inscribed radii and volumes (in these units times an area) differ by less are tried once."""


@dataclass(frozen=True, kw_only=True)
class SmallCell:
    """A cell to cut.

    Attributes
    ----------
    vectors : ndarray, shape (3, 3)
        Å, right-handed.
    radius : float
        Å, of the sphere around the centre that holds no atom twice: half the shortest period.
    mismatch : float
        Mean over the periods that the seam joins, 0 to 1.
    window : tuple of float or None
        Å along the slab's normal from the centre: what is kept between; None where there is no surface.
    normal : ndarray, shape (3,), or None
        The slab's.
    """

    vectors: np.ndarray
    radius: float
    mismatch: float
    window: tuple[float, float] | None = None
    normal: np.ndarray | None = None


def choose_cells(near: Surroundings, n_min: int, n_max: int, vacuum: float) -> list[SmallCell]:
    """Choose cells, best first.

    Parameters
    ----------
    near
        The surroundings of the epicentre, as far as `reach` says.
    n_min, n_max
        Atoms, about.
    vacuum
        Å, beyond a surface.

    Returns
    -------
    list of SmallCell
        Large inscribed sphere, low mismatch. Where there is no lattice, shapes without one stand in: the
        face-centred, body-centred and simple cubic cell of the largest size.
    """
    radius = best_radius(near, n_max)
    slab = near.slab
    if slab is not None and not (slab.bottom < -1.3 * radius and slab.top > 1.3 * radius):
        return _surface_cells(near, n_min, n_max, vacuum)
    found = find_translations(near, 1.5 * radius, 2.8 * radius, in_plane=False)
    kept = _considered(found, 2 * radius)
    triples = np.array(list(combinations(range(len(kept.vectors)), 3)), dtype=int).reshape(-1, 3)
    lattices = kept.vectors[triples]
    sizes = np.abs(np.linalg.det(lattices)) / near.spacing**3
    fits = (sizes >= n_min - 0.5) & (sizes < n_max + 0.5)
    triples, lattices, sizes = triples[fits], lattices[fits], sizes[fits]
    radii = _inscribed(lattices)
    costs = MISMATCH_WEIGHT * kept.mismatch[triples].mean(axis=1) - radii / radius
    order = np.argsort(np.round(costs, 6), kind="stable")
    cells = [
        SmallCell(
            vectors=_right_handed(lattices[index]),
            radius=float(radii[index]),
            mismatch=float(kept.mismatch[triples[index]].mean()),
        )
        for index in order[:200]
    ]
    has_lattice = bool((kept.mismatch[triples].max(axis=1, initial=0.0) <= LATTICE).any())
    return _distinct(cells if has_lattice else [*cells, *_shapes(near, n_max)], radius)


def best_radius(near: Surroundings, n_atoms: int) -> float:
    """Return the largest inscribed radius that so many atoms allow, Å: that of a face-centred cubic cell."""
    return float((np.sqrt(2) * n_atoms) ** (1 / 3) * near.spacing / 2)


def reach(n_atoms: int, spacing: float) -> float:
    """Return how far surroundings must be known to choose cells of so many atoms, Å."""
    longest = 1.4 * (np.sqrt(2) * n_atoms) ** (1 / 3) * spacing * 1.4
    return float(longest / 2 + longest / 2 + (FINE + 1) * spacing)


def _surface_cells(near: Surroundings, n_min: int, n_max: int, vacuum: float) -> list[SmallCell]:
    """Two periods along the surface; the surface and the vacuum are kept, the bulk is cut at some depth."""
    slab = near.slab
    assert slab is not None
    if slab.top > -slab.bottom:  # the nearer surface is the one that is kept; the normal points out of it
        slab = type(slab)(normal=-slab.normal, bottom=-slab.top, top=-slab.bottom)
    volume = n_max * near.spacing**3
    thickness = slab.top - slab.bottom + near.spacing
    radius = _surface_radius(volume, slab.top + near.spacing / 2)
    depth = DEPTH * radius
    whole = thickness <= depth + slab.top + near.spacing  # then nothing is cut off below
    if whole:
        radius = float(np.sqrt(volume / thickness / (2 * np.sqrt(3))))
    floor = slab.bottom if whole else _between_layers(near, slab.normal, -depth)
    height = slab.top - floor
    found = find_translations(near, 1.5 * radius, 2.8 * radius, in_plane=True)
    kept = _considered(found, 2 * radius)
    pairs = np.array(list(combinations(range(len(kept.vectors)), 2)), dtype=int).reshape(-1, 2)
    tall = slab.normal * (height + vacuum)
    lattices = np.concatenate([kept.vectors[pairs], np.broadcast_to(tall, (len(pairs), 1, 3))], axis=1)
    area = np.linalg.norm(np.cross(lattices[:, 0], lattices[:, 1]), axis=1)
    sizes = area * (height + near.spacing) / near.spacing**3
    fits = (sizes >= n_min - 0.5) & (sizes < n_max + 0.5)
    pairs, lattices = pairs[fits], lattices[fits]
    radii = _inscribed(lattices[:, :2])
    costs = MISMATCH_WEIGHT * kept.mismatch[pairs].mean(axis=1) - radii / radius
    order = np.argsort(np.round(costs, 6), kind="stable")
    window = (floor - 1e-6, slab.top + 1e-6)
    cells = [
        SmallCell(
            vectors=_right_handed(lattices[index]),
            radius=float(radii[index]),
            mismatch=float(kept.mismatch[pairs[index]].mean()),
            window=window,
            normal=slab.normal,
        )
        for index in order[:200]
    ]
    return _distinct(cells, radius)


def _surface_radius(volume: float, above: float) -> float:
    """Solve ``2 sqrt(3) r^2 (DEPTH r + above) = volume``: hexagonal within the surface."""
    roots = np.roots([DEPTH, above, 0.0, -volume / (2 * np.sqrt(3))])
    return float(max(root.real for root in roots if abs(root.imag) < 1e-9))


def _between_layers(near: Surroundings, normal: np.ndarray, height: float) -> float:
    """Return the height of the lowest atoms to keep: the widest gap within half a spacing decides."""
    heights = np.sort(near.offsets @ normal)
    around = heights[np.abs(heights - height) <= near.spacing]
    if len(around) < 2:
        return height
    return float(around[int(np.diff(around).argmax()) + 1])


def _considered(found: Translations, length: float) -> Translations:
    lengths = np.linalg.norm(found.vectors, axis=1)
    costs = MISMATCH_WEIGHT * found.mismatch + np.abs(lengths / length - 1)
    order = np.argsort(np.round(costs, 6), kind="stable")[:CONSIDERED]
    return Translations(vectors=found.vectors[order], mismatch=found.mismatch[order])


def _inscribed(lattices: np.ndarray) -> np.ndarray:
    """Return half the shortest vector among small combinations, Å; exact for reduced cells, never too small."""
    n = lattices.shape[1]
    steps = np.stack(np.meshgrid(*[np.arange(-2, 3)] * n, indexing="ij"), axis=-1).reshape(-1, n)
    steps = steps[len(steps) // 2 + 1 :]  # one of each pair of opposites
    shortest = np.full(len(lattices), np.inf)
    for step in steps:
        np.minimum(shortest, np.linalg.norm(np.tensordot(lattices, step, axes=(1, 0)), axis=1), out=shortest)
    half: np.ndarray = shortest / 2
    return half


def _shapes(near: Surroundings, n_atoms: int) -> list[SmallCell]:
    cube = n_atoms ** (1 / 3) * near.spacing
    shapes = (
        np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) * cube * 4 ** (1 / 3) / 2,
        np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]) * cube * 2 ** (1 / 3) / 2,
        np.eye(3) * cube,
    )
    return [
        SmallCell(
            vectors=_right_handed(vectors),
            radius=float(_inscribed(vectors[None])[0]),
            mismatch=float(mismatch(near, vectors, FINE * near.spacing).mean()),
        )
        for vectors in shapes
    ]


def _distinct(cells: list[SmallCell], radius: float) -> list[SmallCell]:
    """Order by cost, and leave out what is all but the same cell."""
    cells = sorted(cells, key=lambda cell: round(MISMATCH_WEIGHT * cell.mismatch - cell.radius / radius, 6))
    kept: list[SmallCell] = []
    for cell in cells:
        volume = np.linalg.det(cell.vectors)
        if all(
            abs(cell.radius - other.radius) > ALIKE or abs(volume - np.linalg.det(other.vectors)) > 0.02 * volume
            for other in kept
        ):
            kept.append(cell)
    return kept


def _right_handed(vectors: np.ndarray) -> np.ndarray:
    from ase.geometry import minkowski_reduce

    reduced = np.array(minkowski_reduce(vectors)[0])
    return reduced if np.linalg.det(reduced) > 0 else -reduced

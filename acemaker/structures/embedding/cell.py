"""Choice of a small cell: three vectors with a low mismatch of the surroundings and a large distance of images."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from acemaker.structures.embedding.surroundings import Surroundings
from acemaker.structures.embedding.translations import FINE, Translations, find_translations, mismatch

MISMATCH_WEIGHT = 2.0
"""Cost of a mismatch of 1, in units of the largest possible inscribed radius."""

DEPTH = 1.3
"""Depth of a cut below the center at a surface, in units of the inscribed radius within the surface: the free surface
created by the cut is a larger perturbation than a boundary across which a crystal continues."""

LATTICE = 0.5
"""Largest mismatch of the vectors of a lattice, including hot and distorted ones: the mean of a period of the parent
and of vectors without any match. If there is a lattice, generic shapes are not considered: one of similar size would be
preferred for its larger radius, and strain the lattice."""

MAX_VECTORS = 100
"""Number of vectors that are combined."""

MIN_RADIUS_DIFFERENCE = 0.05
"""Å; of cells whose inscribed radii differ by less and whose volumes differ by less than 2 % only one is tried."""


@dataclass(frozen=True, kw_only=True)
class SmallCell:
    """Vectors of a small cell.

    Attributes
    ----------
    vectors : ndarray, shape (3, 3)
        Å, right-handed.
    radius : float
        Å, radius of the sphere around the center that contains no atom twice: half the shortest period.
    mismatch : float
        Mean mismatch of the periods, 0 to 1.
    window : tuple of float or None
        Å along the normal of the slab from the center: range of the atoms in the cell; None without a surface.
    normal : ndarray, shape (3,), or None
        Normal of the slab.
    """

    vectors: np.ndarray
    radius: float
    mismatch: float
    window: tuple[float, float] | None = None
    normal: np.ndarray | None = None


def choose_cells(near: Surroundings, n_min: int, n_max: int, vacuum: float) -> list[SmallCell]:
    """Choose cells with a large inscribed sphere and a low mismatch.

    Parameters
    ----------
    near
        Surroundings of the epicenter within the radius `reach`.
    n_min, n_max
        Approximate range of the number of atoms.
    vacuum
        Thickness of the vacuum at a surface, Å.

    Returns
    -------
    list of SmallCell
        Cells, best first. Without a lattice they include generic shapes: the face-centered, body-centered and simple
        cubic cells of the largest size.
    """
    radius = best_radius(near, n_max)
    slab = near.slab
    if slab is not None and not (slab.bottom < -1.3 * radius and slab.top > 1.3 * radius):
        return _surface_cells(near, n_min, n_max, vacuum)
    all_translations = find_translations(near, 1.5 * radius, 2.8 * radius, in_plane=False)
    translations = _best(all_translations, 2 * radius)
    triples = np.array(list(combinations(range(len(translations.vectors)), 3)), dtype=int).reshape(-1, 3)
    lattices = translations.vectors[triples]
    sizes = np.abs(np.linalg.det(lattices)) / near.spacing**3
    fits = (sizes >= n_min - 0.5) & (sizes < n_max + 0.5)
    triples, lattices, sizes = triples[fits], lattices[fits], sizes[fits]
    radii = _inscribed(lattices)
    costs = MISMATCH_WEIGHT * translations.mismatch[triples].mean(axis=1) - radii / radius
    order = np.argsort(np.round(costs, 6), kind="stable")
    cells = [
        SmallCell(
            vectors=_right_handed(lattices[index]),
            radius=float(radii[index]),
            mismatch=float(translations.mismatch[triples[index]].mean()),
        )
        for index in order[:200]
    ]
    has_lattice = bool((translations.mismatch[triples].max(axis=1, initial=0.0) <= LATTICE).any())
    return _distinct(cells if has_lattice else [*cells, *_shapes(near, n_max)], radius)


def best_radius(near: Surroundings, n_atoms: int) -> float:
    """Return the largest inscribed radius of a cell with `n_atoms` atoms, Å: that of a face-centered cubic cell."""
    return float((np.sqrt(2) * n_atoms) ** (1 / 3) * near.spacing / 2)


def reach(n_atoms: int, spacing: float) -> float:
    """Return the radius of the surroundings from which cells of `n_atoms` atoms can be chosen, Å."""
    longest = 1.4 * (np.sqrt(2) * n_atoms) ** (1 / 3) * spacing * 1.4
    return float(longest / 2 + longest / 2 + (FINE + 1) * spacing)


def _surface_cells(near: Surroundings, n_min: int, n_max: int, vacuum: float) -> list[SmallCell]:
    """Choose cells with two periods along the surface, with surface and vacuum, and with the bulk cut at some depth."""
    slab = near.slab
    assert slab is not None
    if slab.top > -slab.bottom:  # the cell contains the nearer surface, and the normal points out of it
        slab = type(slab)(normal=-slab.normal, bottom=-slab.top, top=-slab.bottom)
    volume = n_max * near.spacing**3
    thickness = slab.top - slab.bottom + near.spacing
    radius = _surface_radius(volume, slab.top + near.spacing / 2)
    depth = DEPTH * radius
    complete = thickness <= depth + slab.top + near.spacing  # the cell contains both surfaces
    if complete:
        radius = float(np.sqrt(volume / thickness / (2 * np.sqrt(3))))
    floor = slab.bottom if complete else _between_layers(near, slab.normal, -depth)
    height = slab.top - floor
    all_translations = find_translations(near, 1.5 * radius, 2.8 * radius, in_plane=True)
    translations = _best(all_translations, 2 * radius)
    pairs = np.array(list(combinations(range(len(translations.vectors)), 2)), dtype=int).reshape(-1, 2)
    normal_vector = slab.normal * (height + vacuum)
    lattices = np.concatenate([translations.vectors[pairs], np.broadcast_to(normal_vector, (len(pairs), 1, 3))], axis=1)
    area = np.linalg.norm(np.cross(lattices[:, 0], lattices[:, 1]), axis=1)
    sizes = area * (height + near.spacing) / near.spacing**3
    fits = (sizes >= n_min - 0.5) & (sizes < n_max + 0.5)
    pairs, lattices = pairs[fits], lattices[fits]
    radii = _inscribed(lattices[:, :2])
    costs = MISMATCH_WEIGHT * translations.mismatch[pairs].mean(axis=1) - radii / radius
    order = np.argsort(np.round(costs, 6), kind="stable")
    window = (floor - 1e-6, slab.top + 1e-6)
    cells = [
        SmallCell(
            vectors=_right_handed(lattices[index]),
            radius=float(radii[index]),
            mismatch=float(translations.mismatch[pairs[index]].mean()),
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
    """Return the height of the lowest atoms in the cell, above the widest gap within a spacing of `height`."""
    heights = np.sort(near.offsets @ normal)
    nearby = heights[np.abs(heights - height) <= near.spacing]
    if len(nearby) < 2:
        return height
    return float(nearby[int(np.diff(nearby).argmax()) + 1])


def _best(translations: Translations, length: float) -> Translations:
    """Select the vectors with a low mismatch and a length near `length`."""
    lengths = np.linalg.norm(translations.vectors, axis=1)
    costs = MISMATCH_WEIGHT * translations.mismatch + np.abs(lengths / length - 1)
    order = np.argsort(np.round(costs, 6), kind="stable")[:MAX_VECTORS]
    return Translations(vectors=translations.vectors[order], mismatch=translations.mismatch[order])


def _inscribed(lattices: np.ndarray) -> np.ndarray:
    """Return half the shortest small combination of vectors, Å; exact for reduced cells, otherwise an upper bound."""
    n = lattices.shape[1]
    steps = np.stack(np.meshgrid(*[np.arange(-2, 3)] * n, indexing="ij"), axis=-1).reshape(-1, n)
    steps = steps[len(steps) // 2 + 1 :]  # one of each pair of opposite vectors
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
    """Sort cells by cost, and remove those that are almost equal to a better one."""
    cells = sorted(cells, key=lambda cell: round(MISMATCH_WEIGHT * cell.mismatch - cell.radius / radius, 6))
    distinct: list[SmallCell] = []
    for cell in cells:
        volume = np.linalg.det(cell.vectors)
        if all(
            abs(cell.radius - other.radius) > MIN_RADIUS_DIFFERENCE
            or abs(volume - np.linalg.det(other.vectors)) > 0.02 * volume
            for other in distinct
        ):
            distinct.append(cell)
    return distinct


def _right_handed(vectors: np.ndarray) -> np.ndarray:
    from ase.geometry import minkowski_reduce

    reduced = np.array(minkowski_reduce(vectors)[0])
    return reduced if np.linalg.det(reduced) > 0 else -reduced

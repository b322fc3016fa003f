"""Translations that approximately map the surroundings of a point onto themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from acemaker.structures.embedding.surroundings import Surroundings

CAP = 0.5
"""Largest distance between an image and the nearest atom of the same element that enters the mismatch, in units of the
spacing."""

COARSE, FINE = 2.0, 3.5
"""Radii of the balls that are compared in the search for vectors and in their refinement, in units of the spacing."""

SEEDS = 4
"""Number of atoms whose difference vectors are candidates: the center may be an interstitial, which no lattice vector
maps onto another atom."""

MAX_REFINED = 300
"""Number of vectors that are refined."""


@dataclass(frozen=True, kw_only=True)
class Translations:
    """Candidate vectors of a small cell.

    Attributes
    ----------
    vectors : ndarray, shape (n, 3)
        Å.
    mismatch : ndarray, shape (n,)
        Mismatch of each vector, from 0 for a period of the parent to 1 without any match.
    """

    vectors: np.ndarray
    mismatch: np.ndarray


def find_translations(near: Surroundings, shortest: float, longest: float, *, in_plane: bool) -> Translations:
    """Search for the maxima of the local autocorrelation.

    Candidates are difference vectors between atoms of the same element. Each is refined to the mean difference of the
    atoms that it maps onto each other, and rated by `mismatch`.

    Parameters
    ----------
    near
        Surroundings of the epicenter.
    shortest, longest
        Range of lengths, Å. Periods of the parent may be shorter.
    in_plane
        Whether the vectors must be parallel to the surface of the slab.

    Returns
    -------
    Translations
        Vectors, lowest mismatch first, with one of each pair of opposite vectors.
    """
    normal = near.slab.normal if in_plane and near.slab is not None else None
    vectors = _differences(near, shortest, longest, normal)
    rough = mismatch(near, vectors, COARSE * near.spacing)
    vectors = vectors[_peaks(vectors, rough, CAP * near.spacing)[:MAX_REFINED]]
    for _ in range(2):
        vectors = _refined(near, vectors, normal)
    periods = _periods(near, longest, normal)
    vectors = np.vstack([periods, vectors])
    values = np.append(np.zeros(len(periods)), mismatch(near, vectors[len(periods) :], FINE * near.spacing))
    order = _peaks(vectors, values, CAP * near.spacing)
    return Translations(vectors=vectors[order], mismatch=values[order])


def mismatch(near: Surroundings, vectors: np.ndarray, radius: float) -> np.ndarray:
    """Compute the mismatch of the surroundings after translation by vectors.

    A period joins the regions half a period before and behind the center: atoms around ``-t/2``, shifted by ``t``, are
    compared with the atoms of the parent.

    Parameters
    ----------
    near
        Surroundings of the center.
    vectors : ndarray, shape (n, 3)
        Å.
    radius
        Å, radius of the ball around ``-t/2``.

    Returns
    -------
    ndarray, shape (n,)
        Mean distance to the nearest atom of the same kind, capped and in units of the cap: 0 to 1.
    """
    owners, atoms = _balls(near, vectors, radius)
    distances = _nearest(near, atoms, near.offsets[atoms] + vectors[owners])[0]
    sums = np.bincount(owners, weights=distances, minlength=len(vectors))
    counts = np.bincount(owners, minlength=len(vectors))
    cap = CAP * near.spacing
    return np.where(counts > 0, sums / np.maximum(counts, 1) / cap, 1.0)


def _balls(near: Surroundings, vectors: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    balls = near.tree.query_ball_point(-vectors / 2, radius, return_sorted=True)
    owners = np.repeat(np.arange(len(vectors)), [len(ball) for ball in balls])
    return owners, np.concatenate([np.asarray(ball, dtype=int) for ball in balls]) if len(owners) else owners


def _nearest(near: Surroundings, atoms: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return capped distance and position of the nearest atom of the same kind; NaN for none within the cap."""
    cap = CAP * near.spacing
    distances, positions = np.full(len(points), cap), np.full((len(points), 3), np.nan)
    for kind, tree in near.trees.items():
        of_kind = np.flatnonzero(near.kinds[atoms] == kind)
        tree_distances, indices = tree.query(points[of_kind], distance_upper_bound=cap)
        matched = indices < tree.n
        distances[of_kind[matched]] = tree_distances[matched]
        positions[of_kind[matched]] = tree.data[indices[matched]]
    return distances, positions


def _refined(near: Surroundings, vectors: np.ndarray, normal: np.ndarray | None) -> np.ndarray:
    owners, atoms = _balls(near, vectors, FINE * near.spacing)
    points = near.offsets[atoms] + vectors[owners]
    positions = _nearest(near, atoms, points)[1]
    matched = ~np.isnan(positions[:, 0])
    shifts = np.zeros_like(vectors)
    np.add.at(shifts, owners[matched], (positions - points)[matched])
    shifts /= np.maximum(np.bincount(owners[matched], minlength=len(vectors)), 1)[:, None]
    refined: np.ndarray = vectors + shifts
    return refined if normal is None else refined - np.outer(refined @ normal, normal)


def _differences(near: Surroundings, shortest: float, longest: float, normal: np.ndarray | None) -> np.ndarray:
    differences = [np.zeros((0, 3))]
    distances = np.linalg.norm(near.offsets, axis=1)
    # the center, and others so far from it that the same defect does not displace them
    seeds = [0, *np.flatnonzero(distances > 2 * near.spacing)[: SEEDS - 1]]
    for seed in seeds:
        vectors = near.offsets[near.kinds == near.kinds[seed]] - near.offsets[seed]
        if normal is not None:
            heights = vectors @ normal
            vectors = (vectors - np.outer(heights, normal))[np.abs(heights) < CAP * near.spacing]
        lengths = np.linalg.norm(vectors, axis=1)
        differences.append(vectors[(lengths >= shortest) & (lengths <= longest)])
    vectors = np.vstack(differences)
    half: np.ndarray = vectors[_upper_half(vectors)]
    return half


def _periods(near: Surroundings, longest: float, normal: np.ndarray | None) -> np.ndarray:
    """Return short periods of the parent, one of each pair of opposite vectors."""
    steps = np.stack(np.meshgrid(*[np.arange(-1, 2)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    vectors = steps @ near.periods
    lengths = np.linalg.norm(vectors, axis=1)
    selected = (lengths > 0.1) & (lengths <= longest)
    if normal is not None:
        selected &= np.abs(vectors @ normal) < 1e-6 * near.spacing
    vectors = vectors[selected]
    half: np.ndarray = vectors[_upper_half(vectors)]
    return half


def _upper_half(vectors: np.ndarray) -> np.ndarray:
    signs = np.where(np.abs(vectors) > 1e-6, np.sign(vectors), 0.0)
    upper: np.ndarray = signs @ np.array([1.0, 3.0, 9.0]) > 0
    return upper


def _peaks(vectors: np.ndarray, values: np.ndarray, separation: float) -> np.ndarray:
    """Return indices of vectors sorted by value, without those that are near a better vector or its opposite."""
    from scipy.spatial import cKDTree

    if not len(vectors):
        return np.zeros(0, dtype=int)
    tree = cKDTree(vectors)
    excluded = np.zeros(len(vectors), dtype=bool)
    peaks = []
    for index in np.argsort(np.round(values, 6), kind="stable"):
        if not excluded[index]:
            peaks.append(index)
            excluded[tree.query_ball_point([vectors[index], -vectors[index]], separation).sum()] = True
    return np.array(peaks)

"""Vectors that carry the surroundings of a point onto themselves, as well as may be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from acemaker.structures.embedding.surroundings import Surroundings

CAP = 0.5
"""Spacings; an atom whose image meets none of its kind within it counts no more than this."""

COARSE, FINE = 2.0, 3.5
"""Spacings, radius of the ball that is compared when vectors are sought and when they are refined."""

SEEDS = 4
"""Atoms from which differences are taken: the centre may be an interstitial, which no lattice vector meets."""

KEPT = 300
"""Vectors that are refined."""


@dataclass(frozen=True, kw_only=True)
class Translations:
    """Candidate vectors of a small cell.

    Attributes
    ----------
    vectors : ndarray, shape (n, 3)
        Å.
    mismatch : ndarray, shape (n,)
        Of each, from 0 for a period of the parent to 1 where nothing meets.
    """

    vectors: np.ndarray
    mismatch: np.ndarray


def find_translations(near: Surroundings, shortest: float, longest: float, *, in_plane: bool) -> Translations:
    """Search the local autocorrelation for its maxima.

    Candidates are difference vectors of atoms of one kind. Each is refined to the mean of those that it brings
    together, and judged by `mismatch`.

    Parameters
    ----------
    near
        Atoms around the epicentre.
    shortest, longest
        Å. Periods of the parent may be shorter.
    in_plane
        Whether vectors are to be parallel to the slab's surface.

    Returns
    -------
    Translations
        Best first; one of each pair of opposite vectors.
    """
    normal = near.slab.normal if in_plane and near.slab is not None else None
    vectors = _differences(near, shortest, longest, normal)
    rough = mismatch(near, vectors, COARSE * near.spacing)
    vectors = vectors[_peaks(vectors, rough, CAP * near.spacing)[:KEPT]]
    for _ in range(2):
        vectors = _refined(near, vectors, normal)
    periods = _periods(near, longest, normal)
    vectors = np.vstack([periods, vectors])
    found = np.append(np.zeros(len(periods)), mismatch(near, vectors[len(periods) :], FINE * near.spacing))
    order = _peaks(vectors, found, CAP * near.spacing)
    return Translations(vectors=vectors[order], mismatch=found[order])


def mismatch(near: Surroundings, vectors: np.ndarray, radius: float) -> np.ndarray:
    """Measure how badly vectors carry the surroundings onto themselves.

    What a period joins is what lies half of it before and half of it behind the centre: atoms around ``-t/2``,
    shifted by ``t``, are compared with the parent's.

    Parameters
    ----------
    near
        Atoms around the centre.
    vectors : ndarray, shape (n, 3)
        Å.
    radius
        Å, of the ball around ``-t/2``.

    Returns
    -------
    ndarray, shape (n,)
        Mean distance to the nearest atom of the same kind, in units of its cap: 0 to 1.
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
    """Return capped distance and place of the nearest atom of the same kind; NaN for none within the cap."""
    cap = CAP * near.spacing
    distances, places = np.full(len(points), cap), np.full((len(points), 3), np.nan)
    for number, tree in near.trees.items():
        mine = np.flatnonzero(near.numbers[atoms] == number)
        found, which = tree.query(points[mine], distance_upper_bound=cap)
        met = which < tree.n
        distances[mine[met]] = found[met]
        places[mine[met]] = tree.data[which[met]]
    return distances, places


def _refined(near: Surroundings, vectors: np.ndarray, normal: np.ndarray | None) -> np.ndarray:
    owners, atoms = _balls(near, vectors, FINE * near.spacing)
    points = near.offsets[atoms] + vectors[owners]
    places = _nearest(near, atoms, points)[1]
    met = ~np.isnan(places[:, 0])
    shifts = np.zeros_like(vectors)
    np.add.at(shifts, owners[met], (places - points)[met])
    shifts /= np.maximum(np.bincount(owners[met], minlength=len(vectors)), 1)[:, None]
    refined: np.ndarray = vectors + shifts
    return refined if normal is None else refined - np.outer(refined @ normal, normal)


def _differences(near: Surroundings, shortest: float, longest: float, normal: np.ndarray | None) -> np.ndarray:
    found = [np.zeros((0, 3))]
    distances = np.linalg.norm(near.offsets, axis=1)
    # the centre itself, and others too far from it to be displaced by the same defect
    seeds = [0, *np.flatnonzero(distances > 2 * near.spacing)[: SEEDS - 1]]
    for seed in seeds:
        vectors = near.offsets[near.numbers == near.numbers[seed]] - near.offsets[seed]
        if normal is not None:
            heights = vectors @ normal
            vectors = (vectors - np.outer(heights, normal))[np.abs(heights) < CAP * near.spacing]
        lengths = np.linalg.norm(vectors, axis=1)
        found.append(vectors[(lengths >= shortest) & (lengths <= longest)])
    vectors = np.vstack(found)
    half: np.ndarray = vectors[_upper_half(vectors)]
    return half


def _periods(near: Surroundings, longest: float, normal: np.ndarray | None) -> np.ndarray:
    """Return the parent's own short periods, one of each pair of opposites."""
    steps = np.stack(np.meshgrid(*[np.arange(-1, 2)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    vectors = steps @ near.periods
    lengths = np.linalg.norm(vectors, axis=1)
    kept = (lengths > 0.1) & (lengths <= longest)
    if normal is not None:
        kept &= np.abs(vectors @ normal) < 1e-6 * near.spacing
    vectors = vectors[kept]
    half: np.ndarray = vectors[_upper_half(vectors)]
    return half


def _upper_half(vectors: np.ndarray) -> np.ndarray:
    signs = np.where(np.abs(vectors) > 1e-6, np.sign(vectors), 0.0)
    upper: np.ndarray = signs @ np.array([1.0, 3.0, 9.0]) > 0
    return upper


def _peaks(vectors: np.ndarray, values: np.ndarray, separation: float) -> np.ndarray:
    """Order vectors by value, leaving out those that are near a better one or its opposite."""
    from scipy.spatial import cKDTree

    if not len(vectors):
        return np.zeros(0, dtype=int)
    tree = cKDTree(vectors)
    taken = np.zeros(len(vectors), dtype=bool)
    kept = []
    for index in np.argsort(np.round(values, 6), kind="stable"):
        if not taken[index]:
            kept.append(index)
            taken[tree.query_ball_point([vectors[index], -vectors[index]], separation).sum()] = True
    return np.array(kept)

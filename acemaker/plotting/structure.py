"""Figure of a structure with atoms colored by gamma: the static fallback of the viewer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from matplotlib.cm import ScalarMappable
from matplotlib.collections import EllipseCollection, LineCollection

from acemaker.formatting.figures import draws
from acemaker.plotting.axes import plain_log_ticks
from acemaker.plotting.candidate_scenes import CandidateScenes
from acemaker.plotting.png_figure import PngFigure
from acemaker.plotting.scale import COLOR_MAP, NAMES, THRESHOLD_COLOR, THRESHOLD_OUTLINE, Scale, scale_with
from acemaker.plotting.scene import DIRECTION, EDGES, Scene, Scenes
from acemaker.results import Diagnosis, Halt, Selection
from acemaker.structures.embedding import EmbeddedCell

RING = "black"
SEEN_THROUGH = 0.25
"""Opacity of an atom in front of one of the epicenter."""


def structure_figure(
    atoms: Atoms, gamma: np.ndarray, epicenter: np.ndarray | None = None, thresholds: Sequence[float] = ()
) -> PngFigure:
    """Draw atoms as discs, from back to front; of a large structure only the neighborhood of its worst atom.

    Parameters
    ----------
    atoms
        The structure, which is drawn with its cell.
    gamma : ndarray, shape (n_atoms,)
        Extrapolation grades, dimensionless.
    epicenter : ndarray of int, or None
        Atoms to mark with a ring.
    thresholds
        Thresholds of the halting rule to mark on the color bar; may be empty.

    Returns
    -------
    PngFigure
    """
    graded = atoms.copy()
    graded.info = {"step": atoms.info["step"]} if "step" in atoms.info else {}
    graded.arrays["gamma"] = np.asarray(gamma)
    marked = np.zeros(0, dtype=int) if epicenter is None else epicenter
    return scene_figure(Scenes([graded], 0, marked)[0], scale_with(thresholds))


@draws(Halt)
def halt_figure(halt: Halt, epicenter: np.ndarray | None = None) -> PngFigure:
    """Draw the halted structure, colored by gamma.

    Parameters
    ----------
    halt
        The halt.
    epicenter : ndarray of int, or None
        The diagnosed atoms, drawn without the thresholds; None for the atoms above the lowest threshold.
    """
    if epicenter is not None:
        return structure_figure(halt.structure, halt.gamma, epicenter)
    return structure_figure(halt.structure, halt.gamma, halt.epicenter, halt.thresholds)


@draws(Diagnosis)
def diagnosis_figure(diagnosis: Diagnosis) -> PngFigure:
    """Draw the diagnosed structure, colored by gamma, with a ring around each atom of the epicenter."""
    gamma, thresholds = diagnosis.structure.arrays["gamma"], diagnosis.halt.thresholds
    return structure_figure(diagnosis.structure, gamma, diagnosis.epicenter, thresholds)


@draws(EmbeddedCell)
def embedded_cell_figure(cell: EmbeddedCell) -> PngFigure:
    """Draw an embedded cell, colored by gamma, with a ring around each core atom."""
    return structure_figure(cell.structure, cell.gamma, np.flatnonzero(cell.core))


@draws(Selection, "structure")
def candidate_figure(selection: Selection, candidate: int) -> PngFigure:
    """Draw one candidate, colored by gamma, in the orientation that all candidates share.

    Parameters
    ----------
    selection
        The selection.
    candidate
        Number of the candidate.

    Returns
    -------
    PngFigure

    Raises
    ------
    StructureError
        If there is no such candidate, or its gamma is unknown.
    """
    scenes = CandidateScenes(selection.candidates)
    return scene_figure(scenes[candidate], scenes.scale)


def scene_figure(scene: Scene, scale: Scale) -> PngFigure:
    """Draw a scene.

    Parameters
    ----------
    scene
        The scene to draw.
    scale
        Scale of gamma.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(5.8, 4.7), layout="compressed")
    axes = picture.subplots()
    # atoms without finite positions, from a run that exploded, must not determine the extent of the figure
    seen = np.isfinite(scene.positions).all(axis=1)
    positions = scene.positions[seen] @ DIRECTION.T
    radii = 0.62 * covalent_radii[scene.numbers[seen]]
    order = np.argsort(positions[:, 2], kind="stable")
    ringed = np.isin(np.flatnonzero(seen), scene.marked)
    hiding = _in_front(positions, radii, ringed)
    discs = EllipseCollection(
        2 * radii[order],
        2 * radii[order],
        0,
        units="xy",
        offsets=positions[order, :2],
        offset_transform=axes.transData,
        array=scale.clipped(scene.gamma[seen][order]),
        norm=scale.norm,
        cmap=COLOR_MAP,
        edgecolors="0.25",
        linewidths=0.4,
        alpha=np.where(hiding[order], SEEN_THROUGH, 1.0),
        zorder=2,
    )
    axes.add_collection(discs)
    # above all atoms, so that hidden atoms of the epicenter are located as well
    rings = EllipseCollection(
        2.6 * radii[ringed],
        2.6 * radii[ringed],
        0,
        units="xy",
        offsets=positions[ringed, :2],
        offset_transform=axes.transData,
        facecolors="none",
        edgecolors=RING,
        linewidths=1.8,
        zorder=3,
    )
    axes.add_collection(rings)
    drawn = [positions[:, :2]]
    if scene.corners is not None:
        corners = scene.corners @ DIRECTION.T
        edges = [corners[[start, end], :2] for start, end in EDGES]
        axes.add_collection(LineCollection(edges, colors="0.5", linewidths=0.9, zorder=1))
        drawn.append(corners[:, :2])
    margin = 1.5 * radii.max(initial=0.5)
    low, high = np.concatenate(drawn).min(axis=0) - margin, np.concatenate(drawn).max(axis=0) + margin
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.set_aspect("equal")
    axes.set_xlabel("Å")
    axes.set_ylabel("Å")
    solid = ScalarMappable(norm=scale.norm, cmap=COLOR_MAP)
    bar = picture.colorbar(solid, ax=axes, label="gamma, dimensionless", extend="both")
    plain_log_ticks(bar.ax.yaxis)
    for name, mark in zip(NAMES, scale.marks, strict=False):
        bar.ax.axhline(mark, color=THRESHOLD_OUTLINE, lw=3)
        bar.ax.axhline(mark, color=THRESHOLD_COLOR, lw=1.5)
        bar.ax.text(-0.35, mark, f"{name} {mark:g}", transform=bar.ax.get_yaxis_transform(), ha="right", va="center")
    epicenter_line = f"\n{ringed.sum()} ringed: the epicenter" if ringed.any() else ""
    axes.set_title(scene.caption.replace("; ", "\n") + epicenter_line, fontsize=10)
    return picture


def _in_front(positions: np.ndarray, radii: np.ndarray, ringed: np.ndarray) -> np.ndarray:
    """Return which atoms hide a part of a ringed one without being ringed themselves."""
    hiding = np.zeros(len(positions), dtype=bool)
    for center, radius in zip(positions[ringed], radii[ringed], strict=True):
        distances = np.linalg.norm(positions[:, :2] - center[:2], axis=1)
        hiding |= (positions[:, 2] > center[2]) & (distances < radii + radius)
    hiding &= ~ringed
    return hiding

"""A structure from the side, atoms coloured by gamma on a fixed logarithmic scale."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from matplotlib.collections import EllipseCollection
from matplotlib.colors import LogNorm

from acemaker.display.axes import plain_log_ticks
from acemaker.display.picture import Picture
from acemaker.display.summary import number

GAMMA_RANGE = (0.3, 30.0)
"""The same in every figure, so that colours can be compared between halts and generations."""

_VIEW = np.array([[0.94, 0.12, -0.33], [0.0, 0.94, 0.34], [0.35, -0.32, 0.88]])
_EDGES = [(a, a | bit) for a in range(8) for bit in (1, 2, 4) if not a & bit]


def structure_figure(atoms: Atoms, gamma: np.ndarray, epicentre: np.ndarray | None = None) -> Picture:
    """Draw atoms as discs, the far ones first.

    Parameters
    ----------
    atoms
        The structure; its cell is drawn as it is.
    gamma : ndarray, shape (n_atoms,)
        Extrapolation grades, dimensionless.
    epicentre : ndarray of int, or None
        Atoms to be outlined.

    Returns
    -------
    Picture
    """
    picture = Picture(figsize=(5.4, 4.4), layout="constrained")
    axis = picture.subplots()
    positions = atoms.get_positions(wrap=bool(atoms.pbc.all())) @ _VIEW.T
    # what glows is drawn last, or the atoms in front would hide it
    glowing = gamma >= 0.5 * gamma.max()
    widths = 1.5 * covalent_radii[atoms.numbers]
    outlined = np.zeros(len(atoms), dtype=bool)
    if epicentre is not None:
        outlined[epicentre] = True
        glowing |= outlined
    order = np.lexsort((positions[:, 2], glowing))
    discs = EllipseCollection(
        widths[order],
        widths[order],
        0,
        units="xy",
        offsets=positions[order, :2],
        offset_transform=axis.transData,
        array=np.clip(gamma[order], *GAMMA_RANGE),
        norm=LogNorm(*GAMMA_RANGE),
        cmap="turbo",
        edgecolors=np.where(outlined[order], "black", "0.6"),
        linewidths=np.where(outlined[order], 1.8, 0.4),
    )
    axis.add_collection(discs)
    if atoms.cell.rank == 3:
        corners = np.array([[a & 1, a >> 1 & 1, a >> 2 & 1] for a in range(8)]) @ atoms.cell.array @ _VIEW.T
        for start, end in _EDGES:
            axis.plot(corners[[start, end], 0], corners[[start, end], 1], color="0.5", lw=0.8, zorder=0)
    margin = widths.max()
    axis.set_xlim(positions[:, 0].min() - margin, positions[:, 0].max() + margin)
    axis.set_ylim(positions[:, 1].min() - margin, positions[:, 1].max() + margin)
    axis.autoscale_view()
    axis.set_aspect("equal")
    axis.set_xlabel("Å")
    axis.set_ylabel("Å")
    bar = picture.colorbar(discs, ax=axis, label="gamma", extend="both")
    plain_log_ticks(bar.ax.yaxis)
    note = f", {outlined.sum()} in the epicentre" if epicentre is not None else ""
    worst = int(gamma.argmax())
    title = f"{atoms.get_chemical_formula()}: largest gamma {number(gamma[worst])}, atom {worst}{note}"
    axis.set_title(title, fontsize=10)
    return picture

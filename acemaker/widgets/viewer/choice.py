"""Choice between the live viewer and its static fallback."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from acemaker.errors import MissingLibraryError
from acemaker.formatting.figures import shows
from acemaker.formatting.interactive import is_interactive, is_required
from acemaker.plotting.scale import scale_with
from acemaker.plotting.scene import Scenes
from acemaker.plotting.structure import scene_figure
from acemaker.results import Diagnosis, Halt
from acemaker.widgets.viewer.protocol import ViewerFactory
from acemaker.widgets.viewer.view import HaltView

if TYPE_CHECKING:
    from acemaker.formatting.figures import Picture


@shows(Halt)
def halt_view(halt: Halt, make_viewer: ViewerFactory | None = None) -> HaltView | Picture:
    """Show the frames before a halt, beginning with the halted one; see `view`."""
    return view(*halt.frames_to_view(), make_viewer)


@shows(Diagnosis)
def diagnosis_view(diagnosis: Diagnosis, make_viewer: ViewerFactory | None = None) -> HaltView | Picture:
    """Show the frames before a halt, beginning with the diagnosed structure; see `view`."""
    return view(*diagnosis.frames_to_view(), make_viewer)


def view(
    frames: Sequence[Atoms],
    halted: int,
    epicenter: np.ndarray,
    thresholds: Sequence[float],
    make_viewer: ViewerFactory | None = None,
) -> HaltView | Picture:
    """Show structures colored by gamma, one at a time.

    Parameters
    ----------
    frames
        One structure per check, with ``arrays["gamma"]``.
    halted
        Index of the frame that is shown first; it determines which atoms of large structures are drawn.
    epicenter : ndarray of int
        Atoms to mark.
    thresholds
        Thresholds to mark on the scale; may be empty.
    make_viewer
        Creates the viewer; nglview's if None.

    Returns
    -------
    HaltView or Picture
        A widget if the notebook is interactive, see `is_interactive`; otherwise a picture of the halted structure.

    Raises
    ------
    MissingLibraryError
        If widgets are required (``ACEMAKER_DISPLAY=live``) and a library is missing. Otherwise a warning is issued.
    """
    if is_interactive():
        try:
            return live_view(frames, halted, epicenter, thresholds, make_viewer)
        except MissingLibraryError as error:
            if is_required():
                raise
            warnings.warn(f"a picture replaces the viewer: {error}", stacklevel=3)
    return scene_figure(Scenes(frames, halted, epicenter)[halted], scale_with(thresholds))


def live_view(
    frames: Sequence[Atoms],
    halted: int,
    epicenter: np.ndarray,
    thresholds: Sequence[float],
    make_viewer: ViewerFactory | None = None,
) -> HaltView:
    """Create the live viewer, even if the notebook is not interactive; parameters are those of `view`.

    Raises
    ------
    MissingLibraryError
        If a library is missing.
    """
    scenes, scale = Scenes(frames, halted, epicenter), scale_with(thresholds)
    return HaltView(scenes, scale, halted, make_viewer, lambda check: scene_figure(scenes[check], scale))

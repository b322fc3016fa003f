"""The live viewer, or its static twin."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from acemaker.errors import MissingLibraryError
from acemaker.formatting.figures import shows
from acemaker.formatting.interactive import forced, live
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
    anchor: int,
    epicentre: np.ndarray,
    thresholds: Sequence[float],
    make_viewer: ViewerFactory | None = None,
) -> HaltView | Picture:
    """Show structures coloured by gamma, one at a time.

    Parameters
    ----------
    frames
        One a check, ``arrays["gamma"]`` per atom.
    anchor
        The one to begin with; it decides what is drawn of large structures.
    epicentre : ndarray of int
        Atoms to be marked.
    thresholds
        To be marked on the scale; may be empty.
    make_viewer
        Makes what draws; nglview's if None.

    Returns
    -------
    HaltView or Picture
        A widget where somebody watches, see `live`; else a picture of the anchor.

    Raises
    ------
    MissingLibraryError
        If widgets were asked for by name, and something is missing. Otherwise that is a warning.
    """
    if live():
        try:
            return live_view(frames, anchor, epicentre, thresholds, make_viewer)
        except MissingLibraryError as error:
            if forced():
                raise
            warnings.warn(f"a picture takes the viewer's place: {error}", stacklevel=3)
    return scene_figure(Scenes(frames, anchor, epicentre)[anchor], scale_with(thresholds))


def live_view(
    frames: Sequence[Atoms],
    anchor: int,
    epicentre: np.ndarray,
    thresholds: Sequence[float],
    make_viewer: ViewerFactory | None = None,
) -> HaltView:
    """Make the live viewer, whoever watches; parameters are those of `view`.

    Raises
    ------
    MissingLibraryError
        If something is missing.
    """
    scenes, scale = Scenes(frames, anchor, epicentre), scale_with(thresholds)
    return HaltView(scenes, scale, anchor, make_viewer, lambda check: scene_figure(scenes[check], scale))

"""Pane that all views of structures share: legend, atoms, and details of the atom that was clicked."""

from __future__ import annotations

from typing import Any

from acemaker.formatting import html
from acemaker.plotting.scale import Scale
from acemaker.plotting.scene import Scenes
from acemaker.results.picked import Picked, pick
from acemaker.widgets.ipywidgets_library import discard, load_ipywidgets
from acemaker.widgets.viewer.legend import legend
from acemaker.widgets.viewer.protocol import Viewer, ViewerFactory

HINT = "Click an atom for its gamma,<br>neighbors and bond lengths."


class Pane:
    """Shows one scene at a time.

    Parameters
    ----------
    scale
        Scale of gamma.
    make_viewer
        Creates the viewer; nglview's if None.

    Attributes
    ----------
    viewer : Viewer
        The viewer.
    atom : int or None
        The atom that was picked.
    details : ipywidgets.HTML
        Details of that atom.
    box : ipywidgets.HBox
        The whole widget.

    Raises
    ------
    MissingLibraryError
        If ipywidgets or nglview is not installed, or cannot work.
    """

    def __init__(self, scale: Scale, make_viewer: ViewerFactory | None) -> None:
        widgets = load_ipywidgets()
        if make_viewer is None:
            from acemaker.widgets.viewer.nglview_viewer import NglviewViewer

            make_viewer = NglviewViewer
        self.atom: int | None = None
        self.viewer: Viewer = make_viewer(scale)
        self._shown: tuple[Scenes, int] | None = None
        self.details = widgets.HTML()
        layout = widgets.Layout
        left = widgets.VBox([widgets.HTML(legend(scale)), self.viewer.widget], layout=layout(width="66%"))
        right = widgets.Box(
            [self.details],
            layout=layout(width="34%", max_height="480px", overflow="hidden auto", padding="0 0 0 12px"),
        )
        self.box: Any = widgets.HBox([left, right])
        self.viewer.on_pick(self._on_pick)

    @property
    def picked(self) -> Picked | None:
        """Details of the picked atom in this scene; None before the first click, or if the scene does not have it."""
        if self._shown is None or self.atom is None:
            return None
        scenes, index = self._shown
        atoms = scenes.frames[index]
        return pick(atoms, self.atom, scenes.epicenter) if self.atom < len(atoms) else None

    def show(self, scenes: Scenes, index: int) -> None:
        """Draw a scene, replacing the previous one.

        Parameters
        ----------
        scenes
            Scenes that the scene belongs to.
        index
            Index of the scene among them.
        """
        self._shown = scenes, index
        self.viewer.show(scenes[index])
        self._show_picked()

    def close(self) -> None:
        """Remove the widget from the page."""
        self.viewer.close()
        discard(self.box)

    def _on_pick(self, row: int) -> None:
        if self._shown is not None:
            self.atom = int(self._shown[0].indices[row])
            self._show_picked()

    def _show_picked(self) -> None:
        picked = self.picked
        content = HINT if picked is None else html.render(picked.summary())
        self.details.value = f'<div style="line-height:1.4;font-size:13px;white-space:nowrap">{content}</div>'

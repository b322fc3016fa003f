"""The halt viewer: scenes, a slider over the checks, the legend, and details of the atom that is clicked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from acemaker.formatting.summary import counted
from acemaker.plotting.scale import Scale
from acemaker.plotting.scene import Scenes
from acemaker.results.picked import Picked
from acemaker.widgets.ipywidgets_library import discard, live_bundle, load_ipywidgets
from acemaker.widgets.viewer.pane import Pane
from acemaker.widgets.viewer.protocol import Viewer, ViewerFactory

if TYPE_CHECKING:
    from acemaker.formatting.figures import Picture


class HaltView:
    """Interactive view of the checks before a halt; `scenes` and `picked` have the same data without widgets.

    Parameters
    ----------
    scenes
        One scene per check.
    scale
        Scale of gamma.
    start
        Index of the check that is shown first.
    make_viewer
        Creates the viewer; nglview's if None.
    draw_fallback
        Draws a check as a picture, for a notebook that is opened without its kernel.

    Attributes
    ----------
    viewer : Viewer
        The viewer.
    slider : ipywidgets.IntSlider
        Slider whose value is the index of the check.
    atom : int or None
        The atom that was picked.
    box : ipywidgets.VBox
        The whole widget, to embed in other layouts.

    Raises
    ------
    MissingLibraryError
        If ipywidgets or nglview is not installed, or cannot work.
    """

    def __init__(
        self,
        scenes: Scenes,
        scale: Scale,
        start: int,
        make_viewer: ViewerFactory | None,
        draw_fallback: Callable[[int], Picture],
    ) -> None:
        ipywidgets = load_ipywidgets()
        self.scenes, self._draw_fallback = scenes, draw_fallback
        self._pane = Pane(scale, make_viewer)
        self._caption, self._check = ipywidgets.HTML(), ipywidgets.HTML()
        self.slider = ipywidgets.IntSlider(value=start, max=len(scenes) - 1, description="check", readout=False)
        self.box = ipywidgets.VBox(
            [self._caption, self._pane.box, ipywidgets.HBox([self.slider, self._check])],
            layout=ipywidgets.Layout(max_width="980px"),
        )
        self.slider.observe(self._on_slide, names="value")
        self._show()

    @property
    def viewer(self) -> Viewer:
        """The viewer."""
        return self._pane.viewer

    @property
    def atom(self) -> int | None:
        """The atom that was picked."""
        return self._pane.atom

    @property
    def picked(self) -> Picked | None:
        """Details of the picked atom at this check; None before the first click."""
        return self._pane.picked

    @property
    def texts(self) -> Sequence[str]:
        """Texts above, below and beside the atoms, as HTML."""
        return self._caption.value, self._check.value, self._pane.details.value

    def close(self) -> None:
        """Remove the widget from the page."""
        self._pane.close()
        discard(self.box)

    def _on_slide(self, _: object) -> None:
        self._show()

    def _show(self) -> None:
        check = self.slider.value
        self._pane.show(self.scenes, check)
        self._caption.value = f"<b>{escape(self.scenes.caption(check))}</b>"
        self._check.value = f"{check + 1} of {len(self.scenes)}" + (
            ", the halt" if check == len(self.scenes) - 1 else ""
        )

    def __repr__(self) -> str:
        return f"Halt viewer: {counted(len(self.scenes), 'check')}; {self.scenes.caption(self.slider.value)}"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        # the picture replaces the widget where there is no kernel: on a web page, in an export
        return live_bundle(self.box, repr(self), png=self._draw_fallback(self.slider.value)._repr_png_())

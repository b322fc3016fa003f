"""The halt viewer: scenes, a slider over the checks, the legend, and what a click on an atom tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from acemaker.display import html
from acemaker.display.summary import counted
from acemaker.display.viewer.legend import legend
from acemaker.display.viewer.picked import Picked, pick
from acemaker.display.viewer.protocol import ViewerFactory
from acemaker.display.viewer.scale import Scale
from acemaker.display.viewer.scene import Scenes
from acemaker.display.widgets import discard, load_ipywidgets

if TYPE_CHECKING:
    from acemaker.display.picture import Picture

HINT = "Click an atom for its gamma,<br>neighbours and bond lengths."


class HaltView:
    """Shows the checks before a halt; what it shows is in `scenes` and `picked`, without it.

    Parameters
    ----------
    scenes
        One a check.
    scale
        Of gamma.
    start
        The check to begin with.
    make_viewer
        Makes what draws; nglview's if None.
    twin
        Draws a check as a picture, for a notebook that is looked at without its kernel.

    Attributes
    ----------
    viewer : Viewer
        What draws.
    slider : ipywidgets.IntSlider
        Its value is the check, from 0.
    atom : int or None
        The atom that was picked.
    box : ipywidgets.VBox
        The whole, for a page of your own.

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
        twin: Callable[[int], Picture],
    ) -> None:
        ipywidgets = load_ipywidgets()
        if make_viewer is None:
            from acemaker.display.viewer.nglview_viewer import NglviewViewer

            make_viewer = NglviewViewer
        self.scenes, self._twin = scenes, twin
        self.atom: int | None = None
        self.viewer = make_viewer(scale)
        self._caption, self._check = ipywidgets.HTML(), ipywidgets.HTML()
        self._details = ipywidgets.HTML()
        self.slider = ipywidgets.IntSlider(value=start, max=len(scenes) - 1, description="check", readout=False)
        layout = ipywidgets.Layout
        left = ipywidgets.VBox([ipywidgets.HTML(legend(scale)), self.viewer.widget], layout=layout(width="66%"))
        right = ipywidgets.Box(
            [self._details],
            layout=layout(width="34%", max_height="480px", overflow="hidden auto", padding="0 0 0 12px"),
        )
        self.box = ipywidgets.VBox(
            [self._caption, ipywidgets.HBox([left, right]), ipywidgets.HBox([self.slider, self._check])],
            layout=layout(max_width="980px"),
        )
        self.slider.observe(self._on_slide, names="value")
        self.viewer.on_pick(self._on_pick)
        self._show()

    @property
    def picked(self) -> Picked | None:
        """What is known of the picked atom at this check; None before the first click."""
        if self.atom is None:
            return None
        return pick(self.scenes.frames[self.slider.value], self.atom, self.scenes.epicentre)

    @property
    def texts(self) -> Sequence[str]:
        """What is written above, below and beside the atoms, as HTML."""
        return self._caption.value, self._check.value, self._details.value

    def close(self) -> None:
        """Take it off the page."""
        self.viewer.close()
        discard(self.box)

    def _on_slide(self, _: object) -> None:
        self._show()

    def _on_pick(self, row: int) -> None:
        self.atom = int(self.scenes.indices[row])
        self._show_picked()

    def _show(self) -> None:
        check = self.slider.value
        self.viewer.show(self.scenes[check])
        self._caption.value = f"<b>{escape(self.scenes.caption(check))}</b>"
        self._check.value = f"{check + 1} of {len(self.scenes)}" + (
            ", the halt" if check == len(self.scenes) - 1 else ""
        )
        self._show_picked()

    def _show_picked(self) -> None:
        picked = self.picked
        words = HINT if picked is None else html.render(picked.summary())
        self._details.value = f'<div style="line-height:1.4;font-size:13px;white-space:nowrap">{words}</div>'

    def __repr__(self) -> str:
        return f"Halt viewer: {counted(len(self.scenes), 'check')}; {self.scenes.caption(self.slider.value)}"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        # the picture is what is left of it where there is no kernel: on a web page, in an export
        bundle: dict[str, Any] = self.box._repr_mimebundle_(include=include, exclude=exclude)
        return bundle | {"text/plain": repr(self), "image/png": self._twin(self.slider.value)._repr_png_()}

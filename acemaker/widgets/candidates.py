"""View of the candidates of a selection: rows, the plane, and the atoms of the candidate that is shown."""

from __future__ import annotations

from html import escape
from typing import Any

from acemaker.errors import MissingLibraryError, StructureError
from acemaker.formatting.figures import shows
from acemaker.formatting.html import figure
from acemaker.formatting.interactive import is_interactive, is_required
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary
from acemaker.plotting.candidate_scenes import CandidateScenes
from acemaker.plotting.structure import scene_figure
from acemaker.results import Selection
from acemaker.widgets.candidate_rows import CandidateRows
from acemaker.widgets.ipywidgets_library import discard, live_bundle, load_ipywidgets, picture_widget
from acemaker.widgets.viewer.pane import Pane
from acemaker.widgets.viewer.protocol import ViewerFactory


class CandidatesView:
    """Interactive view of candidates: clicking a row shows the structure and highlights its point in the plane.

    `Selection` has the same data without widgets.

    Parameters
    ----------
    selection
        The selection to show.
    make_viewer
        Creates the viewer that draws atoms; nglview's if None.
    ticks
        Whether there are checkboxes that select candidates.
    start
        The candidate that is shown first; None for none: atoms are then drawn after the first click.
    strict
        Whether to raise an error if atoms cannot be drawn live; otherwise a picture replaces them.

    Attributes
    ----------
    rows : CandidateRows
        The rows.
    shown : int or None
        The candidate that is shown.
    pane : Pane or None
        The viewer of its atoms; None if they cannot be drawn live.
    box : ipywidgets.VBox
        The whole widget, to embed in other layouts.

    Raises
    ------
    MissingLibraryError
        If ipywidgets is not installed, or, with `strict`, nglview is not.
    """

    def __init__(
        self,
        selection: Selection,
        make_viewer: ViewerFactory | None = None,
        *,
        ticks: bool = False,
        start: int | None = None,
        strict: bool = False,
    ) -> None:
        widgets = load_ipywidgets()
        self.selection = selection
        self.shown: int | None = None
        self.pane: Pane | None = None
        self._make_viewer, self._strict = make_viewer, strict
        self._scenes = CandidateScenes(selection.candidates)
        self.rows = CandidateRows(selection, self.show, ticks)
        self._caption, self._plane = widgets.HTML("Click a candidate to show its structure."), picture_widget()
        self._structure = widgets.VBox()
        self.box: Any = widgets.VBox(
            [self.rows.box, self._plane, self._caption, self._structure], layout=widgets.Layout(max_width="980px")
        )
        if start is None:
            self._plane.value = selection.figure()._repr_png_()
        else:
            self.show(start)

    def show(self, candidate: int) -> None:
        """Show a candidate: its structure, with its row and its point highlighted.

        Parameters
        ----------
        candidate
            Number of the candidate.
        """
        self._plane.value = self.selection.figure(candidate)._repr_png_()
        self.rows.mark(candidate)
        self.shown = candidate
        try:
            scenes, index = self._scenes.of(candidate)
        except StructureError as error:  # the trainer provides no gamma
            self._caption.value = escape(str(error))
            return
        self._caption.value = f"<b>{escape(self._scenes.caption(candidate))}</b>"
        if self._live_pane() is not None:
            assert self.pane is not None
            self.pane.show(scenes, index)
        else:
            self._structure.children[0].value = self._picture(candidate)

    def close(self) -> None:
        """Remove the widget from the page."""
        if self.pane is not None:
            self.pane.close()
        discard(self.box)

    def _live_pane(self) -> Pane | None:
        """Return the pane, which is created first if necessary; None if a picture replaces it."""
        if not self._structure.children:
            try:
                self.pane = Pane(self._scenes.scale, self._make_viewer)
            except MissingLibraryError:
                if self._strict:
                    raise
                self._structure.children = (picture_widget(),)
            else:
                self._structure.children = (self.pane.box,)
        return self.pane

    def _picture(self, candidate: int) -> bytes:
        return scene_figure(self._scenes[candidate], self._scenes.scale)._repr_png_()

    def __repr__(self) -> str:
        shown = "" if self.shown is None else f"; candidate {self.shown} is shown"
        return f"{self.selection!r}{shown}"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return live_bundle(self.box, repr(self), png=self._plane.value)


class StaticCandidates(Record):
    """Static fallback of `CandidatesView`: the table, the plane, and the first selected candidate.

    Parameters
    ----------
    selection
        The selection to show.
    """

    def __init__(self, selection: Selection) -> None:
        self._selection = selection

    def summary(self) -> Summary:
        """Return the summary of the selection."""
        return self._selection.summary()

    def _repr_html_(self) -> str:
        selection, first = self._selection, self._selection.selected[0]
        parts = [super()._repr_html_(), figure(selection.figure(first), "Candidates in the plane of their projections")]
        if selection.candidates.gamma:
            parts.append(figure(selection.structure_figure(first), f"Candidate {first}, colored by gamma"))
        return "".join(parts)


@shows(Selection)
def candidates_view(
    selection: Selection, make_viewer: ViewerFactory | None = None
) -> CandidatesView | StaticCandidates:
    """Create the view, or its static fallback if the notebook is not interactive.

    Parameters
    ----------
    selection
        The selection to show.
    make_viewer
        Creates the viewer that draws atoms; nglview's if None.

    Returns
    -------
    CandidatesView or StaticCandidates

    Raises
    ------
    MissingLibraryError
        If widgets are required (``ACEMAKER_DISPLAY=live``) and a library is missing. Otherwise pictures replace the
        atoms if nglview is missing.
    """
    if not is_interactive():
        return StaticCandidates(selection)
    return CandidatesView(selection, make_viewer, start=selection.selected[0], strict=is_required())

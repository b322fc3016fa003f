"""Candidates to be looked into: rows, the plane, and the chosen one's atoms, which say the same of one candidate."""

from __future__ import annotations

from html import escape
from typing import Any

from acemaker.analysis.report_page import figure
from acemaker.errors import MissingLibraryError, StructureError
from acemaker.formatting.figures import shows
from acemaker.formatting.interactive import forced, live
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
    """Choosing a row shows its structure, and points it out in the plane; `Selection` tells all of it without.

    Parameters
    ----------
    selection
        What was chosen, and from what.
    make_viewer
        Makes what draws atoms; nglview's if None.
    ticks
        Whether candidates can be taken or dropped.
    start
        The candidate that is shown at first; None for none: atoms are drawn once somebody chooses one.
    strict
        Whether it is an error where atoms cannot be drawn live; else a picture takes their place.

    Attributes
    ----------
    rows : CandidateRows
        To be clicked.
    shown : int or None
        The candidate that is shown.
    pane : Pane or None
        Its atoms, where they can be drawn live.
    box : ipywidgets.VBox
        The whole, for a page of your own.

    Raises
    ------
    MissingLibraryError
        If ipywidgets is not installed, or with `strict` nglview.
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
        self._caption, self._plane = widgets.HTML("Click a candidate to see its structure."), picture_widget()
        self._structure = widgets.VBox()
        self.box: Any = widgets.VBox(
            [self.rows.box, self._plane, self._caption, self._structure], layout=widgets.Layout(max_width="980px")
        )
        if start is None:
            self._plane.value = selection.figure()._repr_png_()
        else:
            self.show(start)

    def show(self, candidate: int) -> None:
        """Show a candidate: its structure, its row and its point.

        Parameters
        ----------
        candidate
            Its number.
        """
        self._plane.value = self.selection.figure(candidate)._repr_png_()
        self.rows.mark(candidate)
        self.shown = candidate
        try:
            scenes, place = self._scenes.of(candidate)
        except StructureError as error:  # of a trainer that tells no gamma
            self._caption.value = escape(str(error))
            return
        self._caption.value = f"<b>{escape(self._scenes.caption(candidate))}</b>"
        if self._live_pane() is not None:
            assert self.pane is not None
            self.pane.show(scenes, place)
        else:
            self._structure.children[0].value = self._picture(candidate)

    def close(self) -> None:
        """Take it off the page."""
        if self.pane is not None:
            self.pane.close()
        discard(self.box)

    def _live_pane(self) -> Pane | None:
        """Make the pane where there is none yet, or a place for pictures where there can be none."""
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


class CandidatesTwin(Record):
    """What takes the view's place where nobody watches: the table, the plane, and the first of the selected.

    Parameters
    ----------
    selection
        What was chosen, and from what.
    """

    def __init__(self, selection: Selection) -> None:
        self._selection = selection

    def summary(self) -> Summary:
        """Return what the selection says of itself."""
        return self._selection.summary()

    def _repr_html_(self) -> str:
        selection, first = self._selection, self._selection.selected[0]
        parts = [super()._repr_html_(), figure(selection.figure(first), "Candidates in the plane of their projections")]
        if selection.candidates.gamma:
            parts.append(figure(selection.structure_figure(first), f"Candidate {first}, coloured by gamma"))
        return "".join(parts)


@shows(Selection)
def candidates_view(selection: Selection, make_viewer: ViewerFactory | None = None) -> CandidatesView | CandidatesTwin:
    """Make the view, or its static twin where nobody watches.

    Parameters
    ----------
    selection
        What was chosen, and from what.
    make_viewer
        Makes what draws atoms; nglview's if None.

    Returns
    -------
    CandidatesView or CandidatesTwin

    Raises
    ------
    MissingLibraryError
        If widgets were asked for by name, and something is missing; without nglview, pictures take the place of atoms.
    """
    if not live():
        return CandidatesTwin(selection)
    return CandidatesView(selection, make_viewer, start=selection.selected[0], strict=forced())

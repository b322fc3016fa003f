"""The view of candidates, operated by clicks."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from acemaker import Campaign
from acemaker.errors import MissingLibraryError, StructureError
from acemaker.loop.serialization import read_candidates
from acemaker.plotting.scale import GAMMA_RANGE
from acemaker.results import Selection
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from acemaker.widgets.candidates import CandidatesView, StaticCandidates
from acemaker.widgets.cockpit import Cockpit
from acemaker.widgets.viewer import nglview_library

pytest.importorskip("nglview", reason="no nglview: pip install 'acemaker[notebooks]'")


def make(directory: Path) -> Campaign:
    engine = ToyEngine(steps=200, gamma=halting_at(100))
    return Campaign.create(directory, toy_config(n_select=2), engine=engine, oracle=ToyOracle())


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    with make(tmp_path_factory.mktemp("candidates") / "c") as made:
        made.run(max_states=6)
        assert made.state is State.LABEL
        yield made


@pytest.fixture(scope="module")
def selection(campaign: Campaign) -> Selection:
    selection = campaign._work._selection()
    assert len(selection.reserve) >= 2
    return selection


@pytest.fixture
def shown(selection: Selection, monkeypatch: pytest.MonkeyPatch) -> Iterator[CandidatesView]:
    monkeypatch.setenv("ACEMAKER_DISPLAY", "live")
    view = selection.view()
    assert isinstance(view, CandidatesView)
    yield view
    view.close()


def drawn(view: CandidatesView) -> str:
    """Return the elements that the front end would draw."""
    assert view.pane is not None
    return str(view.pane.viewer._text)  # type: ignore[attr-defined]


def test_gamma_of_every_atom_is_that_of_the_potential(campaign: Campaign, selection: Selection) -> None:
    made = selection.candidates
    assert campaign.generation is not None
    calculator = campaign.generation.calculator()
    for structure, gamma, largest in zip(made.structures, made.gamma, made.gamma_max, strict=True):
        atoms = structure.copy()
        atoms.calc = calculator
        atoms.get_potential_energy()
        assert gamma == pytest.approx(calculator.results["gamma"], rel=1e-6)
        assert gamma.max() == largest
        assert not gamma.flags.writeable
    rule = campaign.config.otf
    assert made.thresholds == (rule.threshold_add_train, rule.threshold_call_dft, rule.threshold_break)
    again = read_candidates(campaign.progress, campaign._store, campaign._work.trainer().grade, rule)
    assert all(np.array_equal(one, other) for one, other in zip(made.gamma, again.gamma, strict=True))


def test_choosing_a_row_shows_structure_row_and_point(shown: CandidatesView, selection: Selection) -> None:
    assert shown.shown == 0
    assert shown.pane is not None
    assert (shown._scenes.scale.low, shown._scenes.scale.high) == GAMMA_RANGE
    first, plane = drawn(shown), shown._plane.value
    other = selection.reserve[0]
    shown.rows.buttons[other].click()
    made = selection.candidates
    assert shown.shown == other
    for words in (f"candidate {other}, {made.origins[other]}", f"largest gamma {made.gamma_max[other]:.3g}"):
        assert words in shown._caption.value
    assert drawn(shown) != first
    logarithm = np.log10(np.clip(made.gamma[other], *GAMMA_RANGE))
    column = [float(line[60:66]) for line in drawn(shown).splitlines() if "MOL" in line]
    assert column == pytest.approx(logarithm, abs=0.006)
    assert shown._plane.value == selection.figure(other)._repr_png_() != plane
    highlighted = [index for index, cells in shown.rows._cells.items() if "background" in cells.value]
    assert highlighted == [other]
    assert selection.reason(other) in shown.rows._cells[other].value
    shown.rows.buttons[0].click()
    assert drawn(shown) == first
    assert [i for i, button in shown.rows.buttons.items() if button.button_style] == [0]


def test_atoms_stay_where_the_anchor_has_them(shown: CandidatesView, selection: Selection) -> None:
    atoms = selection.candidates.structures[0]
    for index in range(1, len(selection.candidates.structures)):
        moved = shown._scenes[index].positions - shown._scenes[0].positions
        assert np.abs(moved).max() < 1.0 < atoms.cell.lengths().min()


def test_a_click_on_an_atom_tells_of_the_candidate_that_is_shown(shown: CandidatesView, selection: Selection) -> None:
    index = selection.reserve[0]
    shown.rows.buttons[index].click()
    pane = shown.pane
    assert pane is not None
    pane.viewer.widget.picked = {"atom1": {"index": 5}}
    assert pane.picked is not None
    assert pane.picked.gamma == selection.candidates.gamma[index][5]
    shown.rows.buttons[0].click()
    assert pane.picked.gamma == selection.candidates.gamma[0][5]


def test_colors_in_the_plane_are_those_of_atoms(selection: Selection) -> None:
    """And the one that is shown is pointed out."""

    def image(one: Selection, shown: int | None = None) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(one.figure(shown)._repr_png_())).convert("RGB")).astype(int)

    made = selection.candidates
    unknown = replace(selection, candidates=replace(made, gamma_max=np.full(len(made.gamma_max), np.nan)))
    assert (image(unknown) != image(selection)).any()
    square = [(image(selection, index) == [207, 227, 255]).all(axis=2).sum() for index in (None, 0)]
    assert square[0] == 0 < square[1]
    with pytest.raises(StructureError, match="candidates are numbered 0 to 5, there is no candidate 6"):
        selection.figure(6)


def test_nothing_is_left_of_it(selection: Selection, monkeypatch: pytest.MonkeyPatch) -> None:
    from ipywidgets.widgets.widget import _instances

    monkeypatch.setenv("ACEMAKER_DISPLAY", "live")
    selection.view().close()  # nglview makes widgets of its own once
    before, threads = len(_instances), threading.active_count()
    for _ in range(2):
        view = selection.view()
        view.rows.buttons[1].click()
        view.close()
    assert (len(_instances), threading.active_count()) == (before, threads)


def test_without_nglview_pictures_take_its_place(selection: Selection, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any) -> None:
        raise MissingLibraryError("no nglview")

    monkeypatch.setattr(nglview_library, "version", lambda name: "4.0.1")
    nglview_library.load_nglview.cache_clear()
    monkeypatch.setattr("acemaker.widgets.viewer.nglview_viewer.widget_class", nglview_library.load_nglview)
    monkeypatch.setenv("ACEMAKER_DISPLAY", "live")
    with pytest.raises(MissingLibraryError, match=r"4\.0\.1"):
        selection.view()
    view = CandidatesView(selection, start=0)
    (picture,) = view._structure.children
    assert picture.value == selection.structure_figure(0)._repr_png_()
    view.show(1)
    assert picture.value == selection.structure_figure(1)._repr_png_()
    view.close()


def test_a_trainer_that_tells_no_gamma(selection: Selection) -> None:
    view = CandidatesView(replace(selection, candidates=replace(selection.candidates, gamma=())), start=1)
    assert view.pane is None
    assert "provides none" in view._caption.value
    assert view.shown == 1
    view.close()


def test_the_static_fallback_where_nobody_watches(selection: Selection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACEMAKER_DISPLAY", "static")
    shown = selection.view()
    assert isinstance(shown, StaticCandidates)
    assert not hasattr(shown, "_repr_mimebundle_")
    assert repr(shown) == repr(selection)
    assert shown._repr_html_().count('src="data:image/png;base64,') == 2
    assert shown._repr_html_() == selection.view()._repr_html_()


def test_in_the_cockpit(tmp_path: Path) -> None:
    from ipywidgets.widgets.widget import _instances

    campaign = make(tmp_path / "c")
    before = len(_instances)
    cockpit = Cockpit(campaign)
    cockpit.gate.value = True
    cockpit.run.click()
    assert cockpit.driver.wait(60)
    cockpit.update()
    view = cockpit.choices.view
    assert view is not None
    assert view.pane is None  # a run makes no viewer
    index = max(cockpit.choices.boxes)
    view.rows.buttons[index].click()
    assert view.pane is not None
    assert f"candidate {index}" in view._caption.value
    for number, box in cockpit.choices.boxes.items():
        box.value = number == index
    cockpit.choices.button.click()
    assert f"to be labeled: {index}; by hand" in cockpit.message
    after = cockpit.choices.view
    assert after is not None
    assert after is not view
    assert after.shown == index  # and stays
    assert "by hand" in after.rows._cells[index].value
    cockpit.close()
    assert len(_instances) == before
    campaign.close()

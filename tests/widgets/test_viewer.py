"""The halt viewer in a kernel without a browser: what it would send, what a click and the slider do."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.data import covalent_radii

from acemaker.errors import ConfigError, MissingLibraryError
from acemaker.formatting.interactive import is_interactive
from acemaker.formatting.record import frozen
from acemaker.plotting.png_figure import PngFigure
from acemaker.plotting.scale import Scale
from acemaker.results import Diagnosis, Halt
from acemaker.testing import ViewerContract
from acemaker.widgets.viewer import nglview_library
from acemaker.widgets.viewer.choice import view
from tests.conftest import alloy

pytest.importorskip("nglview", reason="no nglview: pip install 'acemaker[notebooks]'")
WIDGET = "application/vnd.jupyter.widget-view+json"


def graded(atoms: Atoms, step: int, largest: float) -> Atoms:
    atoms = atoms.copy()
    atoms.arrays["gamma"] = np.linspace(0.5, largest, len(atoms))
    atoms.info["step"] = step
    return frozen(atoms)


@pytest.fixture
def halt() -> Halt:
    """Of a triclinic alloy that moves; atoms above 2 are the epicenter."""
    frames = []
    for check in range(6):
        atoms = alloy()
        atoms.rattle(0.05 * check, seed=check)
        frames.append(graded(atoms, 100 + 5 * check, 2.0 + 0.7 * check))
    return Halt(
        number=1,
        step=125,
        tier="smooth",
        first_step=115,
        frames=tuple(frames),
        safe_step=100,
        safe_checkpoint=None,
        halt_checkpoint=None,
        thresholds=(2.0, 5.0, 20.0),
    )


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACEMAKER_DISPLAY", "live")


class FrontEnd:
    """Takes nglview's messages, as its half in the browser would, and answers when it is told to."""

    def __init__(self, widget: Any) -> None:
        self.widget, self.got = widget, []
        widget.send = self.got.append

    def take(self) -> list[str]:
        names = [message["methodName"] for message in self.got if message["methodName"] != "request_repr_dict"]
        self.got.clear()
        return names

    def say(self, **message: Any) -> None:
        self.widget._handle_custom_msg(message, [])

    def open(self) -> None:
        self.say(type="request_loaded", data=True)

    def done(self) -> None:
        self.say(type="async_message", data="ok")
        if any("settled" in str(message["args"]) for message in self.got if message["methodName"] == "executeCode"):
            self.say(type="settled")


def click(widget: Any, row: int) -> None:
    widget.picked = {}  # the front end sends both
    widget.picked = {"atom1": {"index": row, "element": "CU"}, "component": 0}


class TestNglview(ViewerContract):
    def make_viewer(self, scale: Scale) -> Any:
        from acemaker.widgets.viewer.nglview_viewer import NglviewViewer

        return NglviewViewer(scale)

    def click(self, viewer: Any, row: int) -> None:
        click(viewer.widget, row)

    def test_other_things_that_are_clicked_tell_nothing(self) -> None:
        viewer = self.make_viewer(Scale())
        clicked: list[int] = []
        viewer.on_pick(clicked.append)
        click(viewer.widget, 0)  # nothing is shown yet
        scene = self.make_scenes()[0]
        viewer.show(scene)
        click(viewer.widget, len(scene.indices))  # a corner of the cell
        viewer.widget.picked = {"bond": {}}
        assert clicked == []

    def test_the_front_end_never_has_two_structures_at_once(self) -> None:
        """nglview's own queue would send scene after scene, and its front end would keep some of them."""
        viewer, scenes = self.make_viewer(Scale()), self.make_scenes()
        front = FrontEnd(viewer.widget)
        viewer.show(scenes[0])
        viewer.show(scenes[1])
        assert front.take() == []
        front.open()
        assert front.take() == ["loadFile"]
        viewer.show(scenes[2])
        assert front.take() == []
        front.done()
        # what is replaced before it is seen from the right side keeps the wrong one
        first = ["addRepresentation"] * 3 + ["setParameters", "setSize", "executeCode", "orient", "executeCode"]
        assert front.take() == [*first, "replaceStructure"]
        for scene in (scenes[3], scenes[4], scenes[0]):
            viewer.show(scene)
        assert front.take() == []
        front.done()
        (replaced,) = [message for message in front.got if message["methodName"] == "replaceStructure"]
        assert f"{scenes[0].positions[5, 0]:8.3f}{scenes[0].positions[5, 1]:8.3f}" in replaced["args"][0]["data"]
        front.done()
        viewer.show(scenes[0])
        assert front.take() == ["replaceStructure"]  # the same once more is not sent

    def test_a_page_that_is_opened_again_shows_the_present_scene(self) -> None:
        viewer, scenes = self.make_viewer(Scale()), self.make_scenes()
        front = FrontEnd(viewer.widget)
        viewer.show(scenes[0])
        front.open()
        viewer.show(scenes[1])  # and the page is closed before it has drawn anything
        front.take()
        front.open()
        load = viewer.widget._ngl_msg_archive[0]
        assert f"{scenes[1].positions[5, 0]:8.3f}" in load["args"][0]["data"]
        assert len([message for message in viewer.widget._ngl_msg_archive if message.get("fire_embed")]) == 3
        viewer.show(scenes[2])
        assert front.take() == ["replaceStructure"]

    def test_colors_are_those_of_the_scale(self) -> None:
        viewer = self.make_viewer(Scale())
        viewer.show(self.make_scenes()[0])
        (atoms,) = (m["kwargs"] for m in viewer.widget._ngl_msg_archive if m["kwargs"].get("colorScheme"))
        assert atoms["colorScheme"] == "bfactor"
        assert atoms["colorDomain"] == pytest.approx([np.log10(0.3), np.log10(30)])
        assert (atoms["colorScale"][0], atoms["colorScale"][-1]) == (Scale().colors()[0], Scale().colors()[-1])

    def test_the_two_halves_that_are_installed_fit(self) -> None:
        python, front = nglview_library.halves()
        assert python == front == "3.1.4"


def test_a_click_tells_gamma_neighbors_and_bonds(halt: Halt, watched: None) -> None:
    shown = halt.view()
    assert "Click an atom" in shown.texts[2]
    click(shown.viewer.widget, 30)
    assert shown.atom == 30
    atoms = halt.structure
    distances = atoms.get_distances(30, range(len(atoms)), mic=True)
    radii = covalent_radii[atoms.numbers]
    near = [j for j in np.argsort(distances) if j != 30 and distances[j] < 1.25 * (radii[30] + radii[j])]
    picked = shown.picked
    assert len(near) >= 10
    assert [one.atom for one in picked.neighbors] == near
    assert [one.distance for one in picked.neighbors] == pytest.approx(distances[near])
    assert picked.gamma == halt.gamma[30]
    assert repr(picked) == repr(halt.atom(30))
    for words in (f"{picked.element} atom 30", f"{picked.neighbors[0].distance:.3f}", "bond / Å", "epicenter"):
        assert words in shown.texts[2]


def test_the_slider_goes_over_the_checks(halt: Halt, watched: None) -> None:
    shown = halt.view()
    front = FrontEnd(shown.viewer.widget)
    front.open()
    front.done()
    front.take()
    click(shown.viewer.widget, 31)
    assert (shown.slider.value, shown.slider.max) == (5, 5)
    assert "step 125: largest gamma 5.5" in shown.texts[0]
    assert "6 of 6, the halt" in shown.texts[1]
    shown.slider.value = 1
    assert "step 105: largest gamma 2.7" in shown.texts[0]
    assert "2 of 6" in shown.texts[1]
    assert shown.picked.step == 105
    assert f"{halt.frames[1].arrays['gamma'][31]:.3g}" in shown.texts[2]
    assert front.take() == ["replaceStructure"]


def test_two_hundred_moves_of_the_slider_leak_no_thread(halt: Halt, watched: None) -> None:
    before = threading.active_count()
    shown = halt.view()
    for move in range(200):
        shown.slider.value = move % 6
    assert threading.active_count() == before
    shown.close()


def test_a_diagnosis_begins_with_its_anchor(halt: Halt, watched: None) -> None:
    diagnosis = Diagnosis(
        halt=halt,
        structure=halt.frames[3],
        epicenter=np.array([31, 30]),
        distances=np.zeros(2),
        since=np.zeros(2, int),
        trained_distance=2.0,
    )
    shown = diagnosis.view()
    assert shown.slider.value == 3
    assert list(shown.scenes[3].marked) == [30, 31]
    assert diagnosis.atom(31).in_epicenter
    assert not diagnosis.atom(0).in_epicenter
    assert diagnosis.atom(0).step == 115


def test_another_viewer_takes_its_place(halt: Halt, watched: None) -> None:
    import ipywidgets

    class Text:
        """Draws no more than the caption."""

        def __init__(self, scale: Scale) -> None:
            self.widget, self.callbacks = ipywidgets.HTML(str(scale.marks)), []

        def show(self, scene: Any) -> None:
            self.widget.value = scene.caption

        def on_pick(self, callback: Any) -> None:
            self.callbacks.append(callback)

        def close(self) -> None:
            self.widget.close()

    shown = halt.view(viewer=Text)
    shown.slider.value = 0
    assert "step 100" in shown.viewer.widget.value
    shown.viewer.callbacks[0](7)
    assert shown.picked.atom == 7


def test_a_live_view_has_its_static_fallback_beside_it(halt: Halt, watched: None) -> None:
    bundle = halt.view()._repr_mimebundle_()
    assert WIDGET in bundle
    assert bundle["image/png"] == halt.figure()._repr_png_()
    assert bundle["text/plain"].startswith("Halt viewer: 6 checks; ")


def test_the_static_fallback_where_nobody_watches(halt: Halt, monkeypatch: pytest.MonkeyPatch) -> None:
    for choice in ("static", "auto", ""):
        monkeypatch.setenv("ACEMAKER_DISPLAY", choice)
        shown = halt.view()
        assert isinstance(shown, PngFigure)
        assert shown._repr_png_() == halt.figure()._repr_png_()
        assert not hasattr(shown, "_repr_mimebundle_")
    monkeypatch.setenv("ACEMAKER_DISPLAY", "statik")
    with pytest.raises(ConfigError, match="must be static, live or auto, got 'statik'"):
        is_interactive()


def test_what_is_missing_is_an_error_only_if_it_was_asked_for(halt: Halt, monkeypatch: pytest.MonkeyPatch) -> None:
    nglview_library.load_nglview.cache_clear()
    monkeypatch.setattr(nglview_library, "version", lambda name: "4.0.1")
    monkeypatch.setattr("acemaker.widgets.viewer.nglview_viewer.widget_class", nglview_library.load_nglview)
    monkeypatch.setenv("ACEMAKER_DISPLAY", "live")
    with pytest.raises(MissingLibraryError, match=r"4\.0\.1, the front end 3\.1\.4: pip install"):
        halt.view()
    monkeypatch.setenv("ACEMAKER_DISPLAY", "auto")
    monkeypatch.setattr("acemaker.formatting.interactive._browser", lambda: True)
    with pytest.warns(UserWarning, match="a picture replaces the viewer"):
        assert isinstance(halt.view(), PngFigure)


def test_the_static_fallback_needs_neither_widgets_nor_nglview() -> None:
    code = (
        "import sys, numpy as np\nfrom ase.build import bulk\nfrom acemaker.widgets.viewer.choice import view\n"
        "atoms = bulk('Cu', cubic=True); atoms.arrays['gamma'] = np.ones(4)\n"
        "view([atoms], 0, np.array([1]), ())._repr_png_()\n"
        "print({'nglview', 'ipywidgets', 'IPython', 'matplotlib.pyplot'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("atoms", [molecule("CH3CH2OH"), bulk("Cu", cubic=True).repeat(10)], ids=["molecule", "large"])
def test_molecules_and_large_cells_are_shown(atoms: Atoms, watched: None) -> None:
    shown = view([graded(atoms, 5, 9.0)], 0, np.array([len(atoms) - 1]), (2, 5, 20))
    click(shown.viewer.widget, len(shown.scenes.indices) - 1)
    assert shown.picked.in_epicenter
    assert shown.picked.neighbors
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert shown._repr_mimebundle_()["image/png"]

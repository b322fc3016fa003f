"""The form, operated by filling it in."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

import acemaker
from acemaker.widgets.form import Form, FormView
from tests.headless.test_check import CAMPAIGN, write

pytest.importorskip("ipywidgets", reason="no ipywidgets: pip install 'acemaker[notebooks]'")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("ACEMAKER_DISPLAY", "live")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def view() -> Iterator[FormView]:
    made = acemaker.form(CAMPAIGN)
    assert isinstance(made, FormView)
    yield made
    made.close()


def test_a_widget_a_parameter_by_its_type(view: FormView) -> None:
    kinds = {name: type(one.widget).__name__ for name, one in view.inputs.items()}
    assert list(kinds) == [field.name for field in view.form.fields]
    expected = {
        "directory": "Text",
        "seed": "IntText",
        "cutoff": "FloatText",
        "ensemble": "Dropdown",
        "supercell": "Text",
    }
    assert {name: kinds[name] for name in expected} == expected
    assert "Å, standard deviation of their displacements" in view.inputs["first_rattle"].notes
    written = " ".join(str(child.value) for child in view.box.children if hasattr(child, "value"))
    for section in ("the system", "molecular dynamics", "the loop"):
        assert f"<b>{section}</b>" in written


def test_what_is_filled_in_is_checked_at_once(view: FormView) -> None:
    view.inputs["steps"].widget.value = 200
    view.inputs["temperature"].widget.value = "[300, 9e2]"
    view.inputs["ensemble"].widget.value = "nvt"
    assert view.form.changed == {"steps": 200, "temperature": [300, "9e2"], "ensemble": "nvt"}
    assert "temperature" in view.command
    view.inputs["steps"].widget.value = 0
    assert 'role="alert"' in view.inputs["steps"].notes
    assert "EngineConfig.steps: input should be greater than 0, got 0" in view.inputs["steps"].notes
    assert 'role="alert"' not in view.inputs["seed"].notes
    view.inputs["n_select"].widget.value = 11
    assert "n_select must not exceed n_candidates" in view._problems.value
    view.inputs["steps"].widget.value, view.inputs["n_select"].widget.value = 50, 1
    assert 'role="alert"' not in view.inputs["steps"].notes + view._problems.value
    assert view.values["steps"] == 50
    view.inputs["supercell"].widget.value = ""  # the notebook's own
    assert view.values["supercell"] == [3, 3, 3]
    assert yaml.safe_load(view.write("p.yaml").read_text())["ensemble"] == "nvt"
    assert "<pre" in view._command.value and "-p steps=50" in view._command.value


def test_further_parameters_of_a_campaign(view: FormView) -> None:
    assert view.further is not None
    view.further.value = "skin: 0.5\nmax_labels: 40"
    assert (view.values["skin"], view.values["max_labels"]) == (0.5, 40)
    view.further.value = "max_labels: 0"
    assert "skin" not in view.form.unchecked_values
    assert "OTFConfig.max_labels: input should be greater than 0" in view._problems.value
    for wrong, said in (("a: [", "cannot be read"), ("[1]", "expected name: value"), ("seed: 2", "seed has a widget")):
        view.further.value = wrong
        assert said in view._problems.value
    view.run_button.click()
    assert "seed has a widget" in view.message
    assert view.form.started is None
    view.further.value = ""
    assert view._problems.value == ""


def test_widgets_follow_what_python_fills_in(view: FormView) -> None:
    view.fill(steps=70, temperature=(300, 400), cutoff="wide")
    assert view.inputs["steps"].widget.value == 70
    assert view.inputs["temperature"].widget.value == "[300, 400]"
    assert "input should be a valid number" in view.inputs["cutoff"].notes
    assert view.inputs["cutoff"].widget.value == 5.5
    view.fill(cutoff=..., temperature=...)
    assert view.form.changed == {"steps": 70}
    assert view.inputs["temperature"].widget.value == "[300.0, 3000.0]"


def test_words_of_a_notebook_are_text_not_html(tmp_path: Path) -> None:
    view = FormView(Form(write(tmp_path / "n.ipynb", "# <b>s</b>\nx: str = '<i>'  # <script>")))
    view.inputs["x"].widget.value = "<u>"
    written = " ".join(str(getattr(child, "value", "")) for child in view.box.children) + view.inputs["x"].notes
    assert "<script>" not in written and "<b>s" not in written and "<u>" not in written
    view.close()


def test_nothing_is_left_of_it() -> None:
    from ipywidgets.widgets.widget import _instances

    before, threads = len(_instances), threading.active_count()
    view = acemaker.form(CAMPAIGN)
    assert isinstance(view, FormView)
    made = len(_instances)
    for seed in range(20):
        view.inputs["seed"].widget.value = seed
    assert len(_instances) == made > before
    view.close()
    assert (len(_instances), threading.active_count()) == (before, threads)


def test_where_nobody_watches_a_table_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACEMAKER_DISPLAY", "static")
    shown = acemaker.form(CAMPAIGN)
    assert isinstance(shown, Form)
    assert not hasattr(shown, "_repr_mimebundle_")
    for words in ("molecular dynamics", "threshold_call_dft", "acemaker run", "ensemble"):
        assert words in shown._repr_html_() and words in repr(shown)
    monkeypatch.setenv("ACEMAKER_DISPLAY", "live")
    live = acemaker.form(CAMPAIGN)
    assert isinstance(live, FormView)
    bundle = live._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/html"] == shown._repr_html_()
    live.close()


def test_run_shows_what_the_notebook_prints_and_stop_ends_it(tmp_path: Path) -> None:
    body = "import time\nprint(f'n is <{n}>', flush=True)\ntime.sleep(300)"
    write(tmp_path / "n.ipynb", "n: int = 1\ndirectory: str = 'none'\nseed: int = 1", body)
    view = acemaker.form("n.ipynb", "out/n.ipynb")
    assert isinstance(view, FormView)
    view.inputs["n"].widget.value = 5
    view.out.value = "n.ipynb"
    view.run_button.click()
    assert "would overwrite the notebook itself" in view.message
    view.out.value = "out/n.ipynb"
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as kernels have it between two cells
    try:
        view.run_button.click()
    finally:
        signal.signal(signal.SIGINT, before)
    assert view.form.started is not None
    run = psutil.Process(view.form.started.pid)
    try:
        assert "running as process" in view.message
        assert view.run_button.disabled and not view.stop_button.disabled
        view.run_button.click()  # again
        assert "already running in process" in view.message
        end = time.monotonic() + 120
        while "n is &lt;5&gt;" not in view._progress.value:
            assert time.monotonic() < end, view._progress.value
            time.sleep(0.1)
        assert "acemaker.attach(&#x27;none&#x27;).follow()" in view._progress.value
        family = run.children(recursive=True)
        assert family
        view.stop_button.click()
        assert view.wait(60)
    finally:
        if run.is_running():
            run.terminate()
            view.form.started.wait()
    assert psutil.wait_procs(family, timeout=10)[1] == []
    assert "stopped; Run continues the campaign" in view.message
    assert "stopped by Ctrl-C" in view._progress.value
    assert not view.run_button.disabled and view.stop_button.disabled
    view.close()

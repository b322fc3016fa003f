"""The what-if slider, operated by moving it."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import numpy as np
import pytest

import acemaker
from acemaker import Campaign
from acemaker.analysis.what_if import Thresholds, threshold_range
from acemaker.errors import MissingLibraryError
from acemaker.testing import ToyEngine, ToyOracle, toy_config
from acemaker.widgets.cockpit import Cockpit
from acemaker.widgets.viewer.nglview_library import load_nglview
from acemaker.widgets.what_if_slider import WhatIfSlider

pytest.importorskip("ipywidgets", reason="no ipywidgets: pip install 'acemaker[notebooks]'")


def script(step: int, generation: int) -> float:
    """Gamma rises slowly, and falls after each of two trainings."""
    return float([0.5 * 1.03 ** (step / 2), 0.4 * 1.02 ** (step / 2), 0.9][min(generation, 3) - 1])


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("what_if") / "c"
    engine = ToyEngine(steps=400, gamma=script)
    with Campaign.create(folder, toy_config(max_retries=2), engine=engine, oracle=ToyOracle()) as campaign:
        campaign.run()
        assert campaign.progress.halt == 2
    return folder


@pytest.fixture
def slider(directory: Path, monkeypatch: pytest.MonkeyPatch) -> WhatIfSlider:
    monkeypatch.setenv("ACEMAKER_DISPLAY", "live")
    made = acemaker.attach(directory).what_if_slider()
    assert isinstance(made, WhatIfSlider)
    return made


def test_it_begins_with_the_recorded_rule(slider: WhatIfSlider, directory: Path) -> None:
    campaign = acemaker.attach(directory)
    assert repr(slider) == repr(campaign.what_if())
    assert slider.threshold.value == campaign.config.otf.threshold_call_dft
    low, high = threshold_range(slider.review)
    assert slider.threshold.min == pytest.approx(np.log10(low))
    assert low <= min(segment.timeline.gamma_max.min() for segment in campaign.segments())
    assert high > campaign.config.otf.threshold_call_dft


def test_moving_it_redraws_picture_and_words(slider: WhatIfSlider, directory: Path) -> None:
    campaign = acemaker.attach(directory)
    first = slider._picture.value
    slider.threshold.value = 3.98107  # as a browser sends it
    expected = campaign.what_if(threshold_call_dft=3.98)
    assert slider.review.same_until < campaign.what_if().same_until
    assert repr(slider) == repr(expected)
    assert slider._summary.value == expected._repr_html_()
    assert slider._picture.value != first
    slider.smooth_steps.value = 5
    assert repr(slider) == repr(campaign.what_if(threshold_call_dft=3.98, smooth_steps=5))
    slider.threshold.value = 10**slider.threshold.max
    assert slider.review.halts == 0
    slider.reset.click()
    assert slider._picture.value == first
    assert repr(slider) == repr(campaign.what_if())


def test_nothing_is_left_of_it(slider: WhatIfSlider) -> None:
    from ipywidgets.widgets.widget import _instances

    before, threads = len(_instances), threading.active_count()
    for value in np.geomspace(1, 9, 30):
        slider.threshold.value = value
    assert (len(_instances), threading.active_count()) == (before, threads)
    parts = len(slider._drawing._axis.get_children())
    slider.reset.click()
    assert len(slider._drawing._axis.get_children()) == parts
    other = WhatIfSlider(slider.review)
    assert len(_instances) > before
    other.close()
    assert len(_instances) == before


def test_where_nobody_watches_a_table_takes_its_place(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACEMAKER_DISPLAY", "static")
    campaign = acemaker.attach(directory)
    shown = campaign.what_if_slider()
    assert isinstance(shown, Thresholds)
    assert not hasattr(shown, "_repr_mimebundle_")
    values = [review.rule.threshold_call_dft for review in shown.reviews]
    assert values == sorted(values)
    assert campaign.config.otf.threshold_call_dft in values
    for review, value in zip(shown.reviews, values, strict=True):
        assert repr(review) == repr(campaign.what_if(threshold_call_dft=value))
    assert len({review.halts for review in shown.reviews}) > 1
    assert 'src="data:image/png;base64,' in shown._repr_html_()
    assert shown._repr_html_() == campaign.what_if_slider()._repr_html_()


def test_before_anything_was_explored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = Campaign.create(tmp_path / "c", toy_config(), engine=ToyEngine(200), oracle=ToyOracle())
    assert "halts" in repr(campaign.what_if_slider())
    monkeypatch.setenv("ACEMAKER_DISPLAY", "live")
    slider = campaign.what_if_slider()
    slider.threshold.value = 9.0
    assert slider.review.halts == 0
    slider.close()
    campaign.close()


def test_the_cockpit_makes_it_when_its_tab_is_opened(tmp_path: Path) -> None:
    engine = ToyEngine(steps=400, gamma=script)
    campaign = Campaign.create(tmp_path / "c", toy_config(max_retries=2), engine=engine, oracle=ToyOracle())
    from ipywidgets.widgets.widget import _instances

    with contextlib.suppress(MissingLibraryError):
        load_nglview()  # its first import creates a widget that stays

    before = len(_instances)
    cockpit = Cockpit(campaign)
    tab = cockpit.tabs.titles.index("what if")
    cockpit.tabs.selected_index = tab
    assert cockpit.what_if.slider is None  # nothing has been explored
    cockpit.tabs.selected_index = 0
    campaign.run()
    cockpit.update()
    assert cockpit.what_if.slider is None  # nobody looks
    cockpit.tabs.selected_index = tab
    slider = cockpit.what_if.slider
    assert slider is not None
    slider.threshold.value = 4.0
    assert repr(slider) == repr(campaign.what_if(threshold_call_dft=4.0))
    cockpit.update()
    assert cockpit.what_if.slider is slider
    cockpit.close()
    assert len(_instances) == before
    campaign.close()

"""One halt by hand as a user works: a notebook in JupyterLab, in a browser, with mouse and keyboard."""

from __future__ import annotations

import base64
import io
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from ase.io import read
from PIL import Image

from acemaker import attach
from acemaker.plotting.scale import Scale
from acemaker.states import State
from tests.browser.conftest import ROOT, Lab

CANVAS = ".jp-OutputArea canvas"
SLIDER = ".widget-slider:has(.widget-label:text-is('check')) .noUi-handle"


def pixels(canvas: Any) -> np.ndarray:
    image = Image.open(io.BytesIO(canvas.screenshot())).convert("RGB")
    return np.array(image).astype(int)


def hues(image: np.ndarray) -> set[int]:
    """Find which colors of the scale are in a picture, by their place on it, 0 to 15; light and shade apart."""
    scale = np.array([[int(color[a : a + 2], 16) for a in (1, 3, 5)] for color in Scale().colors()], dtype=float)
    colorful = image.reshape(-1, 3)[np.ptp(image.reshape(-1, 3), axis=1) > 60].astype(float)
    directions = colorful / np.linalg.norm(colorful, axis=1, keepdims=True)
    nearest = (directions @ (scale / np.linalg.norm(scale, axis=1, keepdims=True)).T).argmax(axis=1)
    counts = np.bincount(nearest, minlength=16)
    return {int(place) for place in np.flatnonzero(counts > 50)}


def until(true: Callable[[], bool], seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)


def brightest(image: np.ndarray) -> tuple[int, int]:
    """Find the middle of what is nearest to the upper end of the scale."""
    red_over_blue = image[:, :, 0] - image[:, :, 2]
    rows, columns = np.nonzero(red_over_blue > 0.8 * red_over_blue.max())
    middle = np.argmin((rows - np.median(rows)) ** 2 + (columns - np.median(columns)) ** 2)
    return int(columns[middle]), int(rows[middle])


def run_all(page: Any, url: str) -> None:
    """Open a notebook, and run all of it by the menu."""
    page.goto(url)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=120_000)
    page.get_by_text("| Idle").wait_for(timeout=120_000)  # before that, cells are not run
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def scroll_to(page: Any, what: str, seconds: float = 400) -> None:
    """Scroll until an element exists: JupyterLab removes distant cells from the page."""
    notebook = page.locator(".jp-WindowedPanel-outer").first
    notebook.hover()
    end = time.monotonic() + seconds
    while not page.locator(what).count():
        assert time.monotonic() < end, f"no {what}"
        before = notebook.evaluate("element => element.scrollTop")
        page.mouse.wheel(0, 500)
        page.wait_for_timeout(500)
        if notebook.evaluate("element => element.scrollTop") == before:
            page.mouse.wheel(0, -100_000)
            page.wait_for_timeout(2000)


def check_saved(page: Any, path: Path) -> None:
    """Save by the keyboard, and read the file as JupyterLab does when it opens it."""
    before = path.stat().st_mtime_ns
    page.keyboard.press("Control+s")
    until(lambda: path.stat().st_mtime_ns > before)
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    live = [output for output in outputs if "application/vnd.jupyter.widget-view+json" in output.data]
    pictures = [base64.b64decode(output.data["image/png"]) for output in live if "image/png" in output.data]
    assert pictures
    assert all(Image.open(io.BytesIO(picture)).size > (100, 100) for picture in pictures)
    assert not list(path.parent.glob("**/*.invalid*"))


@pytest.mark.slow
def test_a_halt_is_looked_into_by_hand(lab: Lab, page: Any, screenshots: Path) -> None:
    name = "01_one_halt_by_hand.ipynb"
    shutil.copy(ROOT / "notebooks" / name, lab.folder / name)
    run_all(page, lab.page_of(name))

    # it is drawn, in more than one color
    scroll_to(page, CANVAS)
    canvas = page.locator(CANVAS).first
    canvas.scroll_into_view_if_needed()
    until(lambda: len(hues(pixels(canvas))) >= 3)
    assert canvas.bounding_box()["width"] > 400
    frames = read(lab.folder / "runs/one_halt/run_1/halts/halt_0001.extxyz", ":")
    before = pixels(canvas)

    # a click tells the atom's gamma
    column, row = brightest(before)
    canvas.click(position={"x": column, "y": row})
    text = page.locator(".jp-OutputArea:has(canvas)").first
    until(lambda: "within bonding distance" in text.inner_text())
    said = text.inner_text()
    atom = int(re.search(r"Cu atom (\d+)\n", said[said.index("gamma, dimensionless") :])[1])
    gamma = frames[-1].arrays["gamma"]
    assert re.search(r"gamma\s+(\S+)", said[said.index(f"Cu atom {atom}\n") :])[1] == f"{gamma[atom]:.3g}"
    assert gamma[atom] > np.median(gamma)
    assert "Å" in said
    page.screenshot(path=screenshots / "page.png")
    page.mouse.move(5, 5)
    text.screenshot(path=screenshots / "viewer.png")  # which is in the README

    # the slider goes back over the checks
    page.locator(SLIDER).first.focus()  # the cockpit at the end has one, too
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    earlier = frames[-6]
    until(lambda: f"step {earlier.info['step']}:" in text.inner_text())
    said = text.inner_text()
    assert f"largest gamma {earlier.arrays['gamma'].max():.3g}" in said
    assert re.search(r"gamma\s+(\S+)", said[said.index(f"Cu atom {atom}\n") :])[1] == (
        f"{earlier.arrays['gamma'][atom]:.3g}"
    )
    until(lambda: (np.abs(pixels(canvas) - before).max(axis=2) > 60).mean() > 0.02)
    page.screenshot(path=screenshots / "viewer_earlier.png")
    check_saved(page, lab.folder / name)
    assert page.errors == []


@pytest.mark.slow
def test_the_loop_by_buttons(lab: Lab, page: Any, screenshots: Path) -> None:
    name = "01_one_halt_by_hand.ipynb"
    shutil.copy(ROOT / "notebooks" / name, lab.folder / name)
    run_all(page, lab.page_of(name))
    scroll_to(page, "button:has-text('Step')")
    cockpit = page.locator(".jp-OutputArea:has(button:has-text('Step'))").first
    step, run, stop = (cockpit.locator(f"button:has-text('{word}')") for word in ("Step", "Run", "Stop"))
    status = cockpit.get_by_role("status")
    step.scroll_into_view_if_needed()
    campaign = attach(lab.folder / "runs/one_halt/run_1")
    assert campaign.state is State.HALT  # the second

    # a whole loop, a click a state
    loop = {
        State.GENERATE: "Diagnosis",
        State.SELECT: "candidates around halt 2",
        State.LABEL: "Selected 3 of",
        State.TRAIN: "Labels: 3",
        State.RESUME: "Generation 3",
        State.EXPLORE: "Resume at step",
    }
    for after, words in loop.items():
        step.click()
        until(lambda words=words: words in status.inner_text())
        until(step.is_enabled)
        assert campaign.refresh().state is after
    assert campaign.progress.generation == 3
    cockpit.get_by_text("Diagnosis of halt 2").wait_for()
    until(lambda: len(hues(pixels(cockpit.locator("canvas").first))) >= 3)
    page.set_viewport_size({"width": 1300, "height": 1900})
    step.scroll_into_view_if_needed()
    until(lambda: len(hues(pixels(cockpit.locator("canvas").first))) >= 3)
    cockpit.screenshot(path=screenshots / "cockpit.png")  # whose upper part is in the docs
    cockpit.get_by_role("tab", name="candidates").click()
    cockpit.get_by_text("the halted structure is always selected").first.wait_for()

    # a candidate that is chosen is shown
    cockpit.get_by_role("button", name="candidate 0", exact=True).click()
    cockpit.get_by_text("candidate 0, halted structure;").wait_for()
    atoms = cockpit.locator("canvas:visible").first
    until(lambda: len(hues(pixels(atoms))) >= 3)
    cockpit.screenshot(path=screenshots / "candidates.png")

    # and a run that is stopped while it goes on
    picture = cockpit.locator("img").first
    before, checked = picture.get_attribute("src"), campaign.refresh().md_step
    run.click()
    until(lambda: campaign.refresh().md_step > checked and campaign.state is State.EXPLORE)
    until(lambda: picture.get_attribute("src") != before)
    stop.click()
    until(run.is_enabled)
    assert "stopped; the next state is" in status.inner_text()
    stopped = campaign.refresh().md_step
    assert stopped < campaign.config.engine.steps
    time.sleep(2)
    assert campaign.refresh().md_step == stopped
    check_saved(page, lab.folder / name)
    assert page.errors == []

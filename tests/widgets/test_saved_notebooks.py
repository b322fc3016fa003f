"""Widgets in a saved notebook, which is valid and contains their pictures."""

from __future__ import annotations

import base64
import importlib
import inspect
import io
import os
import pkgutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image

import acemaker
from acemaker.widgets.ipywidgets_library import live_bundle, load_ipywidgets

pytest.importorskip("ipywidgets", reason="no ipywidgets: pip install 'acemaker[notebooks]'")

ROOT = Path(__file__).parents[2]

PREPARE = """
import acemaker
from acemaker import Campaign
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config

engine = ToyEngine(steps=200, gamma=halting_at(100))
campaign = Campaign.create({directory!r}, toy_config(), engine=engine, oracle=ToyOracle())
results = {{type(result).__name__: result for result in campaign.steps()}}
"""

CELLS = {
    "Cockpit": "campaign.cockpit()",
    "CandidatesView": "results['Selection'].view()",
    "HaltView": "results['Diagnosis'].view()",
    "WhatIfSlider": "campaign.what_if_slider()",
    "FormView": f"acemaker.form({str(ROOT / 'notebooks' / 'otf_campaign.ipynb')!r})",
}
"""A cell for each class that shows itself as a widget."""

PICTURES = {"Cockpit", "CandidatesView", "HaltView", "WhatIfSlider"}


def live_classes() -> set[str]:
    """Find all classes of the package that make a MIME bundle of their own."""
    names = set()
    for module in pkgutil.walk_packages(acemaker.__path__, "acemaker."):
        if not module.name.endswith("__main__"):
            for name, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
                if "_repr_mimebundle_" in vars(kind) and kind.__module__ == module.name:
                    names.add(name)
    return names


def test_every_live_view_is_shown_here() -> None:
    assert live_classes() == set(CELLS)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A notebook of all live views, run by a real kernel, saved and read again."""
    folder = tmp_path_factory.mktemp("saved")
    new = nbformat.v4
    cells = [new.new_code_cell(PREPARE.format(directory=str(folder / "c")))]
    cells += [new.new_code_cell(source, metadata={"view": name}) for name, source in CELLS.items()]
    notebook = new.new_notebook(cells=cells)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACEMAKER_DISPLAY", "live")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    nbformat.write(notebook, folder / "saved.ipynb")
    return nbformat.read(folder / "saved.ipynb", as_version=4)


def test_a_notebook_of_live_views_is_valid(saved: Any) -> None:
    nbformat.validate(saved)


@pytest.mark.parametrize("name", CELLS)
def test_pictures_are_saved_as_pictures(saved: Any, name: str) -> None:
    (cell,) = (cell for cell in saved.cells if cell.metadata.get("view") == name)
    (output,) = (output for output in cell.outputs if output.output_type == "execute_result")
    assert "application/vnd.jupyter.widget-view+json" in output.data
    assert isinstance(output.data["text/plain"], str)
    if name in PICTURES:
        image = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"], validate=True)))
        image.load()
        assert image.format == "PNG" and min(image.size) > 100
    else:
        assert "<table" in output.data["text/html"]


def test_what_a_widget_holds_becomes_bytes_and_nothing_empty_is_stored() -> None:
    widgets = load_ipywidgets()
    image = widgets.Image(value=b"\x89PNG", format="png")
    assert isinstance(image.value, memoryview)  # why there is something to be converted
    bundle = live_bundle(image, "text", png=image.value)
    assert bundle["image/png"] == b"\x89PNG" and isinstance(bundle["image/png"], bytes)
    assert set(live_bundle(image, "text")) == set(image._repr_mimebundle_())

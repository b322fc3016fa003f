"""The workshop's notebooks run, unsolved and solved; a solution is its exercise with the gaps filled in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.executed import ROOT, acemaker_run, complaint_of_nbval, holds_widgets, page, papermill

WORKSHOP = ROOT / "notebooks" / "workshop"
EXERCISES = sorted(WORKSHOP.glob("*.ipynb"))

SHORT: dict[str, dict[str, Any]] = {"3": {"steps": 300}, "4": {"steps": 60}, "5": {"steps": 450}}
"""Parameters by the notebook's number with which the unsolved ones are run; the solved ones keep their own."""


def solution(exercise: Path) -> Path:
    return WORKSHOP / "solutions" / exercise.name


def said_by_checks(notebook: Any) -> list[str]:
    """Return what each self-check says; the last line of its cell calls it."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    calling = [cell for cell in cells if cell.source.splitlines()[-1].startswith("check.")]
    return [cell.outputs[-1]["data"]["text/plain"] for cell in calling]


def exercises_of(notebook: Any) -> list[int]:
    return [place for place, cell in enumerate(notebook.cells) if "exercise" in cell.metadata.get("tags", [])]


def test_there_are_five_and_each_has_its_solution() -> None:
    assert [path.name[:2] for path in EXERCISES] == ["1_", "2_", "3_", "4_", "5_"]
    assert sorted(path.name for path in (WORKSHOP / "solutions").glob("*.ipynb")) == [path.name for path in EXERCISES]


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda path: path.stem)
def test_a_solution_differs_in_its_exercises_alone(exercise: Path) -> None:
    open_, solved = (nbformat.read(path, as_version=4) for path in (exercise, solution(exercise)))
    places = exercises_of(open_)
    assert 2 <= len(places) <= 5  # predictions included
    assert places == exercises_of(solved)
    assert len(open_.cells) == len(solved.cells)
    for place, (one, other) in enumerate(zip(open_.cells, solved.cells, strict=True)):
        assert (one == other) == (place not in places), f"cell {place}: {one.source}"


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda path: path.stem)
def test_each_asks_a_question_has_something_predicted_and_short_cells(exercise: Path) -> None:
    notebook = nbformat.read(exercise, as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for words in ("**The question:", "**Predict.**", "### Exercise 1", "**To take home.**"):
        assert words in text
    for place in exercises_of(notebook):
        assert "Your turn" in notebook.cells[place].source
        assert any(cell.source.find("check.") >= 0 for cell in notebook.cells[place + 1 : place + 5])
    assert max(len(cell.source.splitlines()) for cell in notebook.cells if cell.cell_type == "code") <= 25


def ran_twice(exercise: Path, folder: Path) -> tuple[list[str], str]:
    """Run a solution, and again under nbval, each in an empty folder; return what checks say, and nbval's complaint."""
    first = folder / "first" / exercise.name
    first.parent.mkdir(parents=True)
    notebook = acemaker_run(solution(exercise), first)
    assert page(first)
    return said_by_checks(notebook), complaint_of_nbval(first, folder / "second")


@pytest.mark.slow
def test_solved_every_check_is_right_and_a_second_run_says_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:  # kernels wait for their start, and compute on one core each
        ran = list(pool.map(lambda one: ran_twice(one, tmp_path / one.stem), EXERCISES))
    for said, complaint in ran:
        assert len(said) >= 3
        assert all("right ✓" in words and "not right" not in words for words in said), said
        assert not complaint, complaint


@pytest.mark.slow
@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda path: path.stem)
def test_unsolved_it_runs_to_its_end_and_says_what_is_open(tmp_path: Path, exercise: Path) -> None:
    out = tmp_path / "first" / exercise.name
    out.parent.mkdir()
    notebook = papermill(exercise, out, **SHORT.get(exercise.name[0], {}))
    said = said_by_checks(notebook)
    assert len(said) >= 3
    assert all("not yet ○" in words for words in said), said
    assert not holds_widgets(notebook)  # nobody watches: pictures take their place
    assert not complaint_of_nbval(out, tmp_path / "second")

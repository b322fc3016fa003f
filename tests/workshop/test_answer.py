"""A self-check never raises for what a student wrote, says so in words, and shows the same in text and HTML."""

from __future__ import annotations

from pathlib import Path

import pytest

from acemaker.workshop import Answer, new_folder
from acemaker.workshop.answer import NotRightError, NotYetError, as_number, checks, tried


@checks("Exercise 7", "fill in the number")
def seven(answer: object) -> str:
    if as_number(answer, "the number") != 7:
        raise NotRightError(f"{answer} is not seven")
    return "seven it is"


@checks("Exercise 8", "write the function")
def doubling(function: object) -> str:
    if tried(function, 4) != 8:  # type: ignore[arg-type]
        raise NotRightError("it does not double")
    return "it doubles"


@pytest.mark.parametrize(
    ("answer", "verdict", "words"),
    [
        (None, "not yet", "fill in the number"),
        (..., "not yet", "fill in the number"),
        ([3, None], "not yet", "fill in the number"),
        ({"a": [...]}, "not yet", "fill in the number"),
        (8, "not right", "8 is not seven"),
        ("many", "not right", "the number should be a single number, got 'many'"),
        ([1, 2], "not right", "the number should be a single number, got [1, 2]"),
        (7, "right", "seven it is"),
    ],
)
def test_an_answer_is_right_or_not_or_not_yet(answer: object, verdict: str, words: str) -> None:
    said = seven(answer)
    assert (said.verdict, said.message) == (verdict, words)
    assert said.exercise == "Exercise 7"


@pytest.mark.parametrize(
    ("function", "verdict", "words"),
    [
        (lambda x: ..., "not yet", "returns nothing yet"),
        (lambda x: None, "not yet", "return"),
        (lambda x: y, "not right", "raised NameError: name 'y'"),  # type: ignore[name-defined]  # noqa: F821
        (lambda: 3, "not right", "raised TypeError"),
        (3, "not right", "should be a function, got 3"),
        (lambda x: x, "not right", "it does not double"),
        (lambda x: 2 * x, "right", "it doubles"),
    ],
)
def test_a_function_that_stops_is_told_where(function: object, verdict: str, words: str) -> None:
    said = doubling(function)
    assert said.verdict == verdict
    assert words in said.message


def test_an_answer_of_quite_another_kind_is_no_traceback() -> None:
    @checks("Exercise 9", "name a key")
    def known(answer: object) -> str:
        return {"a": "yes"}[answer]

    assert known("a").verdict == "right"
    assert known(["a"]).verdict == known("b").verdict == "not right"
    assert "is not a valid answer; name a key" in known(["a"]).message


def test_not_yet_may_be_found_later() -> None:
    @checks("Exercise 10", "go on")
    def later(answer: object) -> str:
        raise NotYetError

    assert later(1).message == "go on"
    assert later(1).verdict == "not yet"


def test_text_and_html_say_the_same() -> None:
    said = Answer(exercise="Exercise 1", verdict="not right", message="1 < 2")
    assert repr(said).split("\n") == ["Exercise 1", "  not right ✗", "    1 < 2"]
    html = said._repr_html_()
    assert "Exercise 1" in html
    assert "not right ✗" in html
    assert "1 &lt; 2" in html


def test_each_run_has_a_folder_of_its_own(tmp_path: Path) -> None:
    first, second = new_folder(tmp_path / "runs"), new_folder(tmp_path / "runs")
    assert [first.name, second.name] == ["run_1", "run_2"]
    assert first.is_dir()

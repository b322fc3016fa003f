"""What a self-check says of an answer: right, not right and why, or not yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec

from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary

P = ParamSpec("P")

Verdict = Literal["right", "not right", "not yet"]

STANDING = {"right": "done", "not right": "failed", "not yet": "open"}


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Answer(Record):
    """What a self-check says.

    Attributes
    ----------
    exercise : str
        Its name, as the notebook has it.
    verdict : {"right", "not right", "not yet"}
        "not yet" where nothing has been answered.
    words : str
        Why, and what to look at.
    """

    exercise: str
    verdict: Verdict
    words: str

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        return Summary(self.exercise, (("", self.words),), strip=((self.verdict, self.standing),))

    @property
    def standing(self) -> str:
        """How it is coloured: done, failed or open."""
        return STANDING[self.verdict]


class NotRightError(Exception):
    """An answer that is not right; the message tells the student why."""


class NotYetError(Exception):
    """An answer that is not there yet; the message tells the student what to do."""


def checks(
    exercise: str, task: str
) -> Callable[[Callable[Concatenate[Any, P], str]], Callable[Concatenate[Any, P], Answer]]:
    """Turn a function that judges an answer into a self-check that never raises for what a student wrote.

    The function returns what is said of a right answer, and raises `NotRightError` or `NotYetError` otherwise. It is
    not called where the answer is None, ``...``, or holds one of them.

    Parameters
    ----------
    exercise
        Name.
    task
        What is to be done, said as long as nothing is.
    """

    def decorate(judge: Callable[Concatenate[Any, P], str]) -> Callable[Concatenate[Any, P], Answer]:
        @wraps(judge)
        def check(answer: Any, /, *args: P.args, **kwargs: P.kwargs) -> Answer:
            if is_open(answer):
                return Answer(exercise=exercise, verdict="not yet", words=task)
            try:
                return Answer(exercise=exercise, verdict="right", words=judge(answer, *args, **kwargs))
            except NotYetError as error:
                return Answer(exercise=exercise, verdict="not yet", words=str(error) or task)
            except NotRightError as error:
                return Answer(exercise=exercise, verdict="not right", words=str(error))
            except (TypeError, ValueError, LookupError, AttributeError):  # an answer of quite another kind
                return Answer(exercise=exercise, verdict="not right", words=f"{kind(answer)} cannot be read; {task}")

        return check

    return decorate


def is_open(answer: Any) -> bool:
    """Tell whether an answer still holds a gap."""
    if isinstance(answer, dict):
        return any(is_open(value) for value in answer.values())
    if isinstance(answer, list | tuple):
        return any(is_open(value) for value in answer)
    return answer is None or answer is ...


def as_number(answer: Any, what: str) -> float:
    """Read a number that a student gave.

    Parameters
    ----------
    answer
        Anything.
    what
        What it should be, for the message.

    Raises
    ------
    NotRightError
        If it is none.
    """
    try:
        return float(answer)
    except (TypeError, ValueError):
        raise NotRightError(f"{what} should be one number, this is {kind(answer)}") from None


def kind(answer: Any) -> str:
    """Say what an answer is in a few words."""
    shape = getattr(answer, "shape", None)
    if shape:
        return f"an array of shape {tuple(shape)}"
    text = repr(answer)
    return text if len(text) < 60 else f"a {type(answer).__name__}"


def tried(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a student's function, and say in plain words where it stopped.

    Raises
    ------
    NotYetError
        If it gives nothing back.
    NotRightError
        If it raises, or is no function.
    """
    if not callable(function):
        raise NotRightError(f"this should be a function, it is {kind(function)}")
    try:
        given = function(*arguments)
    except Exception as error:
        raise NotRightError(
            f"your function stopped with {type(error).__name__}: {error}. Try it alone in a cell of its own"
        ) from error
    if is_open(given):
        raise NotYetError("your function gives nothing back yet: does its last line begin with return?")
    return given

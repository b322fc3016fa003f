"""Result of a self-check: right, not right with a reason, or not yet answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec

from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary

P = ParamSpec("P")

Verdict = Literal["right", "not right", "not yet"]

STATUS = {"right": "done", "not right": "failed", "not yet": "open"}


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Answer(Record):
    """The result of a self-check.

    Attributes
    ----------
    exercise : str
        Name of the exercise in the notebook.
    verdict : {"right", "not right", "not yet"}
        "not yet" if the exercise has not been answered.
    message : str
        Reason or hint.
    """

    exercise: str
    verdict: Verdict
    message: str

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        return Summary(self.exercise, (("", self.message),), strip=((self.verdict, self.status),))

    @property
    def status(self) -> str:
        """Status that determines the color: done, failed or open."""
        return STATUS[self.verdict]


class NotRightError(Exception):
    """An answer is not right; the message explains why."""


class NotYetError(Exception):
    """An answer is incomplete; the message explains what to do."""


def checks(
    exercise: str, task: str
) -> Callable[[Callable[Concatenate[Any, P], str]], Callable[Concatenate[Any, P], Answer]]:
    """Turn a function that checks an answer into a self-check that never raises because of the answer.

    The function returns a message for a right answer, and raises `NotRightError` or `NotYetError` otherwise. It is not
    called if the answer is or contains None or ``...``.

    Parameters
    ----------
    exercise
        Name of the exercise.
    task
        Instructions, shown until the exercise is answered.
    """

    def decorate(examine: Callable[Concatenate[Any, P], str]) -> Callable[Concatenate[Any, P], Answer]:
        @wraps(examine)
        def check(answer: Any, /, *args: P.args, **kwargs: P.kwargs) -> Answer:
            if is_open(answer):
                return Answer(exercise=exercise, verdict="not yet", message=task)
            try:
                return Answer(exercise=exercise, verdict="right", message=examine(answer, *args, **kwargs))
            except NotYetError as error:
                return Answer(exercise=exercise, verdict="not yet", message=str(error) or task)
            except NotRightError as error:
                return Answer(exercise=exercise, verdict="not right", message=str(error))
            except (TypeError, ValueError, LookupError, AttributeError):  # an answer of an unexpected type
                message = f"{kind(answer)} is not a valid answer; {task}"
                return Answer(exercise=exercise, verdict="not right", message=message)

        return check

    return decorate


def is_open(answer: Any) -> bool:
    """Return whether an answer is incomplete, i.e. is or contains None or ``...``."""
    if isinstance(answer, dict):
        return any(is_open(value) for value in answer.values())
    if isinstance(answer, list | tuple):
        return any(is_open(value) for value in answer)
    return answer is None or answer is ...


def as_number(answer: Any, what: str) -> float:
    """Convert an answer to a number.

    Parameters
    ----------
    answer
        Any object.
    what
        Name of the quantity in the message.

    Raises
    ------
    NotRightError
        If it is not a number.
    """
    try:
        return float(answer)
    except (TypeError, ValueError):
        raise NotRightError(f"{what} should be a single number, got {kind(answer)}") from None


def kind(answer: Any) -> str:
    """Return a short description of an answer."""
    shape = getattr(answer, "shape", None)
    if shape:
        return f"an array of shape {tuple(shape)}"
    text = repr(answer)
    return text if len(text) < 60 else f"a {type(answer).__name__}"


def tried(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a student's function and return its result.

    Raises
    ------
    NotYetError
        If the function returns nothing.
    NotRightError
        If it raises, or is not a function.
    """
    if not callable(function):
        raise NotRightError(f"this should be a function, got {kind(function)}")
    try:
        result = function(*arguments)
    except Exception as error:
        raise NotRightError(
            f"your function raised {type(error).__name__}: {error}. Try to call it in a separate cell"
        ) from error
    if is_open(result):
        raise NotYetError("your function returns nothing yet: does its last line begin with return?")
    return result

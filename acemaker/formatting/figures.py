"""Registry of the functions that create figures and views of records.

A record calls ``draw(self)``; the drawing function is registered in a package above it with `draws` or `shows`. Records
therefore import neither matplotlib nor ipywidgets.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_PACKAGES = {"figure": "acemaker.plotting", "structure": "acemaker.plotting", "view": "acemaker.widgets"}
_registered: dict[tuple[type, str], Callable[..., Any]] = {}


class Picture(Protocol):
    """A static figure, usually a `matplotlib.figure.Figure`, which is rendered as PNG in a notebook."""

    def savefig(self, fname: Any, **kwargs: Any) -> None:
        """Write the figure to a file, as `matplotlib.figure.Figure.savefig` does."""

    def _repr_png_(self) -> bytes: ...


def draws(record: type, kind: str = "figure") -> Callable[[F], F]:
    """Register the function that draws a type of record; also for users' own figures.

    Parameters
    ----------
    record
        Type of the record; subclasses use the same function unless another one is registered for them.
    kind
        ``"figure"``, or ``"structure"`` for the second figure of a `Selection`.

    Returns
    -------
    callable
        Decorator that returns the function unchanged.

    Examples
    --------
    >>> from acemaker.formatting.figures import draw, draws
    >>> class Melting: ...
    >>> @draws(Melting)
    ... def melting_figure(record):
    ...     return "a figure"
    >>> draw(Melting())
    'a figure'
    """

    def register(function: F) -> F:
        _registered[record, kind] = function
        return function

    return register


def shows(record: type) -> Callable[[F], F]:
    """Register the function that creates the live view of a type of record, as `draws` does for figures."""
    return draws(record, "view")


def draw(record: object, *args: Any, kind: str = "figure", **kwargs: Any) -> Picture:
    """Draw a record with the function that is registered for its type.

    Parameters
    ----------
    record
        Record to draw.
    *args, **kwargs
        Passed to the function after the record.
    kind
        As for `draws`.

    Returns
    -------
    Picture
        Return value of the function.

    Raises
    ------
    TypeError
        If no function is registered for the type.
    """
    picture: Picture = _function(record, kind)(record, *args, **kwargs)
    return picture


def show(record: object, *args: Any, **kwargs: Any) -> Any:
    """Create the live view of a record, as `draw` does for figures."""
    return _function(record, "view")(record, *args, **kwargs)


def registered(kind: str = "figure") -> tuple[type, ...]:
    """Return the types of records for which a function is registered."""
    return tuple(record for record, name in _registered if name == kind)


def _function(record: object, kind: str) -> Callable[..., Any]:
    function = _find(type(record), kind)
    if function is None:
        import_module(_PACKAGES[kind])  # registers its functions when it is first imported
        function = _find(type(record), kind)
    if function is None:
        raise TypeError(f"no {kind} is registered for {type(record).__name__}; register one with @draws")
    return function


def _find(record: type, kind: str) -> Callable[..., Any] | None:
    return next((_registered[base, kind] for base in record.__mro__ if (base, kind) in _registered), None)

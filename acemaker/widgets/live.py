"""Display of a changing record: updated in place in a notebook, one line per change elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

from acemaker.formatting.interactive import running_kernel
from acemaker.formatting.summary import Summary


class Shown(Protocol):
    """A record that can be displayed repeatedly."""

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""

    def figure(self) -> Any:
        """Draw the record."""


def live_view() -> Callable[[Shown], None]:
    """Return the function that displays changes in this environment.

    Returns
    -------
    callable
        Displays a record; in a notebook, later calls replace what is displayed.
    """
    return _InPlace() if running_kernel() is not None else _by_line


class _InPlace:
    """Text and figure in a notebook's output, replaced at each call."""

    def __init__(self) -> None:
        self._handles: list[Any] = []

    def __call__(self, record: Shown) -> None:
        ipython: Any = import_module("IPython.display")
        parts = [record, record.figure()]
        if self._handles:
            for handle, part in zip(self._handles, parts, strict=True):
                handle.update(part)
        else:
            self._handles = [ipython.display(part, display_id=True) for part in parts]


def _by_line(record: Shown) -> None:
    summary = record.summary()
    items = ", ".join(f"{name} {value}" for name, value in summary.items if name in ("steps", "generation", "failed"))
    sys.stdout.write(f"{summary.title}: {items}\n")
    sys.stdout.flush()

"""Showing what changes: kept up to date in a notebook, a line at a time elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

from acemaker.formatting.summary import Summary


class Shown(Protocol):
    """What can be shown again and again."""

    def summary(self) -> Summary:
        """Return what it says of itself."""

    def figure(self) -> Any:
        """Draw it."""


def live_view() -> Callable[[Shown], None]:
    """Choose how changes are shown here.

    Returns
    -------
    callable
        Shows a thing; the next time it takes the place of what was shown before, where there is a notebook.
    """
    return _InPlace() if _in_notebook() else _by_line


def _in_notebook() -> bool:
    if "IPython" not in sys.modules:
        return False
    ipython: Any = import_module("IPython")
    shell = ipython.get_ipython()
    return shell is not None and getattr(shell, "kernel", None) is not None


class _InPlace:
    """Text and picture in a notebook's output, replaced at each change."""

    def __init__(self) -> None:
        self._handles: list[Any] = []

    def __call__(self, thing: Shown) -> None:
        ipython: Any = import_module("IPython.display")
        parts = [thing, thing.figure()]
        if self._handles:
            for handle, part in zip(self._handles, parts, strict=True):
                handle.update(part)
        else:
            self._handles = [ipython.display(part, display_id=True) for part in parts]


def _by_line(thing: Shown) -> None:
    said = thing.summary()
    items = ", ".join(f"{name} {value}" for name, value in said.items if name in ("steps", "generation", "failed"))
    sys.stdout.write(f"{said.title}: {items}\n")
    sys.stdout.flush()

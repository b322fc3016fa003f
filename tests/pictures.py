"""Lets nbval compare pictures, too: those of acemaker are identical in every run."""

from __future__ import annotations

from typing import Any


def pytest_collectstart(collector: Any) -> None:
    if hasattr(collector, "skip_compare"):
        collector.skip_compare = tuple(kind for kind in collector.skip_compare if not kind.startswith("image/"))

"""How records look: text, HTML and static figures."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from acemaker.display.candidates import candidates_figure
    from acemaker.display.parity import parity_figure
    from acemaker.display.structure import structure_figure
    from acemaker.display.timeline import timeline_figure
    from acemaker.display.verdict import verdict_figure

__all__ = ["candidates_figure", "parity_figure", "structure_figure", "timeline_figure", "verdict_figure"]


def __getattr__(name: str) -> Any:
    # figures import matplotlib and the records, which import this package: late, and only when asked for
    if name not in __all__:
        raise AttributeError(f"module 'acemaker.display' has no attribute '{name}'")
    return getattr(import_module(f"acemaker.display.{name.removesuffix('_figure')}"), name)

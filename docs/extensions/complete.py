"""Warns of public names that the reference leaves out, and of methods and fields that say nothing of themselves."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from sphinx.util import logging

PUBLIC = (
    "acemaker",
    "acemaker.campaign",
    "acemaker.config",
    "acemaker.results",
    "acemaker.structures.embedding",
    "acemaker.testing",
    "acemaker.analysis",
    "acemaker.analysis",
)
"""Modules whose ``__all__`` is the library's promise."""

logger = logging.getLogger(__name__)


def check(_app: Any, environment: Any) -> None:
    """Compare what is public with what the pages describe."""
    described = {name.rpartition(".")[2] for name, *_ in environment.get_domain("py").get_objects()}
    for module in PUBLIC:
        for name in import_module(module).__all__:
            thing = getattr(import_module(module), name)
            if name not in described:  # by whichever of its homes
                logger.warning("the reference does not describe %s.%s", module, name)
            for lack in _lacks(thing) if inspect.isclass(thing) else ():
                logger.warning("%s.%s: %s", module, name, lack)


def _lacks(thing: type) -> Iterator[str]:
    """Yield public methods without a docstring, and fields that the class does not mention."""
    for name, member in vars(thing).items():
        called = inspect.isfunction(member) or isinstance(member, property | classmethod | staticmethod)
        if called and not name.startswith("_") and not inspect.getdoc(getattr(thing, name)):
            yield f"{name} has no docstring"
    if dataclasses.is_dataclass(thing):
        for field in dataclasses.fields(thing):
            if field.name not in (thing.__doc__ or ""):
                yield f"the docstring does not mention {field.name}"


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("env-check-consistency", check)
    return {"parallel_read_safe": True}

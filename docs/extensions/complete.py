"""Warns of public names that the reference does not describe, and of methods and fields without a description."""

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
)
"""Modules whose ``__all__`` is the public interface."""

logger = logging.getLogger(__name__)


def check(_app: Any, environment: Any) -> None:
    """Compare what is public with what the pages describe."""
    described = {name.rpartition(".")[2] for name, *_ in environment.get_domain("py").get_objects()}
    for module in PUBLIC:
        for name in import_module(module).__all__:
            member = getattr(import_module(module), name)
            if name not in described:  # under any of the modules that have it
                logger.warning("the reference does not describe %s.%s", module, name)
            for problem in _problems(member) if inspect.isclass(member) else ():
                logger.warning("%s.%s: %s", module, name, problem)


def _problems(class_: type) -> Iterator[str]:
    """Yield public methods without a docstring, and fields that the docstring of the class does not mention."""
    for name, member in vars(class_).items():
        is_method = inspect.isfunction(member) or isinstance(member, property | classmethod | staticmethod)
        if is_method and not name.startswith("_") and not inspect.getdoc(getattr(class_, name)):
            yield f"{name} has no docstring"
    if dataclasses.is_dataclass(class_):
        for field in dataclasses.fields(class_):
            if field.name not in (class_.__doc__ or ""):
                yield f"the docstring does not mention {field.name}"


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("env-check-consistency", check)
    return {"parallel_read_safe": True}

"""Users' own callables, named as ``module:callable``."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from acemaker.errors import ConfigError


def imported(path: str, field: str, purpose: str) -> Callable[..., Any]:
    """Import what a dotted path names.

    Parameters
    ----------
    path
        ``module:callable``, with a module on Python's path.
    field
        Where the path stands, for the error: ``OracleConfig.oracle``.
    purpose
        What the callable is to do, for the error: "returns an ASE calculator".

    Returns
    -------
    callable

    Raises
    ------
    ConfigError
        If there is no such module or name, or it is not callable.
    """
    module_name, _, attribute = path.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"{field}: {path!r} cannot be imported ({error}); expected 'module:callable' with a module on Python's "
            f"path and a callable in it that {purpose}"
        ) from error
    if not callable(found):
        raise ConfigError(f"{field}: {path!r} is not callable, it is {type(found).__name__}")
    usable: Callable[..., Any] = found
    return usable

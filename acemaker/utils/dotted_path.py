"""Import of users' callables, named as ``module:callable``."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from acemaker.errors import ConfigError


def import_callable(path: str, field: str, purpose: str) -> Callable[..., Any]:
    """Import a callable by its dotted path.

    Parameters
    ----------
    path
        ``module:callable``, with a module on Python's path.
    field
        Configuration field that contains the path, for the error message, e.g. ``OracleConfig.oracle``.
    purpose
        Purpose of the callable, for the error message, e.g. "returns an ASE calculator".

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
        target: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            target = getattr(target, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"{field}: {path!r} cannot be imported ({error}); expected 'module:callable' with a module on Python's "
            f"path and a callable in it that {purpose}"
        ) from error
    if not callable(target):
        raise ConfigError(
            f"{field}: {path!r} is not callable (type {type(target).__name__}); expected a callable that {purpose}"
        )
    function: Callable[..., Any] = target
    return function

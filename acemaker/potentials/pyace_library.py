"""The only import of pyace."""

from __future__ import annotations

import logging
from functools import cache
from types import ModuleType

from acemaker.errors import MissingLibraryError


@cache
def load_pyace() -> ModuleType:
    """Import pyace on first use and restore the configuration of the root logger.

    The import takes seconds and reconfigures the root logger.

    Returns
    -------
    module
        The package ``pyace``.

    Raises
    ------
    MissingLibraryError
        If python-ace is not installed.
    """
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    try:
        import pyace
    except ImportError as error:
        raise MissingLibraryError(
            f"pyace cannot be imported ({error}); install it with: pip install python-ace==0.4.0rc1 "
            "(Python 3.11 to 3.13 on Linux), or with conda: conda install -c conda-forge python-ace"
        ) from error
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
    logging.getLogger("pyace").setLevel(logging.WARNING)
    module: ModuleType = pyace
    return module

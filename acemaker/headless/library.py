"""The one place where papermill is imported."""

from __future__ import annotations

import logging
from functools import cache
from types import ModuleType

from acemaker.errors import MissingLibraryError


@cache
def load_papermill() -> ModuleType:
    """Import papermill late, and keep its log from the terminal.

    Returns
    -------
    module
        The package ``papermill``.

    Raises
    ------
    MissingLibraryError
        If it, or the kernel that it starts, is not installed.
    """
    try:
        import ipykernel  # noqa: F401
        import papermill
    except ImportError as error:
        raise MissingLibraryError(
            f"a notebook cannot be run headless without papermill and ipykernel ({error}); install them with: "
            "pip install 'papermill>=2.6' 'ipykernel>=6.29', or acemaker with its extra 'notebooks'"
        ) from error
    # it warns of every parameter that the notebook does not list, a campaign's further ones among them
    logging.getLogger("papermill").addHandler(logging.NullHandler())
    module: ModuleType = papermill
    return module

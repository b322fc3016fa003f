"""Import of papermill."""

from __future__ import annotations

import logging
from functools import cache
from types import ModuleType

from acemaker.errors import MissingLibraryError


@cache
def load_papermill() -> ModuleType:
    """Import papermill on first use, without its log on the terminal.

    Returns
    -------
    module
        The package ``papermill``.

    Raises
    ------
    MissingLibraryError
        If papermill or ipykernel is not installed.
    """
    try:
        import ipykernel  # noqa: F401
        import papermill
    except ImportError as error:
        raise MissingLibraryError(
            f"a headless notebook requires papermill and ipykernel ({error}); install them with: "
            "pip install 'papermill>=2.6' 'ipykernel>=6.29', or acemaker with its extra 'notebooks'"
        ) from error
    # papermill logs a warning for every parameter that the notebook does not list, e.g. those of a campaign
    logging.getLogger("papermill").addHandler(logging.NullHandler())
    module: ModuleType = papermill
    return module

"""Import of nglview, with a check that its two halves match."""

from __future__ import annotations

import json
import sys
import warnings
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

from acemaker.errors import MissingLibraryError

REMEDY = "pip install 'acemaker[notebooks]', or 'nglview==3.1.4' 'ipywidgets>=8.1.9' 'setuptools<81'"


def halves() -> tuple[str | None, str | None]:
    """Return the versions of nglview's Python package and front end, without importing it.

    Returns
    -------
    python, front_end : str or None
        None if that half is not installed.
    """
    try:
        python = version("nglview")
    except PackageNotFoundError:
        return None, None
    package = Path(sys.prefix) / "share/jupyter/labextensions/nglview-js-widgets/package.json"
    return python, str(json.loads(package.read_text()).get("version")) if package.is_file() else None


@cache
def load_nglview() -> ModuleType:
    """Import nglview when it is first needed, and suppress its output and warnings.

    Returns
    -------
    module
        The package ``nglview``.

    Raises
    ------
    MissingLibraryError
        If it is not installed, or the versions of its halves differ: JupyterLab would show an error.
    """
    python, front = halves()
    if python is None or python != front:
        versions = f"the Python package is {python or 'missing'}, the front end {front or 'missing'}"
        raise MissingLibraryError(
            f"the viewer needs Python package and front end of nglview in the same version; {versions}: {REMEDY}"
        )
    try:
        from IPython.utils.capture import capture_output

        # it displays an empty widget when it is imported
        with warnings.catch_warnings(), capture_output():
            warnings.simplefilter("ignore")
            import nglview
    except ImportError as error:
        raise MissingLibraryError(f"nglview cannot be imported ({error}): {REMEDY}") from error
    module: ModuleType = nglview
    return module

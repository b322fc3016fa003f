"""The one place where nglview is imported."""

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
    """Look up the versions of nglview's two halves; nothing is imported.

    Returns
    -------
    python, front_end : str or None
        None where that half is not installed.
    """
    try:
        python = version("nglview")
    except PackageNotFoundError:
        return None, None
    package = Path(sys.prefix) / "share/jupyter/labextensions/nglview-js-widgets/package.json"
    return python, str(json.loads(package.read_text()).get("version")) if package.is_file() else None


@cache
def load_nglview() -> ModuleType:
    """Import nglview late, and keep what it displays and warns of from the page.

    Returns
    -------
    module
        The package ``nglview``.

    Raises
    ------
    MissingLibraryError
        If it is not installed, or its halves do not fit: JupyterLab would show an error instead of a viewer.
    """
    python, front = halves()
    if python is None or python != front:
        found = f"its Python half is {python or 'missing'}, its front end {front or 'missing'}"
        raise MissingLibraryError(f"the viewer needs both halves of nglview in one version; {found}: {REMEDY}")
    try:
        from IPython.utils.capture import capture_output

        # it displays a widget of its own, without anything in it, when it is imported
        with warnings.catch_warnings(), capture_output():
            warnings.simplefilter("ignore")
            import nglview
    except ImportError as error:
        raise MissingLibraryError(f"nglview cannot be imported ({error}): {REMEDY}") from error
    module: ModuleType = nglview
    return module

"""Whether somebody watches this kernel: widgets if so, their static twins if not."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from acemaker.errors import ConfigError

VARIABLE = "ACEMAKER_DISPLAY"
"""``static``, ``live`` or ``auto``, the default."""

_FROM_PYTHON = re.compile(r"_\d+_\d+$")


def live() -> bool:
    """Tell whether to show widgets.

    Returns
    -------
    bool
        As `VARIABLE` says; with ``auto``, whether the code that is running was sent by a front end in a browser.

    Raises
    ------
    ConfigError
        If the variable has another value.
    """
    choice = os.environ.get(VARIABLE, "auto") or "auto"
    if choice not in ("static", "live", "auto"):
        raise ConfigError(f"{VARIABLE} must be static, live or auto, it is {choice!r}")
    return choice == "live" or (choice == "auto" and _browser())


def forced() -> bool:
    """Tell whether widgets were asked for by name, so that it is an error where there can be none."""
    return os.environ.get(VARIABLE) == "live"


def _browser() -> bool:
    """Look at the request that is being served.

    Nothing tells a kernel who watches, but front ends number their messages by themselves, and jupyter_client, on
    which papermill, nbconvert, nbval and consoles are built, ends the number with its process and a count.
    """
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return False
    number = str(kernel.get_parent("shell").get("header", {}).get("msg_id", ""))
    return bool(number) and not _FROM_PYTHON.search(number)

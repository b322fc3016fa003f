"""Choice between widgets, for a kernel with a front end in a browser, and their static fallbacks."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from acemaker.errors import ConfigError

VARIABLE = "ACEMAKER_DISPLAY"
"""Environment variable with the value ``static``, ``live`` or ``auto`` (default)."""

_FROM_PYTHON = re.compile(r"_\d+_\d+$")


def is_interactive() -> bool:
    """Return whether to show widgets.

    Returns
    -------
    bool
        As set by `VARIABLE`; with ``auto``, whether a front end in a browser sent the code that is running.

    Raises
    ------
    ConfigError
        If the variable has any other value.
    """
    choice = os.environ.get(VARIABLE, "auto") or "auto"
    if choice not in ("static", "live", "auto"):
        raise ConfigError(f"{VARIABLE} must be static, live or auto, got {choice!r}")
    return choice == "live" or (choice == "auto" and _browser())


def is_required() -> bool:
    """Return whether widgets were requested explicitly, so that it is an error if they cannot be shown."""
    return os.environ.get(VARIABLE) == "live"


def running_kernel() -> Any | None:
    """Return the Jupyter kernel that runs this code; None outside of notebooks, and in IPython's terminal."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None)


def _browser() -> bool:
    """Return whether the request that the kernel is serving came from a browser.

    A kernel has no information about its clients. However, front ends in a browser use their own format of message ids,
    while those of jupyter_client, on which papermill, nbconvert, nbval and consoles are based, end with a process id
    and a counter.
    """
    kernel = running_kernel()
    if kernel is None:
        return False
    message_id = str(kernel.get_parent("shell").get("header", {}).get("msg_id", ""))
    return bool(message_id) and not _FROM_PYTHON.search(message_id)

"""The exit status of a command, with errors of acemaker and Ctrl-C as one message instead of a traceback."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable


def exit_status(command: str, work: Callable[[], int], interrupted: str = "stopped by Ctrl-C") -> int:
    """Run the work of a command, and write its error to standard error.

    Parameters
    ----------
    command
        Name of the command, such as ``run``.
    work
        Returns the exit status.
    interrupted
        Message after Ctrl-C, if the exception has none.

    Returns
    -------
    int
        The status that `work` returns; 1 for a notebook that failed, 2 for another error of acemaker, and 128 plus the
        number of a signal, 130 for Ctrl-C.

    Examples
    --------
    >>> from acemaker.headless.exit_status import exit_status
    >>> exit_status("validate", lambda: 0)
    0
    """
    from acemaker.errors import AcemakerError, NotebookError

    try:
        return work()
    except AcemakerError as error:
        message, status = str(error), 1 if isinstance(error, NotebookError) else 2
    except KeyboardInterrupt as error:
        message, status = str(error) or interrupted, 128 + getattr(error, "number", signal.SIGINT)
    sys.stderr.write(f"acemaker {command}: {message}\n")
    return status

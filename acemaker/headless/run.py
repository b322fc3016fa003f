"""Runs a notebook with papermill, after everything that can be checked has been."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from acemaker import errors
from acemaker.errors import ConfigError, NotebookError
from acemaker.headless.check import check_parameters
from acemaker.headless.kernel import kernel_manager_class
from acemaker.headless.library import load_papermill
from acemaker.headless.line_stream import Lines
from acemaker.headless.messages import after, before, what_now
from acemaker.headless.notebook import Described, describe
from acemaker.headless.stop import stoppable


class Interrupted(KeyboardInterrupt):
    """A signal ended the run, and nothing of it is left.

    Parameters
    ----------
    number
        The signal.
    message
        What to do.
    """

    def __init__(self, number: int, message: str) -> None:
        self.number = number
        super().__init__(message)


def run_notebook(
    notebook: str | Path, out: str | Path, parameters: Mapping[str, Any] | None = None, *, told: bool = False
) -> None:
    """Run a notebook headless; the same call again continues its campaign.

    Its lines go to the terminal as they come. Relative paths in parameters, ``directory`` among them, are seen from
    the current directory, not from the notebook's.

    Parameters
    ----------
    notebook
        With one cell tagged ``parameters``.
    out
        The executed notebook, which is saved after each cell and now and then in between.
    parameters
        New values of the notebook's parameters or, if it makes its configuration from its namespace, of any
        parameter of a campaign.
    told
        Whether what came of it is told at the end.

    Raises
    ------
    ConfigError, CampaignExistsError, CampaignLockedError, MissingLibraryError
        Before anything is started or written.
    NotebookError
        If the notebook fails.
    Interrupted
        After Ctrl-C, SIGTERM or SIGHUP, once its processes are gone.
    """
    papermill = load_papermill()
    described = describe(notebook)
    target = Path(out)
    check_target(target, described.path)
    checked = check_parameters(described, parameters or {}, parts=True)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the folder of {target} cannot be made: {error}") from error
    values = {**described.defaults, **checked}
    directory = Path(values["directory"]).resolve() if isinstance(values.get("directory"), str) else None
    streams = Lines(sys.stdout), Lines(sys.stderr)
    _say(streams[0], before(directory, values.get("steps")))
    try:
        with stoppable() as stop:
            try:
                papermill.execute_notebook(
                    _literal(described.path),
                    _literal(target),
                    checked,
                    kernel_name="python3",
                    language="python",
                    kernel_manager_class=kernel_manager_class(stop),
                    on_cell_start=stop.check,
                    progress_bar=False,
                    stdout_file=streams[0],
                    stderr_file=streams[1],
                )
            except BaseException as error:
                if stop.signal is not None:
                    name = signal.Signals(stop.signal).name
                    what = "Ctrl-C" if name == "SIGINT" else name
                    further = what_now(described, directory, None)
                    raise Interrupted(stop.signal, f"stopped by {what}; {_where(target)}{further}") from None
                if not isinstance(error, Exception):
                    raise
                further = what_now(described, directory, getattr(error, "ename", ""))
                raise NotebookError(f"{_reason(error, described)}\n{_where(target)}{further}") from error
        streams[0].close()  # a last line without its end
        _say(streams[0], [f"the executed notebook is {target}", *after(directory)] if told else [])
    finally:
        for stream in streams:
            stream.close()


def _say(stream: Lines, lines: Sequence[str]) -> None:
    for line in lines:
        stream.write(f"{line}\n")
    stream.flush()


def check_target(target: Path, source: Path) -> None:
    """Refuse a name that cannot be that of the executed notebook.

    Raises
    ------
    ConfigError
        If it is no notebook's, or the notebook's own.
    """
    if target.suffix != ".ipynb" or target.is_dir():
        raise ConfigError(f"the executed notebook must be a file that ends in .ipynb, got {target}")
    if target.resolve() == source.resolve():
        raise ConfigError(f"{target} would overwrite the notebook itself; choose another file for the executed one")


def _literal(path: Path) -> str:
    """Keep papermill from filling in parameters where a path has braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _reason(error: Exception, notebook: Described) -> str:
    """Say in few words why a notebook failed."""
    from nbclient.exceptions import DeadKernelError

    name, text = getattr(error, "ename", type(error).__name__), str(getattr(error, "evalue", error))
    if isinstance(error, DeadKernelError):
        hint = ", or for a crash of LAMMPS in the in-process engine" if notebook.is_campaign else ""
        return f"the Python process of {notebook.path} was killed, for want of memory perhaps{hint}"
    ours = isinstance(getattr(errors, name, None), type)  # whose messages need no name
    said = text if ours and text else f"{name}: {text}".rstrip(": ")
    cell = getattr(error, "exec_count", None)
    return f"{notebook.path} failed{f' in its cell [{cell}]' if cell else ''}: {said}"


def _where(target: Path) -> str:
    return f"the cells that were run are in {target}"

"""Run of a notebook with papermill, in this process or as ``acemaker run`` in the background."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from acemaker import errors
from acemaker.errors import ConfigError, NotebookError
from acemaker.headless.check import check_parameters
from acemaker.headless.kernel import kernel_manager_class, stoppable
from acemaker.headless.library import load_papermill
from acemaker.headless.messages import LineStream, final_messages, initial_messages, retry_hint
from acemaker.headless.notebook import NotebookDescription, describe

# kernels ignore SIGINT between cells, which a child process inherits: without the first statement it cannot be stopped
MAIN = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from acemaker.cli import main; sys.exit(main())"
)

TAIL = 16_384
"""Bytes at the end of the log that are searched for its last lines."""

_children: list[subprocess.Popen[bytes]] = []  # Python warns if a running child process is garbage collected


class Interrupted(KeyboardInterrupt):
    """A signal ended the run, and no processes are left.

    Parameters
    ----------
    number
        The signal.
    message
        Instructions for the user.
    """

    def __init__(self, number: int, message: str) -> None:
        self.number = number
        super().__init__(message)


def run_notebook(
    notebook: str | Path, out: str | Path, parameters: Mapping[str, Any] | None = None, *, summary: bool = False
) -> None:
    """Run a notebook headless; the same call again continues its campaign.

    Lines that the notebook prints are shown immediately. Relative paths in parameters, e.g. ``directory``, refer to the
    current directory rather than to that of the notebook.

    Parameters
    ----------
    notebook
        A notebook with one cell tagged ``parameters``.
    out
        The executed notebook, which is saved after each cell and repeatedly during cells.
    parameters
        Values of the notebook's parameters or, if it creates its configuration from its namespace, of any parameter of
        a campaign.
    summary
        Whether to print the results of the campaign at the end.

    Raises
    ------
    ConfigError, CampaignExistsError, CampaignLockedError, MissingLibraryError
        Before anything is started or written.
    NotebookError
        If the notebook fails.
    Interrupted
        After Ctrl-C, SIGTERM or SIGHUP, when the processes of the notebook have ended.
    """
    papermill = load_papermill()
    description = describe(notebook)
    target = Path(out)
    check_target(target, description.path)
    checked = check_parameters(description, parameters or {}, parts=True)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot create the folder of {target}: {error}") from error
    values = {**description.defaults, **checked}
    directory = Path(values["directory"]).resolve() if isinstance(values.get("directory"), str) else None
    streams = LineStream(sys.stdout), LineStream(sys.stderr)
    _print(streams[0], initial_messages(directory, values.get("steps")))
    try:
        with stoppable() as stop:
            try:
                papermill.execute_notebook(
                    _literal(description.path),
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
                    source = "Ctrl-C" if name == "SIGINT" else name
                    hint = retry_hint(description, directory, None)
                    raise Interrupted(stop.signal, f"stopped by {source}; {_output(target)}{hint}") from None
                if not isinstance(error, Exception):
                    raise
                hint = retry_hint(description, directory, getattr(error, "ename", ""))
                raise NotebookError(f"{_reason(error, description)}\n{_output(target)}{hint}") from error
        streams[0].close()  # writes a last line without a line break
        _print(streams[0], [f"the executed notebook is {target}", *final_messages(directory)] if summary else [])
    finally:
        for stream in streams:
            stream.close()


def _print(stream: LineStream, lines: Sequence[str]) -> None:
    for line in lines:
        stream.write(f"{line}\n")
    stream.flush()


def check_target(target: Path, source: Path) -> None:
    """Check the path of the executed notebook.

    Raises
    ------
    ConfigError
        If it does not end in .ipynb, or is the path of the notebook itself.
    """
    if target.suffix != ".ipynb" or target.is_dir():
        raise ConfigError(f"the executed notebook must be a file that ends in .ipynb, got {target}")
    if target.resolve() == source.resolve():
        raise ConfigError(
            f"{target} would overwrite the notebook itself; choose another file for the executed notebook"
        )


def _literal(path: Path) -> str:
    """Escape braces in a path, which papermill would replace by parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _reason(error: Exception, notebook: NotebookDescription) -> str:
    """Return a short reason for the failure of a notebook."""
    from nbclient.exceptions import DeadKernelError

    name, text = getattr(error, "ename", type(error).__name__), str(getattr(error, "evalue", error))
    if isinstance(error, DeadKernelError):
        hint = ", or LAMMPS crashed in the in-process engine" if notebook.is_campaign else ""
        return f"the Python process of {notebook.path} was killed; the memory may not have been sufficient{hint}"
    is_acemaker_error = isinstance(getattr(errors, name, None), type)  # their messages need no name
    message = text if is_acemaker_error and text else f"{name}: {text}".rstrip(": ")
    cell = getattr(error, "exec_count", None)
    return f"{notebook.path} failed{f' in cell [{cell}]' if cell else ''}: {message}"


def _output(target: Path) -> str:
    return f"executed cells are in {target}"


class BackgroundRun:
    """A process that runs ``acemaker run`` and continues when this process ends.

    Parameters
    ----------
    words
        Arguments of ``acemaker run``.
    log
        File for the output, which is overwritten; its folder is created.

    Attributes
    ----------
    log : Path
        File with the output.

    Raises
    ------
    ConfigError
        If the log cannot be written.
    """

    def __init__(self, words: Sequence[str], log: Path) -> None:
        self.log = log
        _children[:] = [child for child in _children if child.poll() is None]
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            stream = log.open("wb")
        except OSError as error:
            raise ConfigError(f"cannot write {log}: {error}") from error
        with stream:
            self._process = subprocess.Popen(
                [sys.executable, "-c", MAIN, "run", *words],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,  # a kernel that shuts down kills its process group
            )
        _children.append(self._process)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Exit status; None while the process runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Stop the run as Ctrl-C would; a second call kills it."""
        if self.status is None:
            self._process.send_signal(signal.SIGINT)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the process has ended, and return whether it has."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def lines(self, most: int = 12) -> list[str]:
        """Return the last lines of the output."""
        with self.log.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(stream.tell() - TAIL, 0))
            return stream.read().decode(errors="replace").splitlines()[-most:]

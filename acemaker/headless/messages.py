"""Messages of a headless run: the state of its campaign before and after it, and the lines of its notebook."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TextIO

from acemaker.analysis.assessment import assess
from acemaker.errors import (
    AcemakerError,
    CampaignExistsError,
    ConfigError,
    IterationLimitError,
    LabelBudgetError,
    MissingLibraryError,
    NoProgressError,
    OracleError,
    StructureError,
    UntrustedError,
)
from acemaker.formatting.summary import force_error
from acemaker.headless.check import recorded_config
from acemaker.headless.notebook import NotebookDescription
from acemaker.loop.attached import AttachedReader
from acemaker.loop.compatibility import has_no_labels
from acemaker.loop.reader import steps_reached
from acemaker.loop.store import Store
from acemaker.states import State

CONTINUE = "; repeat the command to continue the campaign"

LASTING = (
    *(ConfigError, StructureError, MissingLibraryError, UntrustedError, CampaignExistsError),
    *(NoProgressError, IterationLimitError, LabelBudgetError),
)
"""Errors that the same command would raise again."""


class LineStream:
    """A stream that writes only complete lines that are not blank.

    Parameters
    ----------
    stream
        Stream to which lines are written; errors are ignored, since a stream closed by a pager must not end a campaign.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rest = ""

    def write(self, text: str) -> int:
        """Add text, and write the lines that are complete."""
        *lines, self._rest = (self._rest + text).split("\n")
        with contextlib.suppress(OSError, ValueError):
            for line in lines:
                if line.strip():
                    self._stream.write(line.rstrip() + "\n")
        return len(text)

    def flush(self) -> None:
        """Flush the underlying stream."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def close(self) -> None:
        """Write an incomplete last line; the underlying stream remains open."""
        if self._rest:
            self.write("\n")
        self.flush()


def retry_hint(notebook: NotebookDescription, directory: Path | None, error: str | None) -> str:
    """Return a hint whether the same command would continue an interrupted campaign.

    Parameters
    ----------
    notebook
        The notebook that was run.
    directory
        Directory of its campaign; None if it is not known.
    error
        Name of the exception that ended the run; None for a signal.

    Returns
    -------
    str
        The end of a sentence; empty if the command would not continue the campaign.
    """
    if not notebook.is_campaign or error in {kind.__name__ for kind in LASTING}:
        return ""
    if directory is None:
        return CONTINUE
    if recorded_config(directory) is None:
        return ""
    if error == OracleError.__name__ and has_no_labels(Store(directory)):
        return "; the campaign has no labels yet: fix the oracle or choose another one, and repeat the command"
    return CONTINUE


def initial_messages(directory: Path | None, target_steps: object = None) -> list[str]:
    """Describe the existing campaign that a run continues.

    Parameters
    ----------
    directory
        Directory that may contain a campaign.
    target_steps
        Number of steps of this run; None for the recorded number.

    Returns
    -------
    list of str
        One line; empty if there is no campaign.
    """
    campaign = _attached(directory)
    if campaign is None:
        return []
    steps = campaign.config.engine.steps
    reached = steps_reached(campaign.reached_steps, steps)
    if isinstance(target_steps, int) and target_steps > steps:
        return [f"the campaign in {directory} is at step {reached}, extending it to {target_steps} steps"]
    if campaign.state is State.DONE:
        return [f"the campaign in {directory} is already at {reached} steps"]
    return [f"the campaign in {directory} is at step {reached}, continuing"]


def final_messages(directory: Path | None) -> list[str]:
    """Describe the results of a campaign, and the files that contain them.

    Parameters
    ----------
    directory
        Directory that may contain a campaign.

    Returns
    -------
    list of str
        Lines; empty if there is no campaign.
    """
    campaign = _attached(directory)
    if campaign is None or directory is None:
        return []
    progress, steps = campaign.progress, campaign.config.engine.steps
    reached = f"{steps_reached(campaign.reached_steps, steps)} steps"
    results = [reached, _counted(progress.n_halts, "halt"), _counted(progress.n_labels, "label")]
    results += _force_rmse(directory)
    lines = [f"the campaign in {directory} is {campaign.state}: {', '.join(results)}"]
    potential = dict(campaign.summary().items)["generation"]
    lines.append(f"the potential is generation {potential}")
    if progress.generation is not None:
        lines.append(assess(campaign).verdict)
    files = {"report.html": "report:", "summary.json": "summary:"}
    written = [f"{label} {directory / name}" for name, label in files.items() if (directory / name).is_file()]
    return [*lines, *([", ".join(written)] if written else [])]


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _attached(directory: Path | None) -> AttachedReader | None:
    """Read a campaign; None if it cannot be read, which the notebook will report."""
    if directory is None:
        return None
    try:
        return AttachedReader(Store(directory.resolve()))
    except (AcemakerError, OSError, ValueError, KeyError, TypeError):
        return None


def _force_rmse(directory: Path) -> list[str]:
    try:
        values = json.loads((directory / "summary.json").read_text())
        error = values["force_rmse_meV_per_A"]
        return [f"force RMSE {force_error(error, values.get('force_rms_meV_per_A'))}"] if error is not None else []
    except (OSError, ValueError, KeyError, TypeError):
        return []

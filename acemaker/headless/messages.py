"""What a headless run begins with and leaves: where its campaign stands, and whether the same command goes on."""

from __future__ import annotations

import json
from pathlib import Path

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
from acemaker.formatting.summary import number
from acemaker.headless.existing import recorded_config
from acemaker.headless.notebook import Described
from acemaker.loop.attached import AttachedReader
from acemaker.loop.messages import steps_reached
from acemaker.loop.replacing import is_unpaid
from acemaker.loop.store import Store
from acemaker.states import State

AGAIN = "; the same command again continues the campaign"

LASTING = (
    *(ConfigError, StructureError, MissingLibraryError, UntrustedError, CampaignExistsError),
    *(NoProgressError, IterationLimitError, LabelBudgetError),
)
"""What the same command would run into again."""


def what_now(notebook: Described, directory: Path | None, error: str | None) -> str:
    """Say whether the same command would continue a campaign that was broken off.

    Parameters
    ----------
    notebook
        That was run.
    directory
        Of its campaign; None if that is not known.
    error
        The name of the exception that ended it; None for a signal.

    Returns
    -------
    str
        The end of a sentence, or nothing.
    """
    if not notebook.is_campaign or error in {kind.__name__ for kind in LASTING}:
        return ""
    if directory is None:
        return AGAIN
    if recorded_config(directory) is None:
        return ""
    if error == OracleError.__name__ and is_unpaid(Store(directory)):
        return "; the campaign has no label yet: with the oracle mended, or another one, the command starts it anew"
    return AGAIN


def before(directory: Path | None, wanted: object = None) -> list[str]:
    """Say from where a campaign goes on.

    Parameters
    ----------
    directory
        Where there may be one.
    wanted
        Steps that it is to come to now; None for those that it was given.

    Returns
    -------
    list of str
        A line; none where there is no campaign.
    """
    view = _attached(directory)
    if view is None:
        return []
    steps = view.config.engine.steps
    if isinstance(wanted, int) and wanted > steps:
        now = f"{steps_reached(view.reached, steps)}, and is given {wanted} steps"
        return [f"the campaign in {directory} has come to step {now}"]
    if view.state is State.DONE:
        return [f"the campaign in {directory} is already at {steps_reached(view.reached, steps)} steps"]
    return [f"the campaign in {directory} has come to step {steps_reached(view.reached, steps)}, and goes on"]


def after(directory: Path | None) -> list[str]:
    """Say what a campaign has come to, and where that is written.

    Parameters
    ----------
    directory
        Where there may be one.

    Returns
    -------
    list of str
        Lines; none where there is no campaign.
    """
    view = _attached(directory)
    if view is None or directory is None:
        return []
    progress, steps = view.progress, view.config.engine.steps
    reached = f"{steps_reached(view.reached, steps)} steps"
    told = [reached, _several(len(progress.halts), "halt"), _several(progress.n_labels, "label")]
    told += _force_rmse(directory)
    lines = [f"the campaign in {directory} is {view.state}: {', '.join(told)}"]
    potential = dict(view.summary().items)["generation"]
    lines.append(f"the potential is generation {potential}")
    written = {"report.html": "the story of the run is", "summary.json": "the numbers are in"}
    there = [f"{what} {directory / name}" for name, what in written.items() if (directory / name).is_file()]
    return [*lines, *([", ".join(there)] if there else [])]


def _several(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _attached(directory: Path | None) -> AttachedReader | None:
    """Look at a campaign; one that cannot be read is for the notebook to complain about."""
    if directory is None:
        return None
    try:
        return AttachedReader(Store(directory.resolve()))
    except (AcemakerError, OSError, ValueError, KeyError, TypeError):
        return None


def _force_rmse(directory: Path) -> list[str]:
    try:
        value = json.loads((directory / "summary.json").read_text())["force_rmse_meV_per_A"]
        return [f"force RMSE {number(value)} meV/Å"] if value is not None else []
    except (OSError, ValueError, KeyError, TypeError):
        return []

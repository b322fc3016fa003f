"""Names of labels in calls of the user, and in which state labels may be changed by hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from acemaker.config.base import nearest
from acemaker.errors import ConfigError, StateError
from acemaker.loop.progress import LabelEntry, Progress
from acemaker.loop.reader import what_next
from acemaker.states import State

Label: TypeAlias = str | Path | int | LabelEntry
"""A label: its file or the name of its file, its position in ``campaign.to_dataframe("labels")``, or its entry."""


def check_may_change(progress: Progress, directory: Path) -> None:
    """Check that labels can be changed by hand now: between states, while no label is pending.

    Parameters
    ----------
    progress
        State of the campaign.
    directory
        Its directory, for the message.

    Raises
    ------
    StateError
        Says what has to be done first.
    """
    following = what_next(progress, directory)
    if progress.generation is None:
        raise StateError(f"labels can be changed by hand as soon as there is a potential; {following}")
    if progress.state is State.FAILED:
        raise StateError(f"labels can be changed by hand after the campaign was opened again; {following}")
    if progress.state in (State.LABEL, State.TRAIN):
        raise StateError(
            f"labels cannot be changed by hand while those of halt {progress.halt} are pending; {following}, then "
            "change them"
        )
    if progress.revisions.pending is not None:
        raise StateError(
            "labels cannot be changed by hand while those of an earlier change are pending; continue with "
            "campaign.finish_changes() or campaign.run(), then change them"
        )


def files_of(labels: Label | Iterable[Label], progress: Progress, directory: Path, allowed: Iterable[str]) -> list[str]:
    """Return the files of labels that a user names.

    Parameters
    ----------
    labels
        One label, or several.
    progress
        State of the campaign.
    directory
        Its directory.
    allowed
        Files of the labels that may be named.

    Returns
    -------
    list of str
        Relative to the campaign's directory, each once, in the order of the call.

    Raises
    ------
    ConfigError
        If there is no such label.
    """
    several = [labels] if isinstance(labels, str | Path | int | LabelEntry) else list(labels)
    if not several:
        raise ConfigError(
            "expected the name of a label, or several, got none; campaign.to_dataframe('labels') lists them"
        )
    by_name = {Path(file).stem: file for file in allowed}
    return list(dict.fromkeys(_file_of(label, progress, directory, by_name) for label in several))


def _file_of(label: Label, progress: Progress, directory: Path, by_name: dict[str, str]) -> str:
    if isinstance(label, bool) or not isinstance(label, str | Path | int | LabelEntry):
        raise ConfigError(f"expected the name of a label, got {type(label).__name__} {label!r:.60}")
    if isinstance(label, int):
        if not 0 <= label < len(progress.labels):
            raise ConfigError(
                f"expected the position of a label, from 0 to {len(progress.labels) - 1}, got {label}; "
                "campaign.to_dataframe('labels') lists them"
            )
        label = progress.labels[label]
    text = label.file if isinstance(label, LabelEntry) else str(label)
    path = Path(text)
    if path.is_absolute() and path.is_relative_to(directory):
        path = path.relative_to(directory)
    name = path.name.removesuffix(".extxyz")
    file = by_name.get(name)
    if file is None or (path.parent != Path() and str(path.parent) not in (str(Path(file).parent), "labels")):
        raise ConfigError(f"there is no label {text!r} to be changed{_why(name, progress)}; {_listed(name, by_name)}")
    return file


def _why(name: str, progress: Progress) -> str:
    """Return the reason why a label that exists cannot be changed in this way."""
    revisions = progress.revisions
    if not any(Path(entry.file).stem == name for entry in progress.all_labels):
        return ""
    in_force = {Path(entry.file).stem for entry in progress.labels}
    if name in in_force:
        return ", since it is in force"
    is_removed = any(Path(file).stem == name for file in revisions.reasons)
    return ", since it was removed" if is_removed else ", since it was computed again"


def _listed(name: str, by_name: dict[str, str]) -> str:
    return nearest(name, list(by_name)) if by_name else "there is none"

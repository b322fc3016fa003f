"""What users changed in a campaign by hand, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, counted

SHOWN = 4
"""Maximum number of labels that are named in a line."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change.

    Attributes
    ----------
    steps : tuple of int
        MD step of each walker at that time.
    generation : int or None
        The potential in use before it.
    kind : {"settings", "added", "removed", "restored", "relabeled"}
        Its kind.
    text : str
        Its description in one line.
    """

    steps: tuple[int, ...]
    generation: int | None
    kind: str
    text: str


@dataclass(frozen=True, kw_only=True, repr=False)
class Changes(Record):
    """All changes of labels and settings by hand, oldest first.

    Attributes
    ----------
    changes : tuple of Change
        The changes.
    """

    changes: tuple[Change, ...]

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        rows = tuple(
            (
                ", ".join(map(str, change.steps[:SHOWN])) + (" ..." if len(change.steps) > SHOWN else ""),
                "–" if change.generation is None else str(change.generation),
                change.kind,
                change.text,
            )
            for change in self.changes
        )
        table = Table(("step", "generation", "changed", "what"), rows, words=True) if rows else None
        return Summary(counted(len(self.changes), "change") + " by hand", (), table)


def read_changes(events: Sequence[Mapping[str, Any]]) -> Changes:
    """Return changes from `acemaker.loop.revisions.Revisions.changes`.

    Parameters
    ----------
    events
        The changes as they are recorded.
    """
    return Changes(changes=tuple(map(_change, events)))


def _change(event: Mapping[str, Any]) -> Change:
    common = {"steps": tuple(event["steps"]), "generation": event["generation"]}
    if "changes" in event:
        fields = (f"{name}: {old} → {new}" for name, (old, new) in event["changes"].items())
        return Change(kind="settings", text="; ".join(fields), **common)
    kind = next(kind for kind in ("added", "removed", "restored", "relabeled") if kind in event)
    names = [Path(file).stem for file in event[kind]]
    text = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    return Change(kind=kind, text=f"{text}: {event['reason']}" if event.get("reason") else text, **common)

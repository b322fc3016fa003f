"""The labels with which a campaign begins, and those that were left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, counted

MOST_INDICES = 6
"""Number of labels that are listed by their indices for one reason."""


@dataclass(frozen=True, kw_only=True)
class LabelSource:
    """A file, or the directory of a campaign, whose labels are used.

    Attributes
    ----------
    file : str
        Its path when the campaign was created.
    kind : str
        Kind of the file.
    checksum : str
        SHA-256 of its bytes; of the files of the labels in a campaign's directory.
    n_structures, n_used : int
        Number of its structures, and of those that are labels of this campaign, including isolated atoms.
    stress : str
        Convention of its stresses, and how it is known; empty without stresses.
    settings : mapping of str to str
        Settings of the program that wrote it, or of the campaign.
    """

    file: str
    kind: str
    checksum: str
    n_structures: int
    n_used: int
    stress: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, repr=False)
class FirstLabels(Record):
    """Labels that existed before a campaign, with which it began.

    Attributes
    ----------
    sources : tuple of LabelSource
        Where they are from.
    places : tuple of (int, int)
        Number of the source, and position in it, of each label, in the order of the campaign's first labels.
    isolated : mapping of str to (int, int)
        The same of the isolated atoms by element.
    left_out : tuple of (int, int, str)
        Source, position and reason of each structure that is not used.
    n_more : int
        Number of structures that the campaign labels itself for its first generation.
    check : str
        How the labels were checked.
    potential : str
        Whether the first potential is that of another campaign, and why it is not.
    groups : tuple of int
        Numbers of labels of each training by which another campaign's potential is trained again; empty otherwise.
    """

    sources: tuple[LabelSource, ...] = ()
    places: tuple[tuple[int, int], ...] = ()
    isolated: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    left_out: tuple[tuple[int, int, str], ...] = ()
    n_more: int = 0
    check: str = ""
    potential: str = ""
    groups: tuple[int, ...] = ()

    @property
    def n_labels(self) -> int:
        """Number of labels, without isolated atoms."""
        return len(self.places)

    def event(self) -> dict[str, Any]:
        """Return the fields of the journal."""
        return {
            "sources": [dict(vars(source), settings=dict(source.settings)) for source in self.sources],
            "labels": [list(place) for place in self.places],
            "isolated": {element: list(place) for element, place in self.isolated.items()},
            "left_out": [list(item) for item in self.left_out],
            "n_more": self.n_more,
            "check": self.check,
            "potential": self.potential,
            "groups": list(self.groups),
        }

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Return the record of the fields of a journal; an empty one if it has none."""
        if not event:
            return cls()
        return cls(
            sources=tuple(LabelSource(**source) for source in event["sources"]),
            places=tuple((int(source), int(index)) for source, index in event["labels"]),
            isolated={element: (int(place[0]), int(place[1])) for element, place in event["isolated"].items()},
            left_out=tuple((int(source), int(index), str(reason)) for source, index, reason in event["left_out"]),
            n_more=int(event["n_more"]),
            check=str(event["check"]),
            potential=str(event["potential"]),
            groups=tuple(int(size) for size in event["groups"]),
        )

    def source_of(self, place: tuple[int, int]) -> dict[str, Any]:
        """Return the fields of a label's event that say where it is from."""
        source = self.sources[place[0]]
        return {"file": source.file, "index": place[1], "checksum": source.checksum}

    def headline(self) -> str:
        """Return a one-line description."""
        if not self.sources:
            return "No first labels"
        left_out = f", {len(self.left_out)} left out" if self.left_out else ""
        return f"First labels: {self.n_labels} from {counted(len(self.sources), 'source')}{left_out}"

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        if not self.sources:
            return Summary(self.headline(), (("first labels", "none existed; set first_labels to begin with some"),))
        items = [("labels", f"{self.n_labels}, which cost nothing")]
        items.append(("isolated atoms", ", ".join(sorted(self.isolated)) or "none"))
        items.append(("labeled besides", counted(self.n_more, "structure") if self.n_more else "nothing"))
        if self.check:
            items.append(("checked", self.check))
        if self.potential:
            items.append(("first potential", self.potential))
        rows = []
        for number, source in enumerate(self.sources):
            reasons = self._reasons(number)
            used = f"{source.n_used} of {source.n_structures}"
            rows.append((source.file, source.kind, used, source.stress or "–", "; ".join(reasons) or "–"))
        header = ("source", "kind", "used", "stress", "left out, and why")
        return Summary(self.headline(), tuple(items), Table(header, tuple(rows), words=True))

    def _reasons(self, number: int) -> list[str]:
        """List the reasons of one source, each with the positions of its structures."""
        by_reason: dict[str, list[int]] = {}
        for source, index, reason in self.left_out:
            if source == number:
                by_reason.setdefault(reason, []).append(index)
        return [f"{_listed(indices)}: {reason}" for reason, indices in by_reason.items()]


def _listed(indices: list[int]) -> str:
    more = f" and {len(indices) - MOST_INDICES} more" if len(indices) > MOST_INDICES else ""
    return "number " + ", ".join(map(str, indices[:MOST_INDICES])) + more

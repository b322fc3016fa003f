"""Changes of labels by hand as a state: which version of each label is in force, and what is still to be done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from acemaker.loop.progress import LabelEntry

Event = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Revisions:
    """Labels that were removed, restored, added and computed again, and changes of the configuration.

    Each label has a place among the labels, and in the group of labels with which it was first trained on. A removed
    label leaves its place empty, and a label that was computed again takes the place of the earlier one, so that the
    labels in force are always those of a campaign that never had the others, in the same order.

    Attributes
    ----------
    places, groups : tuple or None
        All labels, and those of each training, as if there had been no changes; None before the first change.
    versions : mapping of str to LabelEntry
        All versions of labels that were computed again, by file.
    place_of : mapping of str to str
        File of the first version, by the file of a later one.
    in_force : mapping of str to LabelEntry or None
        The version in force by the file of the first one, None if it is removed; first versions are not listed.
    reasons : mapping of str to str
        Why a label was removed, by file.
    probes : tuple of mappings
        The errors on all probes, also on removed ones.
    remeasured : mapping of str to mapping
        The error on a probe whose label was computed again, by the file of the later version.
    isolated : mapping of str to mapping
        Events of all versions of the labels of isolated atoms, by file.
    pending : mapping or None
        The event of an addition, or of labels that are computed again, whose labels are not complete.
    failures : mapping of int to mapping
        Events of failed labels of `pending`, by number.
    is_refit_due : bool
        Whether the potential in use was trained on other labels than those in force.
    n_pending : int
        Number of additions and of calls that had labels computed again.
    changes : tuple of mappings
        What was changed and when, see `acemaker.loop.reader.CampaignReader.changes`.
    """

    places: tuple[LabelEntry, ...] | None = None
    groups: tuple[tuple[LabelEntry, ...], ...] | None = None
    versions: Mapping[str, LabelEntry] = field(default_factory=dict)
    place_of: Mapping[str, str] = field(default_factory=dict)
    in_force: Mapping[str, LabelEntry | None] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    probes: tuple[Event, ...] = ()
    remeasured: Mapping[str, Event] = field(default_factory=dict)
    isolated: Mapping[str, Event] = field(default_factory=dict)
    pending: Event | None = None
    failures: Mapping[int, Event] = field(default_factory=dict)
    is_refit_due: bool = False
    n_pending: int = 0
    changes: tuple[Event, ...] = ()

    @property
    def is_begun(self) -> bool:
        """Whether places are recorded, since a label was changed."""
        return self.places is not None

    def begun(
        self,
        labels: Sequence[LabelEntry],
        groups: Iterable[tuple[LabelEntry, ...]],
        probes: tuple[Event, ...],
    ) -> Revisions:
        """Return the state in which the places of all labels are recorded.

        Parameters
        ----------
        labels, groups, probes
            Those in force; there has been no change before.
        """
        return self if self.is_begun else replace(self, places=tuple(labels), groups=tuple(groups), probes=probes)

    def entry(self, file: str) -> LabelEntry | None:
        """Return any version of a label by its file; None if there is none, or no label was changed yet."""
        if file in self.versions:
            return self.versions[file]
        return next((place for place in self.places or () if place.file == file), None)

    def with_version(self, file: str, entry: LabelEntry | None) -> Revisions:
        """Return the state in which another version is in force.

        Parameters
        ----------
        file
            File of any version of the label.
        entry
            The version; None if the label is removed.
        """
        place = self.place_of.get(file, file)
        versions, places = self.versions, self.place_of
        if entry is not None and entry.file != place:
            versions, places = {**versions, entry.file: entry}, {**places, entry.file: place}
        return replace(self, versions=versions, place_of=places, in_force={**self.in_force, place: entry})

    def current(self, entries: Iterable[LabelEntry]) -> tuple[LabelEntry, ...]:
        """Return the versions in force of some places, without removed labels."""
        versions = (self.in_force.get(entry.file, entry) for entry in entries)
        return tuple(entry for entry in versions if entry is not None)

    def current_probes(self, places: Sequence[LabelEntry]) -> tuple[Event, ...]:
        """Return the errors on the probes whose labels are in force, measured with the version in force.

        Parameters
        ----------
        places
            All labels.
        """
        files = {place.halt: place.file for place in places if place.halt is not None and place.candidate == 0}
        probes = []
        for event in self.probes:
            place = files.get(event["halt"], "")
            entry = self.in_force.get(place)
            if place not in self.in_force:
                probes.append(event)
            elif entry is not None:
                probes.append(self.remeasured.get(entry.file, event))
        return tuple(probes)

    @property
    def n_replaced(self) -> int:
        """Number of labels that were computed and are not in force; copies and results of the user do not count."""
        all_entries = {entry.file: entry for entry in (*(self.places or ()), *self.versions.values())}
        used = {entry.file for entry in self.current(self.places or ())}
        return sum(not entry.own for file, entry in all_entries.items() if file not in used)

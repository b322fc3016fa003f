"""Labels by what they are asked for, without a look through all of them for each."""

from __future__ import annotations

from acemaker.loop.progress import LabelEntry
from acemaker.utils.append_only import Grown


class LabelIndex:
    """The labels of one campaign, as far as it has read them."""

    def __init__(self) -> None:
        self._read = 0
        self._by_key: dict[str, LabelEntry] = {}
        self._files: set[str] = set()

    def read(self, labels: Grown[LabelEntry]) -> None:
        """Take in what is new.

        Parameters
        ----------
        labels
            All labels of the campaign, which only ever become more.
        """
        for entry in labels[self._read :]:
            self._by_key.setdefault(entry.key, entry)
            self._files.add(entry.file)
        self._read = len(labels)

    def of_key(self, key: str) -> LabelEntry | None:
        """Return the oldest label of a structure and settings."""
        return self._by_key.get(key)

    def has_file(self, file: str) -> bool:
        """Tell whether a label's file, relative to the campaign's directory, has been noted."""
        return file in self._files

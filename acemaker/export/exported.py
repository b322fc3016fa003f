"""The result of exporting labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, counted


@dataclass(frozen=True, kw_only=True, repr=False)
class ExportedDataset(Record):
    """The labels of a campaign in the files of another program.

    Attributes
    ----------
    program : str
        Title of the program.
    file : Path
        File of the training set, or of both sets if the format has a place for the division.
    test_file : Path or None
        File of the test set; None without one, or if it is in the same file.
    provenance : Path
        File with the settings of the oracle, units, reference energies, the division, and what was left out.
    n_train : int
        Number of labels in the training set, without isolated atoms.
    n_test : int
        Number of labels in the test set.
    test_halts : tuple of int
        Halts whose labels are the test set.
    n_atoms : int
        Number of isolated atoms among the training set.
    left_out : tuple of (str, str)
        Labels that were not exported, and why.
    notes : tuple of str
        What the reader of the files must know.
    hint : str
        How the program reads them.
    """

    program: str
    file: Path
    test_file: Path | None
    provenance: Path
    n_train: int
    n_test: int
    test_halts: tuple[int, ...] = ()
    n_atoms: int = 0
    left_out: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    hint: str = ""

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        atoms = f" and {counted(self.n_atoms, 'isolated atom')}" if self.n_atoms else ""
        items = [("training set", f"{counted(self.n_train, 'label')}{atoms}: {self.file}")]
        if self.n_test:
            halts = ", ".join(map(str, self.test_halts))
            test_file = self.test_file if self.test_file is not None else f"{self.file}, split=test"
            items.append(("test set", f"{counted(self.n_test, 'label')} of halts {halts}: {test_file}"))
        by_reason: dict[str, list[str]] = {}
        for name, reason in self.left_out:
            by_reason.setdefault(reason, []).append(name)
        for reason, names in by_reason.items():
            shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
            items.append(("left out", f"{counted(len(names), 'label')}, {reason}: {shown}"))
        items += [("note", note) for note in self.notes]
        items += [("provenance", str(self.provenance)), ("read by", self.hint)]
        return Summary(f"Exported for {self.program}: {counted(self.n_train + self.n_test, 'label')}", tuple(items))

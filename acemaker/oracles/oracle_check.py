"""Result of the check of an oracle: the findings of its comparisons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, counted, number

Status = Literal["ok", "warning", "wrong", "skipped"]


@dataclass(frozen=True)
class Finding:
    """Result of one part of a check.

    Attributes
    ----------
    name : str
        What was compared.
    value : str
        What came out, with units.
    ratio : float
        Measured by expected value; NaN if there is none.
    status : {"ok", "warning", "wrong", "skipped"}
        Judgment.
    explanation : str
        What this means, and what to do; empty if there is nothing to say.
    """

    name: str
    value: str
    ratio: float
    status: Status
    explanation: str = ""


@dataclass(frozen=True, repr=False)
class OracleCheck(Record):
    """Result of the check of an oracle.

    Attributes
    ----------
    name : str
        The oracle.
    n_atoms : int
        Number of atoms of the checked structure.
    n_calls : int
        Number of labels that were computed.
    seconds : float
        Time of one label of that structure.
    findings : tuple of Finding
        One per comparison.
    has_stress : bool
        Whether all labels contain a stress; those of isolated atoms are ignored.
    is_complete : bool
        Whether all comparisons were made; only the first ones are if a label is expensive and a time limit is set.
    stress_failure : str
        Error of the calculator in place of a stress; empty if all labels contain one, or the calculator has none.
    """

    name: str
    n_atoms: int
    n_calls: int
    seconds: float
    findings: tuple[Finding, ...]
    has_stress: bool
    is_complete: bool = True
    stress_failure: str = ""

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """Findings for which labels would be wrong."""
        return tuple(finding for finding in self.findings if finding.status == "wrong")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings that may have a good reason, but should be known."""
        return tuple(finding for finding in self.findings if finding.status == "warning")

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong

    def explain(self) -> str:
        """Return what is wrong, in one line; empty if nothing is."""
        return "; ".join(f"{finding.name}: {finding.explanation}" for finding in self.wrong)

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        if self.wrong:
            title, step = f"Oracle {self.name}: wrong", "correct the oracle as stated below, and check it again"
        elif self.warnings:
            title, step = f"Oracle {self.name}: usable, with warnings", "read the warnings below"
        else:
            title, step = f"Oracle {self.name}: consistent", "create the campaign"
        if self.passed and not self.has_stress:
            step += "; choose an ensemble other than 'npt' for periodic structures, since there is no stress"
        items = (
            ("structure", counted(self.n_atoms, "atom")),
            ("oracle calls", str(self.n_calls)),
            ("next step", step),
        )
        rows = tuple(
            (
                finding.name,
                finding.value,
                number(finding.ratio),
                finding.status + (f": {finding.explanation}" if finding.explanation else ""),
            )
            for finding in self.findings
        )
        return Summary(title, items, Table(("check", "result", "ratio", "judgment"), rows, words=True))

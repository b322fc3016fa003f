"""The labels of a campaign with their origin, as they are exported."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ase import Atoms

from acemaker.config import OracleConfig
from acemaker.loop.label_files import read_label
from acemaker.loop.labels import label_key
from acemaker.loop.progress import PROBE
from acemaker.loop.reader import CampaignReader
from acemaker.loop.store import contained
from acemaker.structures.mask import energy_counts, mask_of, weight_of

Kind = Literal["initial", "halt", "probe", "added", "IsolatedAtom"]
"""Origin of a label: the first labels, a halt because of gamma, a probe, added by hand, or an isolated atom."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ExportedLabel:
    """One label and where it is from.

    Attributes
    ----------
    file : str
        Its file, relative to the campaign's directory.
    atoms : Atoms
        The labeled structure: eV, eV/Å, eV/Å^3.
    kind : {"initial", "halt", "probe", "added", "IsolatedAtom"}
        Its origin.
    key : str
        Hash of the structure and the oracle's settings in force, which is equal for labels of equal structures.
    is_current : bool
        Whether it was computed with the settings of the oracle that are in force.
    halt : int or None
        The halt for which it was computed; None for first labels and isolated atoms.
    candidate : int or None
        Its number among the candidates.
    walker : int or None
        The walker that halted, from 1.
    step : int or None
        MD step of the halt.
    generation : int or None
        The potential that was in use at the halt.
    """

    file: str
    atoms: Atoms
    kind: Kind
    key: str
    is_current: bool = True
    halt: int | None = None
    candidate: int | None = None
    walker: int | None = None
    step: int | None = None
    generation: int | None = None

    @property
    def masked(self) -> int:
        """Number of atoms whose forces do not count."""
        mask = mask_of(self.atoms)
        return 0 if mask is None else int((~mask).sum())

    @property
    def is_whole(self) -> bool:
        """Whether energy and all forces count, so that any program can be told all of it."""
        return not self.masked and energy_counts(self.atoms)

    @property
    def weight(self) -> float:
        """Weight relative to other labels."""
        return weight_of(self.atoms)

    @property
    def has_stress(self) -> bool:
        """Whether it contains a stress."""
        return self.atoms.calc is not None and "stress" in self.atoms.calc.results and bool(self.atoms.pbc.all())

    def origin(self, campaign: str, oracle: str, settings: str) -> dict[str, Any]:
        """Return the origin as entries of a comment line, which contain neither spaces nor quotes.

        Parameters
        ----------
        campaign
            Name of the campaign.
        oracle
            Name of the oracle.
        settings
            Fingerprint of its settings.
        """
        entries = {
            "config_type": self.kind,
            "label_file": f"{plain(campaign)}/{self.file}",
            "oracle": plain(oracle),
            "oracle_settings": settings if self.is_current else "other",
            "units": "eV_Angstrom",
            "halt": self.halt,
            "candidate": self.candidate,
            "walker": self.walker,
            "step": self.step,
            "generation": self.generation,
        }
        return {name: value for name, value in entries.items() if value is not None}


def labels_of(campaign: CampaignReader) -> tuple[ExportedLabel, ...]:
    """Read all labels of a campaign, oldest first, and then those of isolated atoms by element.

    Parameters
    ----------
    campaign
        The campaign.

    Returns
    -------
    tuple of ExportedLabel

    Raises
    ------
    DamagedFileError
        If both files of a label are damaged.

    Examples
    --------
    >>> from acemaker.testing import toy_campaign
    >>> [label.kind for label in labels_of(toy_campaign())]
    ['initial', 'initial', 'halt', 'halt']
    """
    progress, oracle = campaign.progress, campaign.config.oracle
    halts = {event["halt"]["number"]: event for event in progress.segments if event["halt"]}
    labels = []
    for entry, atoms in zip(progress.labels, campaign.labeled_structures(), strict=True):
        key = label_key(atoms, oracle)
        labels.append(
            ExportedLabel(
                file=entry.file,
                atoms=atoms,
                key=key,
                is_current=not entry.own and key == entry.key,
                candidate=entry.candidate,
                **(_of_halt(entry.halt, halts) if entry.addition is None else {"kind": "added"}),
            )
        )
    for _, event in sorted(progress.isolated.items()):
        atoms = read_label(contained(campaign.directory, event["file"]), event.get("sum", ""))
        key = label_key(atoms, oracle)
        current = key == event["key"]
        labels.append(ExportedLabel(file=event["file"], atoms=atoms, kind="IsolatedAtom", key=key, is_current=current))
    return tuple(labels)


def settings_fingerprint(oracle: OracleConfig, source: str) -> str:
    """Return the fingerprint of an oracle's settings: equal for labels that belong together.

    Parameters
    ----------
    oracle
        The settings.
    source
        Hash of the potential or pseudopotential files, as the campaign recorded it; empty if it is unknown.

    Examples
    --------
    >>> first, second = OracleConfig(oracle="emt"), OracleConfig(oracle="tblite")
    >>> settings_fingerprint(first, "") == settings_fingerprint(second, "")
    False
    """
    # the key of no structure at all is that of the settings; with a letter in front, readers take it for no number
    return f"s{label_key(Atoms(), oracle)[:12]}" + (f"-{source[:8]}" if source else "")


def plain(text: str) -> str:
    """Replace the characters that separate the entries of a comment line.

    Examples
    --------
    >>> plain('my run="1"')
    'my_run__1_'
    """
    return re.sub(r"[^\w./:+-]", "_", text, flags=re.ASCII)


def _of_halt(halt: int | None, halts: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    if halt is None:
        return {"kind": "initial"}
    event = halts.get(halt)
    if event is None:
        return {"kind": "halt", "halt": halt}
    tier = event["halt"]["tier"]
    return {
        "kind": "probe" if tier == PROBE else "halt",
        "halt": halt,
        "walker": event["walker"] or 1,
        "step": event["halt"]["step"],
        "generation": event["generation"],
    }

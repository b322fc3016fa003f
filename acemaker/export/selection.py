"""The labels that can be exported for a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from acemaker.errors import ConfigError
from acemaker.export.labels import ExportedLabel
from acemaker.export.programs import DATABASE, Program
from acemaker.structures.mask import ENERGY_COUNTS, MASK, STRESS_COUNTS

Masked = Literal["auto", "whole"]
"""What happens to labels of which only a part counts: told to the program or left out, or taken as whole labels."""


def included_labels(
    program: Program, target: Path, labels: Sequence[ExportedLabel], masked: Masked
) -> tuple[list[ExportedLabel], list[tuple[str, str]]]:
    """Return the labels that a program can be told completely, and the others with the reason.

    Parameters
    ----------
    program
        The program.
    target
        The file, whose format may not hold masks.
    labels
        All labels.
    masked
        What happens to labels of which only a part counts.

    Returns
    -------
    list of ExportedLabel
        Labels that are exported, without isolated atoms.
    list of (str, str)
        Files of the others, with the reason.

    Raises
    ------
    ConfigError
        If no label can be exported.
    """
    included: list[ExportedLabel] = []
    left_out: list[tuple[str, str]] = []
    knows_masks = program.knows_masks and target.suffix.lower() not in DATABASE
    for label in labels:
        if label.kind == "IsolatedAtom":
            continue
        if masked == "whole":
            included.append(_as_whole(label))
        elif label.is_whole or knows_masks:
            included.append(label)
        else:
            left_out.append(
                (label.file, f"since {program.title} cannot be told that the forces of some atoms do not count")
            )
    if not included:
        raise ConfigError(
            f"no label can be exported for {program.title}: all {len(left_out)} are of embedded cells, in which the "
            "forces of some atoms do not count, and it cannot be told so. Export for pacemaker or as extended XYZ for "
            "ASE, which hold the mask, or take them as labels of the small periodic cells: masked='whole'"
        )
    return included, left_out


def _as_whole(label: ExportedLabel) -> ExportedLabel:
    """Return a label of which everything counts."""
    atoms = label.atoms.copy()
    atoms.calc = label.atoms.calc
    atoms.arrays.pop(MASK, None)
    for name in (ENERGY_COUNTS, STRESS_COUNTS):
        atoms.info.pop(name, None)
    return replace(label, atoms=atoms)


def writes_stress(program: Program, labels: Sequence[ExportedLabel]) -> bool:
    """Return whether the stress is written: for some programs only if all labels have one.

    Parameters
    ----------
    program
        The program.
    labels
        The labels that are exported.
    """
    having = [label.has_stress for label in labels if label.kind != "IsolatedAtom"]
    return all(having) if program.needs_equal_results or program.name == "pacemaker" else any(having)

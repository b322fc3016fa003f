"""Export of the labels of a campaign for another program."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ase import Atoms

from acemaker.errors import ConfigError, StateError
from acemaker.export import formats
from acemaker.export.exported import ExportedDataset
from acemaker.export.labels import ExportedLabel, labels_of, settings_fingerprint
from acemaker.export.notes import notes_of, oracle_name, provenance_of, source_of
from acemaker.export.programs import (
    DATABASE,
    NEP_MOST_WEIGHT,
    PICKLE,
    Program,
    find_program,
    frame_for,
    table_for_pacemaker,
)
from acemaker.export.references import Reference, isolated_labels, reference_of
from acemaker.export.selection import Masked, included_labels, writes_stress
from acemaker.export.split import halts_for_test
from acemaker.export.targets import PROVENANCE, check_earlier, check_targets, write_files
from acemaker.loop.reader import CampaignReader
from acemaker.oracles.total_charge import stated_charge
from acemaker.structures.mask import ENERGY_COUNTS, LABEL_WEIGHT

DATABASE_HINT = "ase.db.connect(file).select(split='train')"
"""How a database is read."""

CHARGE_NAMES = {"ase": "charge", "mace": "total_charge", "nep": "charge"}
"""Name of the total charge for each program that knows one."""


def export_dataset(
    campaign: CampaignReader,
    file: str | Path,
    for_: str | None = None,
    *,
    test: float | Sequence[int] = 0.0,
    test_file: str | Path | None = None,
    masked: Masked = "auto",
    overwrite: bool = False,
) -> ExportedDataset:
    """Write the labels of a campaign as another program reads them.

    Parameters
    ----------
    campaign
        The campaign, which may be running.
    file
        File of the training set. Its ending decides on the format: ``.extxyz`` and ``.xyz``, ``.db`` (an ASE
        database), ``.pckl.gzip`` (pacemaker's data frame).
    for_
        ``"ase"``, ``"mace"``, ``"nequip"`` (``"allegro"``), ``"nep"`` (``"gpumd"``) or ``"pacemaker"``; by default ASE,
        and pacemaker for its data frame.
    test
        Share of the labels in the test set, or numbers of the halts whose labels are the test set. Labels of one halt
        are never in both sets.
    test_file
        File of the test set; by default the name of `file` with ``train`` replaced by ``test``, or with ``_test``
        appended.
    masked
        Labels of embedded cells, in which the forces on some atoms do not count: with "auto", programs that can be told
        so are told, and for others these labels are left out. With "whole" they are written as labels of the small
        periodic cell, of which everything counts.
    overwrite
        Whether existing files are replaced.

    Returns
    -------
    ExportedDataset
        What was written, what was left out and why.

    Raises
    ------
    ConfigError
        For an unknown program or ending, an existing file, a file inside of the campaign's directory other than in its
        folder ``exports``, an impossible test set, or if no label can be exported. Nothing is written in these cases.
    StateError
        If the campaign has no labels yet.
    DamagedFileError
        If a label is damaged.

    Examples
    --------
    >>> from acemaker.export.dataset import export_dataset
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> print(export_dataset(campaign, "train.xyz", "nep", test=[1]).headline())
    Exported for GPUMD (NEP): 4 labels
    """
    target = Path(file).expanduser()
    program = find_program(for_, target)
    if masked not in ("auto", "whole"):
        raise ConfigError(f"masked: expected 'auto' or 'whole', got {masked!r}")
    labels = labels_of(campaign)
    if not any(label.kind != "IsolatedAtom" for label in labels):
        raise StateError("there are no labels to export yet; run campaign.prepare() first")
    reference = reference_of(campaign, labels)
    included, left_out = included_labels(program, target, labels, masked)
    if program.takes_atoms:
        included += isolated_labels(campaign, labels, reference, program)
    test_halts = halts_for_test(included, test)
    paths = _paths(program, target, None if test_file is None else Path(test_file).expanduser(), bool(test_halts))
    check_targets(campaign, paths, overwrite=overwrite)
    check_earlier(paths)
    parts = {
        path: [label for label in included if (label.halt in test_halts) == is_test or len(paths) == 2]
        for path, is_test in zip(paths[:-1], (False, True), strict=False)
    }
    notes = notes_of(program, included, labels, reference, masked)
    fingerprint = settings_fingerprint(campaign.config.oracle, source_of(campaign))
    files = _contents(campaign, program, parts, reference, fingerprint, test_halts)
    result = ExportedDataset(
        program=program.title,
        file=target,
        test_file=paths[1] if len(paths) == 3 else None,
        provenance=paths[-1],
        n_train=sum(label.kind != "IsolatedAtom" and label.halt not in test_halts for label in included),
        n_test=sum(label.halt in test_halts for label in included),
        test_halts=tuple(sorted(test_halts)),
        n_atoms=sum(label.kind == "IsolatedAtom" for label in included),
        left_out=tuple(left_out),
        notes=tuple(notes),
        hint=DATABASE_HINT if target.suffix.lower() in DATABASE else program.hint,
    )
    files[paths[-1]] = provenance_of(campaign, result, included, reference, fingerprint)
    write_files(files)
    return result


def _paths(program: Program, target: Path, test_file: Path | None, has_test: bool) -> tuple[Path, ...]:
    """Return the files: of training and test set, and the provenance."""
    provenance = target.with_name(target.name + PROVENANCE)
    if target.suffix.lower() in DATABASE:
        if test_file is not None:
            raise ConfigError(
                "test_file: a database contains both sets, whose rows have split='train' or 'test'; leave it out"
            )
        return target, provenance
    if not has_test:
        if test_file is not None:
            raise ConfigError(f"test_file: expected a test set for {test_file}, got none; choose one, e.g. test=0.2")
        return target, provenance
    if test_file is None:
        stem, dot, endings = target.name.partition(".")
        name, n_found = re.subn(r"(?<![^\W_])train(?![^\W_])", "test", stem)
        name = name if n_found else f"{stem}_test"
        test_file = target.with_name(f"{name}{dot}{endings}")
    if test_file.resolve() == target.resolve():
        raise ConfigError(f"test_file: expected another file than that of the training set, got {test_file}")
    find_program(program.name, test_file)
    return target, test_file, provenance


def _contents(
    campaign: CampaignReader,
    program: Program,
    parts: Mapping[Path, list[ExportedLabel]],
    reference: Reference,
    fingerprint: str,
    test_halts: frozenset[int],
) -> dict[Path, bytes]:
    """Return the content of each file of labels."""
    every = [label for labels in parts.values() for label in labels]
    with_stress = writes_stress(program, every)
    charge = stated_charge(campaign.config.oracle) if campaign.own_oracle is None else None
    most = max(label.weight for label in every)

    def origin(label: ExportedLabel) -> dict[str, Any]:
        entries = label.origin(campaign.directory.name, oracle_name(campaign), fingerprint)
        if charge and program.name in CHARGE_NAMES and label.kind != "IsolatedAtom":
            entries[CHARGE_NAMES[program.name]] = charge
        return entries

    def frame(label: ExportedLabel) -> Atoms:
        atoms = frame_for(program, label, origin(label), with_stress=with_stress)
        if program.name == "nep" and most > NEP_MOST_WEIGHT:
            atoms.info["weight"] = label.weight / most * NEP_MOST_WEIGHT
        return atoms

    files: dict[Path, bytes] = {}
    for path, labels in parts.items():
        suffix = path.suffix.lower()
        if suffix in PICKLE:
            masked = any(not label.is_whole for label in every)
            if masked and not any(label.is_whole or label.atoms.info.get(ENERGY_COUNTS) for label in labels):
                raise ConfigError(
                    f"{path.name}: the energy of no label in it counts, without which pacemaker cannot fit; take them "
                    "as labels of the small periodic cells: masked='whole'"
                )
            table = table_for_pacemaker(
                [(label, origin(label)) for label in labels],
                reference.energies,
                masked=masked,
                weighted=any(label.weight != 1 for label in every),
                with_stress=with_stress,
            )
            files[path] = formats.data_frame(table)
        elif suffix in DATABASE:
            files[path] = formats.database(
                [frame(label) for label in labels],
                [_pairs(label, origin(label), label.halt in test_halts) for label in labels],
                {"title": f"labels of {campaign.directory.name}", "reference_energies_eV": reference.energies},
            )
        else:
            files[path] = formats.extxyz([frame(label) for label in labels])
    return files


def _pairs(label: ExportedLabel, origin: Mapping[str, Any], is_test: bool) -> dict[str, Any]:
    """Return the entries of a database's row; some names are ASE's own."""
    entries = {name: value for name, value in origin.items() if name != "charge"}
    if "charge" in origin:
        entries["total_charge"] = origin["charge"]
    weight = {LABEL_WEIGHT: label.weight} if label.weight != 1 else {}
    return {**entries, **weight, "split": "test" if is_test else "train"}

"""Labels that exist before a campaign: they are read and checked before anything is written, and cost nothing."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from acemaker.config import CampaignConfig
from acemaker.errors import ConfigError, OracleError
from acemaker.formatting.summary import counted, number
from acemaker.loop.first_label_campaigns import SourceCampaign, check_same_oracle, read_campaign, trainings_to_repeat
from acemaker.loop.first_label_checks import NamedLabel, compare
from acemaker.loop.trusted_code import permit_unpickling
from acemaker.oracles.checks import check_geometry, check_label
from acemaker.oracles.oracle import Oracle, magnetic_results
from acemaker.results.first_labels import FirstLabels, LabelSource
from acemaker.structures.files import as_written
from acemaker.structures.first_label_files import FIELD, PW, LabelFile, read_label_file
from acemaker.structures.geometry import closeness, pairs
from acemaker.structures.isolated import neighbor_counts
from acemaker.structures.label_keys import LabelRecord
from acemaker.structures.label_settings import different_settings
from acemaker.structures.mask import counted_symbols

logger = logging.getLogger("acemaker")

ORIGIN = "first_label"
"""Value of ``info["origin"]`` of the structures."""

SAME_ENERGY = 1e-3
"""eV/atom; labels of one structure that differ by more are of different settings."""


@dataclass(frozen=True, kw_only=True)
class FirstLabelSet:
    """Labels with which a campaign begins.

    Attributes
    ----------
    labels : tuple of Atoms
        Structures with energy, forces and possibly stress.
    isolated : mapping of str to Atoms
        Isolated atoms by element.
    record : FirstLabels
        Where they are from, and what was left out.
    campaigns : tuple of SourceCampaign
        The campaigns among the sources.
    """

    labels: tuple[Atoms, ...] = ()
    isolated: Mapping[str, Atoms] = field(default_factory=dict)
    record: FirstLabels = field(default_factory=FirstLabels)
    campaigns: tuple[SourceCampaign, ...] = ()

    @property
    def all(self) -> tuple[Atoms, ...]:
        """All of them, in the order of their file: labels, then isolated atoms in the order of their elements."""
        return (*self.labels, *(self.isolated[element] for element in sorted(self.isolated)))


def read_first_labels(
    config: CampaignConfig, starts: Sequence[Atoms], oracle: Oracle | None, *, directory: Path, allow_code: bool
) -> FirstLabelSet:
    """Read and check the labels that ``first_labels`` names; nothing is written.

    Parameters
    ----------
    config
        The configuration of the campaign.
    starts
        The structure with which each walker starts.
    oracle
        The user's oracle object, or None.
    directory
        The campaign's directory.
    allow_code
        Whether files may be unpickled.

    Returns
    -------
    FirstLabelSet

    Raises
    ------
    ConfigError
        If a source cannot be read or has no usable label, if labels do not belong together, or if the sign or unit of
        their stresses is unknown.
    UntrustedError
        If a file would be unpickled without permission.
    CampaignError
        If the directory of another campaign is damaged.
    """
    if not config.system.first_labels:
        return FirstLabelSet()
    elements = tuple(sorted(set(starts[0].get_chemical_symbols())))
    files, campaigns = _read_sources(config, directory, allow_code=allow_code)
    names = [str(path) for path in config.system.first_labels]
    for campaign in campaigns:
        check_same_oracle(campaign, config.oracle, elements, own=oracle is not None)
    _check_settings(files, names, config)
    labels = [
        NamedLabel(source=number, record=record, name=f"number {record.index} of {name}", reason=record.problem)
        for number, (file, name) in enumerate(zip(files, names, strict=True))
        for record in file.records
    ]
    for label in labels:
        label.reason = label.reason or _problem(label.record, config, elements)
    isolated = _isolated(labels, config)
    _leave_out_duplicates([label for label in labels if not any(label is atom for atom in isolated.values())])
    used = [label for label in labels if not label.reason and all(label is not atom for atom in isolated.values())]
    for file, name, source in zip(files, names, range(len(files)), strict=True):
        if not any(label.source == source for label in [*used, *isolated.values()]):
            reasons = dict.fromkeys(label.reason for label in labels if label.source == source)
            raise ConfigError(
                f"{FIELD}: none of the {counted(len(file.records), 'structure')} of {name!r} ({file.kind}) is a label "
                f"of this campaign: {'; '.join(reasons)}. Correct the file, or leave it out"
            )
    checks, conventions = compare(used, config, elements, oracle, names)
    used = [label for label in used if not label.reason]
    finished = [_labeled(label, conventions) for label in used]
    for label, atoms in zip(used, finished, strict=True):
        try:
            check_label(atoms, config.oracle.max_force, config.oracle.max_net_force)
        except OracleError as error:
            label.reason = str(error)
    finished = [atoms for label, atoms in zip(used, finished, strict=True) if not label.reason]
    used = [label for label in used if not label.reason]
    atoms_of = {element: _labeled(label, {}) for element, label in isolated.items()}
    record = FirstLabels(
        sources=tuple(
            LabelSource(
                file=str(Path(name).expanduser().absolute()),
                kind=file.kind,
                checksum=file.digest,
                n_structures=len(file.records),
                n_used=sum(label.source == source for label in [*used, *isolated.values()]),
                stress="; ".join(text for (number, _), (_, text) in conventions.items() if number == source),
                settings=dict(file.settings),
            )
            for source, (file, name) in enumerate(zip(files, names, strict=True))
        ),
        places=tuple((label.source, label.record.index) for label in used),
        isolated={element: (label.source, label.record.index) for element, label in sorted(isolated.items())},
        left_out=tuple((label.source, label.record.index, label.reason) for label in labels if label.reason),
        check=checks,
    )
    groups, potential = trainings_to_repeat(campaigns, len(files), len(used), config)
    record = replace(record, groups=groups, potential=potential)
    logger.info(record.headline())
    return FirstLabelSet(labels=tuple(finished), isolated=atoms_of, record=record, campaigns=tuple(campaigns))


def n_missing(labels: Sequence[Atoms], start: Atoms, config: CampaignConfig, minimum: int) -> int:
    """Return how many structures like the start must be labeled besides the labels that exist.

    Parameters
    ----------
    labels
        The labels.
    start
        The initial structure, or a small cell that represents it.
    config
        ``n_first`` and ``cutoff``.
    minimum
        Number of structures like the start that the basis needs.

    Returns
    -------
    int
        As many as without labels for elements, or pairs of elements within the cutoff, that no label contains.
    """
    least = max(config.system.n_first, minimum)
    if not labels:
        return least
    symbols = counted_symbols(start)
    there = [symbol for atoms in labels for symbol in counted_symbols(atoms)]
    lacking = [
        math.ceil((minimum * symbols.count(element) - there.count(element)) / symbols.count(element))
        for element in sorted(set(symbols))
    ]
    missing = max(config.system.n_first - len(labels), *lacking, 0)
    cutoff = config.potential.cutoff
    covered = set().union(*(_pairs_of(atoms, cutoff) for atoms in labels))
    return missing if _pairs_of(start, cutoff) <= covered else max(missing, config.system.n_first)


def _pairs_of(atoms: Atoms, cutoff: float) -> set[tuple[int, int]]:
    """Return the pairs of atomic numbers within a distance."""
    first, second, _ = pairs(atoms, cutoff)
    present = set(zip(atoms.numbers[first].tolist(), atoms.numbers[second].tolist(), strict=True))
    return {pair for pair in combinations_with_replacement(sorted(set(atoms.numbers.tolist())), 2) if pair in present}


def _read_sources(
    config: CampaignConfig, directory: Path, *, allow_code: bool
) -> tuple[list[LabelFile], list[SourceCampaign]]:
    files: list[LabelFile] = []
    campaigns: list[SourceCampaign] = []
    for name in config.system.first_labels:
        path = Path(name).expanduser()
        if path.is_dir():
            if path.resolve() == directory:
                raise ConfigError(f"{FIELD}: {name!r} is the directory of this campaign; choose another directory")
            campaigns.append(read_campaign(path, len(files)))
            files.append(campaigns[-1].file)
        else:
            permit = partial(permit_unpickling, path, allow=allow_code)
            files.append(read_label_file(path, config.system.first_labels_names, permit))
    return files, campaigns


def _check_settings(files: Sequence[LabelFile], names: Sequence[str], config: CampaignConfig) -> None:
    """Refuse labels of outputs with different settings, or with others than those of the oracle."""
    for later, (file, name) in enumerate(zip(files, names, strict=True)):
        for other, other_name in zip(files[:later], names[:later], strict=True):
            # names of functionals and pseudopotentials are comparable within one program
            if file.kind == other.kind and (different := different_settings(other.settings, file.settings)):
                raise ConfigError(
                    f"{FIELD}: {other_name!r} and {name!r} have different settings: {', '.join(different)}. Labels of "
                    "two settings do not belong together: leave one of them out"
                )
        if file.kind == PW and config.oracle.oracle == "espresso":
            oracle = {"plane-wave cutoff": config.oracle.ecutwfc, "density cutoff": config.oracle.ecutrho}
            stated = {key: str(value) for key, value in oracle.items() if value is not None}
            if different := different_settings(file.settings, stated):
                raise ConfigError(
                    f"{FIELD}: {name!r} has other settings than the oracle of this campaign: {', '.join(different)} "
                    "(Ry). Labels of two settings do not belong together: leave the file out, or set ecutwfc and "
                    "ecutrho to its values"
                )


def _problem(record: LabelRecord, config: CampaignConfig, elements: Sequence[str]) -> str:
    """Return why a structure cannot be a label of this campaign; empty if it can."""
    atoms = record.atoms
    if len(atoms) == 0:
        return "no atoms"
    if others := sorted(set(atoms.get_chemical_symbols()) - set(elements)):
        return f"contains {', '.join(others)}, which this campaign does not"
    if atoms.pbc.any() != atoms.pbc.all():
        return f"periodic in some directions only (pbc={atoms.pbc.tolist()}); give slabs vacuum and periodicity"
    if atoms.pbc.all() and atoms.cell.rank < 3:
        return "periodic without a cell"
    try:
        check_geometry(atoms, config.oracle.min_label_distance)
        check_label(_with_results(atoms, record, None), config.oracle.max_force, config.oracle.max_net_force)
    except OracleError as error:
        return str(error)
    return ""


def _leave_out_duplicates(labels: Sequence[NamedLabel]) -> None:
    """Leave out structures that occur before, and refuse those with another energy."""
    seen: dict[bytes, NamedLabel] = {}
    for label in labels:
        if label.reason:
            continue
        written = as_written(label.atoms)
        arrays = [written.numbers, np.round(written.positions, 6) + 0.0, np.round(written.cell.array, 6) + 0.0]
        key = hashlib.sha256(b"".join(array.tobytes() for array in (*arrays, written.pbc))).digest()
        first = seen.setdefault(key, label)
        if first is label:
            continue
        assert label.record.energy is not None
        assert first.record.energy is not None
        difference = abs(label.record.energy - first.record.energy) / len(label.atoms)
        if difference > SAME_ENERGY:
            raise ConfigError(
                f"{FIELD}: {label.name} and {first.name} are the same structure, with energies that differ by "
                f"{number(difference)} eV/atom: labels of two settings do not belong together, leave one of them out"
            )
        label.reason = f"the same structure as {first.name}"


def _isolated(labels: Sequence[NamedLabel], config: CampaignConfig) -> dict[str, NamedLabel]:
    """Return the isolated atom of each element, that of the lowest energy, and leave the others out."""
    isolated: dict[str, NamedLabel] = {}
    for label in labels:
        if label.reason or len(label.atoms) != 1 or neighbor_counts(label.atoms, config.potential.cutoff)[0]:
            continue
        element = str(label.atoms.symbols[0])
        if not config.potential.isolated_atoms or config.potential.reference_energies:
            field_name = "isolated_atoms=False" if not config.potential.isolated_atoms else "reference_energies"
            label.reason = f"an isolated atom, which is not needed with {field_name}"
            continue
        best = isolated.get(element)
        assert label.record.energy is not None
        if best is None:
            isolated[element] = label
            continue
        assert best.record.energy is not None
        if label.record.energy < best.record.energy:
            isolated[element], best.reason = label, f"an isolated {element}; {label.name} has a lower energy"
        else:
            label.reason = f"an isolated {element}; {best.name} has a lower or the same energy"
    return isolated


def _labeled(label: NamedLabel, conventions: Mapping[tuple[int, str], tuple[float, str]]) -> Atoms:
    """Return a label with its stress in eV/Å^3 under tension."""
    factor = conventions.get(label.group, (0.0, ""))[0]
    written = label.written_stress
    return _with_results(label.atoms, label.record, None if written is None or factor == 0 else factor * written)


def _with_results(atoms: Atoms, record: LabelRecord, stress: np.ndarray | None) -> Atoms:
    labeled = atoms.copy()
    results = {"energy": record.energy, "forces": record.forces}
    if stress is not None:
        results["stress"] = stress
    results |= magnetic_results(record.moments, atoms)
    labeled.calc = SinglePointCalculator(labeled, **results)
    return labeled


def as_candidates(labels: Sequence[Atoms]) -> list[Atoms]:
    """Return the structures of labels as the first candidates."""
    candidates = []
    for atoms in labels:
        copy = atoms.copy()
        copy.calc = None
        copy.info |= {"origin": ORIGIN, "distance_A": closeness(copy).distance}
        candidates.append(copy)
    return candidates


def with_more(first: FirstLabelSet, n_more: int, *, own_trainer: bool = False) -> FirstLabelSet:
    """Return the labels with the number of structures that are labeled besides them, also for a trainer of the user."""
    record = replace(first.record, n_more=n_more)
    if own_trainer and record.groups:
        record = replace(record, groups=(), potential="a fit to all of the labels by the trainer of your own")
    elif n_more and record.groups:
        record = replace(record, potential=f"{record.potential}, and then with the labels of {n_more} more structures")
    return replace(first, record=record)

"""Labels of other campaigns, which are only read."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase.data import atomic_numbers

from acemaker.config import CampaignConfig, OracleConfig
from acemaker.errors import AcemakerError, CampaignError, ConfigError, DamagedFileError
from acemaker.loop.attached import AttachedReader
from acemaker.loop.label_files import read_label
from acemaker.loop.labels import UNSETTLED
from acemaker.loop.oracle_files import recorded_files
from acemaker.loop.store import Store, contained
from acemaker.potentials.generation import Generation, read_generation
from acemaker.structures.computed import energy_of, forces_of
from acemaker.structures.first_label_files import FIELD, LabelFile
from acemaker.structures.label_keys import LabelRecord
from acemaker.structures.mask import with_mask_of
from acemaker.structures.per_atom import bare_copy

KIND = "campaign"
"""Kind of the source."""

COMPUTED_AGAIN = ("pair_coeff",)
"""Settings that name the elements of a campaign, and whose labels are compared with the oracle instead."""


@dataclass(frozen=True, kw_only=True)
class SourceCampaign:
    """Another campaign whose labels are used.

    Attributes
    ----------
    source : int
        Number of the source.
    directory : Path
        Its directory.
    config : CampaignConfig
        Its configuration.
    elements : tuple of str
        Its elements.
    oracle_files : mapping of str to str
        Digests of the files of its oracle.
    file : LabelFile
        Its labels in the order in which its potential was trained on them, later ones after these, isolated atoms last.
    groups : tuple of int
        Numbers of labels of each training; empty if a label was trained on twice, or none was.
    generation : Generation or None
        Its potential; None if there is none, or its files cannot be read.
    """

    source: int
    directory: Path
    config: CampaignConfig
    elements: tuple[str, ...]
    oracle_files: Mapping[str, str]
    file: LabelFile
    groups: tuple[int, ...]
    generation: Generation | None


def read_campaign(directory: Path, source: int) -> SourceCampaign:
    """Read the labels of a campaign that may be running, without locking or changing it.

    Parameters
    ----------
    directory
        Its directory.
    source
        Number of the source.

    Returns
    -------
    SourceCampaign

    Raises
    ------
    ConfigError
        If the directory contains no campaign, or a campaign without labels.
    CampaignError
        If its journal cannot be read.
    DamagedFileError
        If a label is damaged, or was changed.
    """
    store = Store(directory.resolve())
    if not store.journal.is_file():
        raise ConfigError(
            f"{FIELD}: the folder {str(directory)!r} contains no campaign (no journal.jsonl); name the files with "
            "labels in it instead"
        )
    try:
        reader = AttachedReader(store)
        progress = reader.progress
        trained = [entry for group in progress.groups for entry in group]
        once = len({entry.file for entry in trained}) == len(trained)
        ordered = list(dict.fromkeys([*trained, *progress.labels]))
        files = [(entry.file, entry.sum) for entry in ordered]
        files += [(event["file"], event.get("sum", "")) for _, event in sorted(progress.isolated.items())]
        labels = [read_label(contained(store.directory, file), expected) for file, expected in files]
        elements = tuple(sorted(set(reader.initial_structure().get_chemical_symbols())))
    except DamagedFileError:  # names the file
        raise
    except CampaignError as error:
        raise CampaignError(f"{FIELD}: the campaign in {str(directory)!r} cannot be used: {error}") from error
    generation = None
    with contextlib.suppress(AcemakerError):  # the labels suffice
        generation = read_generation(store.potentials, progress.generation) if progress.generation else None
    sizes = [len(group) for group in progress.groups] if once else []
    if sizes and (n_later := len(ordered) - len(trained)):
        sizes.append(n_later)
    if not labels:
        raise ConfigError(f"{FIELD}: the campaign in {str(directory)!r} has no labels yet; leave it out")
    digest = hashlib.sha256()
    records = []
    for index, ((file, _), atoms) in enumerate(zip(files, labels, strict=True)):
        results: dict[str, Any] = atoms.calc.results
        digest.update(file.encode())
        for array in (atoms.numbers, atoms.positions, atoms.cell.array, forces_of(atoms)):
            digest.update(array.tobytes())
        digest.update(repr(energy_of(atoms)).encode())
        records.append(
            LabelRecord(
                index=index,
                atoms=with_mask_of(atoms, bare_copy(atoms)),
                energy=energy_of(atoms),
                forces=forces_of(atoms),
                stress=None if results.get("stress") is None else results["stress"],
                moments={name: results[name] for name in ("magmom", "magmoms") if results.get(name) is not None},
            )
        )
    return SourceCampaign(
        source=source,
        directory=store.directory,
        config=reader.config,
        elements=elements,
        oracle_files=progress.oracle_files,
        file=LabelFile(kind=KIND, digest=digest.hexdigest(), records=tuple(records)),
        groups=tuple(sizes),
        generation=generation,
    )


def trainings_to_repeat(
    campaigns: Sequence[SourceCampaign], n_sources: int, n_used: int, config: CampaignConfig
) -> tuple[tuple[int, ...], str]:
    """Return the trainings by which a campaign begins with the potential and the active set of another one.

    The same labels in the same order and the same settings yield the same potential, to the bit.

    Parameters
    ----------
    campaigns
        The campaigns among the sources.
    n_sources
        Number of all sources.
    n_used
        Number of labels of the new campaign.
    config
        Its configuration.

    Returns
    -------
    groups : tuple of int
        Numbers of labels of each training; empty to train on all of them at once.
    reason : str
        What the first potential is, for the record; empty without campaigns.
    """
    if not campaigns:
        return (), ""
    campaign, fitted = campaigns[0], "a fit to all of the labels"
    if n_sources > 1:
        return (), f"{fitted}, which have several sources"
    old, new = campaign.config.potential.model_dump(mode="json"), config.potential.model_dump(mode="json")
    if different := [name for name in new if old.get(name) != new[name]]:
        return (), f"{fitted}, since {', '.join(different)} {'differs' if len(different) == 1 else 'differ'}"
    generation, potential = campaign.generation, config.potential
    if generation is None or not campaign.groups:
        return (), f"{fitted}, since the campaign has no potential of them"
    if potential.trainer != "linear" or potential.basis == "auto" or potential.pretrain_calculator:
        return (), fitted
    if generation.basis_choice is not None:
        return (), f"{fitted}, since the basis of the other campaign's was chosen by its labels"
    if potential.isolated_atoms and generation.energies_from == "fit":
        return (), f"{fitted}, since the reference energies may differ"
    if n_used != sum(campaign.groups):
        return (), f"{fitted}, since not all labels of the campaign are used"
    return campaign.groups, f"generation {generation.number} of the other campaign, trained again in the same way"


def check_same_oracle(campaign: SourceCampaign, config: OracleConfig, elements: tuple[str, ...], *, own: bool) -> None:
    """Refuse the labels of a campaign whose oracle has other settings.

    Settings of single elements are compared for the elements of both campaigns.

    Parameters
    ----------
    campaign
        The other campaign.
    config
        Settings of the oracle of the new campaign.
    elements
        Its elements.
    own
        Whether its oracle is the user's object.

    Raises
    ------
    ConfigError
        Lists the settings that differ.
    """
    common = set(elements) & set(campaign.elements)
    old, new = (settings.model_dump(mode="json", exclude=UNSETTLED) for settings in (campaign.config.oracle, config))
    different = [
        f"{name}: {old[name]!r} there, {new[name]!r} here"
        for name in new
        if name not in COMPUTED_AGAIN and _of(old.get(name), common) != _of(new[name], common)
    ]
    current = {} if own else _digests(config, elements)
    different += [
        f"{name}: another file of this name"
        for name, digest in campaign.oracle_files.items()
        if current.get(name, digest) != digest
    ]
    if different:
        raise ConfigError(
            f"{FIELD}: the labels of the campaign in {str(campaign.directory)!r} are of another oracle: "
            f"{'; '.join(different)}. Labels of two settings do not belong together: use the same settings, or leave "
            "the campaign out"
        )


def _of(value: Any, elements: set[str]) -> Any:
    """Return a setting, if it is one by element that of some elements."""
    if isinstance(value, dict) and value and all(atomic_numbers.get(str(key), 0) for key in value):
        return {key: item for key, item in value.items() if key in elements}
    return value


def _digests(config: OracleConfig, elements: tuple[str, ...]) -> dict[str, str]:
    try:
        return recorded_files(config, elements)
    except AcemakerError:
        return {}

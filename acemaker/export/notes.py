"""What the reader of exported labels must know: notes, and the file with their provenance."""

from __future__ import annotations

import json
from collections.abc import Sequence

from acemaker.export.exported import ExportedDataset
from acemaker.export.labels import ExportedLabel
from acemaker.export.programs import Program
from acemaker.export.references import Reference
from acemaker.export.selection import Masked, writes_stress
from acemaker.export.targets import relative
from acemaker.formatting.summary import counted, number
from acemaker.loop.creation import installed_versions
from acemaker.loop.labels import UNSETTLED
from acemaker.loop.reader import CampaignReader
from acemaker.structures.mask import LABEL_WEIGHT


def notes_of(
    program: Program,
    included: Sequence[ExportedLabel],
    labels: Sequence[ExportedLabel],
    reference: Reference,
    masked: Masked,
) -> list[str]:
    """Return what the reader of the files must know.

    Parameters
    ----------
    program
        The program.
    included
        The labels that are exported.
    labels
        All labels.
    reference
        The reference energies.
    masked
        What happens to labels of which only a part counts.
    """
    notes: list[str] = []
    own = [label for label in included if label.kind != "IsolatedAtom"]
    partly = sum(not label.is_whole for label in labels if label.kind != "IsolatedAtom")
    if partly and masked == "whole":
        notes.append(
            f"{counted(partly, 'label')} of embedded cells written as whole labels: their forces are those of the "
            "small periodic cell"
        )
    elif any(not label.is_whole for label in own):
        how = (
            "w_forces and w_energy" if program.name == "pacemaker" else "the column mask, energy_counts, stress_counts"
        )
        notes.append(f"which forces, energies and stresses of embedded cells count: {how}")
    weights = sorted({label.weight for label in own} - {1.0})
    if weights:
        name = {"ase": LABEL_WEIGHT, "mace": "config_weight", "nep": "weight", "pacemaker": "w_factor"}.get(
            program.name
        )
        values = ", ".join(number(weight) for weight in weights)
        notes.append(
            f"weights of some structures, {values} (1 for others), are "
            + (f"written as {name}" if name else f"not written, since {program.title} has none for a structure")
        )
    having = sum(label.has_stress for label in own)
    if having < len(own):
        left = (
            "the stress was left out of all"
            if having and not writes_stress(program, own)
            else "there is none for these"
        )
        notes.append(f"{counted(len(own) - having, 'label')} of {len(own)} without a stress: {left}")
    clusters = sum(not label.atoms.pbc.all() for label in own)
    if clusters and program.name == "nep":
        notes.append(f"{counted(clusters, 'cluster')} put into a periodic box, since GPUMD takes all for periodic")
    others = sum(not label.is_current for label in own)
    if others:
        notes.append(
            f"{counted(others, 'label')} not computed with the present settings of the oracle: oracle_settings=other"
        )
    notes.append(reference.note(program.name, has_atoms=len(own) < len(included)))
    return notes


def oracle_name(campaign: CampaignReader) -> str:
    """Return the name of a campaign's oracle; ``object`` for an object of the user."""
    return "object" if campaign.own_oracle is not None else campaign.config.oracle.oracle


def source_of(campaign: CampaignReader) -> str:
    """Return the hash of the files of a campaign's oracle, as it is recorded in its journal; empty if unknown."""
    return str(campaign.events()[0].get("oracle_source") or "")


def provenance_of(
    campaign: CampaignReader,
    result: ExportedDataset,
    labels: Sequence[ExportedLabel],
    reference: Reference,
    fingerprint: str,
) -> bytes:
    """Return the description of the files, in JSON: everything that has no place in a comment line.

    Parameters
    ----------
    campaign
        The campaign.
    result
        What is written.
    labels
        The labels that are exported.
    reference
        The reference energies.
    fingerprint
        Fingerprint of the oracle's settings.
    """
    config = campaign.config
    oracle = config.oracle.model_dump(mode="json", exclude=UNSETTLED) | {"oracle": oracle_name(campaign)}
    sizes = {"training": result.n_train, "test": result.n_test, "isolated atoms": result.n_atoms}
    content = {
        "written_by": f"acemaker {installed_versions()['acemaker']}",
        "campaign": campaign.directory.name,
        "for": result.program,
        "files": [relative(path, result.provenance) for path in (result.file, result.test_file) if path is not None],
        "labels": sizes,
        "test_halts": list(result.test_halts),
        "units": {"energy": "eV", "length": "Å", "force": "eV/Å", "stress": "eV/Å^3", "virial": "eV"},
        "stress_sign": "stress = dE/dstrain / volume, positive under tension; virial = -stress * volume",
        "oracle_settings_fingerprint": fingerprint,
        "oracle": oracle,
        "oracle_files": dict(campaign.progress.oracle_files or {}),
        "versions": dict(campaign.versions()),
        "reference_energies_eV": reference.energies,
        "reference_energies_from": reference.source,
        "notes": list(result.notes),
        "left_out": [{"label": name, "reason": reason} for name, reason in result.left_out],
        "from": [
            {"label": label.file, "split": "test" if label.halt in result.test_halts else "train"} for label in labels
        ],
    }
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()

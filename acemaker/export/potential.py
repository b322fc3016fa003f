"""Export of a campaign's potential: one folder with everything that others need to use it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from acemaker.analysis.assessment import Assessment, assess
from acemaker.errors import ConfigError, StateError
from acemaker.export.labels import settings_fingerprint
from acemaker.export.notes import oracle_name, source_of
from acemaker.export.potential_text import (
    ABOUT,
    CALCULATOR,
    GAMMA_INPUT,
    LAMMPS_INPUT,
    README,
    calculator_text,
    lammps_text,
    readme_text,
)
from acemaker.export.targets import check_outside
from acemaker.export.validity import Validity, validity_of
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, number
from acemaker.loop.creation import installed_versions
from acemaker.loop.reader import CampaignReader
from acemaker.potentials.generation import SOURCES, Generation, read_generation
from acemaker.utils.atomic_write import write_whole

MARK = "acemaker potential"
"""Value in `ABOUT` by which a folder is recognized as an export, which may be replaced."""


@dataclass(frozen=True, kw_only=True, repr=False)
class ExportedPotential(Record):
    """A potential in a folder of its own.

    Attributes
    ----------
    directory : Path
        The folder.
    files : tuple of str
        Names of its files.
    generation : int
        Number of the generation.
    elements : tuple of str
        Elements in the order of LAMMPS's types.
    in_lammps : bool
        Whether LAMMPS can evaluate it; not if it is a correction to a Python calculator.
    validity : Validity
        The range in which it was trained.
    assessment : Assessment
        Its measured error.
    """

    directory: Path
    files: tuple[str, ...]
    generation: int
    elements: tuple[str, ...]
    in_lammps: bool
    validity: Validity
    assessment: Assessment

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        lammps = f"include {LAMMPS_INPUT}" if self.in_lammps else "not possible: its baseline is a Python calculator"
        run = self.validity.run
        units = {"temperature": "K", "pressure": "GPa", "density": "g/cm³"}
        ranges = [
            (name, " to ".join(map(number, run[name])) + f" {unit}") for name, unit in units.items() if name in run
        ]
        items = (
            ("folder", str(self.directory)),
            ("files", ", ".join(self.files)),
            ("LAMMPS", lammps),
            ("ASE", f"calculator() of {CALCULATOR}"),
            *ranges,
            ("good enough", self.assessment.brief),
        )
        return Summary(f"Exported potential of {', '.join(self.elements)}: generation {self.generation}", items)


def export_potential(campaign: CampaignReader, directory: str | Path, *, overwrite: bool = False) -> ExportedPotential:
    """Write the potential in use into a folder of its own, for LAMMPS, ASE and other people.

    It contains ``.yace``, ``.yaml``, ``.asi`` and the files of a baseline as the campaign ran them, ``in.potential``
    for LAMMPS (with gamma: ``in.potential_gamma``), ``ase_calculator.py`` for ASE, and ``README.md`` with units,
    reference energies, range of validity, measured errors, known holes and the articles to cite; ``about.json`` has its
    numbers.

    Parameters
    ----------
    campaign
        The campaign, which may be running.
    directory
        The folder, which must not exist or be empty.
    overwrite
        Whether an earlier export in the folder is replaced.

    Returns
    -------
    ExportedPotential

    Raises
    ------
    StateError
        If there is no potential yet.
    ConfigError
        If the folder contains files, or cannot be written; a folder that is not an earlier export is never replaced.
    DamagedFileError
        If a file of the potential is damaged.

    Examples
    --------
    >>> from acemaker.export.potential import export_potential
    >>> from acemaker.testing import toy_campaign
    >>> exported = export_potential(toy_campaign(), "copper")
    >>> sorted(path.name for path in exported.directory.iterdir())[:4]
    ['README.md', 'about.json', 'ase_calculator.py', 'in.potential']
    """
    generation = campaign.generation
    if generation is None:
        raise StateError("there is no potential to export yet; run campaign.prepare() first")
    generation = read_generation(generation.directory, generation.number)  # checks all files now
    target = Path(directory).expanduser()
    check_outside(campaign, target)
    _check_folder(target, overwrite)
    validity, assessment = validity_of(campaign, generation), assess(campaign)
    texts = _texts(campaign, generation, validity, assessment)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        for name in _names(generation):
            shutil.copyfile(generation.directory / name, part / name)
        read_generation(part, generation.number)  # the copies have the same checksums
        for name, text in texts.items():
            write_whole(part / name, text)
        files = tuple(sorted(path.name for path in part.iterdir()))
        _put_in_place(part, target)
    except OSError as error:
        raise ConfigError(f"cannot write the potential to {target}: {error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return ExportedPotential(
        directory=target,
        files=files,
        generation=generation.number,
        elements=generation.elements,
        in_lammps=LAMMPS_INPUT in texts,
        validity=validity,
        assessment=assessment,
    )


def _check_folder(target: Path, overwrite: bool) -> None:
    """Raise ConfigError if the folder exists with contents, unless it is an earlier export that may be replaced."""
    if not os.path.lexists(target):
        return
    if target.is_symlink() or not target.is_dir():
        raise ConfigError(f"expected a folder that does not exist or is empty, got {target}; choose another name")
    if not any(target.iterdir()):
        return
    is_export = False
    with contextlib.suppress(OSError, ValueError, AttributeError, RecursionError):
        is_export = json.loads((target / ABOUT).read_bytes()).get("what") == MARK
    if not is_export:
        raise ConfigError(f"{target} contains other files, which are never replaced; choose a new folder")
    if not overwrite:
        raise ConfigError(
            f"{target} contains an exported potential already; choose another folder, or replace it with "
            "overwrite=True (--overwrite)"
        )


def _put_in_place(part: Path, target: Path) -> None:
    """Give a finished folder its name; an earlier one is replaced as a whole."""
    old = part.with_suffix(".old")
    if target.is_dir():
        target.rename(old)
    try:
        part.rename(target)
    except OSError:
        if old.is_dir():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _names(generation: Generation) -> list[str]:
    """Return the files of a generation: those in its description, and the description."""
    description = generation.directory / f"{generation.name}.json"
    recorded = json.loads(description.read_bytes()).get("checksums", {})
    names = {generation.yace.name, generation.yaml.name, generation.asi.name, *recorded, description.name}
    if generation.baseline is not None:
        names |= set(generation.baseline.files)
    return sorted(names)


def _texts(
    campaign: CampaignReader, generation: Generation, validity: Validity, assessment: Assessment
) -> Mapping[str, str]:
    """Return the text of the files beside the potential."""
    config = campaign.config
    fingerprint = settings_fingerprint(config.oracle, source_of(campaign))
    texts = {
        CALCULATOR: calculator_text(generation),
        README: readme_text(
            generation,
            validity,
            assessment,
            campaign=campaign.directory.name,
            oracle=oracle_name(campaign),
            fingerprint=fingerprint,
            versions=campaign.versions(),
            nonlinear=config.potential.trainer == "pacemaker",
        ),
        ABOUT: json.dumps(_about(campaign, generation, validity, assessment, fingerprint), indent=1) + "\n",
    }
    if generation.baseline is None or generation.baseline.in_lammps:
        texts[LAMMPS_INPUT] = lammps_text(generation, gamma=False)
        texts[GAMMA_INPUT] = lammps_text(generation, gamma=True)
    return texts


def _about(
    campaign: CampaignReader, generation: Generation, validity: Validity, assessment: Assessment, fingerprint: str
) -> dict[str, Any]:
    return {
        "what": MARK,
        "written_by": f"acemaker {installed_versions()['acemaker']}",
        "campaign": campaign.directory.name,
        "generation": generation.number,
        "elements": list(generation.elements),
        "cutoff_A": generation.cutoff,
        "reference_energies_eV": generation.reference_energies,
        "reference_energies_from": SOURCES[generation.energies_from],
        "baseline": None if generation.baseline is None else generation.baseline.name,
        "oracle_settings_fingerprint": fingerprint,
        "validity": asdict(validity),
        "force_error_meV_per_A": _finite(assessment.force_error),
        "force_error_interval_meV_per_A": None if assessment.interval is None else [*map(_finite, assessment.interval)],
        "forces_meV_per_A": _finite(assessment.force),
        "target_met": assessment.met,
        "verdict": assessment.verdict,
        "force_error_held_out_meV_per_A": _finite(generation.cv_forces),
        "holes": None if generation.holes is None else [hole.fields() for hole in generation.holes],
    }


def _finite(value: float | None) -> float | None:
    """Return None for what JSON cannot represent."""
    return None if value is None or not math.isfinite(value) else value

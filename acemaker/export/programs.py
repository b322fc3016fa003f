"""The form in which each program reads labels: names, units and signs.

All programs here use eV, Å and eV/Å. ``stress`` has ASE's sign: it is the derivative of the energy by the strain
divided by the volume, positive under tension. ``virial`` is the negative stress times the volume, in eV.

Sources: MACE, ``mace/data/utils.py`` (``REF_energy``, ``REF_forces``, ``REF_stress``, ``config_type``,
``config_weight``); NequIP, "Conventions" of its documentation (ASE's names and sign); GPUMD, ``train.xyz`` in its
manual and ``src/main_nep/structure.cu`` (``energy``, ``force``, ``virial``, ``weight``); python-ace,
``pyace/preparedata.py`` (columns of the data frame, ``w_energy``, ``w_forces``, ``w_factor``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import voigt_6_to_full_3x3_stress

from acemaker.errors import ConfigError
from acemaker.export.labels import ExportedLabel
from acemaker.structures.computed import energy_of, forces_of, stress_of
from acemaker.structures.mask import LABEL_WEIGHT, with_mask_of
from acemaker.structures.per_atom import MOMENTS

NEP_VACUUM = 30.0
"""Å between the images of a cluster for GPUMD, which takes every structure for periodic; above any cutoff of NEP."""

NEP_MOST_WEIGHT = 100.0
"""Largest weight that GPUMD accepts."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program that reads labels.

    Attributes
    ----------
    name : str
        Its name as an argument.
    title : str
        Its name in messages.
    endings : tuple of str
        Endings of its files.
    knows_masks : bool
        Whether it can be told which atoms count.
    knows_weights : bool
        Whether it can be told the weight of a structure.
    takes_atoms : bool
        Whether isolated atoms among the labels set its reference energies.
    needs_equal_results : bool
        Whether all structures must have a stress, or none.
    hint : str
        How to use the files.
    """

    name: str
    title: str
    endings: tuple[str, ...]
    knows_masks: bool = False
    knows_weights: bool = True
    takes_atoms: bool = False
    needs_equal_results: bool = False
    hint: str = ""


TEXT = (".extxyz", ".xyz")
DATABASE = (".db",)
PICKLE = (".gzip", ".gz")

PROGRAMS: Mapping[str, Program] = {
    program.name: program
    for program in (
        Program(
            name="ase",
            title="ASE",
            endings=(*TEXT, *DATABASE),
            knows_masks=True,
            takes_atoms=True,
            hint="ase.io.read(file, ':'), with get_potential_energy(), get_forces() and get_stress()",
        ),
        Program(
            name="mace",
            title="MACE",
            endings=TEXT,
            takes_atoms=True,
            hint="--train_file and --test_file; the names are MACE's defaults: --energy_key=REF_energy "
            "--forces_key=REF_forces --stress_key=REF_stress",
        ),
        Program(
            name="nequip",
            title="NequIP",
            endings=TEXT,
            knows_weights=False,
            needs_equal_results=True,
            hint="file_path of an ASEDataset, or train_file_path and test_file_path of an ASEDataModule, without "
            "key_mapping",
        ),
        Program(
            name="nep",
            title="GPUMD (NEP)",
            endings=TEXT,
            hint="train.xyz and test.xyz in the folder in which nep runs",
        ),
        Program(
            name="pacemaker",
            title="pacemaker",
            endings=PICKLE,
            knows_masks=True,
            hint="filename and test_filename of data in input.yaml",
        ),
    )
}
"""All programs by name."""

ALIASES = {"allegro": "nequip", "gpumd": "nep"}
"""Other names of programs that read the same files."""


def find_program(name: str | None, file: Path) -> Program:
    """Return a program by its name, or that of a file's ending.

    Parameters
    ----------
    name
        Name of the program; None for pacemaker if the file ends in ``.gzip`` or ``.gz``, and for ASE otherwise.
    file
        The file to write.

    Raises
    ------
    ConfigError
        If there is no such program, or it does not read files with this ending.

    Examples
    --------
    >>> find_program("gpumd", Path("train.xyz")).title, find_program(None, Path("data.pckl.gzip")).title
    ('GPUMD (NEP)', 'pacemaker')
    """
    suffix = file.suffix.lower()
    if name is None:
        name = "pacemaker" if suffix in PICKLE else "ase"
    key = str(name).lower()
    program = PROGRAMS.get(ALIASES.get(key, key))
    if program is None:
        known = ", ".join(map(repr, sorted([*PROGRAMS, *ALIASES])))
        raise ConfigError(f"for_: expected one of {known}, got {name!r}")
    if suffix not in program.endings:
        example = {"pacemaker": "data.pckl.gzip", "nep": "train.xyz"}.get(program.name, f"data{program.endings[0]}")
        raise ConfigError(
            f"{program.title} reads files that end in {' or '.join(program.endings)}, got {file.name!r}; choose a name "
            f"such as {example!r}"
        )
    return program


def frame_for(program: Program, label: ExportedLabel, origin: Mapping[str, Any], *, with_stress: bool) -> Atoms:
    """Return a label as a program reads it from extended XYZ.

    Parameters
    ----------
    program
        The program.
    label
        The label.
    origin
        Further entries of the comment line.
    with_stress
        Whether the stress is written.

    Returns
    -------
    Atoms
        The structure with everything in ``info``, ``arrays`` and, for ASE and NequIP, in the results of a calculator.
    """
    return _FRAMES[program.name](label, dict(origin), with_stress and label.has_stress)


def _for_ase(label: ExportedLabel, origin: dict[str, Any], with_stress: bool) -> Atoms:
    """Everything that the label contains: other results, moments, mask and weight, too."""
    atoms = label.atoms.copy()
    results: dict[str, Any] = {name: value for name, value in label.atoms.calc.results.items() if value is not None}
    results["energy"] = energy_of(label.atoms)
    if not with_stress:
        results.pop("stress", None)
    atoms.info = {**{name: value for name, value in label.atoms.info.items() if name in _KEPT}, **origin}
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


_KEPT = ("energy_counts", "stress_counts", LABEL_WEIGHT)


def _for_mace(label: ExportedLabel, origin: dict[str, Any], with_stress: bool) -> Atoms:
    atoms = _bare(label)
    atoms.info = {"REF_energy": energy_of(label.atoms), **origin}
    if with_stress and label.kind != "IsolatedAtom":
        atoms.info["REF_stress"] = voigt_6_to_full_3x3_stress(stress_of(label.atoms)).ravel()  # read as a matrix
    if label.weight != 1:
        atoms.info["config_weight"] = label.weight
    atoms.arrays["REF_forces"] = forces_of(label.atoms)
    for name in ("charges", "magmoms"):
        if name in label.atoms.calc.results:
            atoms.arrays[f"REF_{name}"] = np.array(label.atoms.calc.results[name], dtype=float)
    return atoms


def _for_nequip(label: ExportedLabel, origin: dict[str, Any], with_stress: bool) -> Atoms:
    atoms = _bare(label)
    atoms.info = origin
    results: dict[str, Any] = {"energy": energy_of(label.atoms), "forces": forces_of(label.atoms)}
    if with_stress:
        results["stress"] = stress_of(label.atoms)
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def _for_nep(label: ExportedLabel, origin: dict[str, Any], with_stress: bool) -> Atoms:
    atoms = Atoms(label.atoms.symbols, label.atoms.positions, cell=label.atoms.cell, pbc=label.atoms.pbc)
    if not atoms.pbc.all():  # it takes every structure for periodic
        edges = np.ptp(atoms.positions, axis=0) + NEP_VACUUM
        atoms = Atoms(atoms.symbols, atoms.positions, cell=edges, pbc=True)
    atoms.info = {"energy": energy_of(label.atoms), **origin}
    if with_stress:
        stress = voigt_6_to_full_3x3_stress(stress_of(label.atoms))
        atoms.info["virial"] = -stress * label.atoms.get_volume()
    if label.weight != 1:
        atoms.info["weight"] = label.weight
    atoms.arrays["force"] = forces_of(label.atoms)
    return atoms


_FRAMES: Mapping[str, Callable[[ExportedLabel, dict[str, Any], bool], Atoms]] = {
    "ase": _for_ase,
    "mace": _for_mace,
    "nequip": _for_nequip,
    "nep": _for_nep,
}


def _bare(label: ExportedLabel) -> Atoms:
    """Copy the structure with its initial moments."""
    atoms = Atoms(label.atoms.symbols, label.atoms.positions, cell=label.atoms.cell, pbc=label.atoms.pbc)
    if MOMENTS in label.atoms.arrays:
        atoms.arrays[MOMENTS] = label.atoms.arrays[MOMENTS].copy()
    return atoms


def table_for_pacemaker(
    labels: list[tuple[ExportedLabel, dict[str, Any]]],
    reference: Mapping[str, float] | None,
    *,
    masked: bool,
    weighted: bool,
    with_stress: bool,
) -> dict[str, list[Any]]:
    """Return the columns of pacemaker's data frame.

    Parameters
    ----------
    labels
        Labels with their origins.
    reference
        eV per atom by element, which are subtracted in ``energy_corrected``; None to leave this column out.
    masked
        Whether weights tell which atoms count; without them, pacemaker applies the weighting of its input file.
    weighted
        Whether a factor tells the weight of each structure.
    with_stress
        Whether there is a column of stresses, which GRACE reads.
    """
    table: dict[str, list[Any]] = {"name": [origin["label_file"] for _, origin in labels]}
    # mask and weight are for acemaker, which reads them there again
    table["ase_atoms"] = [with_mask_of(label.atoms, _bare(label)) for label, _ in labels]
    table["energy"] = [energy_of(label.atoms) for label, _ in labels]
    table["forces"] = [forces_of(label.atoms) for label, _ in labels]
    if reference is not None:
        table["energy_corrected"] = [
            energy_of(label.atoms) - sum(reference[symbol] for symbol in label.atoms.get_chemical_symbols())
            for label, _ in labels
        ]
    if with_stress:
        table["stress"] = [stress_of(label.atoms) for label, _ in labels]
    if masked:
        table["w_energy"] = [
            float(label.is_whole or bool(label.atoms.info.get("energy_counts"))) for label, _ in labels
        ]
        table["w_forces"] = [
            np.array(label.atoms.arrays.get("mask", np.ones(len(label.atoms))), dtype=float) for label, _ in labels
        ]
    if weighted:
        table["w_factor"] = [label.weight for label, _ in labels]
    for name in ("config_type", "halt", "candidate", "walker", "step", "generation", "oracle", "oracle_settings"):
        table[name] = [origin.get(name) for _, origin in labels]
    return table

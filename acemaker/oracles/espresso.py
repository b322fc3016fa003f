"""Quantum ESPRESSO's pw.x through ASE, and what it says of its own result."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from acemaker.config import OracleConfig
from acemaker.config.espresso_input import HUBBARD, SPECIES_INDEX, indexed, items, nested
from acemaker.errors import Cause, ConfigError, OracleError
from acemaker.oracles.pseudopotentials import Pseudopotential, find_folder, find_pseudopotentials

OUTPUT = "espresso.pwo"
"""ASE's name for what pw.x writes."""


def check_espresso(config: OracleConfig, elements: tuple[str, ...]) -> list[Pseudopotential]:
    """Look for the program and the pseudopotentials.

    Parameters
    ----------
    config
        The settings.
    elements
        Of the system.

    Returns
    -------
    list of Pseudopotential

    Raises
    ------
    OracleError
        If the program is missing.
    ConfigError
        If pseudopotentials are missing or do not fit together, the cutoffs do not suit them, or the input numbers
        elements that there are not.
    """
    words = shlex.split(absolute_command(config.espresso_command))
    for word in [words[0], *(word for word in words[1:] if Path(word).name == "pw.x")]:
        if shutil.which(word) is None:
            raise OracleError(
                f"there is no {word} (espresso_command: {config.espresso_command!r}); install it (Debian: "
                "quantum-espresso) or name it with its path",
                Cause.PROGRAM_MISSING,
            )
    check_species(config, elements)
    found = find_pseudopotentials(find_folder(config.pseudo_dir), config.pseudopotentials, elements)
    soft = [pseudo.path.name for pseudo in found if not pseudo.norm_conserving]
    if soft and config.ecutrho is None:
        raise ConfigError(
            f"OracleConfig.ecutrho: {', '.join(soft)} is ultrasoft or PAW, for which the density needs a cutoff of "
            "its own: 8 to 12 times ecutwfc, Ry"
        )
    if config.ecutrho is not None and config.ecutwfc is not None and config.ecutrho < 4 * config.ecutwfc:
        raise ConfigError(f"OracleConfig.ecutrho must be four times ecutwfc at least, got {config.ecutrho:g} Ry")
    return found


def espresso_calculator(config: OracleConfig, elements: tuple[str, ...]) -> BaseCalculator:
    """Make ASE's calculator, which works in the current folder.

    Forces and stress are always computed, and an SCF that does not converge is an error.

    Parameters
    ----------
    config
        The settings.
    elements
        Of the system.
    """
    from ase.calculators.espresso import Espresso, EspressoProfile

    class ByElement(Espresso):  # type: ignore[misc]  # ASE has no types
        def write_inputfiles(self, atoms: Atoms, properties: Any) -> None:
            placed, self.parameters["input_data"] = input_for(config, elements, atoms)
            super().write_inputfiles(placed, properties)

    found = check_espresso(config, elements)
    return ByElement(
        profile=EspressoProfile(
            command=absolute_command(config.espresso_command), pseudo_dir=str(found[0].path.parent)
        ),
        pseudopotentials={pseudo.element: pseudo.path.name for pseudo in found},
        kspacing=config.kspacing,
        koffset=config.koffset,
        directory=".",
    )


def input_data(config: OracleConfig) -> dict[str, dict[str, Any]]:
    """Write the settings as pw.x's namelists.

    Returns
    -------
    dict
        Of dicts, by namelist.
    """
    control = {"tprnfor": True, "tstress": True, "disk_io": "none", "outdir": "."}
    system = {"ecutwfc": config.ecutwfc, "occupations": "smearing", "smearing": config.smearing}
    system["degauss"] = config.degauss
    if config.ecutrho is not None:
        system["ecutrho"] = config.ecutrho
    electrons = {
        "conv_thr": config.conv_thr,
        "electron_maxstep": config.electron_maxstep,
        "mixing_beta": config.mixing_beta,
    }
    merged = nested(config.espresso_input)
    for name, values in (("control", control), ("system", system), ("electrons", electrons)):
        merged[name] = {**merged.get(name, {}), **values}
    return merged


def check_species(config: OracleConfig, elements: tuple[str, ...]) -> None:
    """Make sure that the elements that pw.x's further input numbers exist.

    Raises
    ------
    ConfigError
        It lists the elements with their numbers.
    """
    for _, name, _ in items(config.espresso_input):
        bare, indices = indexed(name)
        if bare in SPECIES_INDEX and not 1 <= indices[SPECIES_INDEX[bare]] <= len(elements):
            numbered = ", ".join(f"{number} {element}" for number, element in enumerate(elements, start=1))
            raise ConfigError(f"OracleConfig.espresso_input: {name} is of none of the elements, which are {numbered}")


def input_for(config: OracleConfig, elements: tuple[str, ...], atoms: Atoms) -> tuple[Atoms, dict[str, dict[str, Any]]]:
    """Write the settings for one structure: what is meant for an element goes to the number that it has there.

    ASE numbers species in the order in which they appear, and takes starting magnetizations from the structure,
    whatever the input says.

    Parameters
    ----------
    config
        The settings.
    elements
        Of the system: those that the settings number, from 1.
    atoms
        The structure, with some or all of them.

    Returns
    -------
    Atoms
        A copy, whose initial magnetic moments are starting magnetizations: shares of the valence electrons.
    dict
        Of dicts, by namelist.
    """
    placed = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    there = list(dict.fromkeys(placed.get_chemical_symbols()))
    moments: dict[str, float] = {}
    written: dict[str, dict[str, Any]] = {}
    for section, values in input_data(config).items():
        written[section] = {}
        for name, value in values.items():
            bare, indices = indexed(name)
            if bare not in SPECIES_INDEX:
                written[section][name] = value
                continue
            place = SPECIES_INDEX[bare]
            element = elements[indices[place] - 1]
            if bare == "starting_magnetization":
                moments[element] = float(value)
            elif element in there:
                numbers = [*indices[:place], there.index(element) + 1, *indices[place + 1 :]]
                written[section][f"{bare}({','.join(map(str, numbers))})"] = value
    system = written.get("system", {})
    if not any(indexed(name)[0] in HUBBARD & set(SPECIES_INDEX) for name in system):
        # none of its elements has a parameter: pw.x would stop
        written["system"] = {name: value for name, value in system.items() if name not in HUBBARD}
    if moments:
        placed.set_initial_magnetic_moments([moments.get(symbol, 0.0) for symbol in placed.get_chemical_symbols()])
    return placed, written


def located(config: OracleConfig) -> OracleConfig:
    """Name program and pseudopotentials by whole paths: they are used in another folder."""
    where = {"espresso_command": absolute_command(config.espresso_command)}
    return config.model_copy(update={**where, "pseudo_dir": str(find_folder(config.pseudo_dir))})


def absolute_command(command: str) -> str:
    """Name a program that is given by a relative path by its whole path: it runs in another folder."""
    words = [
        str(Path(word).absolute()) if "/" in word and not word.startswith("/") and Path(word).is_file() else word
        for word in shlex.split(command)
    ]
    return shlex.join(words)


def check_programs(folder: Path) -> list[str]:
    """Make sure that one program alone wrote into a folder, whatever came of it.

    Returns
    -------
    list of str
        Its major version, if it says one.

    Raises
    ------
    OracleError
        If there were several.
    """
    text = (folder / OUTPUT).read_text(errors="replace") if (folder / OUTPUT).is_file() else ""
    programs = re.findall(r"Program PWSCF v\.(\d+)", text)
    if len(programs) > 1:
        raise OracleError(
            f"{len(programs)} independent pw.x ran in one folder: the mpiexec of espresso_command is not of the MPI "
            "with which pw.x was built; name the right one with its path, e.g. /usr/bin/mpiexec",
            Cause.NONSENSE,
        )
    return programs


def check_output(config: OracleConfig, folder: Path) -> None:
    """Believe pw.x only what it says itself, and not everything.

    Parameters
    ----------
    config
        The settings.
    folder
        Where it ran.

    Raises
    ------
    OracleError
        If the SCF has not converged, several programs wrote into one folder, or an old one was asked for
        the smearing at which it goes wrong.
    """
    programs = check_programs(folder)
    text = (folder / OUTPUT).read_text(errors="replace")
    if "convergence has been achieved" not in text:
        raise OracleError("pw.x does not say that its SCF has converged", Cause.NOT_CONVERGED)
    if config.smearing == "mv" and programs and int(programs[0]) < 7:
        raise OracleError(
            f"pw.x {programs[0]} can find a wrong Fermi level with smearing 'mv' (39 meV off for Si-32); use 'gauss'",
            Cause.NONSENSE,
        )

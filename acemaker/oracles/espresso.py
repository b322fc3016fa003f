"""Quantum ESPRESSO's pw.x through ASE, and checks of its output."""

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
"""ASE's name for the output of pw.x."""


def check_espresso(config: OracleConfig, elements: tuple[str, ...]) -> list[Pseudopotential]:
    """Find the program and the pseudopotentials, and check the settings.

    Parameters
    ----------
    config
        The settings.
    elements
        Elements of the system.

    Returns
    -------
    list of Pseudopotential

    Raises
    ------
    OracleError
        If the program is missing.
    ConfigError
        If pseudopotentials are missing or inconsistent, if the cutoffs do not suit them, or if an index of the input is
        not the number of an element.
    """
    command = shlex.split(absolute_command(config.espresso_command))
    for program in [command[0], *(word for word in command[1:] if Path(word).name == "pw.x")]:
        if shutil.which(program) is None:
            raise OracleError(
                f"there is no {program} (espresso_command: {config.espresso_command!r}); install it (Debian: "
                "quantum-espresso) or specify its path",
                Cause.PROGRAM_MISSING,
            )
    check_species(config, elements)
    pseudos = find_pseudopotentials(find_folder(config.pseudo_dir), config.pseudopotentials, elements)
    soft = [pseudo.path.name for pseudo in pseudos if not pseudo.norm_conserving]
    if soft and config.ecutrho is None:
        raise ConfigError(
            f"OracleConfig.ecutrho: {', '.join(soft)} is ultrasoft or PAW, which needs a separate cutoff of the "
            "density in Ry: set ecutrho to 8 to 12 times ecutwfc"
        )
    if config.ecutrho is not None and config.ecutwfc is not None and config.ecutrho < 4 * config.ecutwfc:
        raise ConfigError(f"OracleConfig.ecutrho must be at least four times ecutwfc, got {config.ecutrho:g} Ry")
    return pseudos


def espresso_calculator(config: OracleConfig, elements: tuple[str, ...]) -> BaseCalculator:
    """Create ASE's calculator, which works in the current folder.

    Forces and stress are always computed, and an SCF that does not converge is an error.

    Parameters
    ----------
    config
        The settings.
    elements
        Elements of the system.
    """
    from ase.calculators.espresso import Espresso, EspressoProfile

    class ByElement(Espresso):  # type: ignore[misc]  # ASE has no types
        def write_inputfiles(self, atoms: Atoms, properties: Any) -> None:
            magnetized, self.parameters["input_data"] = input_for(config, elements, atoms)
            super().write_inputfiles(magnetized, properties)

    pseudos = check_espresso(config, elements)
    return ByElement(
        profile=EspressoProfile(
            command=absolute_command(config.espresso_command), pseudo_dir=str(pseudos[0].path.parent)
        ),
        pseudopotentials={pseudo.element: pseudo.path.name for pseudo in pseudos},
        kspacing=config.kspacing,
        koffset=config.koffset,
        directory=".",
    )


def input_data(config: OracleConfig) -> dict[str, dict[str, Any]]:
    """Convert the settings to pw.x's namelists.

    Returns
    -------
    dict of dict
        Values by name, by namelist.
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
    """Check that species indices in the additional input of pw.x are numbers of elements.

    Raises
    ------
    ConfigError
        For any other index; the message lists the elements with their numbers.
    """
    for _, name, _ in items(config.espresso_input):
        bare, indices = indexed(name)
        if bare in SPECIES_INDEX and not 1 <= indices[SPECIES_INDEX[bare]] <= len(elements):
            numbered = ", ".join(f"{number} {element}" for number, element in enumerate(elements, start=1))
            raise ConfigError(
                f"OracleConfig.espresso_input: the index of {name} is not that of an element; the elements are "
                f"{numbered}"
            )


def input_for(config: OracleConfig, elements: tuple[str, ...], atoms: Atoms) -> tuple[Atoms, dict[str, dict[str, Any]]]:
    """Convert the settings to the input of one structure, with species indices in ASE's order of species.

    ASE numbers species in the order in which they appear in the structure, and takes starting magnetizations from the
    structure rather than from the input.

    Parameters
    ----------
    config
        The settings.
    elements
        Elements of the system, to which the indices of the settings refer, from 1.
    atoms
        The structure, with some or all of these elements.

    Returns
    -------
    Atoms
        A copy whose initial magnetic moments are starting magnetizations, as fractions of the valence electrons.
    dict of dict
        Values by name, by namelist.
    """
    magnetized = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    species = list(dict.fromkeys(magnetized.get_chemical_symbols()))
    moments: dict[str, float] = {}
    namelists: dict[str, dict[str, Any]] = {}
    for section, values in input_data(config).items():
        namelists[section] = {}
        for name, value in values.items():
            bare, indices = indexed(name)
            if bare not in SPECIES_INDEX:
                namelists[section][name] = value
                continue
            position = SPECIES_INDEX[bare]
            element = elements[indices[position] - 1]
            if bare == "starting_magnetization":
                moments[element] = float(value)
            elif element in species:
                numbers = [*indices[:position], species.index(element) + 1, *indices[position + 1 :]]
                namelists[section][f"{bare}({','.join(map(str, numbers))})"] = value
    system = namelists.get("system", {})
    if not any(indexed(name)[0] in HUBBARD & set(SPECIES_INDEX) for name in system):
        # pw.x stops if Hubbard parameters are enabled but none of the elements has one
        namelists["system"] = {name: value for name, value in system.items() if name not in HUBBARD}
    if moments:
        symbols = magnetized.get_chemical_symbols()
        magnetized.set_initial_magnetic_moments([moments.get(symbol, 0.0) for symbol in symbols])
    return magnetized, namelists


def with_absolute_paths(config: OracleConfig) -> OracleConfig:
    """Return settings with absolute paths of program and pseudopotentials, for use in another folder."""
    command = absolute_command(config.espresso_command)
    folder = str(find_folder(config.pseudo_dir))
    return config.model_copy(update={"espresso_command": command, "pseudo_dir": folder})


def absolute_command(command: str) -> str:
    """Return a command line in which relative paths of files are absolute, for use in another folder."""
    words = [
        str(Path(word).absolute()) if "/" in word and not word.startswith("/") and Path(word).is_file() else word
        for word in shlex.split(command)
    ]
    return shlex.join(words)


def check_programs(folder: Path) -> list[str]:
    """Check that only one pw.x wrote into a folder, successfully or not.

    Returns
    -------
    list of str
        Its major version; empty if the output has no version.

    Raises
    ------
    OracleError
        If several programs wrote there.
    """
    text = (folder / OUTPUT).read_text(errors="replace") if (folder / OUTPUT).is_file() else ""
    programs = re.findall(r"Program PWSCF v\.(\d+)", text)
    if len(programs) > 1:
        raise OracleError(
            f"{len(programs)} independent pw.x ran in one folder: the mpiexec of espresso_command does not belong to "
            "the MPI library with which pw.x was built; specify the right one by its path, e.g. /usr/bin/mpiexec",
            Cause.NONSENSE,
        )
    return programs


def check_output(config: OracleConfig, folder: Path) -> None:
    """Check the output of pw.x for errors that ASE does not detect.

    Parameters
    ----------
    config
        The settings.
    folder
        Folder in which pw.x ran.

    Raises
    ------
    OracleError
        If the SCF has not converged, if several programs wrote into one folder, or if an old pw.x used the smearing for
        which it can be wrong.
    """
    programs = check_programs(folder)
    text = (folder / OUTPUT).read_text(errors="replace")
    if "convergence has been achieved" not in text:
        raise OracleError("the output of pw.x does not state that its SCF has converged", Cause.NOT_CONVERGED)
    if config.smearing == "mv" and programs and int(programs[0]) < 7:
        raise OracleError(
            f"pw.x {programs[0]} can find a wrong Fermi level with smearing 'mv' (error of 39 meV for Si-32); use "
            "'gauss'",
            Cause.NONSENSE,
        )

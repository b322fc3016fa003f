"""Quantum ESPRESSO's pw.x through ASE, and checks of its output."""

from __future__ import annotations

import io
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from acemaker.config import OracleConfig
from acemaker.config.espresso_input import indexed, items
from acemaker.errors import Cause, ConfigError, OracleError, StructureError
from acemaker.oracles.pseudopotentials import Pseudopotential, find_folder, find_pseudopotentials, read_orbitals
from acemaker.oracles.pw_input import (
    NEW_SYNTAX,
    check_manifolds,
    check_moments_of,
    check_species,
    is_magnetic,
    pw_input,
    species_of,
)
from acemaker.oracles.start_moments import moments_of

PROGRAM = "Program PWSCF"
"""Beginning of the output of pw.x."""

OUTPUT = "espresso.pwo"
"""ASE's name for the output of pw.x."""

BANDS = ("End of self-consistent calculation", "End of band structure calculation")
"""Lines above the bands in the output of pw.x."""

VERSION_TIMEOUT = 60.0
"""Time limit in s of a run of pw.x without input, which takes a moment."""


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
        If pseudopotentials are missing or inconsistent, if the cutoffs do not suit them, if a setting is of an element
        that is not in the system, if a magnetic moment exceeds the number of valence electrons, or if this pw.x cannot
        apply the Hubbard parameters.
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
    moments = {element: [moment] for element, moment in config.magnetic_moments.items()}
    check_moments_of(valence_of(pseudos), moments, "OracleConfig.magnetic_moments")
    flat = {indexed(name)[0] for _, name, value in items(config.espresso_input) if value is not False}
    if "lda_plus_u" in flat and (version := version_of(config)) >= NEW_SYNTAX:
        raise ConfigError(
            f"OracleConfig.espresso_input: pw.x {'.'.join(map(str, version))} does not read 'lda_plus_u' and "
            "'Hubbard_U(1)'; use the field hubbard, e.g. hubbard={'Fe': {'3d': 4.0}}"
        )
    if config.hubbard:
        orbitals = {pseudo.element: read_orbitals(pseudo.path) for pseudo in pseudos}
        check_manifolds(config, elements, version_of(config), orbitals)
    return pseudos


def check_initial_moments(config: OracleConfig, elements: tuple[str, ...], structures: Sequence[Atoms]) -> None:
    """Check that pw.x can start with the magnetic moments of structures.

    Parameters
    ----------
    config
        The settings.
    elements
        Elements of the system.
    structures
        The structures with which walkers start.

    Raises
    ------
    ConfigError
        If a moment exceeds the number of valence electrons, or this number cannot be read.
    StructureError
        If there are more species than pw.x allows, or moments contradict settings.
    """
    magnetic = [atoms for atoms in structures if moments_of(atoms).any()]
    if magnetic:
        pseudos = find_pseudopotentials(find_folder(config.pseudo_dir), config.pseudopotentials, elements)
        for atoms in magnetic:
            species_of(config, elements, atoms, valence_of(pseudos))


def valence_of(pseudos: Sequence[Pseudopotential]) -> dict[str, float]:
    """Return the number of valence electrons by element."""
    return {pseudo.element: pseudo.valence for pseudo in pseudos}


def version_of(config: OracleConfig) -> tuple[int, ...]:
    """Ask pw.x for its version.

    Parameters
    ----------
    config
        Settings with ``espresso_command``.

    Returns
    -------
    tuple of int
        For example ``(7, 2)``.

    Raises
    ------
    OracleError
        If the program does not state its version.
    """
    words = shlex.split(absolute_command(config.espresso_command))
    # without the launcher, which may not be allowed to run here
    program = next(([word] for word in words if Path(word).name == "pw.x"), words)
    return _version(shlex.join(program))


@lru_cache
def _version(command: str) -> tuple[int, ...]:
    with tempfile.TemporaryDirectory(prefix="acemaker-version-") as folder:
        empty = Path(folder) / "empty.pwi"
        empty.touch()
        try:
            run = subprocess.run(
                [*shlex.split(command), "-in", empty.name],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=VERSION_TIMEOUT,
                check=False,
            )
            output = run.stdout
        except (OSError, subprocess.TimeoutExpired) as error:
            raise OracleError(
                f"cannot run {command!r} to ask for its version: {error}", Cause.PROGRAM_MISSING
            ) from error
    stated = re.search(r"Program PWSCF v\.(\d+)\.(\d+)", output)
    if stated is None:
        raise OracleError(
            f"{command!r} does not state its version, on which the syntax of Hubbard parameters depends: "
            f"{' '.join((output or run.stderr).split())[:200] or 'no output'}",
            Cause.PROGRAM_MISSING,
        )
    return int(stated[1]), int(stated[2])


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
    from ase.calculators.espresso import EspressoProfile, EspressoTemplate
    from ase.calculators.genericfileio import GenericFileIOCalculator

    pseudos = check_espresso(config, elements)
    version = version_of(config) if config.hubbard else ()

    class Template(EspressoTemplate):  # type: ignore[misc]  # ASE has no types
        def write_input(self, profile: Any, directory: Path, atoms: Atoms, **_: Any) -> None:
            try:
                text = pw_input(
                    config,
                    elements,
                    atoms,
                    {pseudo.element: pseudo.path.name for pseudo in pseudos},
                    valence_of(pseudos),
                    version=version,
                    pseudo_dir=profile.pseudo_dir,
                )
            except (ConfigError, StructureError) as error:  # moments that pw.x cannot start with
                raise OracleError(str(error), Cause.BAD_STRUCTURE) from error
            (directory / self.inputname).write_text(text, encoding="utf-8", errors="surrogateescape")

        def read_results(self, directory: Path) -> dict[str, Any]:
            return read_results((directory / OUTPUT).read_text(errors="replace"))

    profile = EspressoProfile(command=absolute_command(config.espresso_command), pseudo_dir=str(pseudos[0].path.parent))
    calculator: BaseCalculator = GenericFileIOCalculator(template=Template(), profile=profile, directory=".")
    return calculator


def read_results(output: str) -> dict[str, Any]:
    """Read the results in an output of pw.x through ASE, with the right magnetic moments.

    Parameters
    ----------
    output
        The output. Its bands are left out: ASE does not read those of version 7 next to Hubbard occupations.

    Returns
    -------
    dict
        Results by ASE's names.
    """
    return dict(read_structure(output).calc.results)


def read_structure(output: str) -> Atoms:
    """Read the structure and the results in an output of pw.x, as `read_results`."""
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import read

    lines = [line for line in output.splitlines(keepends=True) if not any(head in line for head in BANDS)]
    atoms = read(io.StringIO("".join(lines)), format="espresso-out")
    assert isinstance(atoms, Atoms) and atoms.calc is not None
    results = dict(atoms.calc.results)
    results.pop("magmoms", None)  # ASE reads the last number of each line, which in version 6 is another one
    atoms.calc = SinglePointCalculator(atoms, **{**results, **read_moments(output)})
    return atoms


def read_moments(output: str) -> dict[str, float | np.ndarray]:
    """Read the last magnetic moments in an output of pw.x.

    Parameters
    ----------
    output
        The output.

    Returns
    -------
    dict
        ``magmom``, that of the cell, and ``magmoms``, the integrals over spheres around the atoms, both in Bohr
        magnetons; empty without spin.
    """
    results: dict[str, float | np.ndarray] = {}
    if totals := re.findall(r"total magnetization\s*=\s*(-?\d+\.\d+) Bohr mag/cell", output):
        results["magmom"] = float(totals[-1])
    _, _, block = output.rpartition("Magnetic moment per site")
    atoms = re.findall(r"^\s*atom:?\s*(\d+)\b.*?magn[:=]\s*(-?\d+\.\d+)", block, re.MULTILINE)
    if totals and atoms and [int(number) for number, _ in atoms] == [*range(1, len(atoms) + 1)]:
        results["magmoms"] = np.array([float(moment) for _, moment in atoms])
    return results


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


def check_applied(config: OracleConfig, atoms: Atoms, output: str) -> None:
    """Check that pw.x has applied spin and Hubbard parameters: another version than that of the input ignores them.

    Parameters
    ----------
    config
        The settings.
    atoms
        The structure.
    output
        Output of pw.x.

    Raises
    ------
    OracleError
        If it has not.
    """
    with_u = sorted(set(config.hubbard) & set(atoms.get_chemical_symbols()))
    if with_u and re.search(r"(LDA|DFT)\+U|Hubbard parameters", output) is None:
        raise OracleError(
            f"pw.x has not applied U to {', '.join(with_u)}: its version is another one than that for which the input "
            "was written (before 7.1 it ignores the HUBBARD card)",
            Cause.NONSENSE,
        )
    if is_magnetic(config, atoms) and "total magnetization" not in output:
        raise OracleError("the output of pw.x is not spin-polarized, but the input should be", Cause.NONSENSE)


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

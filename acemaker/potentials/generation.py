"""A generation: a trained potential with its active set, as files that pyace and LAMMPS read."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from acemaker.errors import AcemakerError, DamagedFileError
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, counted, number
from acemaker.potentials.active_set import ActiveSet
from acemaker.potentials.baseline import Baseline
from acemaker.potentials.basis import Basis
from acemaker.potentials.calculator_baseline import CalculatorBaseline
from acemaker.potentials.pair_baseline import PairBaseline
from acemaker.potentials.pyace_library import load_pyace
from acemaker.utils.checksum import checksum

CHECKSUM, CHECKSUMS = "checksum", "checksums"
"""In the description: its own, and those of the other files."""

REMEDY = "restore it from a copy; the labels are all there, and another campaign can be trained on them"

INCLUDE = "the whole potential, in LAMMPS's metal units: include it where the files beside it lie"
ENERGIES = "for the oracle's energies add to LAMMPS's, eV per atom"


@dataclass(frozen=True, kw_only=True, repr=False)
class Generation(Record):
    """A trained potential on disk.

    Attributes
    ----------
    number : int
        0 for the first; its files are named ``potential_v{number + 1}``.
    directory : Path
        Where the files lie.
    elements : tuple of str
        In pyace's order.
    cutoff : float
        Å.
    reference_energies : dict of str to float
        eV per atom of each element. The files hold the energy above these; add them for total energies.
    cv_forces : float or None
        meV/Å, cross-validated force error; None with a single label.
    cv_folds : tuple of float or None
        The same by fold, None for a fold without structures; the guard compares the next generation with it.
    n_structures : int
        Labelled structures that it was trained on.
    baseline : Baseline or None
        What runs beside it: the files hold the difference alone.
    """

    number: int
    directory: Path
    elements: tuple[str, ...]
    cutoff: float
    reference_energies: dict[str, float]
    cv_forces: float | None
    cv_folds: tuple[float | None, ...]
    n_structures: int
    baseline: Baseline | None = None

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        energies = ", ".join(f"{name} {number(value)}" for name, value in self.reference_energies.items())
        items = [
            ("files", f"{self.name}.yace, .yaml, .asi, .json in {self.directory.name}/"),
            ("elements", ", ".join(self.elements)),
            ("cutoff", f"{number(self.cutoff)} Å"),
            ("trained on", counted(self.n_structures, "structure")),
            ("force error, held out", "–" if self.cv_forces is None else f"{number(self.cv_forces)} meV/Å"),
            ("reference energies", f"{energies} eV/atom"),
        ]
        if self.baseline is not None:
            items.append(("over", self.baseline.name))
        return Summary(f"Generation {self.number}", tuple(items))

    @property
    def name(self) -> str:
        """File name without suffix: ``potential_v1`` for generation 0."""
        return f"potential_v{self.number + 1}"

    @property
    def yaml(self) -> Path:
        """The B-basis potential, which pyace reads."""
        return self.directory / f"{self.name}.yaml"

    @property
    def yace(self) -> Path:
        """The C-tilde potential, which LAMMPS's ``pair_style pace`` reads."""
        return self.directory / f"{self.name}.yace"

    @property
    def asi(self) -> Path:
        """The inverse active set, which gives gamma."""
        return self.directory / f"{self.name}.asi"

    @property
    def lammps_input(self) -> Path:
        """The commands that define it in LAMMPS, to be included from the directory of the files.

        There is no such file over a baseline that LAMMPS cannot run.
        """
        return self.directory / f"{self.name}.in"

    def calculator(self) -> Any:
        """Make an ASE calculator of this potential, which also gives ``results["gamma"]``.

        Returns
        -------
        GenerationCalculator
            Its energies are those of the oracle: `reference_energies` are in them.
        """
        from acemaker.potentials.calculator import GenerationCalculator

        calculator = load_pyace().PyACECalculator(str(self.yaml))
        calculator.set_active_set(str(self.asi))
        return GenerationCalculator(calculator, self.reference_energies, self.baseline)

    def pair_commands(self) -> tuple[str, ...]:
        """Write LAMMPS's commands for this potential; elements are types in alphabetical order."""
        return pair_commands("pace", f"{self.yace.name} {' '.join(self.elements)}", self.baseline)

    def coefficients(self) -> np.ndarray:
        """Read the linear coefficients, shape (n_coefficients,), eV."""
        return np.array(load_pyace().ACEBBasisSet(str(self.yaml)).basis_coeffs)


def pair_commands(style: str, coeff: str, baseline: Baseline | None) -> tuple[str, ...]:
    """Write a potential's pair commands.

    Parameters
    ----------
    style
        ``pair_style``'s arguments.
    coeff
        ``pair_coeff``'s arguments after ``* *``.
    baseline
        What runs beside it; its files are in LAMMPS's working directory.

    Returns
    -------
    tuple of str
    """
    if baseline is not None:
        return baseline.commands(style, coeff)
    return f"pair_style {style}", f"pair_coeff * * {coeff}".rstrip()


def write_generation(generation: Generation, basis: Basis, coefficients: np.ndarray, active_set: ActiveSet) -> Any:
    """Write a generation's files; the ``.json`` comes last and makes it whole.

    Parameters
    ----------
    generation
        What is to be written, and where.
    basis
        Its basis; the coefficients are set in it.
    coefficients : ndarray, shape (n_coefficients,)
        eV.
    active_set
        Its active set.

    Returns
    -------
    pyace.BBasisConfiguration
        The potential as it stands in the ``.yaml``.
    """
    generation.directory.mkdir(parents=True, exist_ok=True)
    basis.basis_set.basis_coeffs = list(coefficients)
    configuration = basis.basis_set.to_BBasisConfiguration()
    described = asdict(replace(generation, baseline=None))
    del described["directory"]
    described["baseline"] = generation.baseline.described() if generation.baseline is not None else None
    json_file = generation.directory / f"{generation.name}.json"
    files: list[tuple[Path, Callable[[str], Any]]] = [
        (generation.yaml, configuration.save),
        (generation.yace, basis.basis_set.to_ACECTildeBasisSet().save_yaml),
        (generation.asi, lambda part: active_set.save(Path(part))),
    ]
    if generation.baseline is None or generation.baseline.in_lammps:
        energies = ", ".join(f"{name} {value:.12g}" for name, value in generation.reference_energies.items())
        comments = [f"# {INCLUDE}", f"# {ENERGIES}: {energies}"]
        commands = "\n".join([*comments, *generation.pair_commands()]) + "\n"
        files.append((generation.lammps_input, lambda part: Path(part).write_text(commands)))
    sums = {path.name: _put(path, save) for path, save in files}
    kept = generation.baseline.files.values() if generation.baseline is not None else ()
    sums |= {path.name: checksum(path.read_bytes()) for path in kept if path.parent == generation.directory}
    described[CHECKSUMS] = sums
    described[CHECKSUM] = checksum(json.dumps(described))
    _put(json_file, lambda part: Path(part).write_text(json.dumps(described, indent=1) + "\n"))
    return configuration


def _put(path: Path, save: Callable[[str], Any]) -> str:
    """Write a file at once or not at all, and return its checksum."""
    part = path.with_name("writing_" + path.name)  # pyace goes by the suffix
    try:
        save(str(part))
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        content = part.read_bytes()
        if not content.endswith(b"\n") and path.suffix != ".asi":  # pyace does not look whether what it writes arrives
            raise OSError(errno.ENOSPC, "pyace could not write all of the file: is the disk full?", str(path))
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return checksum(content)


def read_generation(directory: Path, number: int) -> Generation:
    """Read a generation's description.

    Parameters
    ----------
    directory
        Where its files lie.
    number
        The generation's number.

    Returns
    -------
    Generation

    Raises
    ------
    DamagedFileError
        If one of its files is missing, or is not as it was written.
    """
    file = directory / f"potential_v{number + 1}.json"
    try:
        described = json.loads(file.read_bytes())
        summed = described.pop(CHECKSUM, None)
        if summed is not None and checksum(json.dumps(described)) != summed:
            raise DamagedFileError(file, "it does not agree with its checksum", REMEDY)
        for name, expected in described.pop(CHECKSUMS, {}).items():  # older ones have none
            if checksum((directory / name).read_bytes()) != expected:
                raise DamagedFileError(directory / name, f"it does not agree with its checksum in {file.name}", REMEDY)
        described["elements"] = tuple(described["elements"])
        described["cv_folds"] = tuple(described["cv_folds"])
        baseline = described.get("baseline")
        described["baseline"] = _read_baseline(baseline, directory, described["elements"]) if baseline else None
        generation = Generation(directory=directory, **described)
    except OSError as error:
        where = Path(error.filename) if error.filename else file
        raise DamagedFileError(where, f"it cannot be read ({error.strerror})", REMEDY) from error
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        if isinstance(error, AcemakerError):
            raise
        raise DamagedFileError(file, f"it cannot be read ({type(error).__name__}: {error})", REMEDY) from error
    if generation.number != number:
        raise DamagedFileError(file, f"it is of generation {generation.number}", REMEDY)
    return generation


def _read_baseline(described: dict[str, Any], directory: Path, elements: tuple[str, ...]) -> Baseline:
    if "calculator" in described:
        return CalculatorBaseline.read(described)
    return PairBaseline.read(described, directory, elements)

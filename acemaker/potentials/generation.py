"""Generations: trained potentials with their active sets, as files for pyace and LAMMPS."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from acemaker.errors import AcemakerError, DamagedFileError, NoPredictionError
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, counted, force_error, number
from acemaker.potentials.active_set import ActiveSet
from acemaker.potentials.baseline import Baseline
from acemaker.potentials.basis import Basis
from acemaker.potentials.basis_choice import BasisChoice
from acemaker.potentials.calculator_baseline import CalculatorBaseline
from acemaker.potentials.few_neighbors import FewNeighbors
from acemaker.potentials.force_error import ForceErrorModel
from acemaker.potentials.holes import Hole, describe_holes
from acemaker.potentials.pair_baseline import PairBaseline
from acemaker.potentials.pyace_library import load_pyace
from acemaker.potentials.ridge import Ridge
from acemaker.utils.checksum import checksum

CHECKSUM, CHECKSUMS = "checksum", "checksums"
"""Keys of the description: its own checksum, and those of the other files."""

REMEDY = "restore it from a copy; the labels are intact, and another campaign can be trained on them"

INCLUDE = "complete potential in LAMMPS's metal units; include this file from the directory that contains its files"
ENERGIES = "to obtain the energies of the oracle, add these to those of LAMMPS, eV per atom"
FEW_NEIGHBORS = "unknown to this potential, although LAMMPS reports a small gamma: atoms with fewer neighbors within"
CORE = "repulsion of the nuclei (ZBL; ML-PACE library of November 2023 or later) instead of the ACE below"
HOLE = "unknown at short distances, where atoms should repel each other"

EnergiesFrom = Literal["isolated atoms", "configuration", "fit"]
"""Where the reference energies of a generation are from."""

SOURCES: dict[str, str] = {
    "isolated atoms": "isolated atoms, by the oracle",
    "configuration": "isolated atoms, by the configuration",
    "fit": "fitted to the first labels",
}
"""Descriptions of `EnergiesFrom`."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Generation(Record):
    """A trained potential on disk.

    Attributes
    ----------
    number : int
        Number of the generation, counted from 1; the files are named ``potential_v{number}``.
    directory : Path
        Directory of the files.
    elements : tuple of str
        Elements in the order of pyace.
    cutoff : float
        Å.
    reference_energies : dict of str to float
        eV per atom of each element. The potential in the files is relative to these; add them for total energies.
    cv_forces : float or None
        meV/Å, cross-validated force error; None with a single label.
    cv_folds : tuple of float or None
        The same by fold, None for a fold without structures; the guard compares it with the next generation.
    n_structures : int
        Number of labeled structures in the fit.
    baseline : Baseline or None
        Baseline of the potential: the files describe only the difference from it.
    energies_from : {"isolated atoms", "configuration", "fit"}
        Where the reference energies are from; "fit" if they were fitted to the first labels.
    least_neighbors : dict of str to int
        By element, the smallest number of neighbors within the cutoff of an atom in the training set that has any, see
        `FewNeighbors`; empty in older files.
    holes : tuple of Hole or None
        Holes at distances shorter than any in the training set; None if they were not looked for: in older files, and
        for a calculator as baseline.
    core_radii : dict of str to float
        Å by pair of elements, for example ``"Cu-Ni"``: for an atom with a neighbor that is closer, the repulsion of the
        nuclei takes the place of the ACE. Empty for none.
    force_rms : float or None
        Root mean square of the force components of the labels, meV/Å; None in older files.
    error_floor : float or None
        meV/Å, smallest predicted error of the force of an atom; None if the generation predicts no errors: in older
        files, and for trainers other than the linear one.
    ridge : Ridge or None
        Ridge penalty of the linear fit, and why it was chosen; None in older files and for non-linear fits.
    basis_choice : BasisChoice or None
        The bases from which that of the potential was chosen (``basis="auto"``); None if it is the configured one.
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
    energies_from: EnergiesFrom = "fit"
    least_neighbors: Mapping[str, int] = field(default_factory=dict)
    holes: tuple[Hole, ...] | None = None
    core_radii: Mapping[str, float] = field(default_factory=dict)
    force_rms: float | None = None
    error_floor: float | None = None
    ridge: Ridge | None = None
    basis_choice: BasisChoice | None = None

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        energies = ", ".join(f"{name} {number(value)}" for name, value in self.reference_energies.items())
        items = [
            ("files", f"{self.name}.yace, .yaml, .asi, .json in {self.directory.name}/"),
            ("elements", ", ".join(self.elements)),
            ("cutoff", f"{number(self.cutoff)} Å"),
            ("trained on", counted(self.n_structures, "structure")),
            ("force error, held out", force_error(self.cv_forces, self.force_rms)),
            ("reference energies", f"{energies} eV/atom: {SOURCES[self.energies_from]}"),
        ]
        if self.basis_choice is not None:
            items.append(("basis", f"{self.basis_choice.best}: {self.basis_choice.reason}"))
        if self.ridge is not None:
            items.append(("ridge penalty", str(self.ridge)))
        if self.baseline is not None:
            items.append(("over", self.baseline.name))
        if self.core_radii:
            radii = ", ".join(f"{pair.replace('-', '–')} {radius:.2f}" for pair, radius in self.core_radii.items())
            items.append(("repulsion of nuclei below", f"{radii} Å"))
        items.append(("short range", self.short_range))
        if self.error_floor is not None:
            items.append(("predicted force error", f"at least {number(self.error_floor)} meV/Å per atom"))
        return Summary(f"Generation {self.number}", tuple(items))

    @property
    def short_range(self) -> str:
        """Whether it has holes at short distances, and the one with the lowest barrier, in one sentence."""
        return describe_holes(self.holes)

    @property
    def few_neighbors(self) -> FewNeighbors:
        """The rule by which atoms with too few neighbors are unknown."""
        return FewNeighbors(self.cutoff, self.least_neighbors, alone_is_known=self.energies_from != "fit")

    @property
    def name(self) -> str:
        """File name without suffix: ``potential_v1`` for generation 1."""
        return f"potential_v{self.number}"

    @property
    def yaml(self) -> Path:
        """File of the B-basis potential, for pyace."""
        return self.directory / f"{self.name}.yaml"

    @property
    def yace(self) -> Path:
        """File of the C-tilde potential, for ``pair_style pace`` of LAMMPS."""
        return self.directory / f"{self.name}.yace"

    @property
    def asi(self) -> Path:
        """File of the inverse active set, from which gamma is computed."""
        return self.directory / f"{self.name}.asi"

    @property
    def error_file(self) -> Path:
        """File from which force errors are predicted, see `force_error_model`; it exists if `error_floor` is set."""
        return self.directory / f"{self.name}.error.npz"

    def force_error_model(self) -> ForceErrorModel:
        """Read the model that predicts force errors.

        Raises
        ------
        NoPredictionError
            If the generation predicts no errors.
        DamagedFileError
            If the file is missing or damaged.
        """
        if self.error_floor is None:
            raise NoPredictionError(
                f"{self.name} predicts no force errors: expected a generation of the linear trainer, got one of "
                "another trainer or of an older version; train it again with trainer='linear', or rely on gamma"
            )
        return ForceErrorModel.load(self.error_file)

    @property
    def lammps_input(self) -> Path:
        """File of LAMMPS commands that define the potential, to be included from the directory of the files.

        It does not exist if LAMMPS cannot run the baseline.
        """
        return self.directory / f"{self.name}.in"

    def calculator(self) -> Any:
        """Create an ASE calculator of this potential, which also returns ``results["gamma"]``.

        Returns
        -------
        GenerationCalculator
            Its energies are on the scale of the oracle: they include `reference_energies`.
        """
        from acemaker.potentials.calculator import GenerationCalculator

        calculator = load_pyace().PyACECalculator(str(self.yaml))
        calculator.set_active_set(str(self.asi))
        return GenerationCalculator(calculator, self.reference_energies, self.baseline, self.few_neighbors)

    def pair_commands(self) -> tuple[str, ...]:
        """Return the LAMMPS commands for this potential; types are the elements in alphabetical order."""
        return pair_commands("pace", f"{self.yace.name} {' '.join(self.elements)}", self.baseline)

    def coefficients(self) -> np.ndarray:
        """Read the linear coefficients from the files, shape (n_coefficients,), eV."""
        return np.array(load_pyace().ACEBBasisSet(str(self.yaml)).basis_coeffs)


def pair_commands(style: str, coeff: str, baseline: Baseline | None) -> tuple[str, ...]:
    """Return the pair commands of a potential.

    Parameters
    ----------
    style
        ``pair_style`` arguments.
    coeff
        ``pair_coeff`` arguments after ``* *``.
    baseline
        Baseline of the potential, whose files are in the working directory of LAMMPS, or None.

    Returns
    -------
    tuple of str
    """
    if baseline is not None:
        return baseline.commands(style, coeff)
    return f"pair_style {style}", f"pair_coeff * * {coeff}".rstrip()


def write_generation(
    generation: Generation,
    basis: Basis,
    coefficients: np.ndarray,
    active_set: ActiveSet,
    error_model: ForceErrorModel | None = None,
) -> Any:
    """Write the files of a generation; the ``.json`` is written last and completes it.

    Parameters
    ----------
    generation
        Description of the generation, with its directory.
    basis
        Basis of the potential, in which the coefficients are set.
    coefficients : ndarray, shape (n_coefficients,)
        eV.
    active_set
        Active set of the potential.
    error_model
        Model that predicts its force errors; None if there is none.

    Returns
    -------
    pyace.BBasisConfiguration
        The potential as written to the ``.yaml``.
    """
    generation.directory.mkdir(parents=True, exist_ok=True)
    basis.basis_set.basis_coeffs = list(coefficients)
    configuration = basis.basis_set.to_BBasisConfiguration()
    description = asdict(replace(generation, baseline=None))
    del description["directory"]
    description["baseline"] = generation.baseline.description() if generation.baseline is not None else None
    description["holes"] = None if generation.holes is None else [hole.fields() for hole in generation.holes]
    json_file = generation.directory / f"{generation.name}.json"
    files: list[tuple[Path, Callable[[str], Any]]] = [
        (generation.yaml, configuration.save),
        (generation.yace, basis.basis_set.to_ACECTildeBasisSet().save_yaml),
        (generation.asi, lambda part: active_set.save(Path(part))),
    ]
    if error_model is not None:
        files.append((generation.error_file, lambda part: error_model.save(Path(part))))
    if generation.baseline is None or generation.baseline.in_lammps:
        energies = ", ".join(f"{name} {value:.12g}" for name, value in generation.reference_energies.items())
        comments = [f"# {INCLUDE}", f"# {ENERGIES}: {energies}"]
        comments.append(f"# reference energies: {SOURCES[generation.energies_from]}")
        if limits := generation.few_neighbors.limits:
            counts = ", ".join(f"{name} {count}" for name, count in limits.items())
            none = " (known without any)" if generation.few_neighbors.alone_is_known else ""
            comments.append(f"# {FEW_NEIGHBORS} {generation.cutoff:g} Angstrom than: {counts}{none}")
        if generation.core_radii:
            radii = ", ".join(f"{pair} {radius:g}" for pair, radius in generation.core_radii.items())
            comments.append(f"# {CORE}: {radii} Angstrom")
        comments += [f"# {HOLE}: {hole.comment()}" for hole in generation.holes or ()]
        commands = "\n".join([*comments, *generation.pair_commands()]) + "\n"
        files.append((generation.lammps_input, lambda part: Path(part).write_text(commands)))
    sums = {path.name: _write_file(path, save) for path, save in files}
    baseline_files = generation.baseline.files.values() if generation.baseline is not None else ()
    sums |= {path.name: checksum(path.read_bytes()) for path in baseline_files if path.parent == generation.directory}
    description[CHECKSUMS] = sums
    description[CHECKSUM] = checksum(json.dumps(description))
    _write_file(json_file, lambda part: Path(part).write_text(json.dumps(description, indent=1) + "\n"))
    return configuration


def _write_file(path: Path, save: Callable[[str], Any]) -> str:
    """Write a file atomically and return its checksum."""
    part = path.with_name("writing_" + path.name)  # pyace chooses the format by the suffix
    try:
        save(str(part))
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        content = part.read_bytes()
        if not content.endswith(b"\n") and path.suffix not in (".asi", ".npz"):  # pyace does not check for write errors
            raise OSError(errno.ENOSPC, "pyace could not write the complete file; check the free disk space", str(path))
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return checksum(content)


def read_generation(directory: Path, number: int) -> Generation:
    """Read the description of a generation and check its files.

    Parameters
    ----------
    directory
        Directory of its files.
    number
        Number of the generation, from 1.

    Returns
    -------
    Generation

    Raises
    ------
    DamagedFileError
        If one of its files is missing or has changed since it was written.
    """
    file = directory / f"potential_v{number}.json"
    try:
        description = json.loads(file.read_bytes())
        expected = description.pop(CHECKSUM, None)
        if expected is not None and checksum(json.dumps(description)) != expected:
            raise DamagedFileError(file, "it does not match its checksum", REMEDY)
        for name, expected in description.pop(CHECKSUMS, {}).items():  # missing in older files
            if checksum((directory / name).read_bytes()) != expected:
                raise DamagedFileError(directory / name, f"it does not match its checksum in {file.name}", REMEDY)
        description["elements"] = tuple(description["elements"])
        description["cv_folds"] = tuple(description["cv_folds"])
        baseline = description.get("baseline")
        description["baseline"] = _read_baseline(baseline, directory, description["elements"]) if baseline else None
        ridge = description.get("ridge")
        description["ridge"] = None if ridge is None else Ridge.read(ridge)
        choice = description.get("basis_choice")
        description["basis_choice"] = None if choice is None else BasisChoice.read(choice)
        holes = description.get("holes")
        description["holes"] = None if holes is None else tuple(map(Hole.read, holes))
        generation = Generation(directory=directory, **description)
    except OSError as error:
        path = Path(error.filename) if error.filename else file
        raise DamagedFileError(path, f"it cannot be read ({error.strerror})", REMEDY) from error
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        if isinstance(error, AcemakerError):
            raise
        raise DamagedFileError(file, f"it cannot be read ({type(error).__name__}: {error})", REMEDY) from error
    if generation.number != number:
        raise DamagedFileError(file, f"it describes generation {generation.number}", REMEDY)
    return generation


def _read_baseline(description: dict[str, Any], directory: Path, elements: tuple[str, ...]) -> Baseline:
    if "calculator" in description:
        return CalculatorBaseline.read(description)
    return PairBaseline.read(description, directory, elements)

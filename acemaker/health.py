"""Report of installed libraries and programs, and whether they work together."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from acemaker.errors import AcemakerError
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, number
from acemaker.widgets.viewer.nglview_library import halves

if TYPE_CHECKING:
    from ase import Atoms

    from acemaker.engines.preflight import LammpsResult
    from acemaker.potentials.evaluator import Evaluator

Status = Literal["ok", "missing", "wrong"]

LIBRARIES = ("ase", "numpy", "scipy", "matplotlib", "pydantic", "vesin")
NOTEBOOKS = ("jupyterlab", "ipykernel", "ipywidgets", "papermill")
PROGRAMS = ("abinit", "cp2k.psmp")
PACKAGES = ("gpaw", "tblite", "chgnet", "sevenn")

SYSTEMS = (
    ("a bulk metal or semiconductor", "the element by name, e.g. `structure=Al`; the default ensemble is `npt`"),
    ("an alloy", "`composition` on the crystal of one element"),
    ("a compound", "the formula by name with `crystal` and `lattice_constant`, or a structure file"),
    ("a dopant", "a structure of your own, in which atoms were replaced"),
    ("an interstitial", "a structure of your own with one more atom; for hydrogen, `timestep=0.5`"),
    (
        "a slab",
        "vacuum in a periodic cell; `nvt` with layers frozen by `FixAtoms`, or `npt` with `pressure_coupling=xy`",
    ),
    ("an adsorbate", "a slab with further atoms; isolated atoms are labeled, so that desorption has its true energy"),
    ("a cluster", "no periodic boundary conditions, `nvt`, `csvr` or `langevin`; with pw.x in a periodic box"),
    ("a molecule", "as a cluster, e.g. with `oracle=tblite`; `timestep=0.5`"),
    (
        "an oxide, for which there is only DFT",
        "a trial with a cheap oracle first, then small cells and `max_labels`; `hubbard` for localized electrons",
    ),
    ("a magnetic metal", "`magnetic_moments` by element, or initial moments of the atoms in the structure"),
    ("frames of a simulation", "`structure=md.traj@0:4` with one walker per frame"),
)
"""Kinds of systems, and the settings that each of them needs; `docs/how_to/systems.md` has a configuration for each."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of a single check.

    Attributes
    ----------
    name : str
        Library, program or feature.
    details : str
        Version, path, number or remedy.
    status : {"ok", "missing", "wrong"}
        "missing" for an optional component; "wrong" if a required component is missing or components are incompatible.
    """

    name: str
    details: str
    status: Status


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Health(Record):
    """The results of all checks.

    Attributes
    ----------
    findings : tuple of Finding
        Results in the order of the checks.
    """

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether a campaign can run."""
        return all(finding.status != "wrong" for finding in self.findings)

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        rows: list[tuple[str, str, str]] = [
            (finding.name, finding.status, finding.details) for finding in self.findings
        ]
        rows += [(f"I have {system}", "do", settings.replace("`", "")) for system, settings in SYSTEMS]
        title = "acemaker can run campaigns here" if self.healthy else "acemaker cannot run campaigns here yet"
        return Summary(title, (), Table(("component", "status", "details"), tuple(rows), words=True))


def doctor() -> Health:
    """Check libraries, programs and licenses, and compare LAMMPS and pyace for a small potential.

    This takes a few seconds and writes only to a temporary folder.

    Returns
    -------
    Health

    Examples
    --------
    >>> from acemaker import doctor
    >>> health = doctor()
    >>> health.summary().title
    'acemaker can run campaigns here'
    """
    findings = [Finding(name="Python", details=platform.python_version(), status=_python())]
    findings += [_lammps(), _pyace(), *(_library(name, required=True) for name in LIBRARIES)]
    findings += [_library(name, required=False) for name in NOTEBOOKS]
    findings += [_nglview(), *_lammps_programs(), _espresso(), *(_program(name) for name in PROGRAMS)]
    findings += [*(_package(name) for name in PACKAGES), _pacemaker(), _mace()]
    findings += [_slurm(), _extra("labels on Dask", "distributed", "dask")]
    findings += _preflights()
    return Health(findings=tuple(findings))


def _python() -> Status:
    return "ok" if (3, 11) <= sys.version_info[:2] <= (3, 13) else "wrong"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _library(name: str, *, required: bool) -> Finding:
    version = _version(name)
    if version is not None:
        return Finding(name=name, details=version, status="ok")
    remedy = f"pip install {name}" if required else "pip install 'acemaker[notebooks]'"
    return Finding(name=name, details=remedy, status="wrong" if required else "missing")


def _lammps() -> Finding:
    from acemaker.lammps.library import open_lammps

    try:
        lmp = open_lammps()
    except AcemakerError as error:
        return Finding(name="LAMMPS library", details=str(error), status="wrong")
    pace = "with" if lmp.has_style("pair", "pace/extrapolation") else "without"
    details = f"{lmp.version()}, {pace} ML-PACE, GPL-2.0"
    lmp.close()
    return Finding(name="LAMMPS library", details=details, status="ok")


def _pyace() -> Finding:
    from acemaker.potentials.pyace_library import load_pyace

    try:
        load_pyace()
    except AcemakerError as error:
        return Finding(name="pyace", details=str(error), status="wrong")
    version = _version("python-ace") or "version unknown"
    return Finding(name="pyace", details=f"{version}, Academic Software License (non-commercial)", status="ok")


def _nglview() -> Finding:
    """Compare the versions of nglview's Python package and front end; JupyterLab loads it only if they match."""
    python, front = halves()
    if python is None:
        return Finding(name="nglview", details="not installed", status="missing")
    if front is None:
        return Finding(name="nglview", details=f"{python}, its front end is missing", status="missing")
    is_same = front == python
    remedy = "" if is_same else "; pip install nglview==3.1.4"
    details = f"Python {python}, front end {front}{remedy}"
    return Finding(name="nglview", details=details, status="ok" if is_same else "missing")


def _lammps_programs() -> list[Finding]:
    paths = [os.environ.get("ACEMAKER_LMP"), shutil.which("lmp")]
    findings = []
    for path in dict.fromkeys(path for path in paths if path):
        try:
            output = subprocess.run([path, "-h"], capture_output=True, text=True, timeout=20).stdout
        except (OSError, subprocess.TimeoutExpired) as error:
            findings.append(Finding(name="lmp", details=f"{path} does not run: {error}", status="missing"))
            continue
        pace = "with" if "pace/extrapolation" in output else "without"
        findings.append(Finding(name="lmp", details=f"{path}, {pace} ML-PACE", status="ok"))
    return findings or [Finding(name="lmp", details="not on PATH", status="missing")]


def _program(name: str) -> Finding:
    path = shutil.which(name)
    return Finding(name=f"oracle {name}", details=path or "not on PATH", status="ok" if path else "missing")


def _package(name: str) -> Finding:
    version = _version(name)
    return Finding(
        name=f"oracle {name}", details=version or f"pip install {name}", status="ok" if version else "missing"
    )


def _slurm() -> Finding:
    """Check the library and the program that submit labels to SLURM."""
    library = _extra("labels on SLURM", "executorlib", "slurm")
    path = shutil.which("sbatch")
    if path is None and library.status != "ok":
        return library
    if path is None:
        return Finding(name=library.name, details=f"{library.details}, but sbatch is not on PATH", status="missing")
    return Finding(name=library.name, details=f"{library.details}; {path}", status=library.status)


def _extra(name: str, package: str, extra: str) -> Finding:
    version = _version(package)
    remedy = f"pip install 'acemaker[{extra}]'"
    return Finding(name=name, details=version or remedy, status="ok" if version else "missing")


def _espresso() -> Finding:
    """Check the version of Quantum ESPRESSO and its default folder of pseudopotentials."""
    from acemaker.oracles.pseudopotentials import find_folder

    path = shutil.which("pw.x")
    if path is None:
        return Finding(name="oracle pw.x", details="not on PATH", status="missing")
    try:
        output = _output(path)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(name="oracle pw.x", details=f"{path} does not run: {error}", status="missing")
    version = re.search(r"Program PWSCF\s+v\.(\S+)", output)
    try:
        folder = find_folder("")
        files = len([file for file in folder.iterdir() if file.suffix.lower() == ".upf"])
        pseudo = f"{files} pseudopotentials in {folder}"
    except AcemakerError as error:
        pseudo = f"no pseudopotentials: {error}"
    details = f"{path}, version {version[1] if version else 'unknown'}; {pseudo}"
    return Finding(name="oracle pw.x", details=details, status="ok" if version else "missing")


def _pacemaker() -> Finding:
    from acemaker.potentials.pacemaker.installation import find_python

    try:
        python = find_python("")
    except AcemakerError as error:
        return Finding(name="trainer pacemaker", details=str(error), status="missing")
    return Finding(name="trainer pacemaker", details=str(python), status="ok")


def _mace() -> Finding:
    from acemaker.potentials.committee.installation import find_mace

    try:
        python = find_mace("")
    except AcemakerError as error:
        return Finding(name="committees of MACE", details=str(error), status="missing")
    return Finding(name="committees of MACE", details=str(python), status="ok")


def _output(program: str) -> str:
    """Run pw.x without input in a temporary folder, where it prints its version and stops."""
    with tempfile.TemporaryDirectory(dir=Path(tempfile.gettempdir()).resolve()) as folder:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [program], cwd=folder, env=environment, input="", capture_output=True, text=True, timeout=20
        )
    return done.stdout


def _preflights() -> list[Finding]:
    """Compare pyace with each LAMMPS that campaigns can use here."""
    try:
        with tempfile.TemporaryDirectory(dir=Path(tempfile.gettempdir()).resolve()) as folder:
            return _compare(Path(folder))
    except AcemakerError as error:
        return [Finding(name="preflight", details=str(error), status="wrong")]


def _compare(folder: Path) -> list[Finding]:
    """Train a potential on three rattled crystals, and compare its results in pyace and LAMMPS."""
    import numpy as np

    from acemaker.config import OracleConfig, PotentialConfig, SystemConfig
    from acemaker.engines.native_check import evaluate
    from acemaker.engines.preflight import preflight
    from acemaker.lammps.executable import AUTO, native_command
    from acemaker.oracles.oracle import CalculatorOracle
    from acemaker.potentials.evaluator import evaluator_of
    from acemaker.potentials.linear_trainer import LinearTrainer
    from acemaker.structures.initial import first_structures, initial_structure

    rng = np.random.default_rng(0)
    system = SystemConfig(structure="Cu", supercell=(2, 2, 2))
    start = initial_structure(system, rng)
    oracle = CalculatorOracle.from_config(OracleConfig(oracle="emt"), ("Cu",))
    config = PotentialConfig(n_functions=12, cutoff=4.0, nradmax_by_orders=(6, 3, 2), lmax_by_orders=(0, 2, 1))
    generation = (
        LinearTrainer(config, ["Cu"])
        .train(
            [oracle.label(atoms) for atoms in first_structures(start, system, 3, rng)],
            number=1,
            directory=folder,
            predecessor=None,
            halted=None,
            gamma_limit=2.0,
        )
        .generation
    )
    evaluator = evaluator_of(generation)
    findings = [_agreement("preflight", lambda: preflight(evaluator, start, 1.0))]
    lammps = native_command(AUTO)
    if lammps:

        def run(_: Evaluator, atoms: Atoms, skin: float) -> LammpsResult:
            return evaluate(lammps, generation, atoms, skin, folder / "run", 60.0)

        findings.append(_agreement("preflight of lmp", lambda: preflight(evaluator, start, 1.0, run)))
    return findings


def _agreement(name: str, compare: Callable[[], dict[str, float]]) -> Finding:
    try:
        differences = compare()
    except AcemakerError as error:
        return Finding(name=name, details=str(error), status="wrong")
    units = {"energy": " eV/atom", "forces": " eV/Å"}
    listing = ", ".join(f"{what} {number(value)}{units.get(what, '')}" for what, value in differences.items())
    return Finding(name=name, details=f"LAMMPS and pyace differ by: {listing}", status="ok")

"""What is installed, whether it works together, and what is missing."""

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

    from acemaker.engines.preflight import Seen
    from acemaker.potentials.evaluator import Evaluator

Standing = Literal["ok", "missing", "wrong"]

LIBRARIES = ("ase", "numpy", "scipy", "matplotlib", "pydantic", "vesin")
NOTEBOOKS = ("jupyterlab", "ipykernel", "ipywidgets", "papermill")
PROGRAMS = ("abinit", "cp2k.psmp")
PACKAGES = ("gpaw", "tblite", "chgnet", "sevenn")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        What.
    found : str
        Version, place or figure.
    standing : {"ok", "missing", "wrong"}
        Optional things may be missing; wrong is what a campaign cannot do without, or what does not fit.
    """

    name: str
    found: str
    standing: Standing


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Health(Record):
    """What the doctor found.

    Attributes
    ----------
    findings : tuple of Finding
        In the order in which they were looked at.
    """

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether a campaign can run."""
        return all(finding.standing != "wrong" for finding in self.findings)

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        rows = tuple((finding.name, finding.standing, finding.found) for finding in self.findings)
        title = "acemaker can run campaigns here" if self.healthy else "acemaker cannot run campaigns here yet"
        return Summary(title, (), Table(("what", "standing", "found"), rows, words=True))


def doctor() -> Health:
    """Look at libraries, programs and licences, and let LAMMPS and pyace agree on a small potential.

    Returns
    -------
    Health
        Takes a few seconds; writes to a temporary folder only.
    """
    findings = [Finding(name="Python", found=platform.python_version(), standing=_python())]
    findings += [_lammps(), _pyace(), *(_library(name, required=True) for name in LIBRARIES)]
    findings += [_library(name, required=False) for name in NOTEBOOKS]
    findings += [_nglview(), *_lammps_programs(), _espresso(), *(_program(name) for name in PROGRAMS)]
    findings += [*(_package(name) for name in PACKAGES), _pacemaker()]
    findings += [_slurm(), _extra("labels on Dask", "distributed", "dask")]
    findings += _preflights()
    return Health(findings=tuple(findings))


def _python() -> Standing:
    return "ok" if (3, 11) <= sys.version_info[:2] <= (3, 13) else "wrong"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _library(name: str, *, required: bool) -> Finding:
    version = _version(name)
    if version is not None:
        return Finding(name=name, found=version, standing="ok")
    remedy = f"pip install {name}" if required else "pip install 'acemaker[notebooks]'"
    return Finding(name=name, found=remedy, standing="wrong" if required else "missing")


def _lammps() -> Finding:
    from acemaker.lammps.library import open_lammps

    try:
        lmp = open_lammps()
    except AcemakerError as error:
        return Finding(name="LAMMPS library", found=str(error), standing="wrong")
    pace = "with" if lmp.has_style("pair", "pace/extrapolation") else "without"
    found = f"{lmp.version()}, {pace} ML-PACE, GPL-2.0"
    lmp.close()
    return Finding(name="LAMMPS library", found=found, standing="ok")


def _pyace() -> Finding:
    from acemaker.potentials.pyace_library import load_pyace

    try:
        load_pyace()
    except AcemakerError as error:
        return Finding(name="pyace", found=str(error), standing="wrong")
    version = _version("python-ace") or "version unknown"
    return Finding(name="pyace", found=f"{version}, Academic Software Licence (non-commercial)", standing="ok")


def _nglview() -> Finding:
    """Compare nglview's Python half with its front end: JupyterLab loads it only if they match."""
    python, front = halves()
    if python is None:
        return Finding(name="nglview", found="not installed", standing="missing")
    if front is None:
        return Finding(name="nglview", found=f"{python}, its front end is not there", standing="missing")
    same = front == python
    remedy = "" if same else "; pip install nglview==3.1.4"
    found = f"Python {python}, front end {front}{remedy}"
    return Finding(name="nglview", found=found, standing="ok" if same else "missing")


def _lammps_programs() -> list[Finding]:
    named = [os.environ.get("ACEMAKER_LMP"), shutil.which("lmp")]
    findings = []
    for path in dict.fromkeys(name for name in named if name):
        try:
            said = subprocess.run([path, "-h"], capture_output=True, text=True, timeout=20).stdout
        except (OSError, subprocess.TimeoutExpired) as error:
            findings.append(Finding(name="lmp", found=f"{path} does not run: {error}", standing="missing"))
            continue
        pace = "with" if "pace/extrapolation" in said else "without"
        findings.append(Finding(name="lmp", found=f"{path}, {pace} ML-PACE", standing="ok"))
    return findings or [Finding(name="lmp", found="not on PATH", standing="missing")]


def _program(name: str) -> Finding:
    path = shutil.which(name)
    return Finding(name=f"oracle {name}", found=path or "not on PATH", standing="ok" if path else "missing")


def _package(name: str) -> Finding:
    version = _version(name)
    return Finding(
        name=f"oracle {name}", found=version or f"pip install {name}", standing="ok" if version else "missing"
    )


def _slurm() -> Finding:
    """Look for what labels are sent to SLURM with."""
    found = _extra("labels on SLURM", "executorlib", "slurm")
    path = shutil.which("sbatch")
    if found.standing == "ok" and path is None:
        return Finding(name=found.name, found=f"{found.found}, but sbatch is not on PATH", standing="missing")
    return found if path is None else Finding(name=found.name, found=f"{found.found}; {path}", standing=found.standing)


def _extra(name: str, package: str, extra: str) -> Finding:
    version = _version(package)
    remedy = f"pip install 'acemaker[{extra}]'"
    return Finding(name=name, found=version or remedy, standing="ok" if version else "missing")


def _espresso() -> Finding:
    """Ask Quantum ESPRESSO for its version, and look where its pseudopotentials would come from."""
    from acemaker.oracles.pseudopotentials import find_folder

    path = shutil.which("pw.x")
    if path is None:
        return Finding(name="oracle pw.x", found="not on PATH", standing="missing")
    try:
        said = _said(path)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(name="oracle pw.x", found=f"{path} does not run: {error}", standing="missing")
    version = re.search(r"Program PWSCF\s+v\.(\S+)", said)
    try:
        folder = find_folder("")
        files = len([file for file in folder.iterdir() if file.suffix.lower() == ".upf"])
        pseudo = f"{files} pseudopotentials in {folder}"
    except AcemakerError as error:
        pseudo = f"no pseudopotentials: {error}"
    found = f"{path}, version {version[1] if version else 'unknown'}; {pseudo}"
    return Finding(name="oracle pw.x", found=found, standing="ok" if version else "missing")


def _pacemaker() -> Finding:
    from acemaker.potentials.pacemaker.installation import find_python

    try:
        python = find_python("")
    except AcemakerError as error:
        return Finding(name="trainer pacemaker", found=str(error), standing="missing")
    return Finding(name="trainer pacemaker", found=str(python), standing="ok")


def _said(program: str) -> str:
    """Run pw.x without input, in a folder that does not last: it says its version, and stops."""
    with tempfile.TemporaryDirectory(dir=Path(tempfile.gettempdir()).resolve()) as folder:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [program], cwd=folder, env=environment, input="", capture_output=True, text=True, timeout=20
        )
    return done.stdout


def _preflights() -> list[Finding]:
    """Compare pyace with each LAMMPS that campaigns may run here."""
    try:
        with tempfile.TemporaryDirectory(dir=Path(tempfile.gettempdir()).resolve()) as folder:
            return _compare(Path(folder))
    except AcemakerError as error:
        return [Finding(name="preflight", found=str(error), standing="wrong")]


def _compare(folder: Path) -> list[Finding]:
    """Train a potential on three rattled crystals, and compare."""
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
            number=0,
            directory=folder,
            predecessor=None,
            anchor=None,
            gamma_limit=2.0,
        )
        .generation
    )
    evaluator = evaluator_of(generation)
    findings = [_agreement("preflight", lambda: preflight(evaluator, start, 1.0))]
    lammps = native_command(AUTO)
    if lammps:

        def run(_: Evaluator, atoms: Atoms, skin: float) -> Seen:
            return evaluate(lammps, generation, atoms, skin, folder / "run", 60.0)

        findings.append(_agreement("preflight of lmp", lambda: preflight(evaluator, start, 1.0, run)))
    return findings


def _agreement(name: str, compare: Callable[[], dict[str, float]]) -> Finding:
    try:
        differences = compare()
    except AcemakerError as error:
        return Finding(name=name, found=str(error), standing="wrong")
    units = {"energy": " eV/atom", "forces": " eV/Å"}
    found = ", ".join(f"{what} {number(value)}{units.get(what, '')}" for what, value in differences.items())
    return Finding(name=name, found=f"LAMMPS and pyace differ by: {found}", standing="ok")

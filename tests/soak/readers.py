"""All readers of acemaker, each with a file to read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from ase import Atoms
from ase.calculators.emt import EMT

import acemaker
from acemaker import Campaign, CampaignConfig
from acemaker.config import SystemConfig
from acemaker.engines.checkpoints import check_restart
from acemaker.engines.dump import DumpReader, DumpWriter
from acemaker.engines.records import SoftStart
from acemaker.engines.segment_log import SegmentLog, read_trajectory
from acemaker.engines.segment_monitor import Frame
from acemaker.headless.notebook import NotebookDescription
from acemaker.headless.parameters import gather
from acemaker.labeling.files import read_result
from acemaker.labeling.job import FinishedLabels
from acemaker.potentials.generation import read_generation
from acemaker.structures.files import read_structures, write_structures
from acemaker.structures.first_label_files import read_label_file
from acemaker.structures.initial import initial_structure
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from tests.structures.vasp_outputs import outcar, vasprun

OUTPUTS = Path(__file__).parents[1] / "structures" / "outputs"
"""Folder of outputs of programs."""

FIRST_LABELS = {
    "extended XYZ": "labels.xyz",
    "trajectory": "labels.traj",
    "OUTCAR": "OUTCAR",
    "vasprun.xml": "vasprun.xml",
    "pw.x": "silicon.pwo",
}
"""Files of labels that exist, by kind."""

NOTEBOOK = NotebookDescription(path=Path(), types={}, defaults={}, takes_all=True, complete=True, source="")
"""Says nothing of its parameters."""


@dataclass(frozen=True)
class Reader:
    """Reader of a kind of file.

    Attributes
    ----------
    file : Path
        An undamaged file.
    read : callable
        Reads the file, and returns plain values.
    summed : bool
        Whether it must detect every change, and then returns the original content, its beginning, or nothing.
    """

    file: Path
    read: Callable[[Path], Any]
    summed: bool


def make_readers(folder: Path) -> dict[str, Reader]:
    """Create a campaign and other files, and return their readers by name."""
    with Campaign.create(
        folder / "c", toy_config(), engine=ToyEngine(200, halting_at(60)), oracle=ToyOracle()
    ) as campaign:
        campaign.run()
        parameters = {name: value for name, value, *_ in campaign.config.parameters()}
        labeled = campaign.labeled_structures()[0].copy()
        atoms = campaign.initial_structure().copy()
    parameters = json.loads(json.dumps(parameters, default=str))
    (folder / "parameters.json").write_text(json.dumps(parameters))
    (folder / "parameters.yaml").write_text(yaml.safe_dump(parameters))
    (folder / "config.yaml").write_text(yaml.safe_dump(toy_config().model_dump(mode="json")))
    for name in ("structure.extxyz", "POSCAR", "structure.cif"):
        atoms.write(folder / name)
    atoms.write(folder / "structure.data", format="lammps-data", masses=True)
    (folder / "structure.dump").write_text(_lammps_dump(atoms))
    labeled.calc = EMT()
    labeled.get_stress()
    labeled.write(folder / "result.extxyz")
    _write_dump(folder, atoms)
    write_structures(folder / "first.extxyz", [labeled])
    _write_first_labels(folder / "first", labeled)
    box = FinishedLabels(folder / "queue")
    box.save("key", {"results": dict(labeled.calc.results), "info": {"a": 1}, "seconds": 1.0})
    (folder / "queue/key.spare.npz").unlink()  # which would be read in the place of one that was changed
    segment, potentials = folder / "c/segments/segment_0002", folder / "c/potentials"
    (segment / "soft_start.json").write_text(json.dumps(dict.fromkeys(SoftStart.__dataclass_fields__, 1)))
    assert SegmentLog(segment).soft_start() is not None
    generation = _reads_generation(potentials)
    return {
        "parameters, JSON": Reader(folder / "parameters.json", _read_parameters, False),
        "parameters, YAML": Reader(folder / "parameters.yaml", _gather, False),
        "configuration, YAML": Reader(folder / "config.yaml", lambda path: repr(CampaignConfig.from_yaml(path)), False),
        "journal": Reader(folder / "c/journal.jsonl", _read_journal, True),
        "structures": Reader(folder / "c/candidates/halt_0001.extxyz", _read_structures, True),
        "label": Reader(folder / "c/labels/initial_000.extxyz", _read_structures, True),
        "checks": Reader(segment / "checks.csv", _read_checks, True),
        "trajectory": Reader(segment / "trajectory.extxyz", lambda path: _plain(read_trajectory(path)), True),
        "restart file": Reader(segment / "checkpoint.200", _read_restart, True),
        "list of restart files": Reader(segment / "checkpoints.csv", _read_restart, True),
        "soft start": Reader(segment / "soft_start.json", lambda path: SegmentLog(path.parent).soft_start(), False),
        "potential, description": Reader(potentials / "potential_v1.json", generation, True),
        "potential, functions": Reader(potentials / "potential_v1.yaml", generation, True),
        "potential, active set": Reader(potentials / "potential_v1.asi", generation, True),
        "potential, force errors": Reader(potentials / "potential_v1.error.npz", generation, True),
        "finished label": Reader(folder / "queue/key.npz", lambda path: _finished(path.parent), True),
        "dump": Reader(folder / "checks.0.dump", lambda path: _read_dump(path, len(atoms)), False),
        "a user's extended XYZ": Reader(folder / "structure.extxyz", _read_initial, False),
        "a user's POSCAR": Reader(folder / "POSCAR", _read_initial, False),
        "a user's CIF": Reader(folder / "structure.cif", _read_initial, False),
        "a user's data file of LAMMPS": Reader(folder / "structure.data", _read_initial, False),
        "a user's dump of LAMMPS": Reader(folder / "structure.dump", _read_initial, False),
        "first labels": Reader(folder / "first.extxyz", _read_structures, True),
        **{
            f"first labels, {kind}": Reader(folder / f"first/{name}", _read_first_labels, False)
            for kind, name in FIRST_LABELS.items()
        },
        "label made elsewhere": Reader(
            folder / "result.extxyz", lambda path: _plain([read_result(path, labeled)]), False
        ),
    }


def _write_first_labels(folder: Path, labeled: Atoms) -> None:
    """Write a label in each form in which it can be a first label."""
    folder.mkdir()
    labeled.write(folder / "labels.xyz", format="extxyz")
    labeled.write(folder / "labels.traj")
    (folder / "OUTCAR").write_text(outcar([labeled]))
    (folder / "vasprun.xml").write_text(vasprun([labeled]))
    (folder / "silicon.pwo").write_bytes((OUTPUTS / "silicon_md.pwo").read_bytes())


def _read_first_labels(path: Path) -> Any:
    return repr(read_label_file(path, {}, lambda _: None).records)


def _plain(frames: Any) -> list[Any]:
    return [
        [atoms.numbers.tolist(), atoms.positions.tolist(), atoms.cell.tolist(), _results(atoms), str(atoms.info)]
        for atoms in frames
    ]


def _results(atoms: Atoms) -> str:
    return (
        ""
        if atoms.calc is None
        else str({name: np.asarray(value).tolist() for name, value in atoms.calc.results.items()})
    )


def _read_parameters(path: Path) -> Any:
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None  # of Python's own
    if not isinstance(data, dict):
        return None
    config = CampaignConfig.from_parameters(data)
    return repr(config)


def _gather(path: Path) -> Any:
    return repr(CampaignConfig.from_parameters(gather(NOTEBOOK, [path], [])))


def _read_journal(path: Path) -> Any:
    campaign = acemaker.attach(path.parent)
    assert campaign.progress is not None
    repr(campaign.config)
    from acemaker.loop.journal import read_events

    return read_events(path)[0]


def _read_structures(path: Path) -> Any:
    return _plain(read_structures(path))


def _read_checks(path: Path) -> Any:
    return [[check.step, check.gamma_max, check.observables] for check in SegmentLog(path.parent).checks]


def _read_restart(path: Path) -> Any:
    restart = path.parent / "checkpoint.200"
    check_restart(restart)
    return restart.read_bytes()


def _reads_generation(folder: Path) -> Callable[[Path], Any]:
    return lambda _: [repr(read_generation(folder, 1)), (folder / "potential_v1.yaml").read_bytes()]


def _finished(folder: Path) -> Any:
    answer = FinishedLabels(folder).read("key")
    return answer if answer is None else [str(answer["info"]), _listed(answer["results"])]


def _listed(results: dict[str, Any]) -> dict[str, Any]:
    return {name: np.asarray(value).tolist() for name, value in results.items()}


def _read_dump(path: Path, n_atoms: int) -> Any:
    reader, content = DumpReader(True, n_atoms), path.read_bytes()
    half = len(content) // 2
    return len(reader.feed(content[:half]) + reader.feed(content[half:]))


def _read_initial(path: Path) -> Any:
    return _plain([initial_structure(SystemConfig(structure=str(path)), np.random.default_rng(1))])


def _lammps_dump(atoms: Atoms) -> str:
    """Format two frames with elements."""
    bounds = "\n".join(f"0 {length}" for length in atoms.cell.lengths())
    rows = "\n".join(f"{n} {a.symbol} {a.x} {a.y} {a.z}" for n, a in enumerate(atoms, start=1))
    head = f"{len(atoms)}\nITEM: BOX BOUNDS pp pp pp\n{bounds}\nITEM: ATOMS id element x y z"
    return "".join(f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{head}\n{rows}\n" for step in (0, 5))


def _write_dump(folder: Path, atoms: Atoms) -> None:
    writer = DumpWriter(folder)
    writer.start("checks.0.dump")
    none = np.zeros((len(atoms), 3))
    for step in (0, 5):
        writer.write(
            Frame(
                step=step,
                positions=atoms.positions,
                velocities=none,
                images=none.astype(int),
                cell=atoms.cell.array,
                gamma=np.ones(len(atoms)),
            )
        )
    writer.close()

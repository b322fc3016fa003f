"""The disagreement of calculators in another process: committees, second opinions, and how they fail."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Any

import numpy as np
import psutil
import pytest
from ase import Atoms
from ase.calculators.emt import EMT

from acemaker.errors import AcemakerError, ConfigError, EngineError
from acemaker.potentials.committee.calculators import CalculatorJob, Calculators, ForceDisagreement
from acemaker.potentials.committee.installation import find_python
from acemaker.potentials.generation import Generation
from acemaker.process import dialogue
from tests.committee_models import morse
from tests.conftest import copper, rattled

MODELS = "tests.committee_models"


@pytest.fixture
def structure() -> Atoms:
    return rattled(copper(), 1)[0]


@pytest.fixture
def opened() -> Iterator[list[Calculators]]:
    calculators: list[Calculators] = []
    yield calculators
    for item in calculators:
        item.close()
    assert not list(Path(tempfile.gettempdir()).glob(f"acemaker-dialogue-*-{os.getpid()}-*"))


def measure(
    opened: list[Calculators], generation: Generation, factory: str, limit: float = 60.0, **arguments: Any
) -> ForceDisagreement:
    opened.append(Calculators(CalculatorJob(factory=factory, arguments=arguments, limit=limit)))
    return ForceDisagreement(opened[-1], generation)


def test_a_list_of_calculators_disagrees_by_the_spread_of_its_forces(
    opened: list[Calculators], copper_generation: Generation, structure: Atoms
) -> None:
    depths = [0.3, 0.35, 0.5]
    values = measure(opened, copper_generation, f"{MODELS}:morse", depths=depths).per_atom(structure)
    forces = []
    for calculator in morse(depths):
        atoms = structure.copy()
        atoms.calc = calculator
        forces.append(atoms.get_forces())
    deviations = np.array(forces) - np.mean(forces, axis=0)
    expected = [np.sqrt(np.mean([np.dot(row, row) for row in deviations[:, atom]])) for atom in range(len(structure))]
    assert values == pytest.approx(1e3 * np.array(expected), rel=1e-12)


def test_a_calculator_with_committee_forces_is_a_committee_of_its_own(
    opened: list[Calculators], copper_generation: Generation, structure: Atoms
) -> None:
    values = measure(opened, copper_generation, f"{MODELS}:shared", factors=[0.9, 1.1]).per_atom(structure)
    structure.calc = EMT()
    assert values == pytest.approx(100 * np.linalg.norm(structure.get_forces(), axis=1), rel=1e-9)


def test_a_single_calculator_is_compared_with_the_potential(
    opened: list[Calculators], copper_generation: Generation, structure: Atoms
) -> None:
    values = measure(opened, copper_generation, "ase.calculators.emt:EMT").per_atom(structure)
    structure.calc = EMT()
    other = structure.get_forces()
    structure.calc = copper_generation.calculator()
    assert values == pytest.approx(1e3 * np.linalg.norm(structure.get_forces() - other, axis=1), rel=1e-9)


def test_results_do_not_depend_on_earlier_structures(
    opened: list[Calculators], copper_generation: Generation, structure: Atoms
) -> None:
    once = measure(opened, copper_generation, "ase.calculators.emt:EMT").per_atom(structure)
    again = measure(opened, copper_generation, "ase.calculators.emt:EMT")
    for shift in (0.01, 0.02):
        moved = structure.copy()
        moved.positions[0] += shift
        again.per_atom(moved)
    assert again.per_atom(structure).tolist() == once.tolist()


def test_a_file_and_another_environment_serve_as_well(
    opened: list[Calculators], copper_generation: Generation, structure: Atoms, tmp_path: Path
) -> None:
    python = tmp_path / "bin" / "python"  # another path, so that the modules of this environment are not passed on
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    script = tmp_path / "mine.py"
    script.write_text("from ase.calculators.emt import EMT\n\ndef make():\n    return EMT()\n")
    job = CalculatorJob(factory=f"{script}:make", python=find_python(str(tmp_path)))
    opened.append(Calculators(job))
    values = ForceDisagreement(opened[0], copper_generation).per_atom(structure)
    expected = measure(opened, copper_generation, "ase.calculators.emt:EMT").per_atom(structure)
    assert values.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("factory", "arguments", "message"),
    [
        ("no_such_module:make", {}, "No module named 'no_such_module'"),
        (f"{MODELS}:no_such_name", {}, "no_such_name"),
        (f"{MODELS}:number", {}, "it returned 3.0"),
        (f"{MODELS}:morse", {"widths": [1]}, "unexpected keyword argument 'widths'"),
        (f"{MODELS}:morse", {"depths": []}, "it returned \\[\\]"),
        ("ase.calculators.emt:nothing.py", {}, "nothing"),
        ("/no/such/file.py:make", {}, "/no/such/file.py"),
    ],
)
def test_calculators_that_cannot_be_created_are_refused(
    opened: list[Calculators], factory: str, arguments: dict[str, Any], message: str
) -> None:
    opened.append(Calculators(CalculatorJob(factory=factory, arguments=arguments)))
    with pytest.raises(ConfigError, match=message):
        opened[0].start()


def test_an_error_of_a_calculator_is_reported_with_its_message_and_the_next_structure_is_evaluated(
    opened: list[Calculators], copper_generation: Generation, structure: Atoms
) -> None:
    emt = measure(opened, copper_generation, "ase.calculators.emt:EMT")
    tungsten = structure.copy()
    tungsten.symbols[:] = "W"
    with pytest.raises(EngineError, match=r"'ase.calculators.emt:EMT' raised NotImplementedError: No EMT-potential"):
        emt.per_atom(tungsten)
    assert np.isfinite(emt.per_atom(structure)).all()


def test_forces_of_another_shape_are_refused(
    opened: list[Calculators], copper_generation: Generation, structure: Atoms
) -> None:
    with pytest.raises(EngineError, match=r"expected forces of shape \(32, 3\)"):
        measure(opened, copper_generation, f"{MODELS}:broken", how="shape").per_atom(structure)


def test_forces_that_are_not_finite_are_beyond_everything(
    opened: list[Calculators], copper_generation: Generation, structure: Atoms
) -> None:
    values = measure(opened, copper_generation, f"{MODELS}:broken", how="nan").per_atom(structure)
    assert np.flatnonzero(np.isnan(values)).tolist() == [1]
    structure.positions[3, 0] = np.inf
    assert np.isnan(measure(opened, copper_generation, f"{MODELS}:broken", how="raise").per_atom(structure)).all()


def test_a_process_that_dies_is_reported_and_the_next_evaluation_starts_another(
    opened: list[Calculators], copper_generation: Generation, structure: Atoms
) -> None:
    dying = measure(opened, copper_generation, f"{MODELS}:broken", how="die")
    for _ in range(2):
        with pytest.raises(EngineError, match=r"ended unexpectedly \(exit status 7\)"):
            dying.per_atom(structure)


def test_a_calculator_that_hangs_is_killed_at_its_time_limit(
    opened: list[Calculators], copper_generation: Generation, structure: Atoms
) -> None:
    hanging = measure(opened, copper_generation, f"{MODELS}:broken", limit=4.0, how="hang")
    with pytest.raises(EngineError, match="did not answer within 4 s"):
        hanging.per_atom(structure)
    assert not _descendants()


def test_ctrl_c_ends_a_calculator_that_hangs(
    opened: list[Calculators], copper_generation: Generation, structure: Atoms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialogue, "GRACE", 0.2)
    hanging = measure(opened, copper_generation, f"{MODELS}:broken", how="hang")
    opened[0].start()
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        hanging.per_atom(structure)
    assert not _descendants()


def test_ctrl_c_during_a_short_evaluation_reaches_whoever_handles_it(
    opened: list[Calculators], copper_generation: Generation, structure: Atoms
) -> None:
    emt = measure(opened, copper_generation, "ase.calculators.emt:EMT")
    opened[0].start()
    calls: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: calls.append(number))
    try:
        process = next(item for item in _descendants() if "acemaker.process.supervisor" not in item.cmdline())
        process.suspend()  # so that the signal arrives while an answer is awaited
        timers = [threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)), threading.Timer(0.6, process.resume)]
        for timer in timers:
            timer.start()
        assert np.isfinite(emt.per_atom(structure)).all()
        for timer in timers:
            timer.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert calls == [signal.SIGINT]


def test_an_answer_that_was_not_read_is_not_taken_for_that_of_the_next_structure(
    opened: list[Calculators], copper_generation: Generation, structure: Atoms, monkeypatch: pytest.MonkeyPatch
) -> None:
    emt = measure(opened, copper_generation, "ase.calculators.emt:EMT")
    expected = emt.per_atom(structure)
    other = structure.copy()
    other.rattle(0.05)

    def press(self: dialogue.Dialogue, message: bytes, limit: float) -> None:
        send(self, message, limit)
        raise KeyboardInterrupt

    send = dialogue.Dialogue.send
    monkeypatch.setattr(dialogue.Dialogue, "send", press)
    with pytest.raises(KeyboardInterrupt):
        emt.per_atom(other)
    monkeypatch.setattr(dialogue.Dialogue, "send", send)
    assert emt.per_atom(structure).tolist() == expected.tolist()


def test_nothing_outlives_an_owner_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(
        "from acemaker.potentials.committee.calculators import CalculatorJob, Calculators\n"
        "calculators = Calculators(CalculatorJob(factory='ase.calculators.emt:EMT'))\n"
        "calculators.start()\nprint(calculators._dialogue.folder, flush=True)\ninput()\n"
    )
    command, pythonpath = [sys.executable, str(script)], {"PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True, env=os.environ | pythonpath) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        children = psutil.Process(owner.pid).children(recursive=True)
        assert len(children) >= 2
        owner.kill()
        _, alive = psutil.wait_procs(children, timeout=10)
        assert not alive
    assert folder.is_dir()
    with pytest.raises(AcemakerError):
        Calculators(CalculatorJob(factory="no_such_module:make")).start()
    assert not folder.exists(), "the next one deletes the folder"


def _descendants() -> list[psutil.Process]:
    """The processes of calculators; those that were killed have ended when the error is raised."""
    return [item for item in psutil.Process().children(recursive=True) if "child.py" in " ".join(item.cmdline())]

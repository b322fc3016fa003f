from __future__ import annotations

import os
import random
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from acemaker import Callback, Campaign, CampaignConfig
from acemaker.config import EngineConfig, OTFConfig
from acemaker.engines import isolated
from acemaker.engines.dump import DumpWriter
from acemaker.engines.isolated import IsolatedEngine
from acemaker.engines.protocol import Check, Exploration, Request
from acemaker.engines.segment_monitor import Frame
from acemaker.errors import EngineError, MDHaltError, MissingLibraryError
from acemaker.lammps.executable import native_command
from acemaker.potentials.generation import Generation
from acemaker.process.child import MARK, describe_status, kill_leftovers
from acemaker.states import State
from acemaker.testing.contracts import CALM, NERVOUS
from tests.conftest import alloy, copper
from tests.engines.test_inprocess import make_request
from tests.processes import PATIENCE, start, until, words_of

SHORT: dict[str, Any] = {
    "engine": "isolated",
    "temperature": (300, 900),
    "steps": 60,
    "restart_every": 20,
    "trajectory_every": 20,
}


def explore(request: Request, **changes: Any) -> Exploration:
    return IsolatedEngine(EngineConfig(**{**SHORT, **changes}), seed=1).explore(request)


def fake_lammps(folder: Path, body: str) -> str:
    """Return a program that claims to have ML-PACE, and then runs `body`."""
    path = folder / f"fake lmp {len(list(folder.glob('fake*')))}"
    path.write_text(f'#!/bin/sh\nif [ "$1" = -h ]; then echo pace/extrapolation; exit 0; fi\n{body}\n')
    path.chmod(0o755)
    return shlex.quote(str(path))


current_directory: list[Path] = []


@pytest.fixture(autouse=True)
def _set_directory(tmp_path: Path) -> None:
    current_directory[:] = [tmp_path]


def run_processes() -> list[psutil.Process]:
    """Return the processes of runs of the current test."""
    processes = []
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(MARK)
            if mark and Path(mark).is_relative_to(current_directory[0]) and process.status() != psutil.STATUS_ZOMBIE:
                processes.append(process)
        except psutil.Error:
            continue
    return processes


@pytest.fixture
def no_preflight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "preflight", lambda *_, **__: {})


@pytest.mark.parametrize("name", ["a b", "it's", 'say "x"', "$HOME ${x} $(step)", "a*b%c", "; shell touch smuggled #"])
def test_any_path_works_and_none_becomes_a_command(
    tmp_path: Path, copper_generation: Generation, native_lammps: str, name: str
) -> None:
    first = explore(make_request(tmp_path / name, copper_generation, copper()), lammps=native_lammps, steps=20)
    checkpoint = next(iter((tmp_path / name).glob("checkpoint.20")))
    again = make_request(tmp_path / f"{name} again", copper_generation, copper(), start_step=20, checkpoint=checkpoint)
    assert explore(again, lammps=native_lammps).end_step == 60
    assert first.end_step == 20
    assert not [path for path in tmp_path.rglob("*") if path.name == "smuggled"]


@pytest.mark.parametrize("structure", [copper(), alloy()], ids=["orthogonal", "triclinic"])
@pytest.mark.parametrize("periodic", [True, False])
def test_native_and_python_child_walk_together(
    tmp_path: Path,
    copper_generation: Generation,
    alloy_generation: Generation,
    native_lammps: str,
    structure: Any,
    periodic: bool,
) -> None:
    """Same forces, thermostats and checks: 60 steps apart by rounding alone."""
    generation = alloy_generation if "Ni" in structure.symbols else copper_generation
    structure.pbc = periodic
    ensemble = "npt" if periodic else "nvt"
    request = make_request(tmp_path / "native", generation, structure)
    native = explore(request, lammps=native_lammps, ensemble=ensemble)
    python = explore(replace(request, directory=tmp_path / "python"), lammps="python", ensemble=ensemble)
    assert native.timeline.step.tolist() == python.timeline.step.tolist()
    assert native.timeline.gamma_max == pytest.approx(python.timeline.gamma_max, rel=1e-6)
    for native_frame, python_frame in zip(native.frames, python.frames, strict=True):
        assert np.abs(native_frame.positions - python_frame.positions).max() < 1e-9
        assert np.abs(native_frame.cell.array - python_frame.cell.array).max() < 1e-9
    for name, values in native.timeline.observables.items():
        assert values == pytest.approx(python.timeline.observables[name], rel=1e-6, abs=1e-6), name


def test_momenta_and_a_tilting_box_go_to_the_native_run(
    tmp_path: Path, alloy_generation: Generation, native_lammps: str
) -> None:
    structure = alloy()
    rng = np.random.default_rng(0)
    structure.set_momenta(rng.normal(size=(len(structure), 3)))
    request = make_request(tmp_path / "native", alloy_generation, structure)
    changes = {"ensemble": "npt", "pressure_coupling": "tri"}
    native = explore(request, lammps=native_lammps, **changes)
    python = explore(replace(request, directory=tmp_path / "python"), lammps="python", **changes)
    assert np.abs(native.frames[-1].positions - python.frames[-1].positions).max() < 1e-8


@pytest.mark.parametrize(
    ("body", "match", "status"),
    [
        ("echo ERROR: Lost atoms; exit 1", r"(?s)died in segment 1 with exit status 1;.*Lost atoms", 1),
        ("kill -9 $$", r"died in segment 1 with signal SIGKILL \(killed manually, or .* memory ran out\)", 137),
        ("kill -11 $$", "died in segment 1 with signal SIGSEGV", 139),
        ("sleep 100 & sleep 100", "has written nothing for 1 s in segment 1 and was killed", None),
        ("exit 0", "ended after step -1 of 60", 0),
    ],
    ids=["error", "killed", "crash", "hang", "nothing"],
)
@pytest.mark.usefixtures("no_preflight")
def test_a_bad_end_is_a_typed_error_and_leaves_nothing(
    tmp_path: Path, copper_generation: Generation, body: str, match: str, status: int | None
) -> None:
    lammps = fake_lammps(tmp_path, body)
    request = make_request(tmp_path / "segment", copper_generation, copper())
    with pytest.raises(MDHaltError, match=match) as error:
        explore(request, lammps=lammps, **({"hang_after": 1.0} if status is None else {}))
    assert error.value.status == status
    assert run_processes() == []
    assert not (tmp_path / "segment" / "run").exists()


def scripted(folder: Path, gamma: float, end: str) -> str:
    """Return a program that writes a dump immediately, its observables later, and then runs `end`."""
    atoms = copper()
    writer = DumpWriter(folder)
    writer.start("dump")
    for step in (0, 5, 10):
        grades = np.full(len(atoms), gamma)
        writer.write(
            Frame(
                step=step,
                positions=atoms.positions,
                images=np.zeros((len(atoms), 3), dtype=int),
                velocities=np.zeros((len(atoms), 3)),
                cell=atoms.cell.array,
                gamma=grades,
            )
        )
    writer.close()
    rows = "".join(f"  - [{step}, 300, 1, -3, 378, ]\n" for step in (0, 5, 10))
    (folder / "log").write_text("keywords: ['Step', 'Temp', 'Press', 'PotEng', 'Volume', ]\n" + rows)
    return fake_lammps(folder, f"cp '{folder}/dump' checks.0.dump; sleep 0.7; cp '{folder}/log' log.lammps; {end}")


@pytest.mark.usefixtures("no_preflight")
def test_a_halt_waits_for_the_observables_of_its_step(tmp_path: Path, copper_generation: Generation) -> None:
    request = make_request(tmp_path / "segment", copper_generation, copper(), NERVOUS)
    outcome = explore(request, lammps=scripted(tmp_path, 0.9, "sleep 100"))
    assert outcome.decision is not None
    assert outcome.timeline.step.tolist() == [0, 5, 10]
    assert outcome.timeline.observables["temperature_K"].tolist() == [300, 300, 300]


@pytest.mark.usefixtures("no_preflight")
@pytest.mark.parametrize(("output", "healed"), [("ERROR: Lost atoms", True), ("No space left on device", False)])
def test_only_what_forces_do_is_healed(
    tmp_path: Path, copper_generation: Generation, output: str, healed: bool
) -> None:
    """A failure after a high gamma is a halt if atoms were lost, and an error otherwise."""
    request = make_request(tmp_path / "segment", copper_generation, copper())
    lammps = scripted(tmp_path, 4.0, f"echo {output}; exit 1")
    rule = OTFConfig(threshold_add_train=2.0, threshold_call_dft=50.0, threshold_break=50.0)
    request = replace(request, rule=rule)
    if not healed:
        with pytest.raises(MDHaltError, match="No space left"):
            explore(request, lammps=lammps)
        return
    outcome = explore(request, lammps=lammps)
    assert outcome.decision is not None
    assert (outcome.decision.step, outcome.decision.tier) == (10, "break")


@pytest.mark.parametrize("kind", ["python", "native"])
def test_steps_that_are_no_multiple_of_the_checks(
    tmp_path: Path, copper_generation: Generation, native_lammps: str, kind: str
) -> None:
    lammps = native_lammps if kind == "native" else "python"
    outcome = explore(make_request(tmp_path, copper_generation, copper()), lammps=lammps, steps=42)
    assert outcome.end_step == 42
    assert outcome.timeline.step[-1] == 40


def test_the_preflight_stops_a_native_lammps_that_disagrees(
    tmp_path: Path, copper_generation: Generation, native_lammps: str
) -> None:
    """Its potential file is changed before the run, so that it differs from that of pyace."""
    lammps = fake_lammps(tmp_path, f"sed -i 's/c: .0/c: [1/' potential.yaml; exec {native_lammps} \"$@\"")
    with pytest.raises(EngineError, match="disagree on a rattled cell, so no run is started: energy by"):
        explore(make_request(tmp_path / "segment", copper_generation, copper()), lammps=lammps)
    assert not list((tmp_path / "segment").glob("checkpoint.*"))


def test_a_lammps_that_is_not_there_or_has_no_ml_pace(tmp_path: Path) -> None:
    with pytest.raises(MissingLibraryError, match=r"'no-such-lmp -x' does not run"):
        native_command("no-such-lmp -x")
    launcher = tmp_path / "mpiexec"  # Open MPI's message for a missing program
    launcher.write_text("#!/bin/sh\necho ------\necho 'mpiexec was unable to find the program' >&2\nexit 134\n")
    launcher.chmod(0o755)
    with pytest.raises(MissingLibraryError, match=r"does not start LAMMPS: there is no program 'no-lmp' \(.*unable"):
        native_command(f"{launcher} -n 4 no-lmp")
    with pytest.raises(MissingLibraryError, match="'true' has no pair style pace/extrapolation"):
        native_command("true")
    with pytest.raises(MissingLibraryError, match="is not a valid command line"):
        native_command("lmp 'x")
    assert native_command("python") == ()


def test_ctrl_c_ends_the_child_and_the_segment_goes_on(tmp_path: Path, copper_generation: Generation) -> None:
    whole = explore(make_request(tmp_path / "whole", copper_generation, copper()), lammps="python")

    def press(check: Check) -> None:
        if check.step == 30:
            os.kill(os.getpid(), signal.SIGINT)

    broken = make_request(tmp_path / "broken", copper_generation, copper())
    with pytest.raises(KeyboardInterrupt):
        explore(replace(broken, on_check=press), lammps="python")
    assert run_processes() == []
    again = explore(broken, lammps="python")
    assert np.array_equal(again.frames[-1].positions, whole.frames[-1].positions)


@pytest.mark.parametrize("damage", ["cut", "emptied"])
def test_a_damaged_restart_file_is_passed_over(
    tmp_path: Path, copper_generation: Generation, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr("acemaker.engines.segment_log.SegmentLog.prune", lambda *_: None)
    whole = explore(make_request(tmp_path / "whole", copper_generation, copper()), lammps="python")

    def stop(check: Check) -> None:
        if check.step == 50:
            raise RuntimeError("stop")

    broken = make_request(tmp_path / "broken", copper_generation, copper())
    with pytest.raises(RuntimeError, match="stop"):
        explore(replace(broken, on_check=stop), lammps="python")
    newest = tmp_path / "broken" / "checkpoint.40"
    newest.write_bytes(newest.read_bytes()[: 500 if damage == "cut" else 0])
    seen: list[int] = []
    again = explore(replace(broken, on_check=lambda check: seen.append(check.step)), lammps="python")
    assert seen[0] == 25, "it should go on from step 20"
    assert np.array_equal(again.frames[-1].positions, whole.frames[-1].positions)


def test_a_damaged_start_is_named(tmp_path: Path, copper_generation: Generation) -> None:
    torn = tmp_path / "torn"
    torn.write_bytes(b"LammpS RestartT\0 and no more")
    request = make_request(tmp_path / "segment", copper_generation, copper(), start_step=10, checkpoint=torn)
    with pytest.raises(EngineError, match=r"torn of step 10 is missing or incomplete"):
        explore(request, lammps="python")


OWNER = """
import sys
from pathlib import Path
from acemaker.config import EngineConfig, OTFConfig
from acemaker.engines import isolated
from acemaker.engines.isolated import IsolatedEngine
from acemaker.engines.protocol import Request
from acemaker.potentials.generation import read_generation
from acemaker.testing.contracts import CALM
from ase.build import bulk
isolated.preflight = lambda *_, **__: {}
folder = Path(sys.argv[1])
IsolatedEngine(EngineConfig(engine="isolated", lammps=sys.argv[3], steps=10**6), seed=1).explore(Request(
    number=1, structure=bulk("Cu", cubic=True).repeat(2), start_step=0, checkpoint=None,
    generation=read_generation(Path(sys.argv[2]), int(sys.argv[4])), rule=CALM, directory=folder / "segment"))
"""


@pytest.mark.parametrize("kind", ["python", "tree"])
def test_all_end_within_five_seconds_of_a_kill_of_the_owner(
    tmp_path: Path, copper_generation: Generation, kind: str
) -> None:
    """Including grandchildren in another session that ignore all signals that can be ignored."""
    stubborn = "trap '' TERM HUP INT; (setsid sh -c 'trap \"\" TERM HUP INT; sleep 300; sleep 300' &) ; sleep 300"
    lammps = kind if kind == "python" else fake_lammps(tmp_path, stubborn)
    owner = start(
        [
            *(sys.executable, "-c", OWNER, str(tmp_path), str(copper_generation.directory), lammps),
            str(copper_generation.number),
        ],
        cwd=Path.cwd(),
    )
    until(lambda: len(run_processes()) >= (2 if kind == "python" else 4))
    time.sleep(0.5)
    assert len(run_processes()) >= 2
    owner.kill()
    owner.wait()
    deadline = time.monotonic() + 5
    while run_processes() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert run_processes() == []


def test_what_outlives_even_its_supervisor_is_ended_when_the_segment_is_opened(
    tmp_path: Path, copper_generation: Generation
) -> None:
    run = tmp_path / "segment" / "run"
    run.mkdir(parents=True)
    (run / "checks.0.dump").write_text("left")
    orphan = start(["sleep", "300"], env={**os.environ, MARK: str(run)})
    explore(make_request(tmp_path / "segment", copper_generation, copper()), lammps="python", steps=20)
    assert orphan.wait(PATIENCE) == -signal.SIGKILL
    assert kill_leftovers(run) == 0


@pytest.mark.usefixtures("no_preflight")
def test_fifty_bad_ends_leave_no_process_and_no_file(
    tmp_path: Path, copper_generation: Generation, native_lammps: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))  # for the children
    folder = tmp_path / "segment"
    request = make_request(folder, copper_generation, copper())

    def stop(_: Check) -> None:
        raise RuntimeError("stop")

    def press(_: Check) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    ends: list[tuple[str, Callable[[Check], None] | None, Any]] = [
        (fake_lammps(tmp_path, "exit 3"), None, MDHaltError),
        (native_lammps, stop, RuntimeError),
        (native_lammps, press, KeyboardInterrupt),
        (fake_lammps(tmp_path, f"exec {native_lammps} -in missing"), None, MDHaltError),
        (native_lammps, None, None),
    ]
    before: set[str] | None = None
    handles, children = 0, []
    for number in range(50):
        lammps, on_check, expected = ends[number % len(ends)]
        attempt = replace(request, on_check=on_check, rule=NERVOUS if expected is None else CALM)
        if expected is None:
            assert explore(attempt, lammps=lammps, steps=10**5).decision is not None
        else:
            with pytest.raises(expected):
                explore(attempt, lammps=lammps, steps=10**5)
        assert run_processes() == []
        left = {path.name.partition(".")[0] for path in folder.iterdir()}
        assert left <= {"checks", "checkpoint", "checkpoints", "log", "trajectory"}, left
        shutil.rmtree(folder)
        if number == 4:  # after each kind of end has occurred once
            before = {str(path) for path in tmp_path.rglob("*")}
            handles, children = psutil.Process().num_fds(), psutil.Process().children()
    assert {str(path) for path in tmp_path.rglob("*")} == before
    assert psutil.Process().num_fds() == handles
    assert threading.active_count() < 5
    assert psutil.Process().children() == children


def test_exit_statuses_in_words() -> None:
    assert describe_status(1) == "exit status 1"
    assert describe_status(134) == "signal SIGABRT"
    assert describe_status(255) == "exit status 255"


SMALL = CampaignConfig(
    seed=3,
    system={"structure": "Cu", "lattice_constant": 3.615, "supercell": (2, 2, 2), "n_first": 1},
    otf={"n_candidates": 4, "n_select": 1, "threshold_add_train": 1.5, "threshold_call_dft": 2.5},
    engine={"steps": 800, "temperature": (300, 1500), "restart_every": 50},
    potential={"n_functions": 20, "cutoff": 4.5, "nradmax_by_orders": (8, 4, 2), "lmax_by_orders": (0, 3, 1)},
    oracle={"oracle": "lammps", "pair_style": "eam/alloy", "pair_coeff": ["* * Cu_mishin1.eam.alloy Cu"]},
)


def run(directory: Path, **engine: Any) -> Campaign:
    config = SMALL.model_copy(update={"engine": SMALL.engine.model_copy(update=engine)})
    campaign = Campaign.create(directory, config)
    campaign.run()
    campaign.close()
    return campaign


@pytest.mark.slow
def test_the_campaign_is_the_same_on_all_engines(tmp_path: Path, native_lammps: str) -> None:
    """The Python child is bitwise identical; the native LAMMPS has the same first halt."""
    here = run(tmp_path / "inprocess")
    child = run(tmp_path / "python", engine="isolated", lammps="python")
    native = run(tmp_path / "native", engine="isolated", lammps=native_lammps)
    assert len(here.progress.halts) >= 3
    halts = [[(halt["step"], halt["tier"]) for halt in campaign.progress.halts] for campaign in (here, child, native)]
    assert halts[0] == halts[1]
    assert halts[0][0] == halts[2][0]
    assert [entry.key for entry in here.progress.labels] == [entry.key for entry in child.progress.labels]
    assert here.generation is not None
    assert child.generation is not None
    assert here.generation.yaml.read_bytes() == child.generation.yaml.read_bytes()
    assert np.array_equal(here.timeline().gamma_max, child.timeline().gamma_max)
    assert native.state is State.DONE


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["python", "native"])
def test_a_campaign_survives_the_death_of_its_child_at_ten_random_instants(
    tmp_path: Path, native_lammps: str, kind: str
) -> None:
    lammps = native_lammps if kind == "native" else "python"
    whole = run(tmp_path / "whole", engine="isolated", lammps=lammps)
    draw = random.Random(5)
    campaign = Campaign.create(
        tmp_path / "killed",
        SMALL.model_copy(update={"engine": SMALL.engine.model_copy(update={"engine": "isolated", "lammps": lammps})}),
    )
    deaths = 0
    last = -1

    def maybe_kill(check: Check) -> None:
        nonlocal deaths, last
        # often, since a child may have ended before its last checks are read
        if deaths < 10 and check.step > last and draw.random() < 0.4:
            last = check.step
            for process in run_processes():
                arguments = words_of(process)
                if arguments and "supervisor" not in " ".join(arguments):
                    process.kill()
                    deaths += 1
                    break

    while campaign.state is not State.DONE:
        campaign.callbacks[:] = [Callback(on_check=maybe_kill)]
        try:
            campaign.run()
        except MDHaltError:
            campaign.close()
            campaign = Campaign.open(tmp_path / "killed")
    campaign.close()
    assert deaths == 10
    assert [halt["step"] for halt in campaign.progress.halts] == [halt["step"] for halt in whole.progress.halts]
    assert campaign.generation is not None
    assert whole.generation is not None
    assert campaign.generation.yaml.read_bytes() == whole.generation.yaml.read_bytes()
    assert np.array_equal(campaign.timeline().gamma_max, whole.timeline().gamma_max)

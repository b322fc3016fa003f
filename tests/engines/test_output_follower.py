from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acemaker.config import OTFConfig
from acemaker.engines.dump import DumpReader, DumpWriter, dump_name
from acemaker.engines.halting import epicenter
from acemaker.engines.output_follower import OutputFollower
from acemaker.engines.protocol import Request
from acemaker.engines.segment_log import SegmentLog
from acemaker.engines.segment_monitor import Frame, SegmentMonitor
from acemaker.errors import EngineError
from acemaker.lammps.restart import MAGIC
from acemaker.potentials.generation import Generation
from acemaker.process.tail import ThermoReader

HEALTH = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

RULE = OTFConfig(threshold_add_train=0.03, threshold_call_dft=0.05, threshold_break=1.0, check_every=5)
N = 4


def make_frame(step: int, gamma: float | list[float], seed: int = 0) -> Frame:
    rng = np.random.default_rng([seed, step])
    values = np.array(gamma) if isinstance(gamma, list) else np.linspace(0, gamma, N)
    cell = np.diag(rng.uniform(3, 4, 3)) + np.tril(rng.normal(size=(3, 3)), -1)
    return Frame(
        step=step,
        positions=rng.uniform(size=(N, 3)) @ cell,
        images=rng.integers(-3, 3, size=(N, 3)),
        velocities=rng.normal(size=(N, 3)),
        cell=cell,
        gamma=values,
    )


def follow(directory: Path, generation: Generation) -> tuple[OutputFollower, SegmentMonitor, SegmentLog, Path]:
    request = Request(
        number=1,
        structure=bulk("Cu", cubic=True),
        start_step=0,
        checkpoint=None,
        generation=generation,
        rule=RULE,
        directory=directory / "segment",
    )
    log = SegmentLog(request.directory)
    monitor = SegmentMonitor(request, log, 0)
    run = directory / "segment" / "run"
    run.mkdir()
    return OutputFollower(run, monitor, log, RULE.check_every, periodic=True), monitor, log, run


def dump_bytes(directory: Path, frames: list[Frame]) -> bytes:
    writer = DumpWriter(directory)
    writer.start(dump_name(0))
    for frame in frames:
        writer.write(frame)
    writer.close()
    return (directory / "checks.0.dump").read_bytes()


def thermo(step: int) -> bytes:
    return f"  - [{step}, 300.5, 1e3, -3.25, 40.0, ]\n".encode()


KEYWORDS = b"Step Temp\nkeywords: ['Step', 'Temp', 'Press', 'PotEng', 'Volume', ]\ndata:\n"


def feed(tmp_path: Path, generation: Generation, gammas: list[float]) -> SegmentMonitor:
    output_follower, monitor, _, run = follow(tmp_path, generation)
    steps = [5 * number for number in range(len(gammas))]
    dump = dump_bytes(tmp_path, [make_frame(step, gamma) for step, gamma in zip(steps, gammas, strict=True)])
    (run / "checks.0.dump").write_bytes(dump)
    (run / "log.lammps").write_bytes(KEYWORDS + b"".join(thermo(step) for step in steps))
    output_follower.finish()
    return monitor


def test_a_lone_spike_does_not_halt(tmp_path: Path, copper_generation: Generation) -> None:
    """Test case A of the specification: 0.1 above a threshold of 0.05, then 0.01."""
    assert feed(tmp_path, copper_generation, [0.01, 0.1, 0.01, 0.02]).decision is None


def test_three_in_a_row_halt_at_the_third(tmp_path: Path, copper_generation: Generation) -> None:
    """Test case B: 0.06, 0.07, 0.08 with smooth_steps=3; the epicenter is what exceeds threshold_add_train."""
    monitor = feed(tmp_path, copper_generation, [0.01, 0.06, 0.07, 0.08, 0.09])
    assert monitor.decision is not None
    assert (monitor.decision.step, monitor.decision.first_step, monitor.decision.tier) == (15, 5, "smooth")
    gamma = monitor.outcome(100, None).frames[-1].arrays["gamma"]
    assert epicenter(gamma, RULE).tolist() == [3, 2]  # gamma is 0, 0.027, 0.053, 0.08


@settings(max_examples=150, deadline=None, suppress_health_check=HEALTH)
@given(
    gammas=st.lists(st.one_of(st.floats(0, 0.1), st.floats(0, 2), st.just(float("nan"))), min_size=1, max_size=25),
    cuts=st.lists(st.integers(0, 12000), max_size=12),
    delay=st.integers(0, 3000),
)
def test_any_stream_in_any_pieces_gives_the_rules_decision(
    tmp_path_factory: pytest.TempPathFactory,
    copper_generation: Generation,
    gammas: list[float],
    cuts: list[int],
    delay: int,
) -> None:
    folder = tmp_path_factory.mktemp("stream")
    output_follower, monitor, log, run = follow(folder, copper_generation)
    steps = 5 * np.arange(len(gammas))
    dump = dump_bytes(
        folder, [make_frame(int(step), [0.0, 0.0, 0.0, gamma]) for step, gamma in zip(steps, gammas, strict=True)]
    )
    log_text = KEYWORDS + b"".join(thermo(int(step)) for step in steps)
    ends = sorted({min(cut, len(dump)) for cut in cuts} | {len(dump)})
    for start, end in zip([0, *ends], ends, strict=False):
        with (run / "checks.0.dump").open("ab") as stream:
            stream.write(dump[start:end])
        shown = len(log_text) if end == len(dump) else max(0, end * len(log_text) // len(dump) - delay)
        (run / "log.lammps").write_bytes(log_text[:shown])
        output_follower.read()
    output_follower.finish()

    high = np.array([not gamma <= RULE.threshold_call_dft for gamma in gammas])
    runs = np.array([high[max(0, i - 2) : i + 1].sum() == 3 for i in range(len(high))])
    halts = np.flatnonzero(runs | [not gamma <= RULE.threshold_break for gamma in gammas])

    if len(halts) == 0:
        assert monitor.decision is None
        assert [check.step for check in log.checks] == steps.tolist()
    else:
        assert monitor.decision is not None
        assert monitor.decision.step == steps[halts[0]]
        assert [check.step for check in log.checks] == steps[: halts[0] + 1].tolist()
    assert all(check.observables["temperature_K"] == 300.5 for check in log.checks)


@pytest.mark.parametrize("size", [1, 7, 100, 10**6])
def test_a_dump_keeps_every_bit(tmp_path: Path, size: int) -> None:
    frames = [make_frame(step, 0.3) for step in (0, 5, 10)]
    text = dump_bytes(tmp_path, frames)
    reader = DumpReader(periodic=True, n_atoms=N)
    frames_read = [frame for start in range(0, len(text), size) for frame in reader.feed(text[start : start + size])]
    assert [frame.step for frame in frames_read] == [0, 5, 10]
    for written, read in zip(frames, frames_read, strict=True):
        for name in ("positions", "images", "velocities", "cell", "gamma"):
            assert np.array_equal(getattr(written, name), getattr(read, name)), name


def test_a_dump_of_something_else_is_a_typed_error() -> None:
    box = "ITEM: BOX BOUNDS pp pp pp\n0 1\n0 1\n0 1\n"
    text = f"ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n{N}\n{box}ITEM: ATOMS id x\n" + N * "1 0\n"
    with pytest.raises(EngineError, match="not in LAMMPS's format"):
        DumpReader(periodic=True, n_atoms=N).feed(text.encode())


def test_a_snapshot_without_all_atoms_is_passed_over(tmp_path: Path) -> None:
    """LAMMPS writes one before it notices that it has lost some."""
    text = dump_bytes(tmp_path, [make_frame(0, 0.1), make_frame(5, 0.2)])
    second = text.index(b"ITEM: TIMESTEP", 5)
    short = text[second:].replace(b"NUMBER OF ATOMS\n4", b"NUMBER OF ATOMS\n3").rsplit(b"\n", 2)[0] + b"\n"
    assert [frame.step for frame in DumpReader(periodic=True, n_atoms=N).feed(text[:second] + short)] == [0]


def test_later_dumps_follow_and_finished_ones_are_deleted(tmp_path: Path, copper_generation: Generation) -> None:
    output_follower, monitor, log, run = follow(tmp_path, copper_generation)
    writer = DumpWriter(run)
    lines = KEYWORDS
    for start in (0, 10, 20):
        writer.start(dump_name(start))
        for step in (start, start + 5):
            writer.write(make_frame(step, 0.01))
            lines += thermo(step)
        (run / "log.lammps").write_bytes(lines)
        output_follower.read()
    writer.close()
    output_follower.finish()
    assert monitor.decision is None
    assert [check.step for check in log.checks] == [0, 5, 10, 15, 20, 25]
    assert [path.name for path in run.glob("*.dump")] == ["checks.20.dump"]


def test_restart_files_are_adopted_once_whole_and_pruned(tmp_path: Path, copper_generation: Generation) -> None:
    output_follower, _, log, run = follow(tmp_path, copper_generation)
    writer = DumpWriter(run)
    writer.start(dump_name(0))
    lines = KEYWORDS
    for step in range(0, 45, 5):
        if step in (10, 20, 30, 40):
            (run / f"checkpoint.{step}").write_bytes(MAGIC + b"state" + (MAGIC if step != 20 else b"Lamm"))
        writer.write(make_frame(step, 0.01))
        lines += thermo(step)
        (run / "log.lammps").write_bytes(lines)
        output_follower.read()
    writer.close()
    output_follower.finish()
    steps = [checkpoint.step for checkpoint in log.checkpoints()]
    assert 20 not in steps, "a torn file was taken over"
    assert steps[-2:] == [30, 40]


def test_thermo_lines_of_any_version_with_yaml() -> None:
    text = b"LAMMPS\n" + KEYWORDS + thermo(0) + b"WARNING: something\n" + thermo(5) + b"...\n" + KEYWORDS + thermo(5)
    for size in (1, 13, 10**4):
        reader = ThermoReader()
        rows = [row for start in range(0, len(text), size) for row in reader.feed(text[start : start + size])]
        assert [row["Step"] for row in rows] == [0, 5, 5]
        assert rows[0]["PotEng"] == -3.25


def test_a_dump_that_announces_fewer_atoms_than_none_is_no_dump() -> None:
    reader = DumpReader(periodic=True, n_atoms=N)
    header = ["ITEM: TIMESTEP", "0", "ITEM: NUMBER OF ATOMS", "-100", *["x"] * 5, ""]
    with pytest.raises(EngineError, match="the number of atoms is negative"):
        reader.feed("\n".join(header).encode())

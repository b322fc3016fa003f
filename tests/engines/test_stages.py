"""Protocols of several stages: exact resume within a stage and across borders, in every engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acemaker.config import EngineConfig, OTFConfig
from acemaker.engines.course import Course
from acemaker.engines.inprocess import InProcessEngine
from acemaker.engines.protocol import Check, Request
from acemaker.errors import ConfigError, StructureError
from acemaker.lammps import script
from acemaker.lammps.ensemble import check_ensemble
from acemaker.potentials.generation import Generation
from acemaker.testing.contracts import CALM, AbortedError
from tests.conftest import copper
from tests.engines.test_conditions import KINDS, explore

PROTOCOLS: dict[str, list[dict[str, Any]]] = {
    "heat, quench and pull": [
        {"steps": 10, "ensemble": "nvt", "temperature": 300},
        {"steps": 20, "ensemble": "npt", "temperature": (300, 900)},
        {"steps": 13, "ensemble": "csvr", "temperature": (900, 100), "strain_rates": {"z": 0.5}},
    ],
    "noise, then shocks": [
        {"steps": 20, "ensemble": "langevin", "temperature": 300},
        {"steps": 20, "ensemble": "nph", "pressure": (0, 3)},
    ],
    "hold, then shear": [
        {"steps": 20, "ensemble": "langevin"},
        {"steps": 20, "ensemble": "nvt", "strain_rates": {"xy": 0.5}},
    ],
    "the same ensemble twice": [
        {"steps": 20, "ensemble": "nvt", "temperature": 300},
        {"steps": 20, "ensemble": "nvt", "temperature": 900},
    ],
}
QUICK = {("python", "the same ensemble twice"), ("native", "heat, quench and pull"), ("native", "hold, then shear")}
MATRIX = [
    pytest.param(
        kind, name, id=f"{kind}, {name}", marks=() if kind == KINDS[0] or (kind, name) in QUICK else pytest.mark.slow
    )
    for kind in KINDS
    for name in PROTOCOLS
]


@pytest.mark.parametrize(("kind", "name"), MATRIX)
def test_a_killed_run_goes_on_to_the_same_bits_across_the_border(
    tmp_path: Path, copper_generation: Generation, native_lammps: str, kind: str, name: str
) -> None:
    """Killed before and after each border, and at it."""
    protocol, steps = PROTOCOLS[name], sum(stage["steps"] for stage in PROTOCOLS[name])
    run: dict[str, Any] = {"stages": protocol, "steps": steps}
    arguments = (copper_generation, copper())
    whole = explore(kind, native_lammps, tmp_path / "whole", *arguments, **run)
    assert whole.end_step == steps
    for killed_at in (15, 20, 25) if kind == "inprocess" else (15, 25):

        def abort(check: Check, step: int = killed_at) -> None:
            if check.step >= step:
                raise AbortedError

        part = tmp_path / str(killed_at)
        with pytest.raises(AbortedError):
            explore(kind, native_lammps, part, *arguments, {"on_check": abort}, **run)
        resumed = explore(kind, native_lammps, part, *arguments, **run)
        assert np.array_equal(resumed.frames[-1].positions, whole.frames[-1].positions)
        assert np.array_equal(resumed.frames[-1].get_momenta(), whole.frames[-1].get_momenta())
        assert np.array_equal(resumed.frames[-1].cell.array, whole.frames[-1].cell.array)
        for column, values in whole.timeline.observables.items():
            assert np.array_equal(values, resumed.timeline.observables[column]), column


@pytest.mark.parametrize("name", ["noise, then shocks", "the same ensemble twice"])
@pytest.mark.parametrize("halt", [15, 20, 25])
def test_a_paused_session_goes_on_like_one_that_reads_its_file(
    tmp_path: Path, copper_generation: Generation, name: str, halt: int
) -> None:
    """Also if it halted at the border itself, where the next stage begins."""
    config = EngineConfig(stages=PROTOCOLS[name], restart_every=10, trajectory_every=10, temperature=(300, 600))
    engine = InProcessEngine(config, seed=1)
    first = Request(
        number=1,
        structure=copper(),
        start_step=0,
        checkpoint=None,
        generation=copper_generation,
        rule=CALM,
        directory=tmp_path / "first",
        probe_step=halt,
    )
    halted = engine.explore(first)
    assert (halted.end_step, halted.decision is not None) == (halt, True)
    follow = replace(
        first, number=2, start_step=halt, checkpoint=halted.halt_checkpoint, directory=tmp_path / "p", probe_step=None
    )
    continued = engine.explore(follow)
    engine.close()
    fresh = InProcessEngine(config, seed=1)
    reread = fresh.explore(replace(follow, directory=tmp_path / "r"))
    fresh.close()
    assert continued.end_step == 40
    assert np.array_equal(continued.frames[-1].positions, reread.frames[-1].positions)
    assert np.array_equal(continued.frames[-1].get_momenta(), reread.frames[-1].get_momenta())


@pytest.mark.parametrize("kind", [KINDS[0], pytest.param(KINDS[1], marks=pytest.mark.slow), KINDS[2]])
def test_a_soft_start_has_the_temperature_of_its_stage(
    tmp_path: Path, copper_generation: Generation, native_lammps: str, kind: str
) -> None:
    """At the border that of the next stage; a stage without a heat bath has none."""
    stages = [
        {"steps": 20, "ensemble": "nvt", "temperature": 300},
        {"steps": 20, "ensemble": "nvt", "temperature": (800, 400)},
        {"steps": 20, "ensemble": "nve"},
    ]
    run: dict[str, Any] = {"stages": stages, "steps": 60, "soft_start_steps": 20}
    rule = OTFConfig(**{**CALM.model_dump(), "check_every": 5})
    whole = explore(kind, native_lammps, tmp_path / "whole", copper_generation, copper(), {"rule": rule}, **run)
    frames = {atoms.info["step"]: atoms for atoms in whole.frames}
    for step, target in ((10, 300), (20, 800), (30, 600), (40, None)):
        request = {"start_step": step, "state": frames[step], "soft_start": True, "number": 2}
        outcome = explore(kind, native_lammps, tmp_path / str(step), copper_generation, copper(), request, **run)
        assert (None if outcome.soft_start is None else outcome.soft_start.temperature_target) == target


def test_each_stage_has_its_ramp() -> None:
    config = EngineConfig(
        restart_every=50,
        temperature=(500, 500),
        stages=[{"steps": 100, "temperature": (300, 900)}, {"steps": 50}, {"steps": 80, "temperature": (900, 100)}],
    )
    assert (config.steps, config.borders) == (230, (100, 150))
    assert [script.ramp_temperature(config, step) for step in (0, 50, 100, 149, 150, 190, 230)] == [
        300,
        600,
        500,
        500,
        900,
        500,
        100,
    ]
    assert [script.stretch_end(step, config) for step in (0, 50, 99, 100, 200, 229)] == [50, 100, 100, 150, 230, 230]
    names = [script.ensemble_commands(config, 1, step)[0].split()[1] for step in (0, 99, 100, 150, 230)]
    assert names == ["ensemble", "ensemble", "ensemble_2", "ensemble_3", "ensemble_3"]  # no state of another stage
    course = Course(config, copper())
    assert course.temperature_limit(0) < course.temperature_limit(120)  # the highest so far: a system may lag behind
    assert course.temperature_limit(120) == course.temperature_limit(230)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stages": [{"steps": 60}, {"steps": 50}]}, "steps of stage 1 must be a multiple of restart_every, 50"),
        ({"stages": [{"steps": 50}], "steps": 70}, "must be the sum of the steps of the stages, 50"),
        ({"stages": [{"temperature": 300}]}, r"StageConfig\.steps: field required"),
        ({"stages": [{"steps": 0}]}, r"StageConfig\.steps"),
        ({"stages": [{"steps": 50, "temperature": (300, float("inf"))}]}, "finite"),
        ({"stages": [{"steps": 50, "length": 5}]}, r"StageConfig\.length: unknown name"),
        (
            {"stages": [{"steps": 50, "strain_rates": {"x": 0.1}}]},
            r"stage 1: .*barostat of 'npt' would change the same",
        ),
        ({"stages": [{"steps": 50, "ensemble": "berendsen"}]}, "suppress the fluctuations"),
        (
            {"stages": [{"steps": 50, "ensemble": "nve", "pressure_components": {"x": 1}}]},
            r"stage 1: .*needs a barostat",
        ),
    ],
)
def test_unsound_stages_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EngineConfig(**changes)


def test_every_stage_must_suit_the_structure() -> None:
    stages = [{"steps": 50, "ensemble": "nvt"}, {"steps": 50, "ensemble": "npt"}]
    cluster = copper()
    cluster.pbc = False
    with pytest.raises(StructureError, match=r"stage 2: .*'npt' needs a periodic structure"):
        check_ensemble(EngineConfig(stages=stages), cluster)
    pulled = {"ensemble": "nvt", "strain_rates": {"z": 0.5}}
    with pytest.raises(StructureError, match=r"lengths of the cell would be 1, 1, 2.2 of the initial ones"):
        check_ensemble(EngineConfig(stages=[{"steps": 600, **pulled}] * 2), copper())
    check_ensemble(EngineConfig(stages=[{"steps": 600, **pulled}, {"steps": 50, "ensemble": "nvt"}]), copper())
    pushed = {"ensemble": "nvt", "strain_rates": {"z": -0.5}}
    check_ensemble(EngineConfig(stages=[{"steps": 600, **pulled}, {"steps": 1000, **pushed}]), copper())
    with pytest.raises(StructureError, match=r"after 1000 steps of 2 fs.* 1, 1, 0 of"):
        check_ensemble(EngineConfig(stages=[{"steps": 1000, **pushed}, {"steps": 600, **pulled}]), copper())

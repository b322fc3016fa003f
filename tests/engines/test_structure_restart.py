"""Runs that continue from positions and velocities, without restart files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units

from acemaker import Campaign, CampaignConfig
from acemaker.config import EngineConfig, OTFConfig
from acemaker.engines.factory import make_engine
from acemaker.engines.protocol import Exploration, Request
from acemaker.engines.segment_log import SegmentLog, read_trajectory
from acemaker.errors import EngineError
from acemaker.potentials.generation import Generation
from acemaker.results import Halt
from acemaker.states import State
from acemaker.steps.resume import resume
from tests.conftest import alloy, copper
from tests.engines.test_inprocess import make_request

KINDS = ("inprocess", "python", "native")
RUN: dict[str, Any] = {
    "steps": 60,
    "temperature": (300, 900),
    "restart_every": 20,
    "trajectory_every": 5,
    "check_course": False,  # the drift counts as temperature
}


def explore(kind: str, native: str, request: Request, **changes: Any) -> Exploration:
    where = {"engine": "inprocess"} if kind == "inprocess" else {"engine": "isolated", "lammps": kind}
    if kind == "native":
        where["lammps"] = native
    engine = make_engine(EngineConfig(**{**RUN, **where, **changes}), seed=1)
    try:
        return engine.explore(request)
    finally:
        engine.close()


def drifting(atoms: Atoms) -> Atoms:
    """Set thermal velocities and a drift, so that atoms cross the boundaries."""
    rng = np.random.default_rng(1)
    atoms.set_momenta(rng.normal(size=(len(atoms), 3)) * np.sqrt(atoms.get_masses() * 300 * units.kB)[:, None])
    atoms.set_velocities(atoms.get_velocities() + np.array([0.5, -0.3, 0.2]))
    return atoms


def frame(outcome: Exploration, step: int) -> Atoms:
    return next(atoms for atoms in outcome.frames if atoms.info["step"] == step)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ensemble", ["nve", "langevin"])
def test_a_frame_leads_where_the_run_led(
    tmp_path: Path, native_lammps: str, copper_generation: Generation, kind: str, ensemble: str
) -> None:
    """NVE has no state beyond the frame, and Langevin's noise depends only on the step.

    In a callback LAMMPS has not yet done that noise's part of the last half step.
    """
    structure = drifting(copper())
    whole = explore(
        kind, native_lammps, make_request(tmp_path / "whole", copper_generation, structure), ensemble=ensemble
    )
    state = frame(whole, 40)
    assert np.abs(state.arrays["images"]).max() >= 1, "nothing has crossed a boundary"
    request = make_request(tmp_path / "rest", copper_generation, structure, start_step=40, state=state)
    rest = explore(kind, native_lammps, request, ensemble=ensemble)
    assert rest.timeline.step.tolist() == [40, 45, 50, 55, 60]
    last, known = (SegmentLog(tmp_path / name).trajectory for name in ("rest", "whole"))
    limit = 1e-6 if ensemble == "nve" or kind == "native" else 0.02
    assert read_trajectory(last)[-1].positions == pytest.approx(read_trajectory(known)[-1].positions, abs=limit)


@pytest.mark.parametrize("kind", KINDS)
def test_box_and_ramp_go_on(tmp_path: Path, native_lammps: str, alloy_generation: Generation, kind: str) -> None:
    """In a moving triclinic box; thermostat and barostat start without history."""
    changes = {"ensemble": "npt", "pressure_coupling": "tri"}
    structure = drifting(alloy())
    whole = explore(kind, native_lammps, make_request(tmp_path / "whole", alloy_generation, structure), **changes)
    request = make_request(tmp_path / "rest", alloy_generation, structure, start_step=40, state=frame(whole, 40))
    rest = explore(kind, native_lammps, request, **changes)
    assert rest.frames[0].cell.array == pytest.approx(whole.frames[8].cell.array, abs=1e-6)
    # in a callback LAMMPS has not yet applied the thermostat in the last half step
    limit = 1e-4 if kind == "native" else 25.0
    temperatures = rest.timeline.observables["temperature_K"], whole.timeline.observables["temperature_K"][8:]
    assert temperatures[0][0] == pytest.approx(temperatures[1][0], abs=limit)
    assert rest.timeline.observables["volume_A3"][0] == pytest.approx(whole.timeline.observables["volume_A3"][8])
    assert rest.timeline.gamma_max[0] == pytest.approx(whole.timeline.gamma_max[8], rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_soft_start_from_a_frame(
    tmp_path: Path, native_lammps: str, copper_generation: Generation, kind: str
) -> None:
    structure = drifting(copper())
    whole = explore(kind, native_lammps, make_request(tmp_path / "whole", copper_generation, structure))
    request = make_request(
        tmp_path / "rest", copper_generation, structure, start_step=40, state=frame(whole, 40), number=2
    )
    rest = explore(kind, native_lammps, replace(request, soft_start=True))
    assert rest.soft_start is not None
    assert rest.soft_start.start_step == 40
    assert rest.timeline.step.tolist() == [40, 45, 50, 55, 60]


SMALL = CampaignConfig(
    seed=3,
    system={"structure": "Cu", "lattice_constant": 3.615, "supercell": (2, 2, 2), "n_first": 1},
    otf={"n_candidates": 4, "n_select": 1, "threshold_add_train": 1.5, "threshold_call_dft": 2.5},
    engine={"steps": 500, "temperature": (300, 1200), "restart_every": 50, "soft_start_steps": 20},
    potential={"n_functions": 20, "cutoff": 4.5, "nradmax_by_orders": (8, 4, 2), "lmax_by_orders": (0, 3, 1)},
    oracle={"oracle": "lammps", "pair_style": "eam/alloy", "pair_coeff": ["* * Cu_mishin1.eam.alloy Cu"]},
)


@pytest.mark.parametrize("kind", ["inprocess", "native"])
def test_a_campaign_by_structures_alone(tmp_path: Path, native_lammps: str, kind: str) -> None:
    where = {} if kind == "inprocess" else {"engine": "isolated", "lammps": native_lammps}
    config = SMALL.model_copy(
        update={
            "otf": SMALL.otf.model_copy(update={"resume_from": "structure"}),
            "engine": SMALL.engine.model_copy(update=where),
        }
    )
    resumed: list[Any] = []
    with Campaign.create(tmp_path / "run", config) as campaign:
        for result in campaign.steps():
            if campaign.state is State.EXPLORE and hasattr(result, "mode"):
                resumed.append(result)
        assert campaign.state is State.DONE
    assert resumed, "the test needs a halt"
    assert {result.mode for result in resumed} == {"structure"}
    assert all(result.checkpoint is None for result in resumed)
    assert "positions and velocities only" in str(resumed[0])


def test_a_campaign_moves_where_its_restart_files_cannot_be_read(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    with Campaign.create(directory, SMALL) as campaign:
        for _ in campaign.steps():
            if campaign.state is State.EXPLORE and campaign.progress.current.checkpoint:
                break
        assert campaign.progress.current.checkpoint, "the test needs a halt after a checkpoint"
    for file in directory.rglob("checkpoint.*"):
        file.write_bytes(b"of another machine")
    with Campaign.open(directory) as campaign, pytest.raises(EngineError):
        campaign.run()
    with Campaign.open(directory, resume_from="structure") as campaign:
        campaign.run()
        assert campaign.state is State.DONE


def test_without_restart_file_and_frame_there_is_a_clear_word(tmp_path: Path) -> None:
    config = SMALL.model_copy(update={"otf": SMALL.otf.model_copy(update={"resume_from": "structure"})})
    with Campaign.create(tmp_path / "run", config) as campaign:
        for _ in campaign.steps():
            if campaign.state is State.EXPLORE and campaign.progress.halt:
                break
        for file in (tmp_path / "run" / "halts").iterdir():
            file.write_text(file.read_text().replace(" step=", " step=9"))
        with pytest.raises(EngineError, match="the trajectory cannot continue from step"):
            campaign.run()


def test_after_a_break_it_is_a_frame_before(copper_generation: Generation) -> None:
    frames = []
    for step, gamma in ((10, 1.0), (15, 3.0), (20, 7.0), (25, 30.0)):
        atoms = drifting(copper())
        atoms.arrays["gamma"] = np.full(len(atoms), gamma)
        atoms.info["step"] = step
        frames.append(atoms)
    halt = Halt(
        number=1,
        step=25,
        tier="break",
        first_step=20,
        frames=tuple(frames),
        safe_step=0,
        safe_checkpoint=None,
        halt_checkpoint=None,
    )
    rule = OTFConfig(resume_from="structure")

    def step_of(halt: Halt) -> tuple[str, int, int]:
        made = resume(halt, copper(), rule, old=copper_generation, new=copper_generation)
        return made.mode, made.step, made.discarded_steps

    still = [atoms.copy() for atoms in frames]
    for atoms in still:
        del atoms.arrays["momenta"]
    # a trajectory cannot continue from frames without velocities
    assert step_of(replace(halt, tier="smooth", frames=tuple(still))) == ("safe", 0, 25)
    assert step_of(halt) == ("structure", 15, 10)
    assert step_of(replace(halt, tier="smooth")) == ("structure", 25, 0)
    assert step_of(replace(halt, frames=tuple(frames[2:]))) == ("safe", 0, 25)

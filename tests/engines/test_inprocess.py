from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from acemaker.config import EngineConfig, OTFConfig
from acemaker.engines import callback, inprocess
from acemaker.engines.inprocess import InProcessEngine
from acemaker.engines.preflight import TOLERANCES, preflight
from acemaker.engines.protocol import Check, Exploration, Request
from acemaker.errors import EngineError, RunawayError, StructureError
from acemaker.potentials.evaluator import Evaluator, evaluator_of
from acemaker.potentials.generation import Generation
from acemaker.testing.contracts import CALM, NERVOUS
from tests.conftest import alloy, copper

HOT = {"temperature": (300, 900), "steps": 120, "restart_every": 20, "trajectory_every": 20}
COUPLINGS = ["iso", "aniso", "tri", "x", "yz", "x z"]


def make_request(
    directory: Path, generation: Generation, structure: Atoms, rule: OTFConfig = CALM, **changes: Any
) -> Request:
    first = Request(
        number=1,
        structure=structure,
        start_step=0,
        checkpoint=None,
        generation=generation,
        rule=rule,
        directory=directory,
    )
    return replace(first, **changes)


def explore(config: EngineConfig, request: Request) -> Exploration:
    engine = InProcessEngine(config, seed=1)
    try:
        return engine.explore(request)
    finally:
        engine.close()


@pytest.mark.parametrize(
    ("ensemble", "coupling"),
    [*((name, "iso") for name in ("nve", "nvt", "csvr", "langevin")), *(("npt", coupling) for coupling in COUPLINGS)],
)
def test_every_checkpoint_leads_to_the_same_bits(
    tmp_path: Path, alloy_generation: Generation, ensemble: str, coupling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a ramp, in a triclinic cell: each checkpoint's run ends where the whole run ends."""
    monkeypatch.setattr("acemaker.engines.segment_log.SegmentLog.prune", lambda *_: None)
    config = EngineConfig(ensemble=ensemble, pressure_coupling=coupling, **HOT)
    whole = explore(config, make_request(tmp_path / "whole", alloy_generation, alloy()))
    for step in (20, 80):
        part = explore(
            config,
            make_request(
                tmp_path / f"from_{step}",
                alloy_generation,
                alloy(),
                start_step=step,
                checkpoint=tmp_path / "whole" / f"checkpoint.{step}",
            ),
        )
        assert np.array_equal(part.frames[-1].positions, whole.frames[-1].positions)
        assert np.array_equal(part.frames[-1].cell.array, whole.frames[-1].cell.array)


@pytest.mark.parametrize("ensemble", ["csvr", "langevin"])
def test_noise_is_the_same_from_checkpoints_at_odd_steps(
    tmp_path: Path, copper_generation: Generation, ensemble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At odd steps CSVR has one unused random number of a pair, which restart files do not contain."""
    monkeypatch.setattr("acemaker.engines.segment_log.SegmentLog.prune", lambda *_: None)
    config = EngineConfig(ensemble=ensemble, **{**HOT, "restart_every": 15})
    whole = explore(config, make_request(tmp_path / "whole", copper_generation, copper()))
    for step in (15, 30):
        checkpoint = tmp_path / "whole" / f"checkpoint.{step}"
        request = make_request(
            tmp_path / f"from_{step}", copper_generation, copper(), start_step=step, checkpoint=checkpoint
        )
        assert np.array_equal(explore(config, request).frames[-1].positions, whole.frames[-1].positions)


@pytest.mark.parametrize("ensemble", ["nve", "nvt", "npt", "csvr", "langevin"])
def test_a_paused_session_goes_on_like_one_that_reads_its_file(
    tmp_path: Path, copper_generation: Generation, ensemble: str
) -> None:
    config = EngineConfig(ensemble=ensemble, **HOT)
    engine = InProcessEngine(config, seed=1)
    halted = engine.explore(make_request(tmp_path / "first", copper_generation, copper(), NERVOUS))
    follow = make_request(
        tmp_path / "paused",
        copper_generation,
        copper(),
        number=2,
        start_step=10,
        checkpoint=halted.halt_checkpoint,
    )
    session = engine._session
    continued = engine.explore(follow)
    assert engine._session is session
    engine.close()
    reread = explore(config, replace(follow, directory=tmp_path / "reread"))
    assert np.array_equal(continued.frames[-1].positions, reread.frames[-1].positions)
    assert np.array_equal(continued.timeline.gamma_max, reread.timeline.gamma_max)


@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
def test_checkpoints_of_a_cluster_lead_to_the_same_bits(
    tmp_path: Path, copper_generation: Generation, ensemble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shrink-wrapped box moves its origin, the atoms do not."""
    monkeypatch.setattr("acemaker.engines.segment_log.SegmentLog.prune", lambda *_: None)
    structure = copper()
    structure.pbc = False
    config = EngineConfig(ensemble=ensemble, **HOT)
    whole = explore(config, make_request(tmp_path / "whole", copper_generation, structure))
    checkpoint = tmp_path / "whole" / "checkpoint.60"
    part = explore(
        config, make_request(tmp_path / "part", copper_generation, structure, start_step=60, checkpoint=checkpoint)
    )
    assert np.array_equal(part.frames[-1].positions, whole.frames[-1].positions)


def test_a_halt_between_checkpoints_goes_on_to_the_last_digits(tmp_path: Path, copper_generation: Generation) -> None:
    """The halt adds a setup to the run, which affects an NPT barostat on a ramp."""
    apart = {}
    for ensemble in ("nve", "nvt", "csvr", "npt"):
        config = EngineConfig(ensemble=ensemble, **HOT)
        whole = explore(config, make_request(tmp_path / ensemble, copper_generation, copper()))
        halted = explore(config, make_request(tmp_path / f"{ensemble}_halted", copper_generation, copper(), NERVOUS))
        follow = make_request(
            tmp_path / f"{ensemble}_rest",
            copper_generation,
            copper(),
            number=2,
            start_step=10,
            checkpoint=halted.halt_checkpoint,
        )
        rest = explore(config, follow)
        apart[ensemble] = np.abs(rest.frames[-1].positions - whole.frames[-1].positions).max()
    assert max(apart["nve"], apart["nvt"], apart["csvr"]) < 1e-12, apart
    assert apart["npt"] < 0.01, apart


@pytest.mark.parametrize("structure", [copper(), alloy()], ids=["orthogonal", "triclinic"])
def test_the_preflight_lets_a_good_potential_pass(
    structure: Atoms, copper_generation: Generation, alloy_generation: Generation
) -> None:
    generation = alloy_generation if "Ni" in structure.symbols else copper_generation
    for periodic in (True, False):
        structure.pbc = periodic
        differences = preflight(evaluator_of(generation), structure, 1.0)
        assert all(differences[name] <= limit for name, limit in TOLERANCES.items())


@pytest.mark.parametrize(
    ("quantity", "change"),
    [
        ("pressure", lambda result: replace(result, virial=-result.virial)),
        ("energy", lambda result: replace(result, energy=result.energy + 1e-3)),
        ("forces", lambda result: replace(result, forces=result.forces * 1.0001)),
    ],
)
def test_the_preflight_stops_what_cannot_be_trusted(
    tmp_path: Path, copper_generation: Generation, monkeypatch: pytest.MonkeyPatch, quantity: str, change: Any
) -> None:
    original = Evaluator.fast
    monkeypatch.setattr(Evaluator, "fast", lambda self, env: change(original(self, env)))
    with pytest.raises(EngineError, match=f"disagree on a rattled cell, so no run is started: {quantity} by"):
        explore(EngineConfig(**HOT), make_request(tmp_path, copper_generation, copper()))
    assert not list(tmp_path.glob("checkpoint.*"))


def test_the_preflight_knows_a_gamma_of_zero(copper_generation: Generation, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Evaluator.graded
    monkeypatch.setattr(Evaluator, "graded", lambda self, env: replace(original(self, env), gamma=np.zeros(32)))
    with pytest.raises(EngineError, match="gamma is zero"):
        preflight(evaluator_of(copper_generation), copper(), 1.0)


def test_a_ramp_goes_on_across_a_halt(tmp_path: Path, copper_generation: Generation) -> None:
    config = EngineConfig(ensemble="langevin", thermostat_time=10, temperature=(100, 1000), steps=400)
    halted = explore(config, make_request(tmp_path / "first", copper_generation, copper(), NERVOUS))
    rest = explore(
        config,
        make_request(
            tmp_path / "rest", copper_generation, copper(), number=2, start_step=10, checkpoint=halted.halt_checkpoint
        ),
    )
    temperature = rest.timeline.observables["temperature_K"]
    assert temperature[:10].mean() < 300
    assert temperature[-10:].mean() > 600


def test_ctrl_c_leaves_a_segment_that_goes_on(tmp_path: Path, copper_generation: Generation) -> None:
    config = EngineConfig(ensemble="npt", **HOT)
    whole = explore(config, make_request(tmp_path / "whole", copper_generation, copper()))

    def press(check: Check) -> None:
        if check.step == 70:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    broken = make_request(tmp_path / "broken", copper_generation, copper())
    with pytest.raises(KeyboardInterrupt):
        explore(config, replace(broken, on_check=press))
    assert signal.getsignal(signal.SIGINT) is before
    again = explore(config, broken)
    assert np.array_equal(again.frames[-1].positions, whole.frames[-1].positions)


def test_halts_with_the_right_atoms(tmp_path: Path, copper_generation: Generation) -> None:
    """A displaced atom or one of its neighbors has the largest gamma, and the run halts."""
    structure = copper()
    structure.positions[7] += (0.55, 0.4, 0.3)
    rule = OTFConfig(threshold_add_train=2, threshold_call_dft=3, threshold_break=1e4)
    outcome = explore(
        EngineConfig(ensemble="nve", timestep=0.1, **HOT), make_request(tmp_path, copper_generation, structure, rule)
    )
    assert outcome.decision is not None
    assert (outcome.decision.step, outcome.decision.tier) == (10, "smooth")
    gamma = outcome.frames[-1].arrays["gamma"]
    assert np.argmax(gamma) in {7, *np.argsort(outcome.frames[-1].get_distances(7, range(32), mic=True))[:5]}
    reference = Atoms(structure.symbols, outcome.frames[-1].positions, cell=outcome.frames[-1].cell, pbc=True)
    calculator = copper_generation.calculator()
    reference.calc = calculator
    reference.get_potential_energy()
    assert gamma == pytest.approx(calculator.results["gamma"], rel=1e-9)


def test_the_trajectory_is_unwrapped_and_has_gamma(tmp_path: Path, copper_generation: Generation) -> None:
    config = EngineConfig(ensemble="nvt", temperature=(2500, 2500), steps=200, trajectory_every=50)
    explore(config, make_request(tmp_path, copper_generation, copper()))
    from acemaker.engines.segment_log import read_trajectory

    frames = read_trajectory(tmp_path / "trajectory.extxyz")
    assert [frame.info["step"] for frame in frames] == [0, 50, 100, 150, 200]
    assert all(frame.arrays["gamma"].shape == (32,) for frame in frames)
    jumps = np.abs(np.diff([frame.positions for frame in frames], axis=0)).max()
    assert jumps < frames[0].cell.lengths().min() / 2


def test_momenta_of_the_structure_are_used(tmp_path: Path, copper_generation: Generation) -> None:
    structure = copper()
    rng = np.random.default_rng(0)
    structure.set_momenta(rng.normal(size=(32, 3)))
    structure.set_momenta(structure.get_momenta() - structure.get_momenta().mean(axis=0))
    outcome = explore(EngineConfig(ensemble="nve", **HOT), make_request(tmp_path, copper_generation, structure))
    # LAMMPS subtracts three degrees of freedom
    expected = structure.get_kinetic_energy() * 2 / (3 * 31) / 8.617333262e-5
    assert outcome.timeline.observables["temperature_K"][0] == pytest.approx(expected, rel=1e-4)


def test_a_broken_restart_file_is_a_typed_error_with_the_log(tmp_path: Path, copper_generation: Generation) -> None:
    torn = tmp_path / "torn"
    torn.write_bytes(b"\0" * 100)
    request = make_request(tmp_path / "segment", copper_generation, copper(), start_step=10, checkpoint=torn)
    with pytest.raises(EngineError, match=r"(?s)LAMMPS stopped in segment 1.*last lines of .*log\.lammps") as error:
        explore(EngineConfig(**HOT), request)
    assert error.value.log == tmp_path / "segment" / "log.lammps"


@pytest.mark.parametrize("threshold", [1e-9, 1e6])
def test_lost_atoms_are_a_halt_where_gamma_had_warned(
    tmp_path: Path, copper_generation: Generation, monkeypatch: pytest.MonkeyPatch, threshold: float
) -> None:
    """Huge forces expel an atom between two checks, so that LAMMPS stops with an error."""
    original = Evaluator.fast

    def throw(self: Any, env: Any) -> Any:
        result = original(self, env)
        forces = result.forces.copy()
        forces[0] += 1e7
        return replace(result, forces=forces)

    monkeypatch.setattr(inprocess, "preflight", lambda *_, **__: {})
    monkeypatch.setattr(callback, "FORCE_LIMIT", 1e300)
    monkeypatch.setattr(Evaluator, "fast", throw)
    rule = OTFConfig(threshold_add_train=threshold, threshold_call_dft=1e7, threshold_break=1e8)
    request = make_request(tmp_path, copper_generation, copper(), rule)
    config = EngineConfig(ensemble="nve", **{**HOT, "temperature": (300, 300)})
    if threshold > 1:
        with pytest.raises(RunawayError, match=r"LAMMPS stopped \(ERROR: Lost atoms"):
            explore(config, request)
        return
    outcome = explore(config, request)
    assert outcome.decision is not None
    assert outcome.decision.tier == "break"
    assert outcome.end_step == outcome.decision.step == outcome.frames[-1].info["step"]
    assert outcome.halt_checkpoint is None


def test_npt_needs_a_periodic_structure(tmp_path: Path, copper_generation: Generation) -> None:
    structure = copper()
    structure.pbc = False
    with pytest.raises(StructureError, match="choose 'nvt'"):
        explore(EngineConfig(ensemble="npt", **HOT), make_request(tmp_path, copper_generation, structure))


NAMES = ["a b's $HOME ${x} & #1", 'say "x"', "a*b%c", "line\nbreak", "Müller", "研究 🧪", "not UTF-8 \udcff"]


@pytest.mark.parametrize("name", NAMES)
def test_paths_of_any_characters(tmp_path: Path, copper_generation: Generation, name: str) -> None:
    odd = tmp_path / name
    halted = explore(EngineConfig(**HOT), make_request(odd, copper_generation, copper(), NERVOUS))
    assert halted.halt_checkpoint is not None
    rest = explore(
        EngineConfig(**HOT),
        make_request(
            odd / "next", copper_generation, copper(), number=2, start_step=10, checkpoint=halted.halt_checkpoint
        ),
    )
    assert rest.end_step == 120
    assert (odd / "next" / "log.lammps").stat().st_size > 0

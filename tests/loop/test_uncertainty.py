"""Halts for the predicted force error, although gamma is low."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from acemaker import Callback, Campaign, CampaignConfig, WalkerConfig
from acemaker.config.recorded import RecordedConfig
from acemaker.engines.protocol import Check, Exploration, Request
from acemaker.engines.segment_log import SegmentLog
from acemaker.errors import ConfigError, EngineError
from acemaker.loop.progress import Progress, Walker
from acemaker.loop.uncertainty import largest_uncertainty, measure_of, tolerance_in_force, tolerance_of
from acemaker.plotting.png_figure import PngFigure
from acemaker.potentials.environment import environment
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import Generation
from acemaker.potentials.measures import PredictedForceError, grade, largest
from acemaker.results import Diagnosis, Training
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config

COLUMN = "predicted_force_error_meV/A"


def toy(directory: Path, tolerance: float | None, **otf: object) -> Campaign:
    otf = {"uncertainty": "force_error", "force_error_tolerance": tolerance, "n_select": 1, **otf}
    return Campaign.create(directory, toy_config(**otf), engine=ToyEngine(400, halting_at()), oracle=ToyOracle())


def test_a_quiet_run_is_halted_where_errors_are_predicted(tmp_path: Path) -> None:
    """Gamma never exceeds its threshold, but the predicted error is above the tolerance."""
    with toy(tmp_path / "c", 47.0) as campaign:
        results = list(campaign.steps())
        assert campaign.state is State.DONE
        segments = campaign.segments()
        halts = [segment.halt for segment in segments if segment.halt is not None]
        assert halts
        assert {halt.tier for halt in halts} == {"uncertainty"}
        assert campaign.progress.n_labels == 2 + len(halts)
        assert campaign.progress.n_halts == len(halts)
        for segment in segments:
            values = segment.timeline.observables[COLUMN]
            evaluated = segment.timeline.step % 15 == 0
            assert np.isfinite(values[evaluated]).all()
            assert np.isnan(values[~evaluated]).all()
        first = halts[0]
        assert first.uncertainty is not None
        assert first.tolerance == 47.0
        assert first.uncertainty.max() > 47.0 >= first.uncertainty.min()
        assert first.epicenter.tolist() == np.flatnonzero(first.uncertainty > 47.0).tolist()
        assert f"predicted force error {first.uncertainty.max():.1f}"[:-2] in segments[0].headline()
        assert "tolerance in force 47 meV/Å" in repr(first)
        diagnosis = next(result for result in results if isinstance(result, Diagnosis))
        assert sorted(diagnosis.epicenter) == first.epicenter.tolist()
        assert diagnosis.epicenter[0] == first.uncertainty.argmax()


def test_what_if_report_and_figures_tell_halts_for_errors_from_others(tmp_path: Path) -> None:
    """A rule for gamma leaves them; the report and the legend name them."""
    with toy(tmp_path / "c", 47.0) as campaign:
        campaign.run()
        halts = [segment.halt for segment in campaign.segments() if segment.halt is not None]
        other = campaign.what_if(threshold_call_dft=3.0)
        assert other.halts == len(halts) > 0
        assert [decision and decision.step for decision in other.decisions if decision] == [halt.step for halt in halts]
        report = campaign.report().read_text()
        assert "was above the tolerance of 47 meV/Å, although gamma was low" in report
        picture = campaign.figure()
        assert isinstance(picture, PngFigure)
        legend = picture.axes[0].get_legend()
        assert legend is not None
        labels = [text.get_text() for text in legend.get_texts()]
        assert f"by force error ({len(halts)})" in labels
        assert "halts (0)" in labels
        assert picture.axes[-1].get_ylabel() == "predicted\nforce error / (meV/Å)"
        table = campaign.to_dataframe("checks")
        assert COLUMN in table.columns
        assert table[COLUMN].notna().sum() == len(table[table["step"] % 15 == 0])


@pytest.mark.parametrize("tolerance", [1.0, 30.0])
def test_a_tolerance_that_no_label_reaches_does_not_halt_forever(tmp_path: Path, tolerance: float) -> None:
    """It is raised to what the labels reach; the run goes on from there, and never halts thrice within ten steps."""
    with toy(tmp_path / "c", tolerance) as campaign:
        results = list(campaign.steps())
        halts = [segment.halt for segment in campaign.segments() if segment.halt is not None]
        learned = [event["uncertainty"] for event in _trainings(campaign)]
        assert len(learned) == len(halts) > 0
        for value, later in zip(learned, [*halts[1:], None], strict=True):
            if later is not None:
                assert later.tolerance == pytest.approx(max(1.2 * value, tolerance), rel=1e-12)
        assert campaign.progress.walkers[0].uncertainty == learned[-1]
        steps = np.array([halt.step for halt in halts])
        assert all((np.abs(steps - step) < 10).sum() <= 2 for step in steps)
        assert sum(isinstance(result, Training) for result in results) == len(halts) + 1
        assert campaign.progress.n_labels <= 8


def _trainings(campaign: Campaign) -> list[dict[str, float]]:
    import json

    lines = (json.loads(line) for line in (campaign.directory / "journal.jsonl").read_text().splitlines())
    return [event for event in lines if event.get("state") == "TRAIN" and event.get("uncertainty") is not None]


def test_the_learned_floor_is_that_of_the_structure_just_labeled(tmp_path: Path) -> None:
    with toy(tmp_path / "c", 30.0) as campaign:
        for _ in campaign.steps():
            if campaign.progress.generation == 2:
                break
        halt = campaign.segments()[0].halt
        assert halt is not None
        assert campaign.generation is not None
        expected = largest(PredictedForceError(campaign.generation).per_atom(halt.structure))
        assert campaign.progress.walkers[0].uncertainty == pytest.approx(expected, rel=1e-12)


def test_a_part_of_a_structure_counts_where_only_a_part_was_labeled(tmp_path: Path) -> None:
    """Atoms outside of the mask of an embedded cell have no label."""

    class Index:
        name, unit = "index", "meV/Å"

        def per_atom(self, atoms: Atoms) -> np.ndarray:
            return np.arange(len(atoms), dtype=float)

    atoms = bulk("Cu", cubic=True)
    assert largest_uncertainty(Index(), atoms) == 3.0
    atoms.arrays["mask"] = np.array([True, True, False, False])
    assert largest_uncertainty(Index(), atoms) == 1.0
    assert largest_uncertainty(None, atoms) is None
    atoms.positions[0] = math.nan
    assert largest_uncertainty(Index(), atoms) is None


@pytest.mark.parametrize("moment", [9, 23, 41])
def test_killed_within_a_segment_it_halts_at_the_same_steps(tmp_path: Path, moment: int) -> None:
    """The tolerance in force is the same, although frames before the kill are not in memory any more."""
    whole = toy(tmp_path / "whole", 30.0)
    whole.run()
    expected = [(segment.end_step, segment.halt and segment.halt.tolerance) for segment in whole.segments()]
    whole.close()
    seen: list[Check] = []

    def interrupt(check: Check) -> None:
        seen.append(check)
        if len(seen) == moment:
            raise KeyboardInterrupt

    with toy(tmp_path / "killed", 30.0) as campaign:
        campaign.callbacks.append(Callback(on_check=interrupt))
        with pytest.raises(KeyboardInterrupt):
            campaign.run()
    with Campaign.open(tmp_path / "killed", engine=ToyEngine(400, halting_at()), oracle=ToyOracle()) as campaign:
        campaign.run()
        assert [
            (segment.end_step, segment.halt and segment.halt.tolerance) for segment in campaign.segments()
        ] == expected


def test_a_floor_does_not_hold_for_another_basis() -> None:
    """Nor after labels were removed: the walker that was healed has a new one, the others none."""
    walkers = (Walker(uncertainty=50.0), Walker(uncertainty=70.0))
    progress = Progress(state=State.TRAIN, walkers=walkers, walker=1)
    event = {
        "event": "step",
        "n": 1,
        "state": "TRAIN",
        "next": "RESUME",
        "labels": [],
        "accepted": True,
        "reason": "",
        "generation": 2,
        "cv_forces": None,
        "uncertainty": 40.0,
    }
    same = progress.apply(event)
    assert [walker.uncertainty for walker in same.walkers] == [40.0, 70.0]
    other = progress.apply({**event, "is_new_basis": True})
    assert [walker.uncertainty for walker in other.walkers] == [40.0, None]


def test_campaigns_that_were_recorded_before_go_on_with_gamma_alone() -> None:
    """Their segments have no column for another measure."""
    values = toy_config().model_dump()
    del values["otf"]["uncertainty"]
    assert RecordedConfig.read(values).otf.uncertainty == "gamma"
    assert RecordedConfig.read(CampaignConfig(oracle={"oracle": "emt"}).model_dump()).otf.uncertainty == "force_error"


def test_another_column_in_a_segment_is_refused(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path)
    log.append(Check(step=0, gamma_max=1.0, observables={"temperature_K": 300.0}))
    with pytest.raises(EngineError, match="was begun with another engine or measure"):
        log.append(Check(step=5, gamma_max=1.0, observables={"temperature_K": 300.0, COLUMN: 5.0}))
    assert len(SegmentLog(tmp_path).checks) == 1


def test_the_repulsion_of_nuclei_is_no_uncertainty(tmp_path: Path) -> None:
    """It has no coefficients: samples of the posterior are free of it, also at distances where it is large."""
    config = toy_config()
    potential = config.potential.model_copy(update={"core_repulsion": "always"})
    config = config.model_copy(update={"potential": potential})
    with Campaign.create(tmp_path / "c", config, engine=ToyEngine(100, halting_at()), oracle=ToyOracle()) as campaign:
        campaign.prepare()
        generation = campaign.generation
        assert generation is not None
        assert generation.core_radii
        close = bulk("Cu", a=2.2, cubic=True).repeat(2)
        close.rattle(0.02, seed=1)
        env = environment(close, generation.elements, generation.cutoff)
        evaluator = evaluator_of(generation)
        assert np.abs(evaluator.fast(env).forces).max() > 10.0
        assert np.abs(evaluator.sampled_forces(env, np.zeros((1, len(generation.coefficients()))))).max() < 1e-12


def test_a_campaign_that_ends_anywhere_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    whole = toy(tmp_path / "whole", 30.0, n_probes=2)
    copies = []
    for number, _ in enumerate(whole.steps()):
        copies.append(tmp_path / f"after_{number}")
        shutil.copytree(whole.directory, copies[-1])
    assert whole.generation is not None
    coefficients, labels = whole.generation.coefficients(), [entry.key for entry in whole.progress.labels]
    segments = [(segment.end_step, segment.halt and segment.halt.tolerance) for segment in whole.segments()]
    whole.close()
    assert {halt["tier"] for halt in whole.progress.halts} == {"uncertainty", "probe"}
    for directory in copies[2::6]:
        with Campaign.open(directory, engine=ToyEngine(400, halting_at()), oracle=ToyOracle()) as campaign:
            campaign.run()
            assert [entry.key for entry in campaign.progress.labels] == labels, directory
            assert campaign.generation is not None
            assert np.array_equal(campaign.generation.coefficients(), coefficients)
            assert [(one.end_step, one.halt and one.halt.tolerance) for one in campaign.segments()] == segments


def test_gamma_alone_evaluates_nothing_else(tmp_path: Path) -> None:
    with toy(tmp_path / "c", 1.0, uncertainty="gamma") as campaign:
        campaign.run()
        assert COLUMN not in campaign.segments()[0].timeline.observables
        assert campaign.progress.n_halts == 0
        assert campaign.progress.walkers[0].uncertainty is None


def test_a_potential_that_predicts_no_errors_runs_with_gamma_alone(tmp_path: Path) -> None:
    with toy(tmp_path / "c", 47.0) as campaign:
        campaign.prepare()
        generation = campaign.generation
        assert generation is not None
        committee = SimpleNamespace(measure=lambda _: None)
        assert isinstance(measure_of(campaign.config, generation, committee), PredictedForceError)  # type: ignore[arg-type]
        without = replace(generation, error_floor=None)
        assert measure_of(campaign.config, without, committee) is None  # type: ignore[arg-type]


def settings(target: float, tolerance: float | None) -> CampaignConfig:
    return CampaignConfig(
        oracle={"oracle": "emt"},
        otf={"uncertainty": "force_error", "force_error_tolerance": tolerance},
        convergence={"target_force_error": target},
    )


@pytest.mark.parametrize(
    ("target", "tolerance", "training", "expected"),
    [
        (0.05, None, None, 4 * 3**0.5 * 0.05 * 800),
        (0.05, None, 30.0, 4 * 3**0.5 * 0.05 * 800),
        (0.05, None, 90.0, 4 * 3**0.5 * 90),
        (20.0, None, None, 4 * 3**0.5 * 20),
        (20.0, 0.1, 90.0, 0.1 * 3**0.5 * 800),
        (20.0, 55.0, 90.0, 55.0),
    ],
)
def test_the_tolerance_follows_the_target_unless_it_is_set(
    copper_generation: Generation,
    target: float,
    tolerance: float | None,
    training: float | None,
    expected: float,
) -> None:
    """Targets are errors of components, tolerances those of vectors; 800 meV/Å are the forces of the labels."""
    generation = replace(copper_generation, force_rms=800.0)
    config = settings(target, tolerance)
    assert tolerance_of(config, generation, training) == pytest.approx(expected)
    progress = Progress(walkers=(Walker(), Walker(uncertainty=1e4)), training_error=training)
    assert tolerance_in_force(config, progress, 1, generation) == pytest.approx(expected)
    assert tolerance_in_force(config, progress, 2, generation) == pytest.approx(1.2e4)


def test_without_the_size_of_forces_a_share_of_them_never_halts(copper_generation: Generation) -> None:
    generation = replace(copper_generation, force_rms=None)
    assert tolerance_of(settings(0.05, None), generation, None) == math.inf
    assert tolerance_of(settings(0.05, 0.2), generation, None) == math.inf
    assert tolerance_of(settings(0.05, 20.0), generation, None) == 20.0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("uncertainty", "sigma"),
        ("uncertainty", ""),
        ("force_error_tolerance", 0.0),
        ("force_error_tolerance", -1.0),
        ("force_error_tolerance", math.inf),
        ("force_error_tolerance", math.nan),
        ("uncertainty_every", 0),
    ],
)
def test_settings_without_meaning_are_refused(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field):
        toy_config(**{field: value})


def test_measures_of_odd_structures(copper_generation: Generation) -> None:
    """NaN is above everything, and gamma of non-finite positions is unknown."""
    assert largest(np.array([1.0, math.nan])) == math.inf
    assert largest(np.array([])) == math.inf
    assert largest(np.array([1.0, 3.0])) == 3.0
    broken = bulk("Cu", cubic=True)
    broken.positions[0, 0] = math.nan
    assert np.isnan(grade(copper_generation, broken)).all()
    whole = bulk("Cu", cubic=True)
    expected = copper_generation.calculator()
    whole.calc = expected
    whole.get_forces()
    assert grade(copper_generation, Atoms(whole.symbols, whole.positions, cell=whole.cell, pbc=True)) == pytest.approx(
        expected.results["gamma"]
    )


class ToyWalkers:
    """A toy engine for each of two walkers, with equal velocities: their trajectories are the same."""

    def __init__(self) -> None:
        self.engines = [ToyEngine(400, halting_at()) for _ in range(2)]

    def explore(self, request: Request) -> Exploration:
        return self.engines[request.walker - 1].explore(request)

    def close(self) -> None:
        for engine in self.engines:
            engine.close()


def test_a_halt_of_another_walker_needs_no_label_once_its_error_is_small(tmp_path: Path) -> None:
    """Both walkers halt with one potential: what the label of the first teaches, the second knows."""
    config = toy_config(uncertainty="force_error", force_error_tolerance=47.0, n_select=1)
    config = config.model_copy(update={"walkers": (WalkerConfig(), WalkerConfig())})
    with Campaign.create(tmp_path / "c", config, engine=ToyWalkers(), oracle=ToyOracle()) as campaign:
        diagnoses = [result for result in campaign.steps() if isinstance(result, Diagnosis)]
        assert [diagnosis.known for diagnosis in diagnoses[:2]] == [False, True]
        assert diagnoses[1].halt.tier == "uncertainty"

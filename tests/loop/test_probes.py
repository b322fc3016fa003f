"""Probes: frames of the run that are labeled although gamma is low, whose errors tell if the potential is right."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from matplotlib.figure import Figure

from acemaker import Campaign, CampaignConfig, ConvergenceConfig
from acemaker.analysis import assess
from acemaker.campaign.attached import attach
from acemaker.loop.probes import measure, next_probe, planned_probes
from acemaker.loop.progress import Progress, Walker
from acemaker.potentials import linear_trainer
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.results import Labels, Segment
from acemaker.states import State
from acemaker.structures.computed import energy_of, forces_of
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config

NEVER = halting_at()


def toy(directory: Path, *halts: int, **otf: object) -> Campaign:
    config = toy_config(**{"n_probes": 2, **otf})
    return Campaign.create(directory, config, engine=ToyEngine(200, halting_at(*halts)), oracle=ToyOracle())


def config(n_walkers: int = 1, steps: int = 1000, **otf: object) -> CampaignConfig:
    return CampaignConfig(
        oracle={"oracle": "emt"}, otf=otf, engine={"steps": steps, "restart_every": 50}, walkers=[{}] * n_walkers
    )


@pytest.mark.parametrize(
    ("n_walkers", "n", "expected"),
    [
        (1, None, [(505, 955)]),
        (1, 1, [(955,)]),
        (1, 4, [(255, 505, 755, 955)]),
        (1, 0, [()]),
        (2, None, [(505,), (955,)]),
        (2, 4, [(255, 755), (505, 955)]),
        (4, None, [(255,), (505,), (755,), (955,)]),
        (4, 2, [(), (505,), (), (955,)]),
        (3, 1, [(), (), (955,)]),
    ],
)
def test_probes_are_spread_over_runs_and_walkers(
    n_walkers: int, n: int | None, expected: list[tuple[int, ...]]
) -> None:
    """Each comes one check after a checkpoint, so that five steps are run again."""
    settings = config(n_walkers, n_probes=n)
    assert [planned_probes(settings, walker) for walker in range(1, n_walkers + 1)] == expected


def test_many_walkers_do_not_all_have_a_probe() -> None:
    """By default there are at most ten, evenly spread; each is at another time of the run."""
    settings = config(40)
    planned = [planned_probes(settings, walker) for walker in range(1, 41)]
    assert [walker for walker, steps in enumerate(planned, start=1) if steps] == [*range(4, 41, 4)]
    assert sorted(step for steps in planned for step in steps)[-1] == 955


@pytest.mark.parametrize(("steps", "expected"), [(4, ()), (5, (5,)), (49, (5,)), (60, (55,)), (100, (55,))])
def test_short_runs_have_fewer_probes(steps: int, expected: tuple[int, ...]) -> None:
    assert planned_probes(config(steps=steps), 1) == expected


def test_a_longer_run_is_measured_again_near_its_new_end() -> None:
    """The probe of the former end counts for the middle of the longer run."""
    progress = Progress(walkers=(Walker(step=950, probed=955),))
    assert next_probe(config(steps=2000), progress, 1) == 1955
    assert next_probe(config(steps=1000), progress, 1) is None


def test_a_quiet_run_is_measured(tmp_path: Path) -> None:
    """Gamma never rises; each probe is one label, and the run continues from the checkpoint before it."""
    campaign = toy(tmp_path / "c").run()
    progress = campaign.progress
    assert campaign.state is State.DONE
    assert [(halt["step"], halt["tier"], halt["safe_step"]) for halt in progress.halts] == [
        (105, "probe", 100),
        (155, "probe", 150),
    ]
    assert [len(group) for group in progress.groups] == [2, 1, 1]
    assert (progress.n_halts, progress.n_probes, progress.generation) == (0, 2, 3)
    assert progress.current.last_halt_step is None
    assert [event["step"] for event in progress.probes] == [105, 155]


def test_the_error_is_that_of_the_potential_before_it_is_trained_on_the_probe(tmp_path: Path) -> None:
    """It equals the difference between the label and the calculator of the generation in use."""
    campaign = toy(tmp_path / "c").run()
    (label,) = (
        atoms
        for atoms, entry in zip(campaign.labeled_structures(), campaign.progress.labels, strict=True)
        if entry.halt == 1
    )
    generation = campaign.generations()[0].generation
    event = campaign.progress.probes[0]
    assert event["generation"] == generation.number == 1
    copy = label.copy()
    copy.calc = generation.calculator()
    difference = copy.get_forces() - forces_of(label)
    assert event["force_error"] == pytest.approx(1e3 * np.sqrt(np.mean(difference**2)))
    assert event["force"] == pytest.approx(1e3 * np.sqrt(np.mean(forces_of(label) ** 2)))
    assert event["energy_error"] == pytest.approx(1e3 * (copy.get_potential_energy() - energy_of(label)) / len(label))
    assert len(event["blocks"]) == 8
    assert np.sqrt(np.mean(np.square(event["blocks"]))) == pytest.approx(event["force_error"])
    assert measure(label, generation)["force_error"] == event["force_error"]


def test_the_latest_potential_is_judged_by_fits_without_the_probe(tmp_path: Path) -> None:
    """The errors of fits without a label follow from the fit with it; refits, with another penalty, agree."""
    campaign = toy(tmp_path / "c").run()
    labels, potential = campaign.labeled_structures(), campaign.config.potential
    for number, entry in enumerate(campaign.progress.labels):
        if entry.halt is None:
            continue
        rest = LinearTrainer(potential, ("Cu",))
        rest._fit.reference = dict(campaign.generation.reference_energies)
        rest.restore([[atoms for index, atoms in enumerate(labels) if index != number]])
        error = (rest._builder.rows(labels[number]).forces @ rest._fit.solve()).reshape(-1, 3)
        error -= forces_of(labels[number])
        fields = campaign.progress.left_out[str(entry.halt)]
        assert fields["force_error"] == pytest.approx(1e3 * np.sqrt(np.mean(error**2)), rel=0.1)
    probes = assess(campaign).probes
    assert all(probe.left_out is not None for probe in probes)
    assert probes[0].left_out < probes[0].force_error  # the later potential has learned from the second probe


def test_a_campaign_that_ends_anywhere_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    """Copies after each state are continued: they have the same probes, labels and coefficients."""
    whole = toy(tmp_path / "whole", 60)
    copies = []
    for number, _ in enumerate(whole.steps()):
        copies.append(tmp_path / f"after_{number}")
        shutil.copytree(whole.directory, copies[-1])
    coefficients, labels = whole.generation.coefficients(), [entry.key for entry in whole.progress.labels]
    whole.close()
    assert len(whole.progress.probes) == 2
    for directory in copies[2::3]:
        with Campaign.open(directory, engine=ToyEngine(200, halting_at(60)), oracle=ToyOracle()) as campaign:
            campaign.run()
            assert campaign.progress.probes == whole.progress.probes, directory
            assert campaign.progress.left_out == whole.progress.left_out
            assert [entry.key for entry in campaign.progress.labels] == labels
            assert np.array_equal(campaign.generation.coefficients(), coefficients)


def test_probes_neither_use_up_iterations_nor_count_as_stalled(tmp_path: Path) -> None:
    campaign = toy(tmp_path / "c", max_otf_iterations=1, max_stalled_halts=2, n_probes=4).run()
    assert campaign.state is State.DONE
    assert len(campaign.progress.probes) == 3


def test_no_probe_without_a_label_left(tmp_path: Path) -> None:
    """Labels are for halts first; the verdict says that nothing was measured, and why."""
    campaign = toy(tmp_path / "c", max_labels=2).run()
    assert campaign.state is State.DONE
    assert len(campaign.progress.labels) == 2
    assessment = assess(campaign)
    assert assessment.met is None
    assert "max_labels=2 were used before the first probe at step 105" in assessment.verdict
    assert not campaign.convergence().converged


def test_a_budget_that_ends_between_two_probes_decides_nothing(tmp_path: Path) -> None:
    """It is no failure, but the hot end of the run was not measured."""
    campaign = toy(tmp_path / "c", max_labels=3).run()
    assert campaign.state is State.DONE
    assert len(campaign.progress.probes) == 1
    assert campaign.assess().met is None
    assert campaign.assess().verdict.startswith("Target met so far: ")
    assert campaign.assess().verdict.endswith("the probe at step 155 was not measured")


def test_a_campaign_that_is_not_done_has_met_its_target_only_so_far(tmp_path: Path) -> None:
    campaign = toy(tmp_path / "c")
    for _ in campaign.steps():
        if campaign.progress.probes and campaign.state is State.EXPLORE:
            break
    assert campaign.assess().met is None
    assert "the campaign is EXPLORE, not done" in campaign.assess().verdict


class Refuses(ToyOracle):
    """Fails on whatever is labeled after the first structures."""

    def __init__(self, n_first: int) -> None:
        super().__init__()
        self.n_left, self.n_refused = n_first, 0

    def label(self, atoms: Atoms) -> Atoms:
        if self.n_left == 0:
            self.n_refused += 1
            raise RuntimeError("not converged")
        self.n_left -= 1
        return super().label(atoms)


def test_a_probe_that_cannot_be_labeled_is_omitted(tmp_path: Path) -> None:
    """No candidate takes its place, which would be no frame of the run, and the campaign goes on."""
    oracle = Refuses(n_first=2)
    campaign = Campaign.create(tmp_path / "c", toy_config(n_probes=2), engine=ToyEngine(200, NEVER), oracle=oracle)
    campaign.run()
    assert campaign.state is State.DONE
    assert (campaign.progress.n_probes, campaign.progress.probes, len(campaign.progress.labels)) == (2, (), 2)
    assert oracle.n_refused == 2  # one call per probe, without retries
    assert "the probes could not be labeled" in campaign.assess().verdict
    assert not campaign.convergence().converged


def test_a_fit_of_a_probe_that_is_rejected_leaves_the_potential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error was measured all the same, and the run goes on with the potential that it had."""
    campaign = toy(tmp_path / "c", n_probes=1)
    campaign.prepare()
    monkeypatch.setattr(linear_trainer, "reason_to_reject", lambda *_: "of the test")
    campaign.run()
    assert campaign.state is State.DONE
    assert (campaign.progress.generation, len(campaign.progress.probes)) == (1, 1)
    assert campaign.assess().met is True


@pytest.mark.parametrize("resume_from", ["safe", "halt", "structure"])
def test_a_halt_just_before_a_probe_does_not_skip_it(tmp_path: Path, resume_from: str) -> None:
    """The run continues beyond the planned step; the next check with a low gamma is the probe."""
    campaign = toy(tmp_path / "c", 160, n_probes=1, resume_from=resume_from).run()
    assert campaign.state is State.DONE
    assert [halt["tier"] for halt in campaign.progress.halts].count("probe") == 1
    assert campaign.assess().met is True


def test_an_equal_structure_is_no_test(tmp_path: Path) -> None:
    """The toy engine repeats itself: after a halt at the step of the probe, the potential was trained on it."""
    campaign = toy(tmp_path / "c", 155, n_probes=1, n_select=1).run()
    keys = [entry.key for entry in campaign.progress.labels]
    assert len(set(keys)) < len(keys)
    assert campaign.progress.probes == ()
    assert campaign.assess().met is None


def test_the_target_decides_whether_a_quiet_run_has_converged(tmp_path: Path) -> None:
    for target, converged in ((0.5, True), (1.0, False)):
        settings = toy_config(n_probes=1).model_copy(
            update={
                "convergence": ConvergenceConfig(
                    quiet_steps=10, plateau_generations=2, plateau_tolerance=100.0, target_force_error=target
                )
            }
        )
        directory = tmp_path / str(target)
        campaign = Campaign.create(directory, settings, engine=ToyEngine(200, NEVER), oracle=ToyOracle()).run()
        assert campaign.convergence().is_quiet
        assert campaign.convergence().converged is converged


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    campaign = toy(tmp_path / "c", n_probes=0).run()
    assert (campaign.progress.n_probes, len(campaign.progress.labels)) == (0, 2)
    assert "n_probes is 0" in campaign.assess().verdict


def test_results_say_that_a_halt_is_a_probe(tmp_path: Path) -> None:
    campaign = toy(tmp_path / "c")
    results = list(campaign.steps())
    segment = next(result for result in results if isinstance(result, Segment))
    assert segment.halt is not None
    assert segment.halt.is_probe
    assert segment.headline() == f"Halt 1 at step 105: a probe, gamma {segment.halt.gamma.max():.3g}"
    assert "a test of the potential" in repr(segment.halt)
    assert next(result for result in results if isinstance(result, Labels) and result.halt_number)


def test_everything_that_ends_a_campaign_tells_the_verdict(tmp_path: Path) -> None:
    """The campaign, the report, the summary and its file; also of a campaign that is only read."""
    campaign = toy(tmp_path / "c", 60).run()
    verdict = campaign.assess().verdict
    assert verdict.startswith("Target met: ")
    assert "good enough" in repr(campaign)
    summary = campaign.write_summary()
    assert json.loads((tmp_path / "c/summary.json").read_text())["verdict"] == verdict
    assert summary.values["target_met"] is True
    assert (summary.values["halts"], summary.values["probes"]) == (campaign.progress.n_halts, 2)
    low, high = summary.values["measured_force_error_interval_meV_per_A"]
    assert low < summary.values["measured_force_error_meV_per_A"] < high
    report = campaign.report().read_text()
    assert verdict in report.replace("&#x27;", "'")
    campaign.close()
    assert attach(tmp_path / "c").assess().verdict == verdict


def event(step: int, error: float, walker: int = 1) -> dict[str, object]:
    return {"walker": walker, "step": step, "force_error": error, "force": 1000.0}


@pytest.mark.parametrize(
    ("probes", "expected"),
    [
        ([event(505, 40.0)], 955),
        ([event(505, 60.0)], 655),  # a quarter of the distance, after a checkpoint
        ([event(505, 60.0), event(655, 49.0)], 955),
        ([event(505, float("nan"))], 655),
        ([event(505, 60.0, walker=2), event(505, 40.0)], 955),
        ([event(5 * number, 60.0) for number in range(94, 102)], 955),  # enough of them
    ],
)
def test_after_a_poor_probe_the_next_one_comes_soon(probes: list[dict[str, object]], expected: int) -> None:
    progress = Progress(walkers=(Walker(step=500, probed=505),), probes=tuple(probes))
    assert next_probe(config(), progress, 1) == expected


def test_a_target_in_units_of_force_counts_likewise() -> None:
    progress = Progress(walkers=(Walker(step=500, probed=505),), probes=(event(505, 60.0),))
    for target, expected in ((70.0, 955), (50.0, 655), (0.07, 955)):
        settings = config().model_copy(update={"convergence": ConvergenceConfig(target_force_error=target)})
        assert next_probe(settings, progress, 1) == expected


def test_analyses_tell_probes_from_halts(tmp_path: Path) -> None:
    """One halt and two probes: what-if, label costs, rounds, table of segments and the figures of the timeline."""
    campaign = toy(tmp_path / "c", 60, n_select=1).run()
    tiers = [halt["tier"] for halt in campaign.progress.halts]
    assert tiers == ["smooth", "probe", "probe"]
    recorded = campaign.what_if()
    assert (recorded.halts, recorded.labels) == (1, 2 + 2 + 1)
    assert "1, recorded: 1" in repr(recorded)
    costs = campaign.label_costs()
    assert (costs.probes, len(costs.halt_steps)) == ((2, 3), 1)
    assert "probe at halt 2" in repr(costs)
    assert [round_.tier for round_ in campaign.rounds()] == ["", *tiers]
    assert list(campaign.to_dataframe("segments")["tier"])[:3] == tiers
    figure = campaign.figure()
    assert isinstance(figure, Figure)
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert {"halts (1)", "probes (2)"} <= {text.get_text() for text in legend.get_texts()}
    assert "a probe, to test the potential" in campaign.report().read_text()

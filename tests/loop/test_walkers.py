"""Several trajectories that share one potential and one label budget, each with its own exact resume."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from ase.build import bulk

from acemaker import Callback, Campaign, CampaignConfig, attach
from acemaker.analysis import evaluate_accuracy, write_summary
from acemaker.engines.protocol import Check, Exploration, Request
from acemaker.engines.segment_pool import SegmentPool
from acemaker.errors import CampaignExistsError, ConfigError, EngineError, IterationLimitError, LabelBudgetError
from acemaker.results import Diagnosis
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from acemaker.testing.toy_engine import GammaScript
from acemaker.utils.interrupt import interruptions

CONFIG = CampaignConfig(
    seed=3,
    system={"structure": "Cu", "lattice_constant": 3.615, "supercell": (2, 2, 2), "n_first": 1},
    otf={"n_candidates": 6, "n_select": 2, "threshold_add_train": 1.5, "threshold_call_dft": 2.5},
    engine={"steps": 300, "temperature": (300, 1200), "restart_every": 25},
    potential={"n_functions": 20, "cutoff": 4.5, "nradmax_by_orders": (8, 4, 2), "lmax_by_orders": (0, 3, 1)},
    oracle={"oracle": "lammps", "pair_style": "eam/alloy", "pair_coeff": ["* * Cu_mishin1.eam.alloy Cu"]},
    walkers=[{}, {"temperature": (300, 1600)}, {"seed": 11, "ensemble": "langevin"}],
)


class ToyWalkers:
    """A toy engine for each walker."""

    def __init__(self, *scripts: GammaScript) -> None:
        self.engines = [ToyEngine(200, script, seed=number) for number, script in enumerate(scripts, start=1)]
        self.asked: list[tuple[int, int, int]] = []

    def explore(self, request: Request) -> Exploration:
        self.asked.append((request.walker, request.generation.number, request.start_step))
        return self.engines[request.walker - 1].explore(request)

    def close(self) -> None:
        pass


def toy(directory: Path, *scripts: GammaScript, **changes: object) -> tuple[Campaign, ToyWalkers]:
    engine = ToyWalkers(*scripts)
    config = toy_config(**changes).model_copy(
        update={"walkers": CampaignConfig(oracle={"oracle": "emt"}, walkers=len(scripts)).walkers}
    )
    return Campaign.create(directory, config, engine=engine, oracle=ToyOracle()), engine


def test_all_explore_with_one_potential_before_the_first_halt_is_healed(tmp_path: Path) -> None:
    campaign, engine = toy(tmp_path / "c", halting_at(100), halting_at(), halting_at(50))
    campaign.run()
    assert campaign.state is State.DONE
    rounds = [(1, 1, 0), (2, 1, 0), (3, 1, 0)]
    assert engine.asked[:3] == rounds
    assert [one[0] for one in engine.asked[3:]] == [1, 3]  # the second has ended
    first, third = (one for one in campaign.segments() if one.halt)
    assert (first.walker, third.walker) == (1, 3)
    assert [one.halt for one in campaign.rounds()] == [None, 1, 2]
    assert [one.walker for one in campaign.rounds()] == [None, 1, 3]
    assert campaign.progress.steps == (200, 200, 200)
    for walker in (1, 2, 3):
        steps = campaign.timeline(walker).step
        assert steps.tolist() == list(range(0, 201, 5))
        assert [atoms.info["step"] for atoms in campaign.trajectory(walker)] == sorted(
            {atoms.info["step"] for atoms in campaign.trajectory(walker)}
        )
    campaign.close()


def test_a_halt_that_anothers_labels_made_known_needs_none(tmp_path: Path) -> None:
    # both halt at the very same structure: one engine, one seed
    campaign, engine = toy(tmp_path / "c", halting_at(100), halting_at(100))
    engine.engines[1].seed = engine.engines[0].seed
    seen = []
    for result in campaign.steps():
        seen.append(result)
    first, second = (one for one in seen if isinstance(one, Diagnosis))
    assert (first.known, second.known) == (False, True)
    assert "no label is needed" in repr(second)
    halts = {entry.halt for entry in campaign.progress.labels}
    assert halts == {None, 1}
    assert [one.known for one in campaign.rounds()] == [False, False, True]
    assert "halt cover the structure" in campaign.report().read_text()
    assert campaign.progress.generation == 2
    campaign.close()


def test_a_known_halt_is_none_of_those_that_may_be_healed(tmp_path: Path) -> None:
    campaign, _ = toy(tmp_path / "c", halting_at(100), halting_at(100), max_otf_iterations=1)
    campaign.run()
    assert (len(campaign.progress.halts), campaign.progress.n_known) == (2, 1)
    campaign.close()
    campaign, _ = toy(tmp_path / "d", halting_at(100, 150), halting_at(100), max_otf_iterations=1)
    with pytest.raises(IterationLimitError, match="halt 3 exceeds max_otf_iterations=1"):
        campaign.run()
    campaign.close()


def test_a_trajectory_leaves_out_what_will_be_run_again(tmp_path: Path) -> None:
    campaign, _ = toy(tmp_path / "c", halting_at(105), halting_at(105))
    seen = []
    for _ in campaign.steps():
        if campaign.state in (State.EXPLORE, State.HALT) and (campaign.progress.generation or 0) > 1:
            seen.append([[atoms.info["step"] for atoms in campaign.trajectory(walker)] for walker in (1, 2)])
    assert seen[0] == [[0], [0, 50, 100]]  # the first goes on from step 50, the second is to be healed
    assert seen[1] == [[0], [0]]
    assert seen[2] == [[0, 50, 100, 150, 200], [0]]
    campaign.close()


def test_what_if_speaks_of_each_walker(tmp_path: Path) -> None:
    campaign, _ = toy(tmp_path / "c", halting_at(130), halting_at(90))
    campaign.run()
    other = campaign.what_if(smooth_steps=2)
    assert other.same_until == 85  # of the second, which comes later in the journal
    assert "up to step 85 of each walker" in repr(other)
    assert "walker 2" in repr(other)
    assert other.figure() is not None
    campaign.close()


def test_they_share_the_budget_of_labels(tmp_path: Path) -> None:
    campaign, _ = toy(tmp_path / "c", halting_at(50, 150), halting_at(50), max_labels=3)
    with pytest.raises(LabelBudgetError, match="the campaign has 3 labels, max_labels=3"):
        campaign.run()
    assert len(campaign.progress.labels) == 3
    campaign.close()


def test_what_is_said_of_several(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    campaign, _ = toy(tmp_path / "c", halting_at(100), halting_at())
    campaign.run(progress=True)
    told = capsys.readouterr().out
    assert "walker 1  step" in told
    assert "walker 2  step" in told
    assert "Halt 1 at step 100 of walker 1" in told
    assert "of each of 2 walkers; required: 1000 of each, and at least 1 walker" in told
    said = repr(campaign)
    assert "2, of which 2 at the last step" in said
    assert "200, 200 of 200" in said
    assert repr(attach(campaign.directory)).count("200, 200 of 200") == 1
    assert [axis.get_ylabel().replace("\n", " ") for axis in campaign.figure().axes] == [  # type: ignore[attr-defined]
        "largest gamma, walker 1",
        "largest gamma, walker 2",
    ]
    assert "temperature" in campaign.figure(1).axes[1].get_ylabel()  # type: ignore[attr-defined]
    assert write_summary(campaign).values["walkers"] == 2
    assert write_summary(campaign).values["steps"] == 400
    assert len(campaign.label_costs().halt_steps) == 1
    for what in (campaign.timeline, campaign.trajectory, campaign.figure):
        with pytest.raises(ConfigError, match="expected the number of a walker, from 1 to 2, got 3"):
            what(3)
    campaign.close()


def test_converged_only_if_all_are_quiet(tmp_path: Path) -> None:
    late: Callable[[int, int], float] = halting_at(180)
    campaign, engine = toy(tmp_path / "c", halting_at(), late)
    campaign.run()
    directory = campaign.directory
    assert campaign.convergence().quiet == (200, 20)
    campaign.close()
    bounds = {"plateau_tolerance": 1e9, "plateau_generations": 2}
    for quiet_steps, quiet_walkers, converged in ((20, 2, True), (21, 2, False), (20, 3, False)):
        rule: dict[str, Any] = {"quiet_steps": quiet_steps, "quiet_walkers": quiet_walkers, **bounds}
        with Campaign.open(directory, engine=engine, oracle=ToyOracle(), **rule) as campaign:
            assert campaign.convergence().converged is converged


@pytest.mark.parametrize(
    ("walkers", "message"),
    [
        (
            [{}, {"structure": "Al"}],
            "structure of walker 2 contains Al, that of the first walker only Cu; put a walker",
        ),
        (0, "walkers must be a list of mappings, or a number from 1 to 10000, got 0"),
        ([{}, {"seed": 1}], "walkers 1 and 2 are the same trajectory, with seed 1; set another seed for one"),
        ([{"temperatur": 3}], "unknown name; did you mean 'temperature'"),
        ([{}, {"supercell": (0, 1, 1)}], "walker 2: SystemConfig: supercell must have three positive repeats"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path: Path, walkers: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Campaign.create(tmp_path / "c", CampaignConfig(oracle={"oracle": "emt"}, walkers=walkers))
    assert not (tmp_path / "c").exists()


def test_each_has_a_structure_a_seed_and_conditions_of_its_own(tmp_path: Path) -> None:
    config = CampaignConfig(
        seed=5,
        system={"structure": "Cu", "composition": {"Cu": 0.5, "Ni": 0.5}, "supercell": (2, 2, 2)},
        engine={"temperature": 300},
        oracle={"oracle": "emt"},
        walkers=[{}, {}, {"structure": "Ni", "supercell": (3, 3, 3), "temperature": 900}],
    )
    assert config.walker(1).seed == 5
    assert len({config.walker(number).seed for number in (1, 2, 3)}) == 3
    assert config.walker(3).engine.temperature == (900, 900)
    with Campaign.create(tmp_path / "c", config) as campaign:
        one, two, three = campaign.initial_structures()
    assert one.get_chemical_formula() == two.get_chemical_formula()
    assert (one.numbers != two.numbers).any()  # another arrangement
    assert three.get_chemical_formula() == "Ni108"
    with pytest.raises(ConfigError, match="there are 3 walkers"):
        config.walker(4)


def test_an_object_of_ones_own_is_the_structure_of_those_that_name_none(tmp_path: Path) -> None:
    mine = bulk("Cu", a=3.7, cubic=True).repeat(2)
    config = CampaignConfig(oracle={"oracle": "emt"}, walkers=[{"structure": "Cu", "supercell": (3, 2, 2)}, {}])
    with Campaign.create(tmp_path / "c", config, structure=mine) as campaign:
        assert [len(atoms) for atoms in campaign.initial_structures()] == [48, 32]
        assert campaign.initial_structures()[1].cell.lengths()[0] == pytest.approx(7.4)
    Campaign.create(tmp_path / "c", config, exist_ok=True, structure=mine).close()  # the very same is continued
    with pytest.raises(CampaignExistsError, match="structure: another one"):
        Campaign.create(tmp_path / "c", config, exist_ok=True, structure=bulk("Cu", a=3.8, cubic=True))
    shaped = CampaignConfig(oracle={"oracle": "emt"}, walkers=[{}, {"supercell": (3, 3, 3)}])
    with pytest.raises(ConfigError, match="walker 2 sets supercell, but the structure was passed as an object"):
        Campaign.create(tmp_path / "d", shaped, structure=mine)


def test_one_walker_is_one_however_it_is_said() -> None:
    said = [CampaignConfig(oracle={"oracle": "emt"}, walkers=walkers) for walkers in (1, (), [{}])]
    assert said[0] == said[1] == said[2]
    names = {"oracle": "emt", "walkers": 2, "walker": 2}  # of a loop over walkers
    assert CampaignConfig.from_namespace(names).n_walkers == 2


def test_the_truth_of_a_walker_with_fewer_elements(tmp_path: Path) -> None:
    config = CampaignConfig(
        system={"structure": "Cu", "composition": {"Cu": 0.5, "Ni": 0.5}, "supercell": (2, 2, 2)},
        engine={"steps": 20, "restart_every": 10, "trajectory_every": 10, "ensemble": "nvt"},
        potential=CONFIG.potential,
        oracle={"oracle": "lammps", "pair_style": "eam/alloy", "pair_coeff": ["* * CuNi.eam.alloy Cu Ni"]},
        walkers=[{}, {"structure": "Ni", "ensemble": "langevin"}],
    )
    with Campaign.create(tmp_path / "c", config) as campaign:
        assert "nvt, langevin" in repr(campaign)
        campaign.prepare()
        assert evaluate_accuracy(campaign, walker=2).force_rmse_all > 0
        for walker in (0, 3):
            with pytest.raises(ConfigError, match=f"there are 2 walkers, numbered from 1; got {walker}"):
                evaluate_accuracy(campaign, campaign.labeled_structures(), walker=walker)


def assert_alike(one: Campaign, two: Campaign) -> None:
    for walker in range(1, one.n_walkers + 1):
        for frame, other in zip(one.trajectory(walker), two.trajectory(walker), strict=True):
            assert np.array_equal(frame.positions, other.positions)
        assert np.array_equal(one.timeline(walker).gamma_max, two.timeline(walker).gamma_max)
    assert one.progress.n_labels == two.progress.n_labels


@pytest.mark.slow
def test_broken_off_at_every_state_and_within_segments_it_ends_the_same(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "whole", CONFIG) as whole:
        whole.run()
        assert {one.walker for one in whole.segments() if one.halt} == {1, 2, 3}
        seen = 0
        while True:
            with Campaign.create(tmp_path / "parts", CONFIG, exist_ok=True) as parts:
                if parts.state is State.DONE:
                    break
                seen += 1
                if seen % 2:  # in the midst of a segment, after its first checkpoint
                    checks = iter(range(12))
                    parts.callbacks[:] = [
                        Callback(on_check=lambda _, checks=checks: next(checks, None) is not None or parts.stop())
                    ]
                parts.run(1)
        with Campaign.create(tmp_path / "parts", CONFIG, exist_ok=True) as parts:
            assert_alike(whole, parts)
            every = evaluate_accuracy(parts)
            assert [len(evaluate_accuracy(parts, walker=n).steps) for n in (1, 2, 3)] == [100] * 3
            assert len(every.steps) == 300
            assert every.force_rmse_all < 60  # meV/Å
    assert len(list((tmp_path / "parts").glob("reference_trajectory*.extxyz"))) == 3
    assert seen > 20


def isolated(n_parallel_walkers: int) -> CampaignConfig:
    changes = {"engine": "isolated", "lammps": "python", "steps": 150, "n_parallel_walkers": n_parallel_walkers}
    kept = CONFIG.model_dump()
    return CampaignConfig(**{**kept, "engine": {**kept["engine"], **changes}, "walkers": kept["walkers"][:2]})


def children() -> list[str]:
    return [one.name() for one in psutil.Process().children(recursive=True)]


def exploring() -> int:
    """Count the children that run LAMMPS; each has a supervisor beside."""
    count = 0
    for one in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            words = one.cmdline()
            count += "acemaker.engines.child" in words and "acemaker.process.supervisor" not in words
    return count


@contextlib.contextmanager
def counting() -> Iterator[list[int]]:
    """Count them again and again: at a walker's checks the other one's child may not run yet, or no more."""
    counts, over = [0], threading.Event()

    def count() -> None:
        while not over.wait(0.02):
            counts.append(exploring())

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield counts
    finally:
        over.set()
        thread.join()


@pytest.mark.slow
def test_two_at_a_time_give_what_one_at_a_time_gives(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "one", isolated(1)) as one:
        with counting() as alone:
            one.run()
        assert max(alone) == 1
        with Campaign.create(tmp_path / "two", isolated(2)) as two:
            stops = iter((False, True))

            def stop_at_the_second(_: Check) -> None:
                if next(stops, False):
                    two.stop()

            two.prepare()
            before = children()
            two.run(1)  # which leaves nobody running beside
            assert children() == before
            assert len(two.segments()) == 1
            two.callbacks[:] = [Callback(on_check=stop_at_the_second)]
            two.run()
            assert two.state is State.EXPLORE
            assert children() == before
            with pytest.raises(RuntimeError, match="enough"):
                two.callbacks[:] = [Callback(on_check=give_up)]
                two.run()
            assert children() == before
        with Campaign.open(tmp_path / "two") as two:
            with counting() as beside:
                two.run()
            assert_alike(one, two)
    assert max(beside) == 2


class Slow:
    """An engine whose child takes long."""

    def __init__(self) -> None:
        self.running: list[int] = []
        self.ended: list[int] = []

    def explore(self, request: Request) -> Exploration:
        self.running.append(request.number)
        with interruptions() as stopped:
            if not stopped.wait(0.1 if request.number == 1 else 60):
                self.ended.append(request.number)
                raise EngineError("it came to its end")
        time.sleep(0.3)  # until the child is gone
        self.ended.append(request.number)
        raise KeyboardInterrupt

    def close(self) -> None:
        pass


def test_whoever_runs_beside_is_gone_once_nobody_asks_for_more(tmp_path: Path) -> None:
    def request(number: int) -> Request:
        generation: Any = None
        return Request(
            number=number,
            structure=bulk("Cu"),
            start_step=0,
            checkpoint=None,
            generation=generation,
            rule=CONFIG.otf,
            directory=tmp_path,
        )

    team, engine = SegmentPool(2), Slow()
    for number in (1, 2, 3):
        team.begin(engine, request(number))
    with pytest.raises(EngineError, match="came to its end"):
        team.explore(request(1))
    assert team.has(3)
    team.close()
    assert not team.has(3)
    assert sorted(engine.running) == sorted(engine.ended)
    assert not [thread for thread in threading.enumerate() if thread.name == "explore"]


def give_up(_: Check) -> None:
    raise RuntimeError("enough")


def test_several_at_a_time_need_children() -> None:
    with pytest.raises(ConfigError, match="n_parallel_walkers=2 requires engine 'isolated', got 'inprocess'"):
        CampaignConfig(oracle={"oracle": "emt"}, engine={"n_parallel_walkers": 2})

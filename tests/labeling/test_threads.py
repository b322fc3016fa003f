"""Labels computed in parallel: the potential does not depend on their order, and none is computed twice."""

from __future__ import annotations

import signal
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest

from acemaker import Campaign
from acemaker.errors import ConfigError, OracleError
from acemaker.results import Labels
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from tests.labeling.halted import (
    at_halt,
    calls,
    create,
    driver,
    hung,
    journaled,
    nothing_is_left,
    potentials,
    reopen,
    running,
    tell,
)
from tests.processes import PATIENCE, until

THREE = {"n_parallel_labels": 3}


@pytest.fixture(scope="module")
def one_by_one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign whose labels were computed one after the other."""
    folder = tmp_path_factory.mktemp("one_by_one")
    with create(folder) as campaign:
        assert campaign.run().state is State.DONE
    return folder


@pytest.mark.slow
def test_the_order_in_which_labels_come_changes_nothing(
    tmp_path: Path, one_by_one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    campaign, selection = at_halt(tmp_path, THREE)
    first = selection.selected[0]
    tell(tmp_path, **{f"c{first}": "sleep 12"})
    with campaign:
        assert campaign.run(progress=True).state is State.DONE
    assert sorted(journaled(tmp_path)) == sorted(selection.selected)
    assert journaled(tmp_path)[0] != first, "the test needs another order"
    assert journaled(one_by_one) == list(selection.selected)
    assert len(potentials(one_by_one)) == 2
    assert potentials(tmp_path) == potentials(one_by_one)
    output = capsys.readouterr().out
    assert "label 1 of 4: candidate " in output
    assert f"label 4 of 4: candidate {first}, " in output
    assert nothing_is_left(tmp_path)


@pytest.mark.slow
def test_a_campaign_whose_process_was_killed_computes_no_finished_label_again(tmp_path: Path, one_by_one: Path) -> None:
    campaign, selection = at_halt(tmp_path, THREE)
    campaign.close()
    hanging = selection.selected[:2]
    tell(tmp_path, **{f"c{candidate}": "hang" for candidate in hanging})
    child = driver(tmp_path)
    until(lambda: len(journaled(tmp_path)) == 2 and len(hung(tmp_path)) == 2)
    child.kill()
    child.communicate()
    until(lambda: not any(running(pid) for pid in hung(tmp_path)))
    with reopen(tmp_path) as again:
        assert again.run().state is State.DONE
    assert sorted(calls(tmp_path)) == sorted(str(candidate) for candidate in selection.selected)
    assert potentials(tmp_path) == potentials(one_by_one)
    assert nothing_is_left(tmp_path)


@pytest.mark.slow
def test_ctrl_c_ends_running_labels_and_stores_finished_ones(tmp_path: Path) -> None:
    campaign, selection = at_halt(tmp_path, THREE)
    campaign.close()
    hanging = selection.selected[:2]
    tell(tmp_path, **{f"c{candidate}": "hang" for candidate in hanging})
    child = driver(tmp_path)
    until(lambda: len(journaled(tmp_path)) == 2 and len(hung(tmp_path)) == 2)
    begun = time.monotonic()
    child.send_signal(signal.SIGINT)
    _, output = child.communicate(timeout=PATIENCE)
    assert time.monotonic() - begun < 60  # they hang for 300 s
    assert output.strip().endswith("KeyboardInterrupt")
    assert nothing_is_left(tmp_path)
    with reopen(tmp_path) as again:
        assert again.state is State.LABEL
        assert again.run().state is State.DONE
    assert sorted(calls(tmp_path)) == sorted(str(candidate) for candidate in selection.selected)


@pytest.mark.slow
@pytest.mark.parametrize(("n_parallel_labels", "kept", "hanging"), [(1, 1, 1), (3, 2, 2)])
def test_another_thread_may_stop_the_wait(tmp_path: Path, n_parallel_labels: int, kept: int, hanging: int) -> None:
    campaign, selection = at_halt(tmp_path, {"n_parallel_labels": n_parallel_labels})
    tell(tmp_path, **{f"c{candidate}": "hang" for candidate in selection.selected[1:3]})

    def stop() -> None:
        until(lambda: len(journaled(tmp_path)) == kept and len(hung(tmp_path)) == hanging)
        campaign.stop()

    with campaign, ThreadPoolExecutor(1) as other:
        stopped = other.submit(stop)
        assert campaign.run().state is State.LABEL
        stopped.result()
        assert nothing_is_left(tmp_path)
        tell(tmp_path)
        assert campaign.run().state is State.DONE


@pytest.mark.slow
def test_a_choice_after_submit_is_what_is_labeled(tmp_path: Path) -> None:
    campaign, selection = at_halt(tmp_path, THREE)
    tell(tmp_path, **{f"c{candidate}": "hang" for candidate in selection.selected})
    with campaign:
        campaign.submit()
        until(lambda: len(hung(tmp_path)) == 3)
        chosen = (selection.reserve[0], selection.selected[1])
        campaign.choose(chosen)
        tell(tmp_path)
        assert campaign.label().candidates == chosen
        assert nothing_is_left(tmp_path)
    assert sorted(calls(tmp_path)) == sorted(str(candidate) for candidate in chosen)


@pytest.mark.slow
def test_a_failure_that_every_label_would_have_ends_the_others_at_once(tmp_path: Path) -> None:
    campaign, selection = at_halt(tmp_path, THREE)
    first, second, third, fourth = selection.selected
    tell(tmp_path, **{f"c{first}": "hang", f"c{second}": "missing", f"c{third}": "hang", f"c{fourth}": "hang"})
    with campaign, pytest.raises(OracleError, match=r"^program missing: as it was told"):
        campaign.label()
    assert campaign.state is State.FAILED
    assert nothing_is_left(tmp_path)
    assert not campaign.progress.failures
    with reopen(tmp_path) as again:
        assert again.run().state is State.DONE


@pytest.mark.slow
def test_the_reserve_steps_in_as_it_does_one_by_one(tmp_path: Path) -> None:
    """The halted structure and its first substitute are impossible, and so is one of the others."""
    taken = []
    for name, labeling in (("one", {}), ("three", THREE)):
        campaign, selection = at_halt(tmp_path / name, labeling, n_select=3, max_retries=0)
        bad = (selection.selected[0], selection.selected[2], selection.reserve[0])
        tell(tmp_path / name, **{f"c{candidate}": "impossible" for candidate in bad})
        with campaign:
            labels = campaign.label()
        assert len(labels.candidates) == 2
        causes = [(failure.candidate, failure.attempts, failure.cause.split(";")[0]) for failure in labels.failures]
        taken.append((labels.candidates, causes))
    assert taken[0] == taken[1]


@pytest.mark.slow
def test_the_scratch_folder_is_lost_with_all_that_runs_in_it(tmp_path: Path) -> None:
    campaign, selection = at_halt(tmp_path, THREE)
    first, second, third, fourth = selection.selected
    tell(tmp_path, **{f"c{first}": "sleep 5", f"c{second}": "sleep 5", f"c{third}": "wipe", f"c{fourth}": "sleep 5"})
    with campaign:
        labels = campaign.label()
    assert labels.candidates == selection.selected
    assert not labels.failures
    assert len(calls(tmp_path)) > 4, "nothing was lost"


@pytest.mark.slow
def test_submit_and_collect_apart(tmp_path: Path, one_by_one: Path) -> None:
    campaign, selection = at_halt(tmp_path, THREE)
    second = selection.selected[1]
    tell(tmp_path, **{f"c{second}": "wait"})
    with campaign:
        begun = time.monotonic()
        submitted = campaign.submit()
        assert time.monotonic() - begun < 5
        assert set(submitted.missing) == set(selection.selected)
        assert submitted.where == "3 threads"
        assert "4 structures of 4 missing" in repr(submitted)
        assert "campaign.collect()" in submitted._repr_html_()
        until(lambda: len(calls(tmp_path)) == 3)
        until(lambda: campaign.collect().missing == (second,))
        (tmp_path / "go").touch()
        until(lambda: isinstance(campaign.collect(), Labels))
        assert campaign.progress.labeled == selection.selected
        assert campaign.run().state is State.DONE
    assert sorted(calls(tmp_path, "began")) == sorted(str(candidate) for candidate in selection.selected)
    assert potentials(tmp_path) == potentials(one_by_one)


@pytest.mark.slow
def test_submitted_labels_are_found_after_the_campaign_was_reopened(tmp_path: Path) -> None:
    campaign, _ = at_halt(tmp_path, THREE)
    campaign.submit()
    until(lambda: len(list((tmp_path / "c/queue").glob("*.npz"))) == 8)  # two copies of each
    campaign.close()
    assert journaled(tmp_path) == []
    with reopen(tmp_path) as again:
        assert isinstance(again.collect(), Labels)
    assert len(calls(tmp_path)) == 4
    assert list((tmp_path / "c/queue").iterdir()) == []


@pytest.mark.slow
def test_an_executor_of_the_user(tmp_path: Path, one_by_one: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        with create(tmp_path / "pool", executor=pool) as campaign:
            assert campaign.run().state is State.DONE
        assert pool.submit(int).result() == 0, "it was shut down, but is not the campaign's to end"
    assert potentials(tmp_path / "pool") == potentials(one_by_one)
    labeling = {"executor": "tests.labeling.test_threads:two_threads"}
    with create(tmp_path / "path", labeling) as campaign:
        assert campaign.run().state is State.DONE
    assert potentials(tmp_path / "path") == potentials(one_by_one)


def two_threads() -> Executor:
    return ThreadPoolExecutor(2)


def test_an_oracle_object_is_asked_one_by_one_and_in_collect(tmp_path: Path) -> None:
    config = toy_config()
    config = type(config)(**{**config.model_dump(), "labeling": THREE})
    oracle = ToyOracle()
    with Campaign.create(tmp_path / "c", config, engine=ToyEngine(200, halting_at(100)), oracle=oracle) as campaign:
        assert campaign.submit().missing == (0, 1)
        assert oracle.calls == 0
        assert isinstance(campaign.collect(), Labels)
        assert campaign.run().state is State.DONE
    assert oracle.calls == 4


def test_bad_settings_leave_nothing_behind(tmp_path: Path) -> None:
    for labeling, words in (
        ({"executor": "threds"}, "executor must be 'threads', 'processes'"),
        ({"executor": "nowhere:thing"}, "LabelingConfig.executor: 'nowhere:thing' cannot be imported"),
        ({"n_parallel_labels": 0}, "n_parallel_labels"),
        ({"executor_arguments": {"a": 1}}, "'threads' takes no executor_arguments"),
    ):
        with pytest.raises(ConfigError, match=words):
            create(tmp_path / "f", labeling)
        assert not (tmp_path / "f/c").exists()

"""Campaigns that halt where calculators disagree: fixed ones, a committee that is trained on the labels, and MACE."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import acemaker
from acemaker import Campaign, CampaignConfig
from acemaker.cli import main
from acemaker.errors import (
    CampaignError,
    ConfigError,
    DamagedFileError,
    FitError,
    MissingLibraryError,
    StateError,
    UntrustedError,
)
from acemaker.loop import trusted_code
from acemaker.potentials.committee.installation import find_mace
from acemaker.states import State
from tests.processes import until

MODELS = "tests.committee_models"

TRAINED = {
    "uncertainty": f"{MODELS}:scaled",
    "committee_trainer": f"{MODELS}:train_scale",
    "committee_options": {"noise": 0.5},
    "committee_size": 2,
    "force_error_tolerance": 60.0,
}
"""A committee of factors of EMT, which disagree less with each label."""


def config(**parameters: Any) -> CampaignConfig:
    """32 copper atoms, with thresholds of gamma that are not reached."""
    defaults = {
        "seed": 3,
        "structure": "Cu",
        "lattice_constant": 3.615,
        "supercell": (2, 2, 2),
        "oracle": "lammps",
        "pair_style": "eam/alloy",
        "pair_coeff": ["* * Cu_mishin1.eam.alloy Cu"],
        "steps": 45,
        "temperature": (300, 900),
        "restart_every": 15,
        "trajectory_every": 15,
        "ensemble": "nvt",
        "engine": "inprocess",
        "n_first": 2,
        "n_probes": 0,
        "n_candidates": 3,
        "n_functions": 10,
        "cutoff": 4.0,
        "nradmax_by_orders": (5, 3, 2),
        "lmax_by_orders": (0, 2, 1),
        "threshold_add_train": 50.0,
        "threshold_call_dft": 100.0,
        "threshold_break": 1000.0,
    }
    return CampaignConfig.from_parameters({**defaults, **parameters})


def committees(directory: Path) -> list[dict[str, Any]]:
    return [event for event in acemaker.attach(directory).events() if event["event"] == "committee"]


def assert_healed(directory: Path) -> None:
    """There were halts for the disagreement, each was labeled, and the run reached its last step."""
    campaign = acemaker.attach(directory)
    assert campaign.state is State.DONE
    halts = campaign.progress.halts
    assert halts
    assert {halt["tier"] for halt in halts} == {"uncertainty"}
    assert campaign.progress.n_labels == 2 + len(halts)
    assert campaign.progress.generation == 1 + len(halts)
    (column,) = [name for name in campaign.timeline().observables if name.startswith("force_disagreement")]
    values = campaign.timeline().observables[column]
    evaluated = np.isfinite(values)
    assert 0 < evaluated.sum() < len(values), "at every third check"
    assert campaign.progress.current.uncertainty is not None, "the floor that was learned from the last halt"
    assert len(halts) <= 4
    halt = campaign.last_halt()
    assert halt is not None
    assert halt.frames[-1].arrays["uncertainty"].shape == (32,)


def test_a_committee_of_fixed_calculators_halts_the_run_which_goes_on_at_its_learned_floor(tmp_path: Path) -> None:
    settings = config(
        uncertainty=f"{MODELS}:morse", uncertainty_arguments={"depths": [0.3, 0.35, 0.5]}, force_error_tolerance=100.0
    )
    with Campaign.create(tmp_path / "c", settings) as campaign:
        campaign.run()
    assert_healed(tmp_path / "c")
    assert not committees(tmp_path / "c")


def test_a_second_opinion_is_compared_with_each_generation(tmp_path: Path) -> None:
    settings = config(uncertainty="ase.calculators.emt:EMT", force_error_tolerance=100.0, engine="isolated")
    with Campaign.create(tmp_path / "c", settings) as campaign:
        campaign.run()
    assert_healed(tmp_path / "c")


def test_a_committee_is_trained_again_after_each_halt_and_agrees_better(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "c", config(**TRAINED)) as campaign:
        campaign.run()
        processes = psutil.Process().children(recursive=True)
    assert_healed(tmp_path / "c")
    assert not [process for process in processes if process.is_running() and "child.py" in str(process.cmdline())]
    trained = committees(tmp_path / "c")
    n_halts = len(acemaker.attach(tmp_path / "c").progress.halts)
    assert [event["n_labels"] for event in trained] == list(range(2, 3 + n_halts))
    assert trained[-1]["spread"] < 0.8 * trained[0]["spread"]
    folder = tmp_path / "c" / "committee"
    assert [path.name for path in folder.iterdir()] == [f"committee_v{len(trained)}"]
    assert sorted(path.name for path in folder.glob("*/*")) == ["model_1.model", "model_2.model"]


@pytest.mark.slow
def test_several_walkers_share_a_committee(tmp_path: Path) -> None:
    settings = config(**TRAINED, engine="isolated", walkers=2, n_parallel_walkers=2, steps=40)
    ends = []
    for name in ("together", "again"):
        with Campaign.create(tmp_path / name, settings) as campaign:
            campaign.run()
            ends.append([campaign.timeline(walker).gamma_max.tolist() for walker in (1, 2)])
    assert ends[0] == ends[1]
    assert committees(tmp_path / "together")[-1]["sha256"] == committees(tmp_path / "again")[-1]["sha256"]


def test_without_retraining_the_first_committee_stays_until_one_is_trained_by_hand(tmp_path: Path) -> None:
    settings = config(**{**TRAINED, "force_error_tolerance": 10.0}, committee_retrain=False, steps=20)
    with Campaign.create(tmp_path / "c", settings) as campaign:
        campaign.run()
        assert len(committees(tmp_path / "c")) == 1
        assert campaign.progress.halts
        committee = campaign.train_committee()
    assert committee.number == 2
    assert committee.n_labels == campaign.progress.n_labels
    assert all(file.is_file() for file in committee.files)
    assert committees(tmp_path / "c")[-1]["errors"] == list(committee.errors)
    assert "2, by tests.committee_models:train_scale" in str(committee)


def test_a_committee_is_trained_once_if_the_process_ends_before_its_generation_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Campaign.create(tmp_path / "c", config(**TRAINED, n_first=1)) as campaign:
        campaign.label()
        n_labels = campaign.progress.n_labels
        with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="the end"):
            patched.setattr("acemaker.loop.work.Work._left_out", _end)
            campaign.train()
    with Campaign.open(tmp_path / "c") as campaign:
        campaign.train()
    assert [event["n_labels"] for event in committees(tmp_path / "c")] == [n_labels]


def test_a_campaign_that_failed_at_its_first_committee_is_replaced_with_its_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Campaign.create(tmp_path / "c", config(**TRAINED)) as campaign, monkeypatch.context() as patched:
        patched.setattr("acemaker.loop.work.Work._left_out", _end)
        with pytest.raises(RuntimeError, match="the end"):
            campaign.prepare()
    assert list((tmp_path / "c" / "committee").iterdir())
    with Campaign.create(tmp_path / "c", config(uncertainty="gamma"), exist_ok=True) as campaign:
        assert not (tmp_path / "c" / "committee").exists()
        campaign.prepare()


def _end(*_: Any) -> None:
    raise RuntimeError("the end")


def test_the_command_trains_a_committee(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = config(**{**TRAINED, "force_error_tolerance": 1e6}, steps=20)
    with Campaign.create(tmp_path / "c", settings) as campaign:
        with pytest.raises(StateError, match="trained on labels, and the campaign has none"):
            campaign.train_committee()
        campaign.run()
    assert main(["train-committee", str(tmp_path / "c"), "-p", "committee_size=4"]) == 0
    assert "Committee 2: 2 labels" in capsys.readouterr().out
    assert len(committees(tmp_path / "c")[-1]["files"]) == 4
    assert main(["train-committee", str(tmp_path / "nothing")]) == 2
    with Campaign.create(tmp_path / "fixed", config(uncertainty="ase.calculators.emt:EMT")) as campaign:
        campaign.label()
        with pytest.raises(ConfigError, match="need no training"):
            campaign.train_committee()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"uncertainty": "no_such_module:make"}, "No module named 'no_such_module'"),
        ({"uncertainty": "__main__:make"}, "in a module or a file"),
        ({"uncertainty": "committee"}, "'mace', 'module:factory' or './file.py:factory', got 'committee'"),
        ({"uncertainty": f"{MODELS}:broken", "uncertainty_arguments": {"how": "raise"}}, "no parameters for this"),
        ({"uncertainty": f"{MODELS}:broken", "uncertainty_arguments": {"how": "nan"}}, "not finite for the initial"),
        ({"uncertainty": f"{MODELS}:scaled", "committee_trainer": f"{MODELS}:nothing"}, "has no attribute 'nothing'"),
        ({"committee_trainer": f"{MODELS}:train_scale"}, "trains the models of a factory of your own"),
        ({"uncertainty": "ase.calculators.emt:EMT", "committee_environment": "/no/where"}, "there is no /no/where"),
        ({"committee_size": 1}, "greater than or equal to 2"),
        ({"committee_timeout": float("inf")}, "finite number"),
        ({"committee_options": {"--lr": 1}}, "without dashes, got '--lr'"),
        ({"committee_trainer": "train"}, "must be empty, 'module:function'"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    tmp_path: Path, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Campaign.create(tmp_path / "c", config(**parameters))
    assert not (tmp_path / "c").exists()


def test_a_missing_environment_of_mace_is_reported_with_its_remedy(tmp_path: Path) -> None:
    settings = config(uncertainty="mace", committee_environment=str(tmp_path / "none"))
    with pytest.raises(MissingLibraryError, match=r"no environment with MACE in .*none; create one with: make mace"):
        Campaign.create(tmp_path / "c", settings)
    assert not (tmp_path / "c").exists()


def test_a_trainer_that_fails_is_reported_with_its_output_and_the_campaign_continues_when_it_is_fixed(
    tmp_path: Path,
) -> None:
    settings = config(**{**TRAINED, "committee_trainer": f"{MODELS}:train_nothing", "committee_options": {}}, steps=20)
    with Campaign.create(tmp_path / "c", settings) as campaign:
        with pytest.raises(FitError, match=r"(?s)wrote no model.*nothing to learn from labels.extxyz"):
            campaign.run()
        assert campaign.state is State.FAILED
        assert campaign.progress.n_labels == 2
    with (
        Campaign.open(tmp_path / "c", committee_options={"widths": 3}) as campaign,
        pytest.raises(FitError, match="unexpected keyword argument 'widths'"),
    ):
        campaign.run()


def test_models_that_were_changed_are_refused(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "c", config(**TRAINED)) as campaign:
        campaign.prepare()
    model = tmp_path / "c" / "committee" / "committee_v1" / "model_2.model"
    model.write_text(json.dumps({"factor": 1.0, "n_labels": 2}))
    refused = pytest.raises(DamagedFileError, match=r"model_2.model is damaged.*acemaker train-committee")
    with Campaign.open(tmp_path / "c") as campaign, refused:
        campaign.explore()
    with Campaign.open(tmp_path / "c") as campaign:
        assert campaign.train_committee().number == 2
        assert campaign.explore().number == 1


def test_models_from_another_machine_are_read_only_with_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Campaign.create(tmp_path / "c", config(**TRAINED, steps=20)) as campaign:
        campaign.prepare()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other_machine"))
    monkeypatch.setattr(trusted_code, "_trusted", set())
    with pytest.raises(UntrustedError, match=r"uncertainty = 'tests.committee_models:scaled'.*committee_trainer"):
        Campaign.open(tmp_path / "c")
    trusted_code.record_trusted(trusted_code.named_code(config(**TRAINED)))
    with Campaign.open(tmp_path / "c") as campaign, pytest.raises(UntrustedError, match="reading them can run code"):
        campaign.explore()
    with Campaign.open(tmp_path / "c", allow_code=True) as campaign:
        assert campaign.explore().number == 1


def test_a_training_that_was_left_by_another_machine_is_not_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key is that of the labels, which anybody can compute, but the models could contain any code."""
    settings = config(**TRAINED)
    with Campaign.create(tmp_path / "c", settings) as campaign:
        campaign.label()
        kept = {}

        def copy(*_: Any) -> None:
            shutil.copytree(tmp_path / "c" / "committee" / "training", tmp_path / "training", dirs_exist_ok=True)

        monkeypatch.setattr("acemaker.loop.committee._evaluated", copy)
        with pytest.raises(AttributeError):
            campaign.train()
        for model in (tmp_path / "training").glob("*.model"):
            kept[model.name] = model.read_text()
            model.write_text(json.dumps({"factor": 50.0, "n_labels": 2}))
        assert len(kept) == 2
        monkeypatch.undo()
        shutil.rmtree(tmp_path / "c" / "committee")
        shutil.copytree(tmp_path / "training", tmp_path / "c" / "committee" / "training")
    with Campaign.open(tmp_path / "c") as campaign:
        campaign.train()
    final = (tmp_path / "c" / "committee" / "committee_v1").glob("*.model")
    assert {model.name: model.read_text() for model in final} == kept


def life(directory: str) -> None:
    """A run that kills itself when the second model is trained after the first halt, and at a later check."""
    stage = Path(directory + "_stage")
    with Campaign.create(directory, config(**TRAINED), exist_ok=True) as campaign:
        if not stage.exists():
            stage.touch()
            folder = Path(directory) / "committee" / "training"

            def die() -> None:
                if campaign.progress.halt and (folder / "model_1.model").exists():
                    os.kill(os.getpid(), signal.SIGKILL)

            campaign._work.committee.on_wait = die
        campaign.run()


@pytest.mark.slow
def test_a_campaign_that_was_killed_while_a_committee_was_trained_ends_alike(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    for code in (-signal.SIGKILL, 0):
        process = context.Process(target=life, args=(str(tmp_path / "killed"),))
        process.start()
        process.join(600)
        assert process.exitcode == code
        if code:
            assert (tmp_path / "killed" / "committee" / "training" / "model_1.model").is_file()
            until(lambda: not _trainers(tmp_path))
    with Campaign.create(tmp_path / "whole", config(**TRAINED)) as campaign:
        campaign.run()
    whole, killed = (acemaker.attach(tmp_path / name) for name in ("whole", "killed"))
    assert killed.state is State.DONE
    assert [event["sha256"] for event in committees(whole.directory)] == [
        event["sha256"] for event in committees(killed.directory)
    ]
    assert whole.timeline().gamma_max.tolist() == killed.timeline().gamma_max.tolist()
    for mine, theirs in zip(whole.labeled_structures(), killed.labeled_structures(), strict=True):
        assert np.array_equal(mine.get_forces(), theirs.get_forces())
    assert whole.generation is not None
    assert killed.generation is not None
    assert whole.generation.yaml.read_bytes() == killed.generation.yaml.read_bytes()


def test_stop_ends_the_training_of_a_committee(tmp_path: Path) -> None:
    settings = config(**{**TRAINED, "committee_trainer": f"{MODELS}:train_slowly", "committee_options": {}})
    with Campaign.create(tmp_path / "c", settings) as campaign:
        started = tmp_path / "c" / "committee" / "training" / "work" / "started"

        def stop() -> None:
            until(started.exists)
            campaign.stop()

        thread = threading.Thread(target=stop)
        thread.start()
        campaign.run()
        thread.join()
        assert campaign.state is State.TRAIN
        assert not _trainers(tmp_path)


def _trainers(directory: Path) -> list[psutil.Process]:
    """Processes that run below a directory."""
    running = []
    for process in psutil.process_iter():
        try:
            mark = process.environ().get("ACEMAKER_RUN_DIRECTORY", "")
        except psutil.Error:
            continue
        if mark.startswith(str(directory)):
            running.append(process)
    return running


@pytest.fixture(scope="session")
def mace_python() -> Path:
    try:
        return find_mace("")
    except MissingLibraryError as error:
        pytest.skip(f"no MACE: make mace ({error})")


SMALL = {"num_channels": 4, "correlation": 2, "max_num_epochs": 15}
"""Options of a model that is trained in seconds, and wrong by hundreds of meV/Å."""


@pytest.mark.slow
def test_a_campaign_halts_on_the_spread_of_mace_models_retrains_them_and_goes_on(
    tmp_path: Path, mace_python: Path
) -> None:
    settings = config(
        uncertainty="mace",
        committee_size=2,
        committee_options=SMALL,
        committee_environment=str(mace_python),
        force_error_tolerance=100.0,
        steps=30,
    )
    with Campaign.create(tmp_path / "c", settings) as campaign:
        campaign.run()
    assert_healed(tmp_path / "c")
    trained = committees(tmp_path / "c")
    assert len(trained) == 1 + len(campaign.progress.halts)
    assert 10 < trained[-1]["spread"] < 1e4, "two seeds give two models"
    assert max(trained[-1]["errors"]) < max(trained[0]["errors"])
    with Campaign.open(tmp_path / "c") as campaign:
        committee = campaign.train_committee()
    assert committee.errors == pytest.approx(trained[-1]["errors"], rel=1e-6), "equal seeds and labels, equal models"


@pytest.mark.slow
def test_options_of_mace_are_passed_on_and_an_unknown_one_is_reported(tmp_path: Path, mace_python: Path) -> None:
    own = {"uncertainty": "mace", "committee_environment": str(mace_python)}
    for options, message in (
        ({"train_file": "x"}, "acemaker sets 'train_file' itself"),
        ({"lr": [1]}, "expected numbers, texts"),
    ):
        with pytest.raises(ConfigError, match=message):
            Campaign.create(tmp_path / "refused", config(**own, committee_options=options))
    settings = config(**own, committee_options={"no_such_option": 1})
    with (
        Campaign.create(tmp_path / "c", settings) as campaign,
        pytest.raises((FitError, CampaignError), match="no_such_option"),
    ):
        campaign.prepare()

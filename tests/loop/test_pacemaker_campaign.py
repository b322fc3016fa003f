"""Campaigns with non-linear potentials: a halt healed, and a kill in the middle of a fit."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from acemaker import Callback, Campaign, CampaignConfig
from acemaker.errors import MissingLibraryError
from acemaker.potentials.optimizer import Iteration
from acemaker.process.child import kill_leftovers
from acemaker.results import Training
from acemaker.states import State

PATIENCE = 600.0
"""s, for a fit on a busy machine."""


def config(python: Path, **pacemaker: object) -> CampaignConfig:
    return CampaignConfig(
        seed=3,
        system={"structure": "Cu", "lattice_constant": 3.615, "supercell": (2, 2, 2), "n_first": 2},
        otf={
            "n_candidates": 4,
            "n_select": 2,
            "threshold_add_train": 1.2,
            "threshold_call_dft": 1.5,
            "threshold_break": 100,
        },
        engine={"steps": 600, "temperature": (300, 2500), "restart_every": 50},
        potential={
            "trainer": "pacemaker",
            "n_functions": 10,
            "cutoff": 4.0,
            "nradmax_by_orders": (5, 3, 2),
            "lmax_by_orders": (0, 2, 1),
        },
        pacemaker={
            "first_iterations": 20,
            "fit_iterations": 20,
            "pacemaker_environment": str(python),
            **pacemaker,
        },
        oracle={"oracle": "lammps", "pair_style": "eam/alloy", "pair_coeff": ["* * Cu_mishin1.eam.alloy Cu"]},
    )


def life(directory: str, python: str) -> None:
    """Run the campaign's process until it is killed during the fit of generation 2."""
    with Campaign.create(directory, config(Path(python))) as campaign:

        def die(iteration: Iteration) -> None:
            if campaign.progress.generation == 1 and iteration.number >= 5:
                os.kill(os.getpid(), signal.SIGKILL)

        campaign.callbacks.append(Callback(on_iteration=die))
        while (campaign.progress.generation or 0) < 2:
            campaign.step()


@pytest.mark.slow
def test_a_campaign_heals_and_one_that_was_killed_in_a_fit_ends_alike(
    tmp_path: Path, pacemaker_python: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    killed = tmp_path / "killed"
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=life, args=(str(killed), str(pacemaker_python)))
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    time.sleep(1)  # the supervisor looks for its owner every 20 ms
    assert kill_leftovers(killed) == 0, "the fit outlived its campaign"
    assert not (killed / "potentials" / "fit" / "finished.json").exists()

    with Campaign.create(tmp_path / "whole", config(pacemaker_python)) as whole:
        results = []
        while (whole.progress.generation or 0) < 2 or whole.state is not State.EXPLORE:
            results.append(whole.step())
        trainings = [result for result in results if isinstance(result, Training)]
        assert [training.accepted for training in trainings] == [True, True]
        assert whole.progress.halt == 1
        assert trainings[1].unseen_errors is not None
        assert trainings[1].halted_gamma < 1.01
        first, second = trainings
        assert first.optimizer is not None
        assert first.optimizer.loss[1] < first.optimizer.loss[0]
        whole.run(max_states=1)  # on with the new potential: the preflight holds
        assert whole.progress.step > 0

    with Campaign.open(killed) as again:
        assert again.state is State.TRAIN
        again.run(max_states=3, progress=True)
        assert again.progress.generation == 2
        assert "fit    20 of 20  loss" in capsys.readouterr().out
        labels = [entry.key for entry in again.progress.labels]
    with Campaign.open(tmp_path / "whole") as whole:
        assert (
            labels[: len(first_labels := [entry.key for entry in whole.progress.labels])] == first_labels[: len(labels)]
        )
    for name in ("potential_v1", "potential_v2"):
        one, two = (folder / "potentials" / name for folder in (tmp_path / "whole", killed))
        assert one.with_suffix(".yaml").read_bytes() == two.with_suffix(".yaml").read_bytes()
        ours, theirs = (np.load(path.with_suffix(".asi")) for path in (one, two))
        assert np.array_equal(ours["Cu"], theirs["Cu"])

    (killed / "journal.jsonl").write_text(before_the_last_training(killed))
    with Campaign.open(killed, pacemaker_environment=str(tmp_path / "nowhere")) as lost:
        assert lost.state is State.TRAIN
        with pytest.raises(MissingLibraryError, match="make pacemaker"):
            lost.step()
    finished = (killed / "potentials" / "fit" / "finished.json").stat()
    with Campaign.open(killed, pacemaker_environment=str(pacemaker_python)) as found:
        training = found.step()
        assert isinstance(training, Training)
        assert repr(training) == repr(second)
    again_finished = (killed / "potentials" / "fit" / "finished.json").stat()
    assert again_finished.st_mtime_ns == finished.st_mtime_ns, "a fit that was finished was run again"


def before_the_last_training(directory: Path) -> str:
    """The journal of a campaign that was killed after its fit, before the result was recorded."""
    lines = (directory / "journal.jsonl").read_text().splitlines(keepends=True)
    last = max(number for number, line in enumerate(lines) if '"TRAIN"' in line and '"accepted"' in line)
    return "".join(lines[:last])

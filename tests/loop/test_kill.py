"""A campaign on the real LAMMPS and the real pyace, killed again and again."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest

from acemaker import Campaign, CampaignConfig
from acemaker.states import State

CONFIG = CampaignConfig(
    seed=3,
    system={"structure": "Cu", "lattice_constant": 3.615, "supercell": (2, 2, 2), "n_first": 1},
    otf={"n_candidates": 6, "n_select": 2, "threshold_add_train": 1.5, "threshold_call_dft": 2.5},
    engine={"steps": 1500, "temperature": (300, 2000), "restart_every": 50},
    potential={"n_functions": 20, "cutoff": 4.5, "nradmax_by_orders": (8, 4, 2), "lmax_by_orders": (0, 3, 1)},
    oracle={"oracle": "lammps", "pair_style": "eam/alloy", "pair_coeff": ["* * Cu_mishin1.eam.alloy Cu"]},
)


def life(directory: str) -> None:
    """One run of the campaign's process."""
    Campaign.create(directory, CONFIG, exist_ok=True).run()


def run_to_the_end(context: multiprocessing.context.ForkServerContext, directory: Path) -> float:
    process = context.Process(target=life, args=(str(directory),))
    started = time.monotonic()
    process.start()
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - started


@pytest.mark.slow
def test_killed_at_twenty_random_instants(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["acemaker.campaign", "acemaker.testing", "pyace", "lammps"])
    span = run_to_the_end(context, tmp_path / "warm_up")
    span = min(span, run_to_the_end(context, tmp_path / "whole"))
    rng = np.random.default_rng(11)
    kills, campaigns = 0, 0
    while kills < 20:
        directory = tmp_path / f"killed_{campaigns}"
        campaigns += 1
        while True:
            process = context.Process(target=life, args=(str(directory),))
            process.start()
            process.join(timeout=float(rng.uniform(0.02, 0.6)) * span if kills < 20 else None)
            if process.exitcode is not None:
                assert process.exitcode == 0
                break
            process.kill()
            process.join()
            kills += 1
        assert_alike(tmp_path / "whole", directory)
    assert kills >= 20


def assert_alike(one: Path, two: Path) -> None:
    campaigns = [Campaign.open(directory) for directory in (one, two)]
    whole, killed = campaigns
    assert whole.state is killed.state is State.DONE
    assert whole.progress.halt == killed.progress.halt >= 3
    assert [entry.key for entry in whole.progress.labels] == [entry.key for entry in killed.progress.labels]
    for mine, theirs in zip(whole.labeled_structures(), killed.labeled_structures(), strict=True):
        assert np.array_equal(mine.positions, theirs.positions)
        assert np.array_equal(mine.get_forces(), theirs.get_forces())
    for path in sorted((one / "potentials").glob("potential_v*.yaml")):
        assert path.read_bytes() == (two / "potentials" / path.name).read_bytes(), path.name
        ours, others = (np.load(folder / "potentials" / f"{path.stem}.asi") for folder in (one, two))
        assert all(np.array_equal(ours[name], others[name]) for name in ours.files)
    assert np.array_equal(whole.timeline().gamma_max, killed.timeline().gamma_max)
    frames = [campaign.trajectory() for campaign in campaigns]
    assert [frame.info["step"] for frame in frames[0]] == list(range(0, 1501, 50))
    for mine, theirs in zip(*frames, strict=True):
        assert mine.info["step"] == theirs.info["step"]
        assert np.array_equal(mine.positions, theirs.positions)
    for campaign in campaigns:
        campaign.close()

"""Files and labels of campaigns that have very many of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from acemaker import Campaign
from acemaker.errors import DamagedFileError
from acemaker.loop import store as rooms
from acemaker.loop.labels import CampaignLabels
from acemaker.loop.serialization import read_groups
from acemaker.loop.store import Store
from acemaker.results import Candidates, Labels
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from tests.conftest import copper, rattled


def test_no_folder_holds_the_files_of_more_than_a_thousand_halts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for number, folder in ((0, ""), (999, ""), (1000, "1000/"), (1999, "1000/"), (23456, "23000/")):
        assert store.relative(store.label(number, 3)) == f"labels/{folder}halt_{number:04}_candidate_003.extxyz"
        assert store.relative(store.halt(number)) == f"halts/{folder}halt_{number:04}.extxyz"
        assert store.relative(store.candidates(number)) == f"candidates/{folder}halt_{number:04}.extxyz"
        assert store.relative(store.segment(number)) == f"segments/{folder}segment_{number:04}"


def test_a_campaign_goes_on_across_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "FILES_PER_FOLDER", 2)
    oracle, engine = ToyOracle(), ToyEngine(200, halting_at(50, 100, 150))
    with Campaign.create(tmp_path / "c", toy_config(), engine=engine, oracle=oracle) as campaign:
        for result in campaign.steps():
            if isinstance(result, Labels) and result.halt_number == 2:
                break
    assert campaign.state is State.TRAIN
    with Campaign.open(tmp_path / "c", engine=engine, oracle=oracle) as again:
        assert again.run().state is State.DONE
        files = [entry.file for entry in again.progress.labels]
    assert {Path(file).parent.as_posix() for file in files} == {"labels", "labels/2"}
    assert oracle.calls == len(files) == 8
    with Campaign.open(tmp_path / "c", engine=engine, oracle=oracle) as again:
        assert len(again.segments()) == 4


def test_old_checkpoints_go_but_for_the_one_to_go_on_from(tmp_path: Path) -> None:
    store = Store(tmp_path)
    files = {}
    for number in range(1, 5):
        store.segment(number).mkdir(parents=True)
        for name in ("checkpoint.50", "checkpoint.100", "halt.110"):
            files[number, name] = store.segment(number) / name
            files[number, name].touch()

    def left(keep: tuple[int, str], ended: int) -> list[tuple[int, str]]:
        store.keep_checkpoints([files[keep]], ended)
        return [which for which, file in files.items() if which[0] <= ended and file.exists()]

    assert left((1, "checkpoint.100"), 1) == [(1, "checkpoint.100")]
    assert left((1, "checkpoint.100"), 2) == [(1, "checkpoint.100")]
    assert left((3, "halt.110"), 3) == [(3, "halt.110")]
    store = Store(tmp_path)  # after a kill
    assert left((4, "checkpoint.50"), 4) == [(4, "checkpoint.50")]
    store.keep_checkpoints([None], 4)
    assert not any(file.exists() for file in files.values())


def candidates(halt: int, *structures: Atoms) -> Candidates:
    n = len(structures)
    return Candidates(
        halt_number=halt,
        structures=structures,
        origins=("test",) * n,
        gamma_max=np.zeros(n),
        distance_min=np.zeros(n),
        map=np.zeros((n, 2)),
    )


def test_the_label_of_an_equal_structure_is_found_and_recorded(tmp_path: Path) -> None:
    first, second = rattled(copper(1), 2)
    engine, oracle = ToyEngine(200, halting_at(50)), ToyOracle()
    with Campaign.create(tmp_path / "c", toy_config(), engine=engine, oracle=oracle) as campaign:
        store = Store(campaign.directory)
        labels = CampaignLabels(campaign._journaled, store)
        (job,) = labels.jobs(candidates(7, first))
        assert labels.find(job) is None
        stored = labels.store(job, oracle.label(first))
        for again in ("at once", "after the campaign was reopened"):
            if again != "at once":
                labels = CampaignLabels(campaign._journaled, store)
            other, equal = labels.jobs(candidates(8, second, first))
            assert labels.find(other) is None
            found = labels.find(equal)
            assert isinstance(found, Atoms)
            assert np.array_equal(found.get_forces(), stored.get_forces())
            assert Path(equal.label).read_bytes() == Path(job.label).read_bytes()
        entries = [(entry.halt, entry.candidate, entry.key) for entry in campaign.progress.labels]
        assert entries == [(7, 0, job.key), (8, 1, job.key)], "each once"


def test_labels_of_earlier_trainings_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    engine = ToyEngine(200, halting_at(50, 100))
    with Campaign.create(tmp_path / "c", toy_config(), engine=engine, oracle=ToyOracle()) as campaign:
        campaign.run()
        progress = campaign.progress
    groups = read_groups(progress, Store(tmp_path / "c"))
    assert [len(group) for group in groups] == [2, 2, 2]
    assert [[atoms.positions.tolist() for atoms in group] for group in groups[1:]] == [
        [atoms.positions.tolist() for atoms in groups[number]] for number in (1, -1)
    ]
    shutil.rmtree(tmp_path / "c/labels")
    assert len(groups) == 3
    with pytest.raises(DamagedFileError):
        groups[0]

"""Damaged files: those that can be computed again are, the others are named, and no label is lost."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import acemaker
from acemaker import Campaign, CampaignConfig
from acemaker.errors import AcemakerError, CampaignError, DamagedFileError, EngineError
from acemaker.loop.creation import create_journal
from acemaker.loop.journal import Journal, sealed
from acemaker.loop.label_files import spare_of
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config


def engine() -> ToyEngine:
    return ToyEngine(200, halting_at(60))


def make(directory: Path, oracle: ToyOracle | None = None) -> Campaign:
    return Campaign.create(directory, toy_config(), exist_ok=True, engine=engine(), oracle=oracle or ToyOracle())


def reopen(directory: Path, oracle: ToyOracle | None = None, **changes: Any) -> Campaign:
    return Campaign.open(directory, engine=engine(), oracle=oracle or ToyOracle(), **changes)


def flip(path: Path, place: float = 0.7) -> None:
    content = bytearray(path.read_bytes())
    at = int(place * len(content))
    content[at] ^= 1
    path.write_bytes(content)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("whole") / "c"
    with make(directory) as campaign:
        campaign.run()
    return directory


def assert_alike(one: Path, two: Path) -> None:
    mine, theirs = acemaker.attach(one), acemaker.attach(two)
    assert mine.state is theirs.state is State.DONE
    for ours, others in zip(mine.labeled_structures(), theirs.labeled_structures(), strict=True):
        assert np.array_equal(ours.positions, others.positions)
        assert np.array_equal(ours.get_forces(), others.get_forces())
    assert np.array_equal(mine.timeline().gamma_max, theirs.timeline().gamma_max)
    assert len(mine.trajectory()) == len(theirs.trajectory()) > 2
    for path in sorted((one / "potentials").glob("*.yaml")):
        assert path.read_bytes() == (two / "potentials" / path.name).read_bytes()


def test_a_damaged_label_is_read_from_its_second_file(tmp_path: Path, whole: Path) -> None:
    """Neither the fit nor the report sees the other figures, and none is paid for again."""
    with make(tmp_path / "c") as campaign:
        campaign.label()
    labels = sorted((tmp_path / "c/labels").glob("*.extxyz"))
    assert len(labels) == 2
    text = labels[0].read_text()
    energy = text.split(" energy=")[1].split()[0]
    labels[0].write_text(text.replace(energy, energy.replace(energy[-1], "7" if energy[-1] != "7" else "8")))
    labels[1].unlink()
    oracle = ToyOracle()
    with reopen(tmp_path / "c", oracle) as campaign:
        campaign.run()
    assert oracle.calls == 2  # those of the halt
    assert_alike(whole, tmp_path / "c")


def test_a_label_cut_off_before_the_journal_knew_it_is_made_good_or_anew(tmp_path: Path, whole: Path) -> None:
    with make(tmp_path / "c") as campaign:
        campaign.label()
    first, second = sorted((tmp_path / "c/labels").glob("*.extxyz"))
    journal = tmp_path / "c/journal.jsonl"
    journal.write_text(journal.read_text().splitlines(keepends=True)[0])
    spare_of(first).unlink()
    for file in (second, spare_of(second)):
        file.write_bytes(file.read_bytes()[:1000])
    oracle = ToyOracle()
    with reopen(tmp_path / "c", oracle) as campaign:
        campaign.label()
        assert oracle.calls == 1
        assert spare_of(first).read_bytes() == first.read_bytes()
        assert len(list((tmp_path / "c/labels").rglob("*.damaged"))) == 2
        campaign.run()
    assert_alike(whole, tmp_path / "c")


def test_a_paid_label_of_which_nothing_is_left_is_named(tmp_path: Path) -> None:
    with make(tmp_path / "c") as campaign:
        campaign.label()
    for file in (tmp_path / "c/labels").rglob("*_001.extxyz"):
        flip(file)
    oracle = ToyOracle()
    with reopen(tmp_path / "c", oracle) as campaign, pytest.raises(DamagedFileError, match=r"001.extxyz.*checksum"):
        campaign.run()
    assert oracle.calls == 0


@pytest.mark.parametrize("file", ["checks.csv", "trajectory.extxyz", "checkpoint.100"])
def test_a_segment_is_run_again_from_where_it_is_damaged(tmp_path: Path, whole: Path, file: str) -> None:
    class Stopped(ToyEngine):
        def explore(self, request: Any) -> Any:
            listen, request.__dict__["on_check"] = request.on_check, lambda check: stop(check, listen)
            return super().explore(request)

    def stop(check: Any, listen: Callable[[Any], None] | None) -> None:
        if check.step == 120:
            raise KeyboardInterrupt

    with (
        Campaign.create(
            tmp_path / "c", toy_config(), engine=Stopped(200, halting_at(60)), oracle=ToyOracle()
        ) as campaign,
        pytest.raises(KeyboardInterrupt),
    ):
        campaign.run()
    flip(tmp_path / "c/segments/segment_0002" / file)
    with reopen(tmp_path / "c") as campaign:
        campaign.run()
    assert_alike(whole, tmp_path / "c")


@pytest.mark.parametrize(
    ("file", "look"),
    [
        ("segments/segment_0001/checks.csv", lambda campaign: campaign.timeline()),
        ("segments/segment_0002/trajectory.extxyz", lambda campaign: campaign.trajectory()),
        ("halts/halt_0001.extxyz", lambda campaign: campaign.segments()),
        ("potentials/potential_v2.asi", lambda campaign: campaign.generation),
        ("potentials/potential_v2.error.npz", lambda campaign: campaign.generation),
        ("potentials/potential_v2.yaml", lambda campaign: campaign.generation),
        ("potentials/potential_v2.json", lambda campaign: campaign.generation),
        ("initial.extxyz", lambda campaign: campaign.initial_structure()),
    ],
)
def test_what_is_shown_is_what_was_written(
    tmp_path: Path, whole: Path, file: str, look: Callable[[Any], object]
) -> None:
    content = (whole / file).read_bytes()
    flip(whole / file)
    try:
        with pytest.raises(DamagedFileError, match=r"is damaged: .*; restore it from a copy") as caught:
            look(acemaker.attach(whole))
        assert caught.value.file == whole / file
        (whole / file).unlink()
        with pytest.raises(DamagedFileError):
            look(acemaker.attach(whole))
    finally:
        (whole / file).write_bytes(content)
    look(acemaker.attach(whole))


def test_a_restart_file_that_is_damaged_says_how_to_do_without_it(tmp_path: Path) -> None:
    with make(tmp_path / "c") as campaign:
        while campaign.progress.current.checkpoint is None:
            campaign.step() if campaign.generation else campaign.prepare()
        checkpoint = campaign.directory / campaign.progress.current.checkpoint
    flip(checkpoint)
    with reopen(tmp_path / "c") as campaign, pytest.raises(EngineError, match="resume_from='structure'"):
        campaign.run()
    with make(tmp_path / "c") as campaign:
        assert campaign.state is State.EXPLORE


def test_a_full_disk_is_named_and_the_same_object_goes_on(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fit is done, and only its line in the journal is missing: it does not learn twice."""
    write = Journal.append

    def full(journal: Journal, event: str, **data: Any) -> Any:
        if event in ("step", "failed"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(journal, event, **data)

    with make(tmp_path / "c") as campaign:
        while campaign.state is not State.TRAIN or not campaign.progress.halt:
            campaign.step()
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "append", full)
            with pytest.raises(CampaignError, match=r"cannot continue .*No space left.*free disk space, then open it"):
                campaign.train()
        assert campaign.state is State.TRAIN
        campaign.run()
    assert_alike(whole, tmp_path / "c")


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "c").close()

    def read_only(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr("acemaker.loop.lock.os.open", read_only)
        for open_campaign in (make, reopen):
            with pytest.raises(CampaignError, match=r"Read-only file system.*acemaker\.attach"):
                open_campaign(tmp_path / "c")
    with reopen(tmp_path / "c") as campaign:
        assert campaign.state is State.LABEL


def test_a_kill_while_it_is_created_leaves_one_that_can_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Creating a campaign authorizes the code that it names."""
    from acemaker.loop import runner as module

    config = toy_config().model_dump()
    config["oracle"] = {"oracle": "ase.calculators.emt:EMT", "label_process": "this"}

    def killed(*arguments: Any, **more: Any) -> Any:
        create_journal(*arguments, **more).close()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "create_journal", killed)
        with pytest.raises(KeyboardInterrupt):
            Campaign.create(tmp_path / "c", CampaignConfig(**config), engine=engine())
    Campaign.open(tmp_path / "c", engine=engine()).close()


@pytest.mark.parametrize(
    "change",
    [
        lambda event: {**event, "state": "NOWHERE"},
        lambda event: {key: value for key, value in event.items() if key != "next"},
        lambda event: {**event, "labels": 3},
    ],
)
def test_an_event_that_no_campaign_writes_is_an_error_of_acemakers(
    tmp_path: Path, whole: Path, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    events = [json.loads(line) for line in (whole / "journal.jsonl").read_text().splitlines()]
    for event in events:
        del event["checksum"]
    index = next(n for n, event in enumerate(events) if event.get("state") == "TRAIN")
    events[index] = change(events[index])
    (tmp_path / "journal.jsonl").write_bytes(b"".join(sealed(json.dumps(event)) for event in events))
    with pytest.raises(AcemakerError, match="journal contains an event that acemaker does not write"):
        acemaker.attach(tmp_path)

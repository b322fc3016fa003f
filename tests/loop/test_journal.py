import contextlib
import gc
from functools import reduce
from pathlib import Path

import pytest

from acemaker import Campaign
from acemaker.errors import CampaignError, IterationLimitError
from acemaker.loop.journal import Journal, read_events, sealed
from acemaker.loop.progress import Progress
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config


def test_what_is_written_is_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("created", config={"a": 1.5})
    journal.append("label", file="x", value=0.1 + 0.2)
    journal.close()
    again = Journal(tmp_path / "journal.jsonl")
    assert again.events == journal.events
    assert again.events[1]["value"] == 0.1 + 0.2
    assert [event["n"] for event in again.events] == [0, 1]
    again.close()


@pytest.mark.parametrize("torn", [b'{"v": 1, "event": "lab', b'{"v": 1, "event": "label"}', b"\xff\n", b"[]\n"])
def test_a_torn_last_line_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.append("created", config={})
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    again = Journal(path)
    assert len(again.events) == 1
    assert path.read_bytes() == whole
    again.append("label")
    again.close()
    assert len(path.read_text().splitlines()) == 2


def test_a_broken_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    for name in ("created", "label", "label"):
        journal.append(name)
    journal.close()
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + "garbage\n" + lines[2])
    with pytest.raises(CampaignError, match="line 2 of"):
        Journal(path)


@pytest.mark.parametrize("number", [0, 1])
def test_a_line_that_was_changed_doubled_or_lost_is_an_error_and_at_the_end_cut_off(
    tmp_path: Path, number: int
) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    for value in range(4):
        journal.append("label", value=value)
    journal.close()
    lines = path.read_bytes().splitlines(keepends=True)
    changed = lines[number].replace(b'"value": %d' % number, b'"value": 7')
    unnamed = lines[number].replace(b"checksum", b"chdcksum")
    for wrong in ([changed], [unnamed], [lines[number]] * 2, []):
        path.write_bytes(b"".join([*lines[:number], *wrong, *lines[number + 1 :]]))
        with pytest.raises(CampaignError, match=rf"line [{number + 1}{number + 2}] of .* is damaged or was changed"):
            Journal(path)
    path.write_bytes(b"".join([*lines[:number], changed]))
    again = Journal(path)
    assert [event["value"] for event in again.events] == list(range(number))
    again.close()


@pytest.mark.parametrize("end", ["", ', "checksum": "x00000000"'])
def test_an_earlier_format_is_refused_and_left_as_it_is(tmp_path: Path, end: str) -> None:
    path = tmp_path / "journal.jsonl"
    line = '{"v": 1, "n": 0, "event": "created"'
    if end:
        line += sealed(line + "}")[len(line) : -2].decode()
    path.write_text(line + "}\n")
    before = path.read_bytes()
    with pytest.raises(CampaignError, match=r"has journal format 1, .* reads format 2; .* continue this campaign with"):
        Journal(path)
    assert path.read_bytes() == before


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"v": 99, "n": 0, "event": "created"}\n')
    with pytest.raises(CampaignError, match="later version"):
        Journal(path)


def test_events_of_unknown_kinds_change_nothing() -> None:
    assert Progress().apply({"event": "remark", "v": 1, "n": 0}) == Progress()


def test_an_impossible_transition_is_an_error() -> None:
    with pytest.raises(CampaignError, match="from EXPLORE to TRAIN"):
        Progress().apply({"event": "step", "n": 7, "state": "EXPLORE", "next": "TRAIN"})


def test_an_event_of_another_state_is_an_error() -> None:
    with pytest.raises(CampaignError, match="from EXPLORE to DONE, in state LABEL"):
        Progress().apply({"event": "step", "n": 7, "state": "EXPLORE", "next": "DONE"})


def test_half_a_line_of_a_failed_write_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.append("created")
    with path.open("ab") as stream:  # what a full disk leaves
        stream.write(b'{"v": 1, "n": 1, "eve')
    journal.append("label")
    journal.close()
    again = Journal(path)
    assert [event["event"] for event in again.events] == ["created", "label"]
    again.close()


def test_failing_and_reopening_come_back_to_the_same_state() -> None:
    failed = Progress(state=State.TRAIN).apply({"event": "failed", "state": "TRAIN", "message": "no"})
    assert (failed.state, failed.error) == (State.FAILED, "no")
    assert failed.apply({"event": "reopened"}).state is State.TRAIN


def test_reading_leaves_the_collector_as_it_was(tmp_path: Path) -> None:
    with contextlib.closing(Journal(tmp_path / "journal.jsonl")) as journal:
        journal.append("created")
    assert gc.isenabled()
    read_events(tmp_path / "journal.jsonl")
    assert gc.isenabled()
    (tmp_path / "journal.jsonl").write_bytes(b"torn\n" * 2)
    with pytest.raises(CampaignError):
        read_events(tmp_path / "journal.jsonl")
    assert gc.isenabled()
    gc.disable()
    try:
        with pytest.raises(CampaignError):
            read_events(tmp_path / "journal.jsonl")
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_was_read_is_not_looked_through_by_the_collector(tmp_path: Path) -> None:
    with contextlib.closing(Journal(tmp_path / "journal.jsonl")) as journal:
        for number in range(2000):
            journal.append("step", candidates=[number])
    events = read_events(tmp_path / "journal.jsonl")[0]
    young = {id(thing) for generation in (0, 1) for thing in gc.get_objects(generation)}
    assert not any(id(event) in young for event in events)
    assert gc.get_freeze_count() == 0
    gc.freeze()  # somebody else's, as before a fork
    try:
        read_events(tmp_path / "journal.jsonl")
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()


def test_a_journal_at_once_adds_up_to_the_same_as_one_event_after_the_other(tmp_path: Path) -> None:
    config = toy_config(n_select=2, n_candidates=4, max_otf_iterations=1)
    engine = ToyEngine(200, halting_at(60, 120))
    with Campaign.create(tmp_path / "c", config, engine=engine, oracle=ToyOracle()) as campaign:
        with pytest.raises(IterationLimitError):
            campaign.run()
        failed = campaign.progress
    with Campaign.open(tmp_path / "c", engine=engine, oracle=ToyOracle(), max_otf_iterations=9) as campaign:
        campaign.run()
        done = campaign.progress
    events = read_events(tmp_path / "c/journal.jsonl")[0]
    assert Progress().apply_all(events) == done
    for place in range(len(events)):
        one_by_one = Progress().apply_all(events[:place])
        before = repr(one_by_one)
        assert reduce(Progress.apply, events[:place], Progress()) == one_by_one
        assert one_by_one.apply_all(events[place:]) == done
        assert repr(one_by_one) == before
    assert failed.state is State.FAILED

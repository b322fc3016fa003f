"""The walk through the code that computes labels is short, and each label is parsed once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acemaker import Campaign
from acemaker.loop.label_files import read_label, spare_of
from acemaker.states import State
from acemaker.structures import files
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from tools.trace_label import trace_label


def test_two_labels_cross_few_files(tmp_path: Path) -> None:
    """36 files and 289 changes, of which 22 and 224 on the label path, before labels had one sink.

    The rest of the whole call is the journal, 12 changes per event, and the oracle with its checks, 9 per label.
    """
    whole, path = trace_label(tmp_path / "c")
    assert len(path.files) <= 16
    assert path.changes <= 80
    assert len(whole.files) <= 32
    assert whole.changes <= 162


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the parsed frames of structure files."""
    parsed: list[int] = []
    read_frames: Callable[..., Any] = files.read_frames  # type: ignore[attr-defined]

    def read(*arguments: Any) -> Any:
        frames = read_frames(*arguments)
        parsed.append(len(frames[0]))
        return frames

    monkeypatch.setattr(files, "read_frames", read)
    return parsed


def test_each_label_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is written, and when a campaign finds it again; both return what is on disk, to the bit."""
    engine = ToyEngine(200, halting_at(60))
    with Campaign.create(tmp_path / "c", toy_config(), engine=engine, oracle=ToyOracle()) as campaign:
        campaign.prepare()
        while campaign.state is not State.LABEL:
            campaign.step()
        parsed = counted(monkeypatch)
        labels = campaign.label()
        assert parsed == [1, 1]
        stored = [tmp_path / "c" / entry.file for entry in campaign.progress.labels[-2:]]
    journal = tmp_path / "c/journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    events = [json.loads(line) for line in lines]
    first = next(number for number, event in enumerate(events) if event["event"] == "label" and event["halt"] == 1)
    journal.write_text("".join(lines[:first]))  # as after a kill between a label's file and its event
    with Campaign.open(tmp_path / "c", engine=engine, oracle=(oracle := ToyOracle())) as again:
        selection = again._work._selection()
        parsed.clear()
        found = again._work.labels.label(selection)
        assert parsed == [1, 1]
    assert oracle.calls == 0
    for label, other, file in zip(labels.structures, found.structures, stored, strict=True):
        assert file.read_bytes() == spare_of(file).read_bytes()
        for same in (other, read_label(file)):
            assert np.array_equal(label.positions, same.positions)
            assert np.array_equal(label.get_forces(), same.get_forces())
            assert label.get_potential_energy() == same.get_potential_energy()
            assert str(label.info) == str(same.info)

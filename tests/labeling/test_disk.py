"""On a full disk, computed labels are saved, and the error message names the file."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from acemaker.errors import CampaignError, Cause, OracleError
from acemaker.states import State
from tests.labeling.halted import at_halt, calls, journaled, nothing_is_left, reopen, tell


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """Limit the size of all files of this process and its children, in bytes, like a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.slow
@pytest.mark.parametrize("n_parallel_labels", [1, 2])
def test_a_label_that_cannot_be_written_is_saved_elsewhere(tmp_path: Path, n_parallel_labels: int) -> None:
    """The file of a label has about 4,000 bytes, its numbers alone 2,000."""
    campaign, selection = at_halt(tmp_path, {"n_parallel_labels": n_parallel_labels})
    tell(tmp_path, **{f"c{selection.selected[1]}": "sleep 8"})  # it still runs when the first one is finished
    warned = pytest.warns(UserWarning, match="waiting for the labels that are being computed")
    warned_or_not = warned if n_parallel_labels > 1 else contextlib.nullcontext()
    with campaign, no_file_beyond(3000), warned_or_not, pytest.raises(CampaignError) as caught:
        campaign.label()
    assert "\n" not in str(caught.value)
    for words in ("cannot be written ([Errno 27] File too large", f"{tmp_path}/c/queue/", "not computed again"):
        assert words in str(caught.value)
    assert journaled(tmp_path) == []
    assert list((tmp_path / "c").rglob("*.part")) == []
    assert len(calls(tmp_path)) == n_parallel_labels
    assert n_parallel_labels == 1 or "; 1 more that were being computed are saved, too" in str(caught.value)
    with reopen(tmp_path) as again:
        assert again.label().candidates == selection.selected
        assert again.run().state is State.DONE
    assert sorted(calls(tmp_path)) == sorted(str(candidate) for candidate in selection.selected)
    assert list((tmp_path / "c/queue").iterdir()) == []


@pytest.mark.slow
def test_a_label_stays_in_memory_if_no_file_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that computes the label can write its files."""
    campaign, selection = at_halt(tmp_path)
    with campaign:
        with monkeypatch.context() as patch:
            from acemaker.labeling import job

            def full(*_: object, **__: object) -> Path:
                raise OSError(28, "No space left on device")

            patch.setattr(job, "_write", full)
            patch.setattr(os, "fsync", full)
            with pytest.raises(CampaignError, match=r"No space left on device.*it is saved in this process's memory"):
                campaign.label()
        campaign._journaled.append("reopened")
        assert campaign.label().candidates == selection.selected
    assert len(calls(tmp_path)) == len(selection.selected)


@pytest.mark.slow
def test_a_job_that_cannot_be_written_stops_at_once(tmp_path: Path) -> None:
    campaign, selection = at_halt(tmp_path, {"n_parallel_labels": 2})
    refused = pytest.raises(OracleError, match=r"^disk full: cannot write the job")
    with campaign, no_file_beyond(200), refused as caught:
        campaign.label()
    assert "\n" not in str(caught.value)
    assert caught.value.cause is Cause.DISK_FULL
    assert not campaign.progress.failures, "structures were used up"
    assert nothing_is_left(tmp_path)
    with reopen(tmp_path) as again:
        assert again.label().candidates == selection.selected


@pytest.mark.slow
def test_a_program_that_fills_the_disk_is_reported(tmp_path: Path) -> None:
    campaign, selection = at_halt(tmp_path)
    tell(tmp_path, **{f"c{selection.selected[0]}": "fill"})
    with campaign, pytest.raises(OracleError, match=r"^disk full: .*No space left on device") as caught:
        campaign.label()
    assert "\n" not in str(caught.value)
    with reopen(tmp_path) as again:
        assert again.label().candidates == selection.selected

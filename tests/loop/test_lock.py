"""Several processes, or several objects of one process, that have the same campaign."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

import acemaker
from acemaker import Campaign
from acemaker.errors import CampaignError, CampaignExistsError, CampaignLockedError, ConfigError
from acemaker.loop import creation
from acemaker.loop.journal import Journal, read_events
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config

OTHER = """
    import sys
    from acemaker import Campaign
    from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config

    campaign = Campaign.create(
        sys.argv[1],
        toy_config().model_copy(update={"seed": int(sys.argv[2])}),
        exist_ok=True,
        engine=ToyEngine(200, halting_at(60)),
        oracle=ToyOracle(),
    )
    if sys.argv[3] == "to the end":
        campaign.run().close()
    print("begun", flush=True)
    sys.stdin.read()
"""


def make(directory: Path) -> Campaign:
    engine = ToyEngine(200, halting_at(60))
    return Campaign.create(directory, toy_config(), exist_ok=True, engine=engine, oracle=ToyOracle())


@contextmanager
def other(directory: Path, seed: int, how_far: str) -> Iterator[None]:
    """Another process, which has created the campaign, and keeps it open or has run it to its end."""
    command = [sys.executable, "-c", textwrap.dedent(OTHER), str(directory), str(seed), how_far]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        yield
        process.communicate()
    assert process.returncode == 0


@pytest.fixture
def overtaken(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path, int, str], None]]:
    """Have another process come first: between what is checked and what is written here."""
    with ExitStack() as stack:

        def overtake(directory: Path, seed: int, how_far: str) -> None:
            plan_for = creation.plan_for

            def slow(*arguments: object) -> object:
                monkeypatch.setattr(creation, "plan_for", plan_for)
                planned = plan_for(*arguments)  # type: ignore[arg-type]
                stack.enter_context(other(directory, seed, how_far))
                return planned

            monkeypatch.setattr(creation, "plan_for", slow)

        yield overtake


def files(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def begun(directory: Path) -> list[str]:
    return [event["event"] for event in read_events(directory / "journal.jsonl")[0]]


def without_times(directory: Path) -> list[dict[str, object]]:
    """Read a journal without what a clock measured: the time of the oracle's trial label."""
    events, _ = read_events(directory / "journal.jsonl")
    assert events[0]["trial_s"] >= 0
    return [{name: value for name, value in event.items() if name != "trial_s"} for event in events]


def test_the_slower_one_is_kept_out(tmp_path: Path, overtaken: Callable[[Path, int, str], None]) -> None:
    """It writes nothing: the files are of the one that has the lock, whose seed is another."""
    directory = tmp_path / "c"
    with other(tmp_path / "alone", 5, "begin"):
        pass
    overtaken(directory, 5, "begin")
    with pytest.raises(CampaignLockedError, match=r"another process has the campaign in .* open"):
        make(directory)
    assert begun(directory) == ["created"]
    assert (directory / "candidates").is_dir()
    alone, here = files(tmp_path / "alone"), files(directory)
    assert without_times(directory) == without_times(tmp_path / "alone")
    for path in alone:
        if not path.endswith("journal.jsonl"):
            assert here[path.replace("alone", "c")] == alone[path]


def test_the_slower_one_goes_on_with_what_it_finds(tmp_path: Path, overtaken: Callable[[Path, int, str], None]) -> None:
    directory = tmp_path / "c"
    overtaken(directory, toy_config().seed, "to the end")
    with make(directory) as campaign:
        assert campaign.state is State.DONE
    assert begun(directory).count("created") == 1
    assert begun(directory)[-1] == "reopened"


def test_the_slower_one_is_told_of_another_campaign(
    tmp_path: Path, overtaken: Callable[[Path, int, str], None]
) -> None:
    directory = tmp_path / "c"
    overtaken(directory, 5, "to the end")
    with pytest.raises(CampaignExistsError, match="already contains another campaign"):
        make(directory)
    assert begun(directory).count("created") == 1
    Campaign.open(directory, engine=ToyEngine(200, halting_at(60)), oracle=ToyOracle()).close()  # nobody has it open


def test_labels_that_come_while_parts_are_checked_are_no_leftovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal was looked for before the other process made it, and the labels after."""
    directory = tmp_path / "c"
    check_start = creation.check_start  # type: ignore[attr-defined]
    with ExitStack() as stack:

        def slow(*arguments: object) -> object:
            stack.enter_context(other(directory, toy_config().seed, "to the end"))
            return check_start(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(creation, "check_start", slow)
        with make(directory) as campaign:
            assert campaign.state is State.DONE


def is_kept_out(directory: Path) -> bool:
    """Whether another process is told that the campaign is open."""
    code = "import sys; from acemaker import Campaign; Campaign.open(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, str(directory)], capture_output=True, text=True, check=False)
    assert done.returncode
    return "CampaignLockedError: another process has" in done.stderr


def fails_to_create(directory: Path) -> None:
    with pytest.raises(CampaignExistsError):
        Campaign.create(directory, toy_config(max_labels=50).model_copy(update={"seed": 77}), oracle=ToyOracle())


def fails_to_open(directory: Path) -> None:
    with pytest.raises(ConfigError):
        Campaign.open(directory, no_such_bound=1)


@pytest.mark.parametrize("fails", [fails_to_create, fails_to_open])
def test_a_campaign_in_use_keeps_its_lock_if_it_cannot_be_opened_once_more(
    tmp_path: Path, fails: Callable[[Path], None]
) -> None:
    """As when a cell further down is run with a mistake in it."""
    with make(tmp_path / "c") as campaign:
        fails(tmp_path / "c")
        assert acemaker.attach(tmp_path / "c").is_running
        assert is_kept_out(tmp_path / "c")
        assert campaign.run().state is State.DONE
    assert not acemaker.attach(tmp_path / "c").is_running


def test_an_older_object_cannot_undo_what_a_later_one_has_done(tmp_path: Path) -> None:
    directory = tmp_path / "c"
    older = make(directory)
    later = make(directory)
    later.run()
    written = (directory / "journal.jsonl").read_bytes()
    for act in (older.prepare, older.close, older.prepare):
        with suppress(CampaignError):
            act()
            assert act == older.close
        assert (directory / "journal.jsonl").read_bytes() == written
        assert acemaker.attach(directory).is_running  # by the later one
    with pytest.raises(CampaignError, match="was opened and continued by another object"):
        older.step()
    later.close()
    assert not acemaker.attach(directory).is_running
    with pytest.raises(CampaignError, match="was opened and continued by another object"):
        older.step()
    assert (directory / "journal.jsonl").read_bytes() == written


def test_one_that_was_closed_locks_again_before_it_writes(tmp_path: Path) -> None:
    directory = tmp_path / "c"
    campaign = make(directory)
    campaign.close()
    with other(directory, toy_config().seed, "begin"), pytest.raises(CampaignLockedError):
        campaign.step()
    campaign.close()


@pytest.mark.parametrize("closed", [True, False])
def test_what_a_full_disk_tore_is_not_cut_off_once_others_have_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "journal.jsonl"
    older = Journal(path)
    older.append("created")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            older.append("label")
    if closed:
        older.close()
    later = Journal(path)
    later.append("reopened")
    if closed:
        later.close()
    written = path.read_bytes()
    with pytest.raises(CampaignError, match="was opened and continued by another object"):
        older.append("label")
    assert path.read_bytes() == written
    older.close()
    later.close()


def test_an_error_of_the_parts_says_nothing_of_a_campaign_that_was_never_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> object:
        raise FileNotFoundError(2, "No such file or directory", "my_prior.npz")

    monkeypatch.setattr(creation, "check_start", missing)
    with pytest.raises(CampaignError, match=r"cannot create a campaign in .*my_prior\.npz.*no files were written"):
        make(tmp_path / "c")
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL])
def test_a_file_system_without_locks_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """As parallel file systems of clusters may be: no other process is to be looked for."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with make(tmp_path / "c") as campaign:
        campaign.prepare()
    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(CampaignError, match=r"does not support locks \(.*\), without which two processes") as caught:
        Campaign.open(tmp_path / "c")
    assert not isinstance(caught.value, CampaignLockedError)
    with pytest.raises(CampaignError, match="does not support locks"):
        make(tmp_path / "other")
    assert not acemaker.attach(tmp_path / "c").is_running
    monkeypatch.undo()
    Campaign.open(tmp_path / "c", engine=ToyEngine(200), oracle=ToyOracle()).close()

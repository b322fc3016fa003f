"""Links and special files in a campaign's directory: refused before anything is opened, written, deleted or killed."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import acemaker
from acemaker import Campaign, CampaignConfig
from acemaker.errors import CampaignError, UntrustedError
from acemaker.headless.check import check_free, check_parameters
from acemaker.headless.notebook import describe
from acemaker.loop.journal import sealed
from acemaker.loop.store import check_contents
from acemaker.loop.trusted_code import _file, check_trusted, record_trusted
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config

CAMPAIGN = Path(__file__).parents[2] / "notebooks" / "otf_campaign.ipynb"


def engine() -> ToyEngine:
    return ToyEngine(200, halting_at(60))


def make(directory: Path, config: CampaignConfig | None = None) -> Campaign:
    return Campaign.create(directory, config or toy_config(), engine=engine(), oracle=ToyOracle())


def halted(directory: Path) -> Path:
    with make(directory) as campaign:
        campaign.prepare()
        campaign.explore()
    return directory


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


ENTRANCES: dict[str, Callable[[Path], Any]] = {
    "open": lambda directory: Campaign.open(directory, engine=engine(), oracle=ToyOracle()),
    "create": make,
    "attach": acemaker.attach,
    "acemaker run": lambda directory: check_parameters(describe(CAMPAIGN), {"directory": str(directory)}, parts=False),
}
"""All the ways by which a campaign's directory is entered."""

LINKS = (
    *("lock", "journal.jsonl", "report.html.part", "report.html", "summary.json.part", "initial.extxyz"),
    *("segments", "segments/segment_0001", "segments/segment_0002", "labels", "queue", "oracle_failures"),
    *("potentials/potential_v2.yaml", "halts/halt_0001.extxyz.part", "validation"),
)


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize("name", LINKS)
def test_links_are_refused_by_name(tmp_path: Path, name: str, entrance: str) -> None:
    directory, outside = halted(tmp_path / "c"), tmp_path / "outside"
    outside.mkdir()
    target = outside / "precious"
    path = directory / name
    if path.is_dir() or path.exists():
        path.rename(target)
    else:
        target.mkdir()
        (target / "checkpoint.100").write_text("mine")
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(target)
    before = snapshot(outside), snapshot(directory)
    with pytest.raises(CampaignError, match=rf"{name} in .* is a link to {target}; .* replace it by the file"):
        ENTRANCES[entrance](directory)
    assert (snapshot(outside), snapshot(directory)) == before


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize("name", ["journal.jsonl", "lock", "initial.extxyz"])
def test_pipes_and_sockets_are_refused_at_once(tmp_path: Path, name: str, entrance: str) -> None:
    directory = halted(tmp_path / "c")
    (directory / name).unlink()
    if name == "lock":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(os.path.relpath(directory / name))  # a socket's path must be short
    else:
        os.mkfifo(directory / name)
    with pytest.raises(CampaignError, match=f"{name} in .* is a pipe, socket or device"):
        ENTRANCES[entrance](directory)


@pytest.mark.parametrize("name", ["lock", "report.html.part", "candidates"])
def test_nothing_is_made_through_a_link_that_lies_there_before(tmp_path: Path, name: str) -> None:
    directory, outside = tmp_path / "c", tmp_path / "outside"
    directory.mkdir()
    (directory / name).symlink_to(outside)
    with pytest.raises(CampaignError, match=f"{name} in .* is a link"):
        make(directory)
    assert not outside.exists()
    assert [path.name for path in directory.iterdir()] == [name]


@pytest.mark.parametrize("folder", [".", "labels", "segments"])
@pytest.mark.parametrize("entrance", ENTRANCES)
def test_what_cannot_be_looked_through_is_refused(
    tmp_path: Path, entrance: str, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files in it can be opened by their names; permissions do not apply to root."""
    directory = halted(tmp_path / "c")
    (directory / folder).chmod(0o311)
    if os.geteuid() == 0:
        scandir = os.scandir

        def refusing(path: Any) -> Any:
            if not Path(path).stat().st_mode & 0o444:
                raise PermissionError(errno.EACCES, "Permission denied", path)
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(CampaignError, match=r"cannot be read \(Permission denied\)"):
        ENTRANCES[entrance](directory)
    (directory / folder).chmod(0o755)


def test_a_tree_that_is_too_deep_is_named_in_short(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(25):  # by handles: no path may be as long as that
            os.mkdir("d" * 200, dir_fd=here)
            deeper = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = deeper
        with pytest.raises(CampaignError, match=r"cannot be read \(File name too long\)") as caught:
            check_contents(tmp_path)
        assert len(str(caught.value)) < 600
    finally:
        os.close(here)


@pytest.mark.parametrize("make", [Path.symlink_to, Path.hardlink_to], ids=["symbolic", "hard"])
def test_a_link_that_comes_later_is_replaced_not_followed(tmp_path: Path, make: Any) -> None:
    directory, precious = halted(tmp_path / "c"), tmp_path / "precious"
    precious.write_text("mine")
    attached = acemaker.attach(directory)
    for name in ("report.html.part", "report.html", "summary.json.part"):
        make(directory / name, precious)
    attached.report()
    attached.write_summary()
    assert precious.read_text() == "mine"
    assert "<html" in (directory / "report.html").read_text()
    assert not (directory / "report.html").is_symlink()


def test_a_directory_that_is_reached_through_a_link_is_no_matter(tmp_path: Path) -> None:
    halted(tmp_path / "scratch" / "c")
    (tmp_path / "runs").symlink_to(tmp_path / "scratch")
    with ENTRANCES["open"](tmp_path / "runs" / "c") as campaign:
        campaign.run()
    acemaker.attach(tmp_path / "runs" / "c").report()


def test_an_environment_beside_the_files_is_no_matter(tmp_path: Path) -> None:
    directory = halted(tmp_path / "c")
    (directory / ".venv").mkdir()
    (directory / ".venv" / "python").symlink_to(sys.executable)
    check_contents(directory)
    (directory / "labels" / ".hidden").symlink_to(sys.executable)
    with pytest.raises(CampaignError, match=r"labels/\.hidden in .* is a link"):
        check_contents(directory)


def test_what_a_campaign_leaves_is_accepted(tmp_path: Path) -> None:
    with make(tmp_path / "c") as campaign:
        campaign.run()
        campaign.report()
    check_contents(tmp_path / "c")
    check_contents(tmp_path / "nothing")


def test_the_journal_names_no_file_outside(tmp_path: Path) -> None:
    directory = halted(tmp_path / "c")
    lines = (directory / "journal.jsonl").read_bytes().splitlines(keepends=True)
    changed = []
    for line in lines:
        event = json.loads(line)
        del event["checksum"]
        changed.append(sealed(json.dumps(event).replace('"labels/', '"../labels/')))
    assert changed != lines
    (directory / "journal.jsonl").write_bytes(b"".join(changed))
    with pytest.raises(CampaignError, match=r"names the file '\.\./labels/.*', which is outside"):
        acemaker.attach(directory).labeled_structures()


NAMED = {"oracle": "nowhere_at_all:calculator"}


@pytest.mark.parametrize("content", ["", "<!doctype html>", "[]"])
def test_permission_is_what_was_written_not_that_there_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    file = _file("oracle", NAMED["oracle"])
    file.parent.mkdir(parents=True)
    file.write_text(content)
    with pytest.raises(UntrustedError):
        check_trusted(NAMED, tmp_path)
    record_trusted(NAMED)
    check_trusted(NAMED, tmp_path)
    ask = "from acemaker.loop.trusted_code import check_trusted; from pathlib import Path; "
    subprocess.run([sys.executable, "-c", f"{ask}check_trusted({NAMED}, Path('.'))"], check=True)


def test_a_free_campaign_is_free(tmp_path: Path) -> None:
    check_free(halted(tmp_path / "c"))

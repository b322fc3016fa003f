"""Files of exported labels: which are written, refused, and replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ase.io import read

import acemaker
from acemaker.campaign import AttachedCampaign
from acemaker.cli import main
from acemaker.errors import ConfigError
from acemaker.export import targets
from acemaker.utils.atomic_write import whole_file


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("data.extxyz", {"for_": "quip"}, "expected one of 'allegro', 'ase', 'gpumd', 'mace'"),
        ("data.json", {}, "ASE reads files that end in .extxyz or .xyz or .db"),
        ("data", {}, "choose a name such as 'data.extxyz'"),
        ("data.extxyz", {"for_": "pacemaker"}, "such as 'data.pckl.gzip'"),
        ("data.db", {"for_": "mace"}, "MACE reads files that end in .extxyz or .xyz"),
        ("data.pckl.gzip", {"for_": "nep"}, "such as 'train.xyz'"),
        ("data.xyz", {"masked": "drop"}, "expected 'auto' or 'whole', got 'drop'"),
        ("data.xyz", {"test_file": "test.xyz"}, "expected a test set for test.xyz, got none"),
        ("data.xyz", {"test": 0.3, "test_file": "data.xyz"}, "expected another file than that of the training set"),
        ("data.xyz", {"test": 0.3, "test_file": "test.json"}, "ASE reads files that end in"),
        ("data.db", {"test": 0.3, "test_file": "test.db"}, "a database contains both sets"),
        ("data.xyz", {"test": 2.0}, "expected a share"),
    ],
)
def test_an_export_that_no_program_reads_is_refused_before_anything_is_written(
    campaign: AttachedCampaign,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    arguments: dict[str, Any],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        campaign.export(name, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_existing_files_are_replaced_on_request_only(campaign: AttachedCampaign, tmp_path: Path) -> None:
    for name in ("train.xyz", "test.xyz", "train.xyz.provenance.json"):
        other = tmp_path / name
        other.write_text("something else")
        with pytest.raises(ConfigError, match=f"{name} exists already"):
            campaign.export(tmp_path / "train.xyz", "nep", test=0.3)
        assert [path.name for path in tmp_path.iterdir()] == [name]
        assert other.read_text() == "something else"
        other.unlink()
    (tmp_path / "train.xyz").write_text("something else")
    result = campaign.export(tmp_path / "train.xyz", "nep", test=0.3, overwrite=True)
    assert len(read(result.file, ":")) == result.n_train


def test_the_test_set_of_an_earlier_export_does_not_remain_beside_a_training_set_with_its_labels(
    campaign: AttachedCampaign, tmp_path: Path
) -> None:
    (tmp_path / "tests").mkdir()
    first = campaign.export(tmp_path / "data.xyz", test=[2], test_file=tmp_path / "tests" / "held_out.xyz")
    before = first.file.read_bytes()
    for test in (0.0, [3]):
        with pytest.raises(ConfigError, match=r"held_out\.xyz belongs to the earlier export"):
            campaign.export(tmp_path / "data.xyz", overwrite=True, test=test)
    assert first.file.read_bytes() == before
    assert first.test_file is not None
    first.test_file.unlink()
    assert campaign.export(tmp_path / "data.xyz", overwrite=True).n_test == 0
    (tmp_path / "data.xyz.provenance.json").write_text('{"files": 3}')  # anything may be in it
    campaign.export(tmp_path / "data.xyz", overwrite=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train.xyz", "test.xyz"),
        ("cu_train.xyz", "cu_test.xyz"),
        ("strain.xyz", "strain_test.xyz"),
        ("training.v2.xyz", "training_test.v2.xyz"),
        ("cu.xyz", "cu_test.xyz"),
    ],
)
def test_the_test_set_has_a_name_beside_that_of_the_training_set(
    campaign: AttachedCampaign, tmp_path: Path, name: str, expected: str
) -> None:
    assert campaign.export(tmp_path / name, test=[2]).test_file == tmp_path / expected


def test_the_files_of_the_campaign_are_never_replaced(campaign: AttachedCampaign, tmp_path: Path) -> None:
    label = campaign.directory / campaign.progress.labels[0].file
    before = label.read_bytes()
    (tmp_path / "link").symlink_to(campaign.directory)
    for path in (label, campaign.directory / "new.extxyz", tmp_path / "link" / "labels" / label.name):
        with pytest.raises(ConfigError, match="among the files of the campaign"):
            campaign.export(path, overwrite=True)
    assert label.read_bytes() == before
    assert not (campaign.directory / "new.extxyz").exists()
    result = campaign.export(campaign.directory / "exports" / "data.extxyz", overwrite=True)
    assert result.file.is_file()
    acemaker.attach(campaign.directory)  # it is a valid directory still
    for path in (result.file, result.provenance):
        path.unlink()
    result.file.parent.rmdir()


def test_a_file_that_cannot_be_written_leaves_nothing(
    campaign: AttachedCampaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: Path) -> Any:
        if path.name.endswith(".json"):
            raise OSError(28, "No space left on device", str(path))
        return whole_file(path)

    monkeypatch.setattr(targets, "whole_file", failing)
    with pytest.raises(ConfigError, match="No space left on device"):
        campaign.export(tmp_path / "train.xyz", "nep", test=0.3)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    monkeypatch.undo()
    with pytest.raises(ConfigError, match="cannot write"):
        campaign.export(tmp_path / "file" / "data.xyz")


def test_the_command_exports_and_reports(
    campaign: AttachedCampaign, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory, file = str(campaign.directory), str(tmp_path / "train.xyz")
    assert main(["export", directory, file, "--for", "mace", "--test-halts", "2"]) == 0
    out = capsys.readouterr().out
    assert "Exported for MACE" in out
    assert "of halts 2" in out
    assert {atoms.info["halt"] for atoms in read(tmp_path / "test.xyz", ":")} == {2}
    assert main(["export", directory, file]) == 2
    assert "acemaker export: " in capsys.readouterr().err
    assert main(["export", directory, file, "--for", "ase", "--test", "0.3", "--overwrite"]) == 0
    assert main(["export", str(tmp_path / "nothing"), str(tmp_path / "x.xyz")]) == 2
    assert "there is no campaign" in capsys.readouterr().err

"""The notebooks included in acemaker: found by name, listed and copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from acemaker.cli import main
from acemaker.errors import ConfigError
from acemaker.headless import shipped as module
from acemaker.headless.notebook import describe
from acemaker.headless.parameters import gather
from acemaker.headless.shipped import PARAMETERS, find_notebook, find_parameters, shipped
from tests.executed import ROOT

NOTEBOOKS = ROOT / "notebooks"


def test_all_notebooks_and_parameter_files_of_the_checkout_are_shipped() -> None:
    assert set(shipped().values()) == set(NOTEBOOKS.rglob("*.ipynb"))
    assert set(shipped(PARAMETERS).values()) == set(NOTEBOOKS.rglob("*.yaml"))
    assert {"otf_campaign", "workshop/3_a_campaign", "workshop/solutions/3_a_campaign"} <= set(shipped())


@pytest.mark.parametrize("name", ["otf_campaign", "otf_campaign.ipynb", "workshop/1_what_gamma_means"])
def test_a_notebook_is_found_by_its_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_notebook(name) == (NOTEBOOKS / name).with_suffix(".ipynb")
    assert describe(name).path == find_notebook(name)


def test_a_file_comes_before_a_shipped_one_but_a_folder_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("otf_campaign").mkdir()
    assert find_notebook("otf_campaign") == NOTEBOOKS / "otf_campaign.ipynb"
    Path("otf_campaign.ipynb").write_text("mine")
    assert find_notebook("otf_campaign.ipynb") == Path("otf_campaign.ipynb")


def test_a_file_of_parameters_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = gather(describe("otf_campaign"), ["parameters/cu_ni.yaml"], [])
    assert given["composition"] == {"Cu": 0.5, "Ni": 0.5}
    Path("parameters").mkdir()
    Path("parameters/cu_ni.yaml").write_text("steps: 3")
    assert gather(describe("otf_campaign"), ["parameters/cu_ni.yaml"], []) == {"steps": 3}
    with pytest.raises(ConfigError, match=r"cannot read the parameters in parameters/ni_cu\.yaml"):
        gather(describe("otf_campaign"), ["parameters/ni_cu.yaml"], [])
    assert find_parameters("parameters/ni_cu.yaml") == Path("parameters/ni_cu.yaml")


def test_an_unknown_name_lists_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "otf_campain", "out.ipynb"]) == 2
    told = capsys.readouterr().err
    assert "there is no notebook otf_campain; acemaker includes " in told
    assert all(name in told for name in shipped())


def test_the_form_takes_a_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    from acemaker.headless.form import Form

    assert "steps" in {field.name for field in Form("otf_campaign").fields}


def test_they_are_listed_with_their_headings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["notebooks"]) == 0
    out = capsys.readouterr().out
    assert all(f"{name} " in out for name in [*shipped(), *shipped(PARAMETERS)])
    assert "One halt by hand" in out
    assert "acemaker notebooks DIR" in out


def test_they_are_copied_and_the_next_step_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "my own" / "notebooks"
    assert main(["notebooks", str(target)]) == 0
    out = capsys.readouterr().out
    sources = [*shipped().values(), *shipped(PARAMETERS).values()]
    for source in sources:
        copy = target / source.relative_to(NOTEBOOKS)
        assert copy.read_bytes() == source.read_bytes()
        assert f"wrote {copy}\n" in out
    assert {path for path in target.rglob("*") if path.is_file()} == {
        target / source.relative_to(NOTEBOOKS) for source in sources
    }
    assert f"jupyter lab '{target}'" in out
    assert f"acemaker run '{target}/otf_campaign.ipynb' " in out

    assert main(["notebooks", str(target)]) == 0  # nothing of one's own is in the way
    assert f"{len(sources)} files were already there, unchanged" in capsys.readouterr().out


def test_a_changed_copy_is_not_overwritten_without_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "workshop").mkdir()
    mine = tmp_path / "workshop" / "3_a_campaign.ipynb"
    mine.write_text("mine")
    nowhere = tmp_path / "otf_campaign.ipynb"
    nowhere.symlink_to(tmp_path / "nowhere")
    assert main(["notebooks", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "otf_campaign.ipynb, workshop/3_a_campaign.ipynb; no files were written" in told
    assert "--force" in told
    assert mine.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["otf_campaign.ipynb", "workshop"]

    assert main(["notebooks", str(tmp_path), "--force"]) == 0
    assert mine.read_bytes() == (NOTEBOOKS / "workshop" / "3_a_campaign.ipynb").read_bytes()
    assert not nowhere.is_symlink()
    assert not (tmp_path / "nowhere").exists()


def test_what_cannot_be_done_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["notebooks", str(tmp_path / "file")]) == 2
    assert f"cannot copy the notebooks to {tmp_path / 'file'}: " in capsys.readouterr().err
    (tmp_path / "folder" / "otf_campaign.ipynb").mkdir(parents=True)
    assert main(["notebooks", str(tmp_path / "folder"), "--force"]) == 2
    assert "otf_campaign.ipynb" in capsys.readouterr().err


def test_a_package_without_notebooks_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "acemaker"
    package.mkdir()
    (tmp_path / "notebooks").mkdir()  # another package's
    monkeypatch.setattr(module, "files", lambda name: package)
    with pytest.raises(ConfigError, match=f"acemaker in {package} has no notebooks; reinstall"):
        find_notebook("otf_campaign")

"""The commands acemaker labels and acemaker change."""

from __future__ import annotations

from pathlib import Path

import pytest
from ase.io import write

from acemaker import Campaign, CampaignConfig
from acemaker.campaign.attached import attach
from acemaker.cli import main
from acemaker.oracles.process import make_oracle

SETTINGS = {
    "oracle": "emt",
    "structure": "Cu",
    "supercell": (2, 2, 2),
    "n_functions": 12,
    "cutoff": 4.0,
    "nradmax_by_orders": (6, 3, 2),
    "lmax_by_orders": (0, 2, 1),
    "n_first": 2,
    "steps": 100,
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    with Campaign.create(tmp_path / "c", CampaignConfig.from_parameters(SETTINGS)) as campaign:
        campaign.prepare()
        atoms = campaign.initial_structure().copy()
        atoms.rattle(0.1, seed=5)
        other = campaign.initial_structure().copy()
        other.rattle(0.1, seed=6)
        label = make_oracle(campaign.config.oracle, ("Cu",)).label(atoms)
        write(tmp_path / "more.extxyz", [label, other])
    return tmp_path / "c"


def test_labels_are_listed_added_removed_restored_and_computed_again(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["labels", str(directory)]) == 0
    assert "labels/initial_001.extxyz" in capsys.readouterr().out
    assert main(["labels", str(directory), "add", str(directory.parent / "more.extxyz")]) == 0
    assert capsys.readouterr().out.startswith("2 labels added")
    name = "added_0001_structure_000"
    assert main(["labels", str(directory), "remove", name, "--reason", "not converged"]) == 0
    assert "not converged" in capsys.readouterr().out
    assert main(["labels", str(directory), "restore", name]) == 0
    assert main(["labels", str(directory), "relabel", "initial_000"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("labels/initial_000_again_0002.extxyz")
    assert main(["labels", str(directory)]) == 0
    assert f"{name}: not converged" in capsys.readouterr().out
    assert attach(directory).progress.generation == 5


def test_settings_change_from_now_on(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-p", "threshold_call_dft=8", "-p", "oracle_arguments={asap_cutoff: true}"]
    assert main(["change", str(directory), *words]) == 0
    assert "threshold_call_dft: 5.0 → 8.0" in capsys.readouterr().out
    assert main(["labels", str(directory), "relabel"]) == 0
    assert "3 labels relabeled" in capsys.readouterr().out  # with the isolated atom
    assert main(["change", str(directory)]) == 0
    assert capsys.readouterr().out.startswith("2 changes by hand")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["labels", "c", "remove", "initial_0", "--reason", "x"], "did you mean 'initial_00"),
        (["labels", "c", "relabel"], "with the present settings"),
        (["labels", "c", "add", "none.xyz"], "cannot be read"),
        (["labels", "nowhere"], "there is no campaign"),
        (["change", "c", "-p", "threshold_call_dft=1"], "threshold_add_train <= threshold_call_dft"),
        (["change", "c", "-p", "cutoff=3"], "only, not cutoff"),
    ],
    ids=str,
)
def test_errors_end_with_2_and_change_nothing(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(directory.parent)
    n_events = len(attach(directory).progress.revisions.changes)
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"acemaker {words[0]}: ")
    assert message in captured.err
    assert len(attach(directory).progress.revisions.changes) == n_events

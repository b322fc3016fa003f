from __future__ import annotations

from pathlib import Path

import pytest
from ase.build import bulk
from ase.io import write

from acemaker.campaign import Campaign
from acemaker.cli import main
from acemaker.config import CampaignConfig

EMT = ["check-oracle", "-p", "oracle=emt", "-p", "supercell=[1,1,1]"]

FAULTY = """
from ase.calculators.emt import EMT
from ase.units import Hartree

class InHartree(EMT):
    implemented_properties = ["energy", "forces"]

    def calculate(self, *arguments, **keywords):
        super().calculate(*arguments, **keywords)
        self.results["energy"] /= Hartree
"""


@pytest.mark.parametrize("element", ["Al", "Cu", "Pt"])
def test_an_honest_oracle_ends_with_0(capsys: pytest.CaptureFixture[str], element: str) -> None:
    assert main([*EMT, "-p", f"structure={element}"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Oracle 'emt': consistent")
    assert "label of 4 atoms took 0." in out
    assert "isolated atoms" in out


def test_a_wrong_unit_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(FAULTY)
    write("gold.xyz", bulk("Au", cubic=True), format="extxyz")
    (tmp_path / "parameters.yaml").write_text("directory: runs/c\noracle: ./mine.py:InHartree\nsupercell: [1, 1, 1]\n")
    words = ["check-oracle", "-f", "parameters.yaml", "-p", "structure=gold.xyz", "-p", "label_process=this"]
    assert main([*words, "--no-atoms"]) == 1
    out = capsys.readouterr().out
    assert "Oracle './mine.py:InHartree': wrong" in out
    assert "energies are in Hartree; multiply them by 27.2114" in out
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-p", "oracle=emtt"], "did you mean 'emt'"),
        (["-p", "oracle=emt", "-p", "structure=Fe"], "No EMT-potential for Fe"),
        (["-p", "oracle=./mine.py:make", "-p", "structure=Cu"], "there is no file"),
        (["nowhere"], "there is no campaign"),
        (["nowhere", "-p", "oracle=emt"], "or parameters, got both"),
        (["-p", "orcale=emt"], "unknown parameter 'orcale'; did you mean 'oracle'"),
    ],
)
def test_errors_end_with_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["check-oracle", *words]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.startswith("acemaker check-oracle: ")
    assert captured.out == ""


def test_the_oracle_of_a_campaign_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"oracle": "emt", "structure": "Ni", "supercell": (2, 2, 2), "n_functions": 15}
    Campaign.create(tmp_path / "c", CampaignConfig.from_parameters(settings)).close()
    before = (tmp_path / "c" / "journal.jsonl").read_bytes()
    assert main(["check-oracle", str(tmp_path / "c"), "--no-atoms"]) == 0
    assert "32 atoms" in capsys.readouterr().out
    assert (tmp_path / "c" / "journal.jsonl").read_bytes() == before

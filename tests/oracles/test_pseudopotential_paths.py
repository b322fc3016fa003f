"""Pseudopotentials in folders and files of any name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ase.build import bulk

from acemaker import Campaign, CampaignConfig
from acemaker.config import OracleConfig
from acemaker.errors import ConfigError
from acemaker.oracles.process import ProcessOracle
from acemaker.oracles.pseudopotentials import DEBIAN, LONGEST_FOLDER, LONGEST_NAME

SILICON = Path(DEBIAN) / "Si.pz-vbc.UPF"

pytestmark = pytest.mark.skipif(
    shutil.which("pw.x") is None or not SILICON.is_file(), reason="no pw.x, or no pseudopotential of silicon"
)


def settings(folder: Path, name: str) -> OracleConfig:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(SILICON, folder / name)
    return OracleConfig(
        oracle="espresso",
        pseudo_dir=str(folder),
        pseudopotentials={"Si": name},
        ecutwfc=8,
        kspacing=0.8,
        scratch=str(folder / "scratch"),
    )


@pytest.mark.parametrize(
    ("folder", "name"),
    [("Müller 研究/'a' \"b\"", "Si.UPF"), ("100% * 😀", "Si-für-研究!.UPF"), ("Łódź, dom; 1", f"Si-{'n' * 68}.UPF")],
    ids=["quotes", "percent", "comma"],
)
def test_pw_reads_the_file_in_such_a_folder(tmp_path: Path, folder: str, name: str) -> None:
    """With scratch in the same folder."""
    atoms = bulk("Si")
    energies = [
        ProcessOracle(settings(tmp_path / directory, file), ("Si",)).label(atoms).get_potential_energy()
        for directory, file in ((folder, name), ("plain", "Si.UPF"))
    ]
    assert energies[0] == pytest.approx(energies[1], abs=1e-9)


def test_pw_runs_if_the_folder_for_temporary_files_has_such_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Open MPI, with which Debian's pw.x is built, crashes with an asterisk in it."""
    (tmp_path / "100% * Müller").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "100% * Müller"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "100% * Müller"))
    label = ProcessOracle(settings(tmp_path / "pseudo", "Si.UPF"), ("Si",)).label(bulk("Si"))
    assert label.get_potential_energy() < -190


@pytest.mark.parametrize(
    "name", ["Si.pz-vbc.UPF copy.UPF", "Si,1.UPF", "Si;1.UPF", "Si\t1.UPF", f"Si-{'n' * LONGEST_NAME}.UPF"]
)
def test_a_name_that_pw_would_cut_off_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    """With the beginning of the first one, pw.x takes the file of the system."""
    config = CampaignConfig(
        system={"structure": "Si", "crystal": "diamond", "lattice_constant": 5.43},
        oracle=settings(tmp_path / "pseudo", name).model_dump(),
    )
    with pytest.raises(ConfigError, match=r"pw\.x would read only a part of the name .*; rename or copy the file"):
        Campaign.create(tmp_path / "c", config)
    assert not (tmp_path / "c").exists()


def test_a_folder_with_too_long_a_path_is_refused(tmp_path: Path) -> None:
    config = settings(tmp_path / ("long" * 30) / ("long" * 30), "Si.UPF")
    assert len(config.pseudo_dir) > LONGEST_FOLDER
    with pytest.raises(ConfigError, match=r"copy the files to a folder with a shorter path"):
        ProcessOracle(config, ("Si",))

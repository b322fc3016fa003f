"""Files of the oracle whose contents change, where another oracle would label without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator

from acemaker.analysis import evaluate_accuracy, reference_trajectory
from acemaker.campaign import Campaign
from acemaker.config import CampaignConfig, OracleConfig
from acemaker.errors import CampaignError
from acemaker.lammps.library import potentials_directory
from acemaker.oracles.fingerprint import file_digests, fingerprint
from acemaker.structures.files import read_structures, write_structures
from acemaker.testing import ToyEngine, ToyOracle

SILICON = {
    "structure": "Si",
    "crystal": "diamond",
    "supercell": (1, 1, 1),
    "steps": 40,
    "n_functions": 12,
    "n_first": 2,
}


def silicon(file: str) -> CampaignConfig:
    return CampaignConfig.from_parameters({**SILICON, "pair_style": "sw", "pair_coeff": f"* * {file} Si"})


def potential(folder: Path, strength: float, name: str = "mine.sw") -> Path:
    """Write Stillinger and Weber's silicon with another strength."""
    collection = potentials_directory()
    assert collection is not None
    folder.mkdir(exist_ok=True)
    text = (collection / "Si.sw").read_text()
    assert "2.1683" in text
    (folder / name).write_text(text.replace("2.1683", f"{strength:.4f}"))
    return folder / name


def test_digests_name_the_files(tmp_path: Path) -> None:
    file = potential(tmp_path, 2.0)
    oracle = silicon(str(file)).oracle
    digests = file_digests(oracle, ("Si",))
    before = fingerprint(oracle, ("Si",))
    assert set(digests) == {"mine.sw"}
    potential(tmp_path, 2.1)
    assert file_digests(oracle, ("Si",)) != digests
    assert fingerprint(oracle, ("Si",)) != before
    assert file_digests(OracleConfig(oracle="emt"), ("Cu",)) == {}


def test_a_script_and_a_model_are_files_of_the_oracle(tmp_path: Path) -> None:
    script, model = tmp_path / "mine.py", tmp_path / "mace.model"
    for file in (script, model):
        file.write_text("one")
    script_oracle = OracleConfig(oracle=f"{script}:make")
    model_oracle = OracleConfig(oracle="mace", oracle_arguments={"model": str(model)})
    before = [fingerprint(oracle, ("Cu",)) for oracle in (script_oracle, model_oracle)]
    for file in (script, model):
        file.write_text("two")
    after = [fingerprint(oracle, ("Cu",)) for oracle in (script_oracle, model_oracle)]
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_a_reference_trajectory_is_not_that_of_another_oracle(tmp_path: Path) -> None:
    start = bulk("Si", "diamond", a=5.431, cubic=True)
    frames = tmp_path / "frames.extxyz"
    first = silicon(str(potential(tmp_path / "one", 2.0)))
    weak = reference_trajectory(first, start, n_frames=4, file=frames)
    again = reference_trajectory(first, start, n_frames=4, file=frames)
    assert np.array_equal(weak[-1].positions, again[-1].positions)
    strong = reference_trajectory(silicon(str(potential(tmp_path / "two", 2.4))), start, n_frames=4, file=frames)
    assert strong[-1].get_potential_energy() < weak[-1].get_potential_energy() - 1
    potential(tmp_path / "one", 2.2)  # the same name with other contents
    changed = reference_trajectory(first, start, n_frames=4, file=frames)
    energies = sorted(read[-1].get_potential_energy() for read in (weak, strong, changed))
    assert energies[1] == changed[-1].get_potential_energy()


def test_a_reference_trajectory_of_an_earlier_version_is_used(tmp_path: Path) -> None:
    start = bulk("Si", "diamond", a=5.431, cubic=True)
    config, file = silicon(str(potential(tmp_path, 2.0))), tmp_path / "frames.extxyz"
    frames = [atoms.copy() for atoms in reference_trajectory(config, start, n_frames=4, file=file)]
    for old, new in zip(read_structures(file), frames, strict=True):
        new.calc = old.calc
        new.info.pop("oracle", None)
        new.positions += 0.5
    write_structures(file, frames)
    assert np.array_equal(reference_trajectory(config, start, file=file)[-1].positions, frames[-1].positions)


def test_accuracy_is_not_measured_with_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    potential(tmp_path, 2.0)
    with Campaign.create(tmp_path / "c", silicon("mine.sw"), engine=ToyEngine(40)) as campaign:
        campaign.run()
        potential(tmp_path, 2.3)
        with pytest.raises(CampaignError, match=r"oracle's mine.sw differs"):
            evaluate_accuracy(campaign)


def test_files_are_not_accepted_while_one_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its digest, no later change would be noticed."""
    monkeypatch.chdir(tmp_path)
    file = potential(tmp_path, 2.0)
    Campaign.create(tmp_path / "c", silicon("mine.sw"), engine=ToyEngine(40)).close()
    file.unlink()
    with pytest.raises(CampaignError, match=r"expected all files of the oracle, but .*mine.sw"):
        Campaign.open(tmp_path / "c", engine=ToyEngine(40), accept_oracle_files=True)
    potential(tmp_path, 2.3)
    with (
        Campaign.open(tmp_path / "c", engine=ToyEngine(40)) as campaign,
        pytest.raises(CampaignError, match=r"oracle's mine.sw differs"),
    ):
        campaign.prepare()
    with Campaign.open(tmp_path / "c", engine=ToyEngine(40), accept_oracle_files=True) as campaign:
        campaign.prepare()


class WithoutStress(Calculator):
    """Takes long for a trial, so that its missing stress is not known beforehand."""

    def __init__(self) -> None:
        super().__init__()
        self.implemented_properties = ["energy", "forces"]

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = None) -> None:
        super().calculate(atoms, properties, system_changes)
        results = ToyOracle().label(atoms).calc.results
        self.results = {name: results[name] for name in ("energy", "forces")}


def test_labels_without_stress_under_a_barostat_are_remarked_upon(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the check is turned off, or the oracle too expensive for it."""

    def label(atoms: Atoms) -> Atoms:
        atoms.calc = WithoutStress()
        return atoms

    settings = {"oracle": "object", "structure": "Cu", "supercell": (2, 2, 2), "steps": 40, "n_functions": 12}
    for ensemble, expected in (("npt", True), ("nvt", False)):
        caplog.clear()
        config = CampaignConfig.from_parameters(
            {**settings, "n_first": 2, "ensemble": ensemble, "oracle_check": False, "cutoff": 4.0}
        )
        with Campaign.create(tmp_path / ensemble, config, oracle=label) as campaign:
            campaign.label()
        assert ("the labels contain no stress" in caplog.text) == expected

"""Labels that are computed elsewhere: structures are written to folders, results are read in any format of ASE."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write

from acemaker import Campaign, CampaignConfig
from acemaker.config import OracleConfig
from acemaker.errors import OracleError
from acemaker.labeling.files import Files, read_result
from acemaker.labeling.job import Job
from acemaker.oracles.process import make_oracle
from acemaker.oracles.pseudopotentials import DEBIAN
from acemaker.results import Labels, Submission
from acemaker.states import State
from acemaker.testing import ToyEngine, halting_at, toy_config
from tests.conftest import copper, rattled
from tests.processes import until


def by_hand(folder: Path) -> Campaign:
    config = toy_config(n_select=2).model_dump()
    config["labeling"] = {"executor": "files"}
    engine = ToyEngine(200, halting_at(100))
    return Campaign.create(folder / "c", CampaignConfig(**config), engine=engine, exist_ok=True)


def compute(folder: Path, name: str = "label.extxyz") -> None:
    """Compute a result from the structure file alone."""
    atoms = read(folder / "structure.extxyz")
    assert isinstance(atoms, Atoms)
    atoms.calc = EMT()
    atoms.get_potential_energy()
    atoms.get_forces()
    atoms.get_stress()
    write(folder / name, atoms)


def folders(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "c/queue/elsewhere").iterdir() if path.is_dir())


def test_results_are_collected_after_the_campaign_was_reopened(tmp_path: Path) -> None:
    with by_hand(tmp_path) as campaign:
        submitted = campaign.submit()
        assert submitted.missing == (0, 1)
    one, two = folders(tmp_path)
    assert one.name.startswith("initial_000_")
    assert {path.name for path in one.iterdir()} == {"structure.extxyz", "README.txt"}
    compute(one, "result.xyz")
    with by_hand(tmp_path) as campaign:
        collected = campaign.collect()
        assert isinstance(collected, Submission)
        assert (collected.done, collected.missing) == ((0,), (1,))
        assert two.name in collected.notes[0]
        assert len(campaign.progress.labels) == 1
        compute(two, "label.json")
        assert isinstance(campaign.collect(), Labels)
        campaign.train()
    with Campaign.create(tmp_path / "here", toy_config(n_select=2), engine=ToyEngine(200, halting_at(100))) as here:
        here.prepare()
    computed, expected = (tmp_path / name / "potentials/potential_v1.yaml" for name in ("c", "here"))
    assert computed.read_bytes() == expected.read_bytes()


def test_a_campaign_that_runs_waits_for_results(tmp_path: Path) -> None:
    def user() -> None:
        until(lambda: (tmp_path / "c/queue/elsewhere").is_dir() and len(folders(tmp_path)) == 2)
        for folder in folders(tmp_path):
            until((folder / "README.txt").is_file)
            compute(folder)

    with by_hand(tmp_path) as campaign, ThreadPoolExecutor(1) as person:
        done = person.submit(user)
        with pytest.warns(UserWarning, match=r"labels are computed elsewhere: .* this waits for results"):
            assert campaign.label().candidates == (0, 1)
        done.result()


def test_results_of_other_structures_are_refused_and_waited_for(tmp_path: Path) -> None:
    with by_hand(tmp_path) as campaign:
        campaign.submit()
        one, two = folders(tmp_path)
        compute(two)
        shutil.copy(two / "label.extxyz", one / "label.extxyz")
        (two / "label.extxyz").unlink()
        (two / "OUTCAR").write_text("still running")
        collected = campaign.collect()
        assert isinstance(collected, Submission)
        assert "label.extxyz: nonsense result: has" in collected.notes[0]
        assert "OUTCAR: nonsense result: cannot be read yet" in collected.notes[1]
        assert not campaign.progress.failures
        (two / "failed").write_text("does not converge\n")
        compute(one)
        collected = campaign.collect()
        assert isinstance(collected, Submission), "the first generation needs one from the reserve"
        assert collected.failures[0].cause == "impossible structure: given up by hand: does not converge"
        assert (collected.done, collected.missing) == ((0,), (2,))
        compute(folders(tmp_path)[-1])
        assert isinstance(campaign.collect(), Labels)
        assert campaign.state is State.TRAIN


def result(file: Path, structure: Atoms) -> Path:
    figures = {"energy": -1.0, "free_energy": -1.5, "forces": np.zeros((4, 3)), "stress": np.zeros(6)}
    structure.calc = SinglePointCalculator(structure, **figures)
    write(file, structure)
    return file


def test_a_result_must_be_of_the_requested_structure(tmp_path: Path) -> None:
    asked = rattled(copper(1), 1)[0]
    wrapped, moved, strained, other = (asked.copy() for _ in range(4))
    wrapped.positions[0] += wrapped.cell[0]
    read_back = read_result(result(tmp_path / "a.json", wrapped), asked)
    assert read_back.get_potential_energy() == -1.5, "forces belong to the free energy"
    assert np.array_equal(read_back.positions, asked.positions)
    moved.positions[2] += 0.01
    strained.cell *= 1.01
    other.symbols[0] = "Ni"
    for structure, words in (
        (moved, r"has atom 2 0.0173 Å from where"),
        (strained, "another cell"),
        (other, "another order of atoms"),
    ):
        with pytest.raises(OracleError, match=words):
            read_result(result(tmp_path / "b.json", structure), asked)
    write(tmp_path / "e.xyz", asked)
    with pytest.raises(OracleError, match="no energy and forces yet"):
        read_result(tmp_path / "e.xyz", asked)


@pytest.mark.slow
def test_the_written_input_of_pw_x_gives_the_label_of_the_oracle(tmp_path: Path) -> None:
    if shutil.which("pw.x") is None or not Path(DEBIAN).is_dir():
        pytest.skip("no pw.x: apt-get install quantum-espresso quantum-espresso-data")
    atoms = bulk("Si")
    atoms.rattle(0.05, seed=1)
    settings = {"ecutwfc": 12, "kspacing": 0.35, "pseudo_dir": DEBIAN, "pseudopotentials": {"Si": "Si.pbe-rrkj.UPF"}}
    oracle = OracleConfig(oracle="espresso", **settings)
    backend = Files(tmp_path / "out", oracle, ("Si",))
    job = Job(key="abcdefghi", candidate=0, atoms=atoms, finished=str(tmp_path), label=str(tmp_path / "label.extxyz"))
    future = backend.submit(job)
    (folder,) = (tmp_path / "out").iterdir()
    assert "ecutwfc          = 12" in (folder / "espresso.pwi").read_text()
    backend.wait([future], 0)
    assert not future.done()
    with (folder / "espresso.pwo").open("w") as stream:
        subprocess.run(["pw.x", "-in", "espresso.pwi"], cwd=folder, stdout=stream, check=True)
    backend.wait([future], 0)
    computed, expected = future.result(0)["labeled"], make_oracle(oracle, ("Si",)).label(atoms)
    assert abs(computed.get_potential_energy() - expected.get_potential_energy()) < 1e-5
    assert np.allclose(computed.get_forces(), expected.get_forces(), atol=1e-3)
    assert np.allclose(computed.get_stress(), expected.get_stress(), atol=1e-4)

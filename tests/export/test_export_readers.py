"""Exported labels, as the programs read them: with their own code where it can be had, and to the bit."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect
from ase.io import read
from ase.stress import full_3x3_to_voigt_6_stress

from acemaker import Campaign, CampaignConfig
from acemaker.campaign import AttachedCampaign
from acemaker.errors import StructureError
from acemaker.export import formats
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.structures.mask import LABEL_WEIGHT
from tests.conftest import CUNI
from tests.export.conftest import PARAMETERS


def labeled(atoms: Atoms, energy: float, forces: Any, stress: Any, weight: float) -> Atoms:
    """A label as acemaker trains on it, from what was read."""
    made = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    made.calc = SinglePointCalculator(made, energy=float(energy), forces=np.array(forces), stress=np.array(stress))
    if weight != 1:
        made.info[LABEL_WEIGHT] = weight
    return made


def by_ase(path: Path) -> list[Atoms]:
    frames = [atoms for atoms in read(path, ":") if atoms.info["config_type"] != "IsolatedAtom"]
    return [
        labeled(a, a.get_potential_energy(), a.get_forces(), a.get_stress(), a.info.get(LABEL_WEIGHT, 1))
        for a in frames
    ]


def by_mace_names(path: Path) -> list[Atoms]:
    frames = [atoms for atoms in read(path, ":") if atoms.info["config_type"] != "IsolatedAtom"]
    return [
        labeled(
            atoms,
            atoms.info["REF_energy"],
            atoms.arrays["REF_forces"],
            full_3x3_to_voigt_6_stress(np.reshape(atoms.info["REF_stress"], (3, 3))),
            atoms.info.get("config_weight", 1),
        )
        for atoms in frames
    ]


def from_database(path: Path) -> list[Atoms]:
    rows = [row for row in connect(path).select() if row.config_type != "IsolatedAtom"]
    return [labeled(row.toatoms(), row.energy, row.forces, row.stress, row.get(LABEL_WEIGHT, 1)) for row in rows]


def from_data_frame(path: Path) -> list[Atoms]:
    rows = pd.read_pickle(path, compression="gzip").itertuples()
    return [labeled(row.ase_atoms, row.energy, row.forces, row.stress, row.w_factor) for row in rows]


def coefficients(labels: Sequence[Atoms], config: Any, folder: Path) -> np.ndarray:
    """Coefficients of a fit to labels."""
    trainer = LinearTrainer(config, ("Cu", "Ni"))
    training = trainer.train(list(labels), number=1, directory=folder, predecessor=None, halted=None, gamma_limit=2.0)
    return training.generation.coefficients()


@pytest.fixture(scope="module")
def own_fit(alloy_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    import acemaker

    campaign = acemaker.attach(alloy_directory)
    return coefficients(campaign.labeled_structures(), campaign.config.potential, tmp_path_factory.mktemp("own"))


@pytest.mark.parametrize(
    ("name", "program", "reader"),
    [
        ("data.extxyz", "ase", by_ase),
        ("data.db", "ase", from_database),
        ("data.xyz", "mace", by_mace_names),
        ("data.pckl.gzip", "pacemaker", from_data_frame),
    ],
)
def test_labels_that_are_read_again_give_the_same_coefficients_to_the_bit(
    campaign: AttachedCampaign,
    own_fit: np.ndarray,
    tmp_path: Path,
    name: str,
    program: str,
    reader: Callable[[Path], list[Atoms]],
) -> None:
    campaign.export(tmp_path / name, program)
    again = coefficients(reader(tmp_path / name), campaign.config.potential, tmp_path / "fit")
    assert np.array_equal(again, own_fit)


def test_a_campaign_that_begins_with_exported_labels_has_the_same_coefficients_to_the_bit(
    campaign: AttachedCampaign, own_fit: np.ndarray, tmp_path: Path
) -> None:
    file = campaign.export(tmp_path / "data.extxyz").file
    config = CampaignConfig.from_parameters({**PARAMETERS, "first_labels": [str(file)]})
    with Campaign.create(tmp_path / "second", config) as second:
        second.prepare()
        assert len(second.labeled_structures()) == len(campaign.labeled_structures())
        assert np.array_equal(second.generation.coefficients(), own_fit)


def test_files_for_nequip_have_the_names_and_the_sign_of_ase_and_nothing_else(
    campaign: AttachedCampaign, tmp_path: Path
) -> None:
    result = campaign.export(tmp_path / "data.xyz", "allegro")
    frames = read(tmp_path / "data.xyz", ":")
    assert [sorted(atoms.calc.results) for atoms in frames] == [["energy", "forces", "stress"]] * len(frames)
    for atoms, label in zip(frames, campaign.labeled_structures(), strict=True):
        assert np.array_equal(atoms.get_stress(), label.get_stress())
        assert np.array_equal(atoms.get_forces(), label.get_forces())
    assert any("0.1 (1 for others), are not written, since NequIP" in note for note in result.notes)


def test_the_signs_of_stress_and_virial_are_those_of_a_strained_cell(
    campaign: AttachedCampaign, tmp_path: Path
) -> None:
    """By the derivative of the oracle's energy, which knows no convention."""
    oracle = CalculatorOracle.from_config(CUNI, ("Cu", "Ni"))
    for program in ("ase", "mace", "nequip", "nep"):
        campaign.export(tmp_path / f"{program}.xyz", program)
    campaign.export(tmp_path / "p.pckl.gzip")
    label = campaign.labeled_structures()[-1]
    energies = []
    for strain in (-1e-4, 1e-4):
        atoms = label.copy()
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain * np.diag([1, 0, 0])), scale_atoms=True)
        energies.append(oracle.label(atoms).get_potential_energy())
    derivative = (energies[1] - energies[0]) / 2e-4
    assert abs(derivative) > 0.05  # eV: the sign is certain
    frames = {name: read(tmp_path / f"{name}.xyz", -1) for name in ("ase", "nequip", "nep")}
    volume = label.get_volume()
    ((mace,),) = [[a for a in read(tmp_path / "mace.xyz", ":") if a.info["config_type"] != "IsolatedAtom"][-1:]]
    assert np.reshape(mace.info["REF_stress"], (3, 3))[0, 0] * volume == pytest.approx(derivative, rel=1e-3)
    last = [a for a in read(tmp_path / "ase.xyz", ":") if a.info["config_type"] != "IsolatedAtom"][-1]
    for stress in (last.get_stress(), frames["nequip"].get_stress()):
        assert stress[0] * volume == pytest.approx(derivative, rel=1e-3)
    assert -frames["nep"].info["virial"][0, 0] == pytest.approx(derivative, rel=1e-3)
    table = pd.read_pickle(tmp_path / "p.pckl.gzip", compression="gzip")
    assert table["stress"].iloc[-1][0] * volume == pytest.approx(derivative, rel=1e-3)


def as_gpumd(path: Path) -> list[dict[str, Any]]:
    """Read a file as GPUMD's ``structure.cu`` does: tokens, prefixes in lower case, columns by ``properties``."""
    lines = path.read_text().splitlines()
    frames, start = [], 0
    while start < len(lines):
        n_atoms = int(lines[start])
        tokens = [token.lower() for token in lines[start + 1].split()]
        frame: dict[str, Any] = {"weight": 1.0}
        for position, token in enumerate(tokens):
            for name, count in (
                ("energy", 1),
                ("weight", 1),
                ("charge", 1),
                ("virial", 9),
                ("lattice", 9),
                ("stress", 9),
            ):
                if token.startswith(f"{name}="):
                    words = [word.strip('"') for word in tokens[position : position + count]]
                    words[0] = words[0].removeprefix(f"{name}=").strip('"')
                    frame[name] = [float(word) for word in words]
            if token.startswith("properties="):
                parts = token.removeprefix("properties=").split(":")
                frame["columns"] = list(zip(parts[::3], map(int, parts[2::3]), strict=True))
        rows = [line.split() for line in lines[start + 2 : start + 2 + n_atoms]]
        assert all(len(row) == sum(count for _, count in frame["columns"]) for row in rows)
        assert [name for name, _ in frame["columns"]] == ["species", "pos", "force"]
        frame["species"] = [row[0] for row in rows]
        frame["pos"] = np.array([row[1:4] for row in rows], dtype=float)
        frame["force"] = np.array([row[4:7] for row in rows], dtype=float)
        frames.append(frame)
        start += 2 + n_atoms
    return frames


def test_gpumd_reads_energy_force_virial_and_weight_of_training_and_test_set(
    campaign: AttachedCampaign, tmp_path: Path
) -> None:
    result = campaign.export(tmp_path / "train.xyz", "gpumd", test=[2])
    assert result.test_file == tmp_path / "test.xyz"
    frames = as_gpumd(tmp_path / "train.xyz") + as_gpumd(tmp_path / "test.xyz")
    entries = list(zip(campaign.progress.labels, campaign.labeled_structures(), strict=True))
    order = [atoms for entry, atoms in entries if entry.halt != 2] + [a for entry, a in entries if entry.halt == 2]
    assert len(frames) == len(order)
    for frame, atoms in zip(frames, order, strict=True):
        assert frame["species"] == atoms.get_chemical_symbols()
        assert np.array_equal(frame["pos"], atoms.positions)
        assert np.array_equal(frame["force"], atoms.get_forces())
        assert frame["energy"] == [atoms.get_potential_energy()]
        assert np.array_equal(np.reshape(frame["lattice"], (3, 3)), atoms.cell.array)
        expected = -atoms.get_volume() * atoms.get_stress(voigt=False)
        assert np.array_equal(np.reshape(frame["virial"], (3, 3)), expected)
        assert "stress" not in frame
        assert frame["weight"] == ([0.1] if atoms.info.get(LABEL_WEIGHT) else 1.0)


PACEMAKER = """
import json, logging, sys
import numpy as np
from pyace.preparedata import ACEDataset
logging.disable(logging.INFO)
data = ACEDataset({"filename": sys.argv[1], "test_filename": sys.argv[2]}, cutoff=4.2, elements=["Cu", "Ni"],
                  evaluator_name=sys.argv[3])
rows = []
for frame in (data.fitting_data, data.test_data):
    for row in frame.itertuples():
        rows.append({"name": row.name, "energy": row.energy_corrected, "forces": np.asarray(row.forces).tolist(),
                     "positions": row.ase_atoms.positions.tolist(), "w_energy": row.w_energy,
                     "w_forces": np.asarray(row.w_forces).tolist()})
print("READ", json.dumps(rows))
"""


def read_by_pacemaker(python: Path, train: Path, test: Path, evaluator: str) -> list[dict[str, Any]]:
    command = [str(python), "-c", PACEMAKER, str(train), str(test), evaluator]
    done = subprocess.run(command, capture_output=True, text=True, cwd=train.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("READ ")]
    rows: list[dict[str, Any]] = json.loads(line.removeprefix("READ "))
    return rows


def check_rows(campaign: AttachedCampaign, rows: list[dict[str, Any]]) -> None:
    labels = {
        f"my_campaign/{entry.file}": atoms
        for entry, atoms in zip(campaign.progress.labels, campaign.labeled_structures(), strict=True)
    }
    assert {row["name"] for row in rows} == set(labels)
    for row in rows:
        atoms = labels[row["name"]]
        free = sum({"Cu": -0.25, "Ni": 0.5}[symbol] for symbol in atoms.get_chemical_symbols())
        assert row["energy"] == pytest.approx(atoms.get_potential_energy() - free, abs=1e-12)
        assert np.array_equal(row["forces"], atoms.get_forces())
        assert np.array_equal(row["positions"], atoms.positions)
        ratio = row["w_energy"] / atoms.info.get(LABEL_WEIGHT, 1)  # pacemaker's own weights times the factor
        row["ratio"] = ratio
    train = [row["ratio"] for row in rows if "halt_0002" not in row["name"]]
    assert np.allclose(train, train[0])


def test_pacemakers_own_code_reads_both_sets(campaign: AttachedCampaign, tmp_path: Path) -> None:
    """With the python-ace of this environment, which contains pacemaker's reader."""
    import sys

    result = campaign.export(tmp_path / "data.pckl.gzip", test=[2])
    assert result.test_file is not None
    check_rows(campaign, read_by_pacemaker(Path(sys.executable), result.file, result.test_file, "pyace"))


@pytest.mark.slow
def test_pacemaker_reads_both_sets_in_its_own_environment(
    campaign: AttachedCampaign, pacemaker_python: Path, tmp_path: Path
) -> None:
    """With other versions of pandas and numpy than those that wrote the file."""
    result = campaign.export(tmp_path / "data.pckl.gzip", test=[2])
    assert result.test_file is not None
    check_rows(campaign, read_by_pacemaker(pacemaker_python, result.file, result.test_file, "tensorpot"))


MACE = """
import json, sys
import numpy as np
import torch
from mace.data import AtomicData, KeySpecification, load_from_xyz
from mace.tools import AtomicNumberTable
torch.set_default_dtype(torch.float64)
energies, configurations = load_from_xyz(sys.argv[1], KeySpecification.from_defaults(), extract_atomic_energies=True)
rows = []
for configuration in configurations:
    data = AtomicData.from_config(configuration, z_table=AtomicNumberTable([28, 29]), cutoff=4.2)
    rows.append({"energy": data.energy.item(), "forces": data.forces.tolist(), "stress": data.stress[0].tolist(),
                 "weights": [data.weight.item(), data.energy_weight.item(), data.stress_weight.item()],
                 "positions": data.positions.tolist(), "kind": configuration.config_type})
print("READ", json.dumps({"E0s": energies, "rows": rows}))
"""


@pytest.mark.slow
def test_maces_own_loader_reads_labels_and_energies_of_isolated_atoms(
    campaign: AttachedCampaign, mace_python: Path, tmp_path: Path
) -> None:
    campaign.export(tmp_path / "train.xyz", "mace")
    command = [str(mace_python), "-W", "ignore", "-c", MACE, str(tmp_path / "train.xyz")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("READ ")]
    seen = json.loads(line.removeprefix("READ "))
    assert seen["E0s"] == {"29": -0.25, "28": 0.5}
    labels = campaign.labeled_structures()
    assert len(seen["rows"]) == len(labels)
    for row, atoms in zip(seen["rows"], labels, strict=True):
        assert row["energy"] == atoms.get_potential_energy()
        assert np.array_equal(row["forces"], atoms.get_forces())
        assert np.array_equal(row["positions"], atoms.positions)
        assert np.array_equal(row["stress"], atoms.get_stress(voigt=False))
        assert row["weights"] == [atoms.info.get(LABEL_WEIGHT, 1.0), 1.0, 1.0]
    assert {row["kind"] for row in seen["rows"]} == {"initial", "halt", "probe"}


def test_numbers_that_the_format_cannot_hold_are_refused() -> None:
    atoms = Atoms("Cu", [(0.1234567891, 0, 0)], cell=[3, 3, 3], pbc=True)
    with pytest.raises(StructureError, match=r"positions of structure 1 would not be read again as it is"):
        formats.extxyz([atoms])
    shown = formats.extxyz([Atoms("Cu", [(0.12345679, 0, 0)], cell=[3, 3, 3], pbc=True)])
    assert b"0.12345679" in shown

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.constraints import FixAtoms, FixCartesian
from ase.io import read, write

from acemaker import Campaign, CampaignConfig
from acemaker.analysis import calibrate_gamma, evaluate_accuracy, reference_trajectory, write_summary
from acemaker.analysis.accuracy import signs_of_melting
from acemaker.config import OracleConfig
from acemaker.errors import ConfigError, EngineError, StateError
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.testing import ToyEngine, ToyOracle, toy_config
from tests.conftest import MISHIN, copper

CONFIG = CampaignConfig(
    seed=1,
    system={"structure": "Cu", "lattice_constant": 3.615, "supercell": (2, 2, 2)},
    otf={"n_candidates": 4, "n_select": 1, "threshold_add_train": 1.1, "threshold_call_dft": 1.2},
    engine={"steps": 300, "temperature": (300, 900)},
    potential={"n_functions": 20, "cutoff": 4.5, "nradmax_by_orders": (8, 4, 2), "lmax_by_orders": (0, 3, 1)},
    oracle=MISHIN,
)


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return Campaign.create(tmp_path_factory.mktemp("accuracy") / "c", CONFIG).run()


def held(atoms: Atoms) -> Atoms:
    """The same frame as from a run in which some atoms did not move, or not in all directions."""
    copy = atoms.copy()
    copy.calc = atoms.calc
    copy.set_constraint([FixAtoms(range(12)), FixCartesian([20, 21], mask=(True, False, True))])
    return copy


@pytest.mark.parametrize("ensemble", ["npt", "langevin"])
def test_the_reference_trajectory_is_the_oracles_own_and_independent(tmp_path: Path, ensemble: str) -> None:
    structure = copper()
    config = CONFIG.model_copy(update={"engine": CONFIG.engine.model_copy(update={"ensemble": ensemble})})
    frames = reference_trajectory(config, structure, n_frames=6, file=tmp_path / "reference_trajectory.extxyz")
    assert [atoms.info["step"] for atoms in frames] == [50, 100, 150, 200, 250, 300]
    oracle = CalculatorOracle.from_config(MISHIN, ("Cu",))
    again = oracle.label(frames[3])
    assert again.get_forces() == pytest.approx(frames[3].get_forces(), abs=1e-6)
    assert again.get_potential_energy() == pytest.approx(frames[3].get_potential_energy(), abs=1e-6)
    other = reference_trajectory(config.model_copy(update={"seed": 2}), structure, n_frames=1)
    assert not np.allclose(other[-1].positions, frames[-1].positions)
    kept = reference_trajectory(config, structure, n_frames=6, file=tmp_path / "reference_trajectory.extxyz")
    assert np.array_equal(kept[0].positions, frames[0].positions)


def test_errors_are_those_of_the_potentials_calculator(campaign: Campaign) -> None:
    accuracy = evaluate_accuracy(campaign, tolerance=20.0)
    reference = reference_trajectory(
        CONFIG, campaign.initial_structure(), file=campaign.directory / "reference_trajectory.extxyz"
    )
    generation = campaign.generation
    assert generation is not None
    forces, energies, missed = [], [], 0
    for frame in reference:
        atoms = Atoms(frame.symbols, frame.positions, cell=frame.cell, pbc=True)
        atoms.calc = generation.calculator()
        difference = 1e3 * (atoms.get_forces() - frame.get_forces())
        forces.append(difference)
        total = atoms.get_potential_energy()
        energies.append(1e3 * (total - frame.get_potential_energy()) / len(atoms))
        wrong = np.linalg.norm(difference, axis=1) > 20.0
        threshold = CONFIG.otf.threshold_call_dft
        missed += int((wrong & (atoms.calc.results["gamma"] <= threshold)).sum())
    assert accuracy.force_rmse_all == pytest.approx(np.sqrt(np.mean(np.square(forces))))
    assert accuracy.energy_mae == pytest.approx(np.abs(energies).mean(), rel=1e-6)
    assert accuracy.misses == missed
    assert accuracy.figure()._repr_png_().startswith(b"\x89PNG")
    assert not accuracy.is_liquid, "copper is solid at 900 K"


def test_the_summary_is_the_file(campaign: Campaign) -> None:
    accuracy = evaluate_accuracy(campaign)
    summary = write_summary(campaign, accuracy)
    written = json.loads((campaign.directory / "summary.json").read_text())
    assert written == summary.values
    names = {"halts", "labels", "steps", "wall_s", "force_rmse_meV_per_A", "energy_mae_meV_per_atom"}
    assert names <= set(written)
    assert written["steps"] == 300
    softly = [segment for segment in campaign.segments() if segment.soft_start is not None]
    assert written["soft_start_steps"] == 100 * len(softly) > 0
    assert written["labels"] == len(campaign.labeled_structures()) == 2 + written["halts"] + written["probes"]
    assert written["wall_s"] == pytest.approx(sum(written["wall_s_by_state"].values()))
    assert "force RMSE against the reference trajectory" in repr(summary)
    assert write_summary(campaign).values["force_rmse_meV_per_A"] is None


def test_an_oracle_that_lammps_refuses_is_named() -> None:
    oracle = OracleConfig(oracle="lammps", pair_style="pace", pair_coeff="* * NULL Cu")
    config = CONFIG.model_copy(update={"oracle": oracle})
    with pytest.raises(EngineError, match=r"oracle's own trajectory \(pair_style 'pace'\): .*pace"):
        reference_trajectory(config, copper(), n_frames=1)


def test_nothing_to_evaluate(tmp_path: Path) -> None:
    campaign = Campaign.create(tmp_path / "c", toy_config(), engine=ToyEngine(), oracle=ToyOracle())
    with pytest.raises(StateError, match="prepare"):
        evaluate_accuracy(campaign)
    campaign.prepare()
    with pytest.raises(ConfigError, match="labeled frames of your own"):
        evaluate_accuracy(campaign)
    accuracy = evaluate_accuracy(campaign, reference=campaign.labeled_structures())
    assert accuracy.force_rmse_all < 200


def test_signs_of_melting() -> None:
    start = copper()
    moved = start.copy()
    moved.positions += np.array([1.0, 2.0, 3.0])  # drift is no melting
    still = signs_of_melting(start, [start, moved], 2.556)
    assert still.displacement == pytest.approx(0, abs=1e-12)
    assert still.coordination == pytest.approx(12)
    rng = np.random.default_rng(0)
    shaken = start.copy()
    shaken.positions += rng.normal(size=shaken.positions.shape)
    assert signs_of_melting(start, [start, shaken], 2.556).displacement == pytest.approx(3, rel=0.3)
    assert np.isnan(signs_of_melting(start, [], 2.5).displacement)


def test_fixed_atoms_of_the_frames_have_their_forces(campaign: Campaign) -> None:
    """ASE applies the constraints of a frame to its forces: errors were computed from zeros."""
    plain = reference_trajectory(CONFIG, campaign.initial_structure(), n_frames=5)
    frames = [held(atoms) for atoms in plain]
    assert not np.allclose(frames[0].get_forces(), plain[0].get_forces())
    ours, theirs = evaluate_accuracy(campaign, reference=frames), evaluate_accuracy(campaign, reference=plain)
    assert np.array_equal(ours.force_rmse, theirs.force_rmse)
    assert np.array_equal(ours.atom_error, theirs.atom_error)
    assert np.array_equal(ours.energy_error, theirs.energy_error)
    seen = [calibrate_gamma(campaign, held_out=some) for some in (frames, plain)]
    assert repr(seen[0]) == repr(seen[1])


def test_fixed_atoms_of_a_file_have_their_forces(campaign: Campaign, tmp_path: Path) -> None:
    plain = reference_trajectory(CONFIG, campaign.initial_structure(), n_frames=3)
    write(tmp_path / "fixed.extxyz", [held(atoms) for atoms in plain], write_results=True)
    frames = read(tmp_path / "fixed.extxyz", ":")
    assert frames[0].constraints
    assert evaluate_accuracy(campaign, reference=frames).force_rmse_all == pytest.approx(
        evaluate_accuracy(campaign, plain).force_rmse_all, abs=1e-4
    )
    seen = calibrate_gamma(campaign, held_out=tmp_path / "fixed.extxyz")
    assert repr(seen) == repr(calibrate_gamma(campaign, held_out=plain))

"""Spin and Hubbard parameters of pw.x, set by element or by a structure, against inputs written by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from acemaker import Campaign, CampaignConfig
from acemaker.oracles.oracle import Oracle
from acemaker.oracles.process import make_oracle
from acemaker.oracles.pseudopotentials import DEBIAN
from acemaker.states import State
from tests.oracles.test_espresso import QEPY, real
from tests.oracles.test_espresso_input import IRON, NICKEL, OXYGEN, by_hand, settings


def oracle(folder: Path, elements: tuple[str, ...], **changes: Any) -> Oracle:
    made = settings(changes.pop("espresso_input", {}), elements, scratch=str(folder), **changes)
    return make_oracle(made, elements, folder / "failures")


def total_moment(output: str) -> float:
    """The total magnetic moment that pw.x states last, in Bohr magnetons."""
    return float(re.findall(r"total magnetization\s+=\s+([-\d.]+)", output)[-1])


def assert_equal(ours: Atoms, theirs: Atoms, output: str) -> None:
    assert ours.calc is not None
    assert abs(ours.get_potential_energy() - theirs.get_potential_energy()) < 1e-5
    assert np.allclose(ours.get_forces(), theirs.get_forces(), atol=2e-3)
    assert abs(ours.calc.results["magmom"] - total_moment(output)) < 0.011  # pw.x prints two decimals


def bare(symbol: str, **cell: Any) -> Atoms:
    """A crystal without the magnetic moments that ASE guesses."""
    atoms = bulk(symbol, **cell)
    atoms.set_initial_magnetic_moments(None)
    return atoms


def wustite(symbols: str = "FeO") -> Atoms:
    """Two atoms of rock salt, iron or oxygen first."""
    places = {"Fe": [2.15, 0.05, 0.0], "O": [0.0, 0.0, 0.0]}
    order = ["Fe", "O"] if symbols == "FeO" else ["O", "Fe"]
    cell = [[0, 2.15, 2.15], [2.15, 0, 2.15], [2.15, 2.15, 0]]
    return Atoms(symbols, [places[symbol] for symbol in order], cell=cell, pbc=True)


@real
def test_a_moment_of_an_element_is_in_bohr_magnetons(tmp_path: Path) -> None:
    """2.5 of 8 valence electrons; without it, the label is another one."""
    atoms = bare("Fe", crystalstructure="bcc", a=2.87, cubic=True)
    system = "nspin = 2, starting_magnetization(1) = 0.3125"
    theirs, output = by_hand(tmp_path / "hand", atoms, system, f"Fe 55.845 {IRON}", "2 2 2")
    ours = oracle(tmp_path, ("Fe",), magnetic_moments={"Fe": 2.5}).label(atoms)
    assert_equal(ours, theirs, output)
    assert ours.calc is not None
    assert 3 < ours.calc.results["magmom"] < 7
    assert ours.calc.results["magmoms"].shape == (2,)
    assert np.ptp(ours.calc.results["magmoms"]) < 0.01 and ours.calc.results["magmoms"][0] > 1.5
    assert not ours.has("initial_magmoms"), "the label is of the structure that was asked for"
    without = oracle(tmp_path, ("Fe",)).label(atoms)
    assert without.calc is not None
    assert without.get_potential_energy() - ours.get_potential_energy() > 0.5
    assert not {"magmom", "magmoms"} & set(without.calc.results)


@real
def test_moments_of_atoms_make_an_antiferromagnet(tmp_path: Path) -> None:
    """Whichever of the atoms comes first, and with the moments of both in the label."""
    atoms = bare("Fe", crystalstructure="bcc", a=2.87, cubic=True)
    atoms.set_initial_magnetic_moments([-2.4, 2.4])
    system = "nspin = 2, starting_magnetization(1) = -0.3, starting_magnetization(2) = 0.3"
    species = f"Fe1 55.845 {IRON}\nFe2 55.845 {IRON}"
    theirs, output = by_hand(tmp_path / "hand", atoms, system, species, "2 2 2", labels=["Fe1", "Fe2"])
    ours = oracle(tmp_path, ("Fe",)).label(atoms)
    assert_equal(ours, theirs, output)
    assert ours.calc is not None
    assert abs(ours.calc.results["magmom"]) < 0.05
    assert ours.calc.results["magmoms"][0] < -1 and ours.calc.results["magmoms"][1] > 1
    assert ours.get_initial_magnetic_moments().tolist() == [-2.4, 2.4]


@real
def test_nickel_with_the_moment_of_its_atom(tmp_path: Path) -> None:
    atoms = bare("Ni", crystalstructure="fcc", a=3.52)
    atoms.set_initial_magnetic_moments([1.0])
    system = "nspin = 2, starting_magnetization(1) = 0.1"
    theirs, output = by_hand(tmp_path / "hand", atoms, system, f"Ni 58.69 {NICKEL}", "3 3 3")
    ours = oracle(tmp_path, ("Ni",), kspacing=0.2).label(atoms)
    assert_equal(ours, theirs, output)
    assert ours.calc is not None
    assert 0.3 < ours.calc.results["magmom"] < 1.5


@real
@pytest.mark.slow
def test_hubbard_parameters_by_element_in_both_orders_of_atoms(tmp_path: Path) -> None:
    atoms = wustite("FeO")
    system = "nspin = 2, starting_magnetization(1) = 0.5, lda_plus_u = .true., Hubbard_U(1) = 4.0"
    species = f"Fe 55.845 {IRON}\nO 15.999 {OXYGEN}"
    theirs, output = by_hand(tmp_path / "hand", atoms, system, species, "2 2 2")
    assert "Simplified LDA+U" in output
    labeler = oracle(tmp_path, ("Fe", "O"), hubbard={"Fe": {"3d": 4.0}}, magnetic_moments={"Fe": 4.0}, kspacing=0.3)
    assert_equal(labeler.label(atoms), theirs, output)
    swapped = labeler.label(wustite("OFe"))
    assert abs(swapped.get_potential_energy() - theirs.get_potential_energy()) < 1e-5
    assert np.allclose(swapped.get_forces()[::-1], theirs.get_forces(), atol=2e-3)


@real
@pytest.mark.slow
@pytest.mark.skipif(not QEPY.is_file(), reason="no Quantum ESPRESSO from PyPI: make qepy")
def test_hubbard_parameters_reach_a_new_version_in_its_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of both species of iron; version 6 ignores this card, and version 7.1 stops at the flat input."""
    monkeypatch.chdir(QEPY.parents[2])
    atoms = bare("Fe", crystalstructure="bcc", a=2.87, cubic=True)
    atoms.set_initial_magnetic_moments([2.4, -2.4])
    system = "nspin = 2, starting_magnetization(1) = 0.3, starting_magnetization(2) = -0.3"
    species = f"Fe1 55.845 {IRON}\nFe2 55.845 {IRON}"
    card = "HUBBARD {atomic}\nU Fe1-3d 2.0\nU Fe2-3d 2.0\n"
    command = (str(QEPY), "-m", "qepy", "--pw.x")
    theirs, output = by_hand(tmp_path / "hand", atoms, system, species, "2 2 2", ["Fe1", "Fe2"], card, command)
    assert "U(Fe1-3d) =  2.0000" in output
    parts = {"hubbard": {"Fe": {"3d": 2.0}}, "espresso_command": ".qepy/bin/python -m qepy --pw.x"}
    ours = oracle(tmp_path, ("Fe",), **parts).label(atoms)
    assert_equal(ours, theirs, output)
    assert ours.calc is not None
    assert ours.calc.results["magmoms"][0] > 1 and ours.calc.results["magmoms"][1] < -1


@real
@pytest.mark.slow
def test_a_campaign_of_iron_runs_by_parameters_alone(tmp_path: Path) -> None:
    """Every label of it is magnetic."""
    config = CampaignConfig.from_parameters(
        {
            "structure": "Fe",
            "crystal": "bcc",
            "lattice_constant": 2.87,
            "supercell": (1, 1, 1),
            "n_first": 3,
            "n_functions": 12,
            "cutoff": 4.0,
            "temperature": 300,
            "steps": 20,
            "isolated_atoms": False,
            "threshold_add_train": 40,
            "threshold_call_dft": 50,
            "threshold_break": 100,
            "oracle": "espresso",
            "ecutwfc": 22,
            "ecutrho": 160,
            "kspacing": 0.25,
            "degauss": 0.03,
            "conv_thr": 1e-6,
            "pseudopotentials": {"Fe": IRON},
            "pseudo_dir": DEBIAN,
            "magnetic_moments": {"Fe": 2.5},
        }
    )
    with Campaign.create(tmp_path / "c", config) as campaign:
        campaign.run()
        assert campaign.state is State.DONE
    labels = Campaign.open(tmp_path / "c").labeled_structures()
    assert len(labels) >= 3
    for label in labels:
        assert label.calc is not None
        assert 3 < label.calc.results["magmom"] < 8
        assert label.calc.results["magmoms"].min() > 1.5

"""Isolated atoms: labeled by the oracle at the start, pinned as reference energies, and never paid twice."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from ase.cluster import Octahedron
from ase.io import read, write

from acemaker import Campaign, CampaignConfig, PotentialConfig
from acemaker.analysis import campaign_summary
from acemaker.errors import NoProgressError, OracleError
from acemaker.loop.label_files import read_label
from acemaker.loop.labels import label_key
from acemaker.oracles.isolated import isolated_atoms_of
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.results import Labels
from acemaker.states import State
from acemaker.structures.computed import energy_of
from acemaker.structures.files import write_structures
from acemaker.structures.isolated import isolated_atom
from acemaker.testing import ToyEngine
from tests.conftest import CUNI, rattled

SMALL = {"n_functions": 20, "cutoff": 4.5, "nradmax_by_orders": (6, 3), "lmax_by_orders": (0, 2), "steps": 200}


class CountingOracle(CalculatorOracle):
    """EMT that counts its labels by number of atoms, and fails for some structures."""

    def __init__(self, failing: tuple[str, ...] = (), interrupted: str = "") -> None:
        super().__init__(EMT, max_force=100.0)
        self.failing, self.interrupted = failing, interrupted
        self.labeled: list[str] = []

    def label(self, atoms: Atoms) -> Atoms:
        formula = atoms.get_chemical_formula()
        if formula == self.interrupted:
            raise KeyboardInterrupt
        if formula in self.failing:
            raise OracleError("the SCF did not converge")
        self.labeled.append(formula)
        return super().label(atoms)

    def count(self, formula: str) -> int:
        return self.labeled.count(formula)


def config(**parameters: Any) -> CampaignConfig:
    return CampaignConfig.from_parameters({"oracle": "emt", "n_probes": 0, **SMALL, **parameters})


def thawed(atoms: Atoms) -> Atoms:
    """Return a copy whose arrays can be changed."""
    copy = Atoms(atoms.symbols, atoms.positions.copy(), cell=atoms.cell.array.copy(), pbc=atoms.pbc)
    for name, values in atoms.arrays.items():
        copy.arrays[name] = values.copy()
    copy.info = dict(atoms.info)
    return copy


def quiet() -> ToyEngine:
    """Return an engine that never halts."""
    return ToyEngine(200, lambda step, generation: 0.5)


def alloy(first: str, second: str) -> Atoms:
    atoms = bulk(first, cubic=True).repeat(2)
    atoms.symbols[::2] = second
    return atoms


def far_away(slab: Atoms) -> Atoms:
    """Lift the highest atom into the vacuum."""
    atoms = slab.copy()
    atoms.positions[int(np.argmax(atoms.positions[:, 2])), 2] += 6.0
    return atoms


def emt_energy(atoms: Atoms) -> float:
    copy = atoms.copy()
    copy.calc = EMT()
    return energy_of(copy)


@pytest.mark.parametrize("elements", [("Cu",), ("Al",), ("Ni", "Pd")])
def test_energies_of_isolated_atoms_are_the_reference_energies(tmp_path: Path, elements: tuple[str, ...]) -> None:
    start = bulk(elements[0], cubic=True).repeat(2) if len(elements) == 1 else alloy(*elements)
    with Campaign.create(tmp_path / "c", config(), structure=start, engine=quiet()) as campaign:
        campaign.prepare()
        generation = campaign.generation
        assert generation is not None
        expected = {e: emt_energy(isolated_atom(e, 30.0, periodic=True)) for e in sorted(elements)}
        assert generation.reference_energies == pytest.approx(expected, abs=1e-9)
        assert generation.energies_from == "isolated atoms"
        assert generation.few_neighbors.alone_is_known
        for element in elements:
            lone = isolated_atom(element, 20.0, periodic=True)
            lone.calc = generation.calculator()
            assert energy_of(lone) == pytest.approx(expected[element], abs=1e-9)
            assert lone.calc.results["gamma"].max() == 0.0
        assert "isolated atoms, by the oracle" in str(generation)
        assert "isolated atoms, by the oracle" in generation.lammps_input.read_text()


def test_isolated_atoms_are_counted_apart_from_labels(tmp_path: Path) -> None:
    first = config(n_first=2)
    first = first.model_copy(update={"otf": first.otf.model_copy(update={"max_labels": 2})})
    start = alloy("Cu", "Ni")
    with Campaign.create(tmp_path / "c", first, structure=start, engine=quiet()) as campaign:
        campaign.run()
        assert campaign.state is State.DONE
        assert campaign.progress.n_labels == 2
        assert len(campaign.labeled_structures()) == 2
        assert campaign.generation is not None
        assert campaign.generation.n_structures == 2
        assert sorted(campaign.progress.isolated) == ["Cu", "Ni"]
        assert [event["event"] for event in campaign.events()].count("isolated_atom") == 2
        summary = campaign_summary(campaign).values
        assert (summary["labels"], summary["isolated_atoms"]) == (2, 2)
        assert "isolated atoms, apart" in str(campaign.label_costs())
        assert "isolated atoms, by the oracle" in str(campaign)
    assert sorted(file.name for file in (tmp_path / "c" / "labels").glob("isolated_*")) == [
        "isolated_Cu.extxyz",
        "isolated_Ni.extxyz",
    ]


@pytest.mark.parametrize("interrupted", ["Ni", "Cu16Ni16"])
def test_paid_isolated_atoms_are_not_paid_again(tmp_path: Path, interrupted: str) -> None:
    start, settings = alloy("Cu", "Ni"), config(n_first=2)
    oracle = CountingOracle(interrupted=interrupted)
    campaign = Campaign.create(tmp_path / "c", settings, structure=start, engine=quiet(), oracle=oracle)
    oracle.labeled.clear()
    with pytest.raises(KeyboardInterrupt):
        campaign.run()
    campaign.close()
    paid = oracle.count("Cu") + oracle.count("Ni")
    assert paid == (1 if interrupted == "Ni" else 2)
    again = CountingOracle()
    with Campaign.open(tmp_path / "c", engine=quiet(), oracle=again) as campaign:
        campaign.run()
        assert campaign.state is State.DONE
        assert again.count("Cu") + again.count("Ni") == 2 - paid
        assert again.count("Cu16Ni16") == 2
        generation = campaign.generation
        assert generation is not None
        assert generation.reference_energies == pytest.approx({"Cu": 3.51, "Ni": 4.44}, abs=1e-9)
    with Campaign.open(tmp_path / "c", engine=quiet(), oracle=again) as campaign:
        again.labeled.clear()
        trainer = campaign._work.trainer()
        assert isinstance(trainer, LinearTrainer)
        assert trainer._fit.reference == pytest.approx({"Cu": 3.51, "Ni": 4.44}, abs=1e-9)
        assert again.labeled == []


def test_an_oracle_that_fails_for_one_element_is_reported_and_the_energies_are_fitted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    oracle = CountingOracle(failing=("Ni",))
    start = alloy("Cu", "Ni")
    with (
        caplog.at_level(logging.WARNING, "acemaker"),
        Campaign.create(tmp_path / "c", config(), structure=start, engine=quiet(), oracle=oracle) as campaign,
    ):
        campaign.run()
        assert campaign.state is State.DONE
        generation = campaign.generation
        assert generation is not None
        assert generation.energies_from == "fit"
        assert sorted(generation.least_neighbors) == ["Cu", "Ni"]
        assert "since no isolated atoms could be labeled (Ni: " in str(campaign)
    assert any("SCF did not converge" in record.message for record in caplog.records)


def test_energies_of_the_configuration_are_used_without_a_label(tmp_path: Path) -> None:
    oracle = CountingOracle()
    settings = config(reference_energies={"Al": 3.0})
    start = bulk("Al", cubic=True).repeat(2)
    with Campaign.create(tmp_path / "c", settings, structure=start, engine=quiet(), oracle=oracle) as campaign:
        oracle.labeled.clear()
        campaign.prepare()
        assert oracle.count("Al") == 0
        assert campaign.generation is not None
        assert campaign.generation.reference_energies == {"Al": 3.0}
        assert campaign.generation.energies_from == "configuration"


@pytest.mark.parametrize(
    "oracle",
    [
        {"oracle": "tblite", "oracle_arguments": {"charge": 1}},
        {"oracle": "espresso", "ecutwfc": 20.0, "espresso_input": {"nspin": 2, "tot_magnetization": 4.0}},
        {"oracle": "espresso", "ecutwfc": 20.0, "espresso_input": {"system": {"nbnd": 40}}},
    ],
)
def test_settings_of_a_whole_structure_are_an_obstacle(oracle: dict[str, Any]) -> None:
    from acemaker import OracleConfig
    from acemaker.oracles.isolated import obstacle_to_isolated_atoms

    assert "of the whole structure" in obstacle_to_isolated_atoms(OracleConfig(**oracle))


@pytest.mark.parametrize("element", ["Cu", "Al"])
def test_without_isolated_atoms_an_atom_that_leaves_is_unknown(tmp_path: Path, element: str) -> None:
    settings = config(isolated_atoms=False)
    start = bulk(element, cubic=True).repeat(2)
    slab = fcc111(element, (2, 2, 4), vacuum=8.0, periodic=True)
    with Campaign.create(tmp_path / "c", settings, structure=start, engine=quiet()) as campaign:
        campaign.prepare()
        assert campaign.progress.isolated == {}
        generation = campaign.generation
        assert generation is not None
        atoms = far_away(slab)
        atoms.calc = generation.calculator()
        energy_of(atoms)
        gamma = atoms.calc.results["gamma"]
        highest = int(np.argmax(atoms.positions[:, 2]))
        assert np.isinf(gamma[highest])
        grading = campaign._work.trainer().grade([atoms, start])
        assert np.isinf(grading.gamma_max[0])
        assert np.isinf(grading.gamma[0][highest])
        assert np.isfinite(grading.gamma_max[1])
        notes = generation.lammps_input.read_text()
        assert f"fewer neighbors within 4.5 Angstrom than: {element} " in notes


def test_a_halt_that_no_label_can_help_is_refused_before_it_is_labeled(tmp_path: Path) -> None:
    class Leaving(ToyEngine):
        """Moves one atom away from all others before it halts."""

        def explore(self, request: Any) -> Any:
            exploration = super().explore(request)
            frames = [thawed(atoms) for atoms in exploration.frames]
            for atoms in frames:
                atoms.set_cell([40.0, 40.0, 40.0])
                atoms.positions[0] = [30.0, 30.0, 30.0]
            return replace(exploration, frames=tuple(frames))

    oracle = CountingOracle()
    start = bulk("Cu", cubic=True).repeat(2)
    engine = Leaving(200, lambda step, generation: 30.0 if step == 60 else 0.5)
    settings = config(isolated_atoms=False)
    with Campaign.create(tmp_path / "c", settings, structure=start, engine=engine, oracle=oracle) as campaign:
        campaign.prepare()
        oracle.labeled.clear()
        with pytest.raises(NoProgressError, match=r"1 atom .*Cu, number 0.* left all others.*reference_energies="):
            campaign.run()
        assert oracle.labeled == []


def test_generations_without_the_new_entries_are_read(tmp_path: Path) -> None:
    from acemaker.potentials.generation import read_generation

    start = bulk("Cu", cubic=True).repeat(2)
    with Campaign.create(tmp_path / "c", config(), structure=start, engine=quiet()) as campaign:
        campaign.prepare()
    file = tmp_path / "c" / "potentials" / "potential_v1.json"
    description = json.loads(file.read_text())
    for name in ("energies_from", "least_neighbors", "checksum"):
        del description[name]
    file.write_text(json.dumps(description))
    generation = read_generation(file.parent, 1)
    assert (generation.energies_from, generation.least_neighbors) == ("fit", {})


def test_labels_by_hand_include_the_isolated_atoms(tmp_path: Path) -> None:
    start = bulk("Al", cubic=True).repeat(2)
    with Campaign.create(tmp_path / "c", config(executor="files"), structure=start, engine=quiet()) as campaign:
        submission = campaign.submit()
        assert sum(note.startswith("isolated Al, ") for note in submission.notes) == 1
        folders = sorted((tmp_path / "c" / "queue" / "elsewhere").iterdir())
        assert len(folders) == len(submission.missing)
        for folder in folders:
            atoms = read(folder / "structure.extxyz")
            assert isinstance(atoms, Atoms)
            labeled = CalculatorOracle(EMT, max_force=100.0).label(atoms)
            write(folder / "label.extxyz", labeled)
        assert isinstance(campaign.collect(), Labels)
        campaign.train()
        assert campaign.generation is not None
        assert campaign.generation.reference_energies == pytest.approx({"Al": 3.28}, abs=1e-6)


def test_an_isolated_atom_that_is_given_up_by_hand_does_not_stop_the_campaign(tmp_path: Path) -> None:
    start = bulk("Al", cubic=True).repeat(2)
    with Campaign.create(tmp_path / "c", config(executor="files"), structure=start, engine=quiet()) as campaign:
        campaign.submit()
        for folder in (tmp_path / "c" / "queue" / "elsewhere").iterdir():
            if folder.name.startswith("isolated_Al"):
                (folder / "failed").write_text("no time")
                continue
            atoms = read(folder / "structure.extxyz")
            assert isinstance(atoms, Atoms)
            write(folder / "label.extxyz", CalculatorOracle(EMT, max_force=100.0).label(atoms))
        assert isinstance(campaign.collect(), Labels)
        campaign.train()
        assert campaign.generation is not None
        assert campaign.generation.energies_from == "fit"
        assert "no time" in str(campaign)


@pytest.mark.parametrize("isolated", [True, False])
def test_the_accuracy_includes_isolated_atoms(tmp_path: Path, isolated: bool) -> None:
    start = bulk("Al", cubic=True).repeat(2)
    settings = config(isolated_atoms=isolated)
    with Campaign.create(tmp_path / "c", settings, structure=start, engine=quiet()) as campaign:
        campaign.prepare()
        accuracy = campaign.evaluate_accuracy(campaign.labeled_structures())
        expected = {"Al": pytest.approx(0.0, abs=1e-9)} if isolated else {}
        assert accuracy.isolated_error == expected
        assert ("Al 0 meV" if isolated else "unknown: they were not labeled") in str(accuracy)


def test_atoms_with_few_neighbors_are_no_misses(tmp_path: Path) -> None:
    start = bulk("Cu", cubic=True).repeat(2)
    with Campaign.create(tmp_path / "c", config(), structure=start, engine=quiet()) as campaign:
        campaign.prepare()
        atoms = fcc111("Cu", (2, 2, 4), vacuum=8.0, periodic=True)
        atoms.positions[int(np.argmax(atoms.positions[:, 2])), 2] += 3.0
        frame = CalculatorOracle(EMT, max_force=100.0).label(atoms)
        accuracy = campaign.evaluate_accuracy([frame])
        assert accuracy.gamma_max.max() >= 1e6
        assert accuracy.figure()._repr_png_()


def test_walkers_share_the_isolated_atoms(tmp_path: Path) -> None:
    oracle = CountingOracle()
    start = bulk("Cu", cubic=True).repeat(2)
    settings = config(walkers=2)
    with Campaign.create(tmp_path / "c", settings, structure=start, engine=quiet(), oracle=oracle) as campaign:
        oracle.labeled.clear()
        campaign.run()
        assert campaign.state is State.DONE
        assert oracle.count("Cu") == 1


def test_isolated_atoms_come_from_the_label_store(tmp_path: Path) -> None:
    start = bulk("Pd", cubic=True).repeat(2)
    for name, shared in (("first", False), ("second", True)):
        settings = config(label_store=str(tmp_path / "store"))
        with Campaign.create(tmp_path / name, settings, structure=start, engine=quiet()) as campaign:
            campaign.prepare()
            assert campaign.progress.isolated["Pd"].get("shared", False) is shared


def test_a_cluster_has_isolated_atoms_without_periodicity(tmp_path: Path) -> None:
    cluster = Octahedron("Ni", 4, 1)
    cluster.center(vacuum=6.0)
    with Campaign.create(tmp_path / "c", config(ensemble="nvt"), structure=cluster, engine=quiet()) as campaign:
        campaign.prepare()
        generation = campaign.generation
        assert generation is not None
        assert generation.reference_energies == pytest.approx({"Ni": 4.44}, abs=1e-9)
        assert not read_label(tmp_path / "c" / "labels" / "isolated_Ni.extxyz").pbc.any()


@pytest.mark.parametrize("element", ["Cu", "Ni"])
def test_a_baseline_with_its_own_zero_is_subtracted(tmp_path: Path, element: str) -> None:
    zero_of_emt = {"Cu": 3.51, "Ni": 4.44}[element]
    baseline = {"baseline_calculator": "ase.calculators.emt:EMT"}
    potential = PotentialConfig(n_functions=12, cutoff=4.0, nradmax_by_orders=(6, 3), lmax_by_orders=(0, 2), **baseline)
    trainer, oracle = LinearTrainer(potential, (element,)), CalculatorOracle.from_config(CUNI, ("Cu", "Ni"))
    trainer.use_isolated_atoms([oracle.label(isolated_atom(element, 20.0, periodic=True))])
    labels = [oracle.label(atoms) for atoms in rattled(bulk(element, cubic=True).repeat(2), 3)]
    generation = trainer.train(
        labels, number=1, directory=tmp_path, predecessor=None, halted=None, gamma_limit=2.0
    ).generation
    assert generation.reference_energies[element] == pytest.approx(-zero_of_emt, abs=1e-6)
    lone = isolated_atom(element, 20.0, periodic=True)
    lone.calc = generation.calculator()
    assert energy_of(lone) == pytest.approx(0.0, abs=1e-6)


def test_pacemaker_has_the_same_reference_energies(pacemaker_python: Path) -> None:
    from acemaker.config import PacemakerConfig
    from acemaker.potentials.pacemaker.trainer import PacemakerTrainer

    potential = PotentialConfig(n_functions=12, cutoff=4.0, nradmax_by_orders=(6, 3), lmax_by_orders=(0, 2))
    fit = PacemakerConfig(pacemaker_environment=str(pacemaker_python.parents[1]))
    trainer = PacemakerTrainer(potential, fit, ("Cu", "Ni"))
    oracle = CalculatorOracle(EMT, max_force=100.0)
    trainer.use_isolated_atoms([oracle.label(isolated_atom(e, 20.0, periodic=True)) for e in ("Cu", "Ni")])
    assert trainer._linear.reference == pytest.approx({"Cu": 3.51, "Ni": 4.44}, abs=1e-9)
    assert trainer.alone_is_known


@pytest.mark.parametrize("edge", [11.46, 12.0, 17.77, 9.999999])
def test_an_isolated_atom_in_any_box_is_found_as_it_was_stored(tmp_path: Path, edge: float) -> None:
    """Otherwise it would be computed again, since its key would be another one."""
    config = CampaignConfig.from_parameters({"oracle": "emt", "isolated_box": edge})
    for atoms in isolated_atoms_of(config, bulk("NiCu", "cesiumchloride", a=3.0)):
        (stored,) = write_structures(tmp_path / "a.extxyz", [atoms])
        assert label_key(stored, config.oracle) == label_key(atoms, config.oracle)

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.cluster import Icosahedron
from ase.optimize import BFGS

from acemaker.analysis import check_oracle
from acemaker.campaign import Campaign
from acemaker.config import CampaignConfig, OracleConfig
from acemaker.errors import AcemakerError, CampaignError, ConfigError, OracleError, UntrustedError
from acemaker.oracles.factory import calculator_factory
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.oracles.user_oracle import as_oracle
from acemaker.states import State
from acemaker.testing import OracleContract, ToyEngine, ToyOracle, halting_at
from tests.conftest import copper, rattled

OBJECT = OracleConfig(oracle="object")
CONFIG = {
    "oracle": "object",
    "structure": "Cu",
    "supercell": (2, 2, 2),
    "steps": 200,
    "n_functions": 12,
    "n_first": 2,
    "max_labels": 10,
}


def labeled_by_emt(atoms: Atoms) -> Atoms:
    return CalculatorOracle(EMT, 100.0).label(atoms)


def as_tuple(atoms: Atoms) -> tuple[Any, ...]:
    results = labeled_by_emt(atoms).calc.results
    return results["energy"], results["forces"], results["stress"]


def as_mapping(atoms: Atoms) -> dict[str, Any]:
    return dict(labeled_by_emt(atoms).calc.results)


def with_calculator(atoms: Atoms) -> Atoms:
    atoms.calc = EMT()
    return atoms


class Stateful(Calculator):
    """Adds the number of its calls to the energy, and cannot be copied."""

    implemented_properties: ClassVar = ["energy", "forces"]

    def __init__(self) -> None:
        super().__init__()
        self.n_calls = 0

    def __deepcopy__(self, memo: object) -> Stateful:
        raise TypeError("cannot be copied")

    def reset(self) -> None:
        super().reset()
        self.n_calls = 0

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = None) -> None:
        super().calculate(atoms, properties, system_changes)
        self.results = dict(labeled_by_emt(atoms).calc.results)
        self.results["energy"] += self.n_calls
        self.n_calls += 1


class FromObject(OracleContract):
    source: Any = None

    def make_oracle(self) -> Any:
        return as_oracle(type(self).source, OBJECT)

    def make_structure(self) -> Atoms:
        return rattled(copper(), 1)[0]


class TestObject(FromObject):
    source: ClassVar = EMT()


class TestClass(FromObject):
    source = EMT


class TestFactory(FromObject):
    source = staticmethod(lambda cutoff=True: EMT(asap_cutoff=cutoff))


class TestTuple(FromObject):
    source = staticmethod(as_tuple)


class TestMapping(FromObject):
    source = staticmethod(as_mapping)


class TestLabeledStructure(FromObject):
    source = staticmethod(labeled_by_emt)


class TestStructureWithCalculator(FromObject):
    source = staticmethod(with_calculator)


def test_labels_of_an_object_do_not_depend_on_earlier_ones() -> None:
    for calculator in (EMT(), Stateful()):
        oracle = as_oracle(calculator, OBJECT)
        first, second = rattled(copper(), 2)
        energy = oracle.label(first).get_potential_energy()
        oracle.label(second)
        assert oracle.label(first).get_potential_energy() == energy
    assert EMT().results == {}


def test_an_oracle_stays_as_it_is() -> None:
    oracle = ToyOracle()
    assert as_oracle(oracle, OBJECT) is oracle


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("emt", r"a name belongs to the configuration.*\{'oracle': 'emt'"),
        (3, r"expected an ASE calculator, a function.*got 3 \(int\)"),
        (copper(), "got a structure without a calculator"),
        (lambda atoms, cell: 0.0, "expected an ASE calculator"),
        (ToyOracle, None),
    ],
)
def test_anything_else_is_refused_with_what_is_expected(tmp_path: Path, value: Any, words: str | None) -> None:
    config = CampaignConfig.from_parameters(CONFIG)
    with pytest.raises(ConfigError, match=words):
        Campaign.create(tmp_path / "c", config, oracle=value)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("value", [EMT(), EMT, as_tuple])
def test_an_object_in_the_configuration_is_told_where_it_belongs(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"oracle='object', and pass the calculator.*Campaign.create\(directory, con"):
        CampaignConfig.from_parameters({**CONFIG, "oracle": value})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda atoms: None, "it returned None"),
        (lambda atoms: 1.0, r"it returned 1.0 \(float\)"),
        (lambda atoms: (1.0, np.zeros((3, 3))), r"forces of shape \(32, 3\), got \(3, 3\)"),
        (lambda atoms: {"energy": 1.0}, "got no forces"),
        (lambda: 1.0, "it returned 1.0"),
    ],
)
def test_functions_that_return_no_label_are_refused_at_the_start(tmp_path: Path, value: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Campaign.create(tmp_path / "c", CampaignConfig.from_parameters(CONFIG), oracle=value)
    assert not (tmp_path / "c").exists()


def test_a_calculator_that_does_not_know_an_element_is_refused_at_the_start(tmp_path: Path) -> None:
    config = CampaignConfig.from_parameters({**CONFIG, "structure": "Fe"})
    with pytest.raises(ConfigError, match="No EMT-potential for Fe"):
        Campaign.create(tmp_path / "c", config, oracle=EMT())


@pytest.mark.parametrize("value", [EMT(), as_tuple])
def test_a_campaign_with_an_object_runs_and_is_opened_with_it(tmp_path: Path, value: Any) -> None:
    config = CampaignConfig.from_parameters(CONFIG)
    with Campaign.create(tmp_path / "c", config, oracle=value, engine=ToyEngine(200, halting_at(100))) as campaign:
        campaign.prepare()
        label = campaign.labeled_structures()[0]
        assert label.get_potential_energy() == labeled_by_emt(label).get_potential_energy()
    with Campaign.open(tmp_path / "c", oracle=value, engine=ToyEngine(200, halting_at(100))) as campaign:
        assert campaign.run().state is State.DONE


def test_without_its_object_a_campaign_says_what_is_missing(tmp_path: Path) -> None:
    Campaign.create(tmp_path / "c", CampaignConfig.from_parameters(CONFIG), oracle=EMT()).close()
    with Campaign.open(tmp_path / "c") as campaign, pytest.raises((ConfigError, OracleError), match="'object' stands"):
        campaign.prepare()
    with pytest.raises(ConfigError, match="'object' stands for an oracle that is passed"):
        Campaign.create(tmp_path / "d", CampaignConfig.from_parameters(CONFIG))


def test_what_a_label_costs_is_said_beforehand(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="acemaker")
    Campaign.create(tmp_path / "c", CampaignConfig.from_parameters(CONFIG), oracle=EMT()).close()
    assert "a label of 32 atoms took 0.0" in caplog.text
    assert "which is not counted" in caplog.text


def relaxing(atoms: Atoms) -> tuple[float, np.ndarray]:
    atoms.calc = EMT()
    BFGS(atoms, logfile=None).run(fmax=0.02, steps=10)
    return atoms.get_potential_energy(), atoms.get_forces()


def relaxing_a_copy(atoms: Atoms) -> Atoms:
    work = atoms.copy()
    relaxing(work)
    return work


def rattling(atoms: Atoms) -> dict[str, Any]:
    atoms.rattle(0.01, seed=1)
    return as_mapping(atoms)


def straining(atoms: Atoms) -> tuple[Any, ...]:
    atoms.set_cell(1.01 * atoms.cell, scale_atoms=True)
    return as_tuple(atoms)


def substituting(atoms: Atoms) -> tuple[Any, ...]:
    atoms.symbols[0] = "Au"
    return labeled_by_emt(atoms).get_potential_energy(), labeled_by_emt(atoms).get_forces()


def sorting(atoms: Atoms) -> Atoms:
    return labeled_by_emt(atoms[::-1])


class Relaxing(EMT):
    """A calculator that moves the atoms that it is attached to."""

    def calculate(self, atoms: Any = None, *arguments: Any, **keywords: Any) -> None:
        atoms.positions[0] += 0.03
        super().calculate(atoms, *arguments, **keywords)


class RelaxingOracle:
    def label(self, atoms: Atoms) -> Atoms:
        return labeled_by_emt(relaxing_a_copy(atoms))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (relaxing, "moved atoms"),
        (relaxing_a_copy, "moved atoms"),
        (rattling, "moved atoms"),
        (straining, "changed the cell"),
        (substituting, "replaced, added or reordered atoms"),
        (sorting, "moved atoms"),
        (Relaxing(), "moved atoms by up to 0.052 Å"),
    ],
)
def test_an_oracle_that_labels_another_structure_is_refused(tmp_path: Path, value: Any, words: str) -> None:
    for atoms in rattled(copper(), 1)[0], Icosahedron("Cu", 2):
        atoms.rattle(0.1, seed=3)
        if atoms.pbc.all() or value is not straining:
            with pytest.raises(OracleError, match=f"the oracle has {words}.*of another structure"):
                as_oracle(value, OBJECT).label(atoms)
    with pytest.raises(ConfigError, match=words):
        Campaign.create(tmp_path / "c", CampaignConfig.from_parameters(CONFIG), oracle=value)
    assert not (tmp_path / "c").exists()


def test_an_oracle_object_that_labels_another_structure_does_not_pass_its_check() -> None:
    with pytest.raises(OracleError, match="the oracle has moved atoms"):
        check_oracle(RelaxingOracle(), copper())


def test_labels_of_an_oracle_object_that_moves_atoms_are_not_used(tmp_path: Path) -> None:
    config = CampaignConfig.from_parameters({**CONFIG, "oracle_check": False})
    with Campaign.create(tmp_path / "c", config, oracle=RelaxingOracle(), engine=ToyEngine()) as campaign:
        with pytest.raises(AcemakerError, match="the oracle has moved atoms"):
            campaign.prepare()
        assert campaign.labeled_structures() == []


def shifted(atoms: Atoms) -> tuple[float, np.ndarray]:
    if atoms.pbc.all():
        atoms.positions += 1.3
        atoms.wrap()
    else:
        atoms.center(vacuum=6.0)
    labeled = labeled_by_emt(atoms)
    return labeled.get_potential_energy(), labeled.get_forces()


def test_a_shifted_or_wrapped_structure_is_the_same() -> None:
    for atoms in copper(), Icosahedron("Cu", 2):
        atoms.rattle(0.1, seed=3)
        labeled = as_oracle(shifted, OBJECT).label(atoms)
        assert np.array_equal(labeled.positions, atoms.positions)
        assert np.allclose(labeled.get_forces(), labeled_by_emt(atoms).get_forces())


SCRIPT = """
from ase.calculators.emt import EMT

def make(asap_cutoff=False):
    return EMT(asap_cutoff=asap_cutoff)
"""


def in_folder(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str = SCRIPT) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "mine.py").write_text(text)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("path", ["./mine.py:make", "mine.py:make", "absolute"])
@pytest.mark.parametrize("process", ["this", "own"])
def test_a_script_is_an_oracle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, process: str) -> None:
    folder = in_folder(tmp_path / "here", monkeypatch)
    name = f"{folder / 'mine.py'}:make" if path == "absolute" else path
    config = CampaignConfig.from_parameters(
        {**CONFIG, "oracle": name, "label_process": process, "oracle_arguments": {"asap_cutoff": True}}
    )
    with Campaign.create(tmp_path / "c", config, engine=ToyEngine(200, halting_at(100))) as campaign:
        campaign.prepare()
        label = campaign.labeled_structures()[0]
        expected = CalculatorOracle(lambda: EMT(asap_cutoff=True), 100.0).label(label)
        assert label.get_potential_energy() == expected.get_potential_energy()


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        (SCRIPT, "other.py:make", "there is no file .*other.py"),
        (SCRIPT, "mine.py:missing", "cannot be imported"),
        ("x = 1", "mine.py:x", "is not callable"),
        ("import nosuchmodule", "mine.py:make", "raised ModuleNotFoundError on import"),
        ("def make(", "mine.py:make", "raised SyntaxError on import"),
    ],
)
def test_a_script_that_cannot_be_used_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, name: str, words: str
) -> None:
    in_folder(tmp_path / "here", monkeypatch, text)
    with pytest.raises(ConfigError, match=words):
        Campaign.create(tmp_path / "c", CampaignConfig.from_parameters({**CONFIG, "oracle": name}))
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        (SCRIPT, {"cut": 1}, r"raised TypeError: .*'cut'.*called with \(cut=1\)"),
        ("def make():\n    raise RuntimeError('no licence')", {}, "raised RuntimeError: no licence"),
        ("def make():\n    import nosuchmodule", {}, "raised ModuleNotFoundError: .*nosuchmodule"),
        ("def make():\n    raise SystemExit(2)", {}, "raised SystemExit: 2"),
        ("def make():\n    return None", {}, r"returned None \(NoneType\); expected a callable that returns an ASE"),
        ("from ase.calculators.emt import EMT\ndef make():\n    return EMT", {}, "expected a callable that returns an"),
    ],
)
@pytest.mark.parametrize("process", ["this", "auto"])
def test_a_factory_that_creates_no_calculator_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, arguments: dict[str, Any], words: str, process: str
) -> None:
    in_folder(tmp_path / "here", monkeypatch, text)
    parameters = {**CONFIG, "oracle": "./mine.py:make", "oracle_arguments": arguments, "label_process": process}
    with pytest.raises(ConfigError, match=words):
        Campaign.create(tmp_path / "c", CampaignConfig.from_parameters(parameters))
    assert not (tmp_path / "c").exists()


FAILS_TO_LABEL = """
from ase.calculators.emt import EMT

class Fails(EMT):
    def calculate(self, *arguments, **keywords):
        raise RuntimeError("no memory at the moment")
"""


def test_a_calculator_that_fails_to_label_is_reported_by_the_first_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_folder(tmp_path / "here", monkeypatch, FAILS_TO_LABEL)
    config = CampaignConfig.from_parameters({**CONFIG, "oracle": "./mine.py:Fails", "ensemble": "nvt"})
    Campaign.create(tmp_path / "c", config, engine=ToyEngine()).close()


def test_a_script_of_another_machine_needs_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_folder(tmp_path / "here", monkeypatch)
    config = CampaignConfig.from_parameters({**CONFIG, "oracle": "./mine.py:make"})
    Campaign.create(tmp_path / "c", config).close()
    Campaign.open(tmp_path / "c").close()
    in_folder(tmp_path / "elsewhere", monkeypatch)  # the same name is another file there
    with pytest.raises(UntrustedError, match=r"mine.py:make"):
        Campaign.open(tmp_path / "c")


def changed_script(folder: Path) -> None:
    (folder / "mine.py").write_text(SCRIPT.replace("asap_cutoff=asap_cutoff", "asap_cutoff=True"))


def test_a_changed_script_is_noticed_before_it_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = in_folder(tmp_path / "here", monkeypatch)
    config = CampaignConfig.from_parameters({**CONFIG, "oracle": "./mine.py:make", "label_process": "this"})
    Campaign.create(tmp_path / "c", config, engine=ToyEngine()).close()
    changed_script(folder)
    with Campaign.open(tmp_path / "c", engine=ToyEngine()) as campaign:
        with pytest.raises(CampaignError, match=r"oracle's mine.py differs from the file.*accept_oracle_files=True"):
            campaign.prepare()
        assert campaign.progress.n_labels == 0
    with Campaign.open(tmp_path / "c", engine=ToyEngine(), accept_oracle_files=True) as campaign:
        campaign.prepare()
    with Campaign.open(tmp_path / "c", engine=ToyEngine(200)) as campaign:  # it was accepted once and for all
        assert campaign.run().state is State.DONE


def tabulated(strength: float) -> str:
    """Return a potential file: the Stillinger-Weber silicon of LAMMPS with another strength."""
    from acemaker.lammps.library import potentials_directory

    folder = potentials_directory()
    assert folder is not None
    return (folder / "Si.sw").read_text().replace("2.1683", f"{strength:.4f}")


@pytest.mark.parametrize("name", ["Si.sw", "mine.sw"])
def test_a_potential_file_of_another_folder_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Also where LAMMPS's collection has a file of the same name, which is used if there is none here."""
    here = tmp_path / "here"
    here.mkdir()
    (here / name).write_text(tabulated(2.0))
    monkeypatch.chdir(here)
    silicon = {**CONFIG, "structure": "Si", "crystal": "diamond", "supercell": (1, 1, 1), "oracle": "lammps"}
    config = CampaignConfig.from_parameters({**silicon, "pair_style": "sw", "pair_coeff": f"* * {name} Si"})
    Campaign.create(tmp_path / "c", config, engine=ToyEngine()).close()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if name != "Si.sw":
        (elsewhere / name).write_text(tabulated(2.1))
    monkeypatch.chdir(elsewhere)
    with Campaign.open(tmp_path / "c", engine=ToyEngine()) as campaign:
        with pytest.raises(CampaignError, match=f"oracle's {name} differs"):
            campaign.prepare()
        assert campaign.progress.n_labels == 0
    monkeypatch.chdir(here)
    with Campaign.open(tmp_path / "c", engine=ToyEngine()) as campaign:
        campaign.prepare()


def test_campaigns_without_recorded_files_are_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were created before the files were recorded."""
    folder = in_folder(tmp_path / "here", monkeypatch)
    monkeypatch.setattr("acemaker.loop.creation.recorded_files", lambda *_: {})
    config = CampaignConfig.from_parameters({**CONFIG, "oracle": "./mine.py:make", "label_process": "this"})
    Campaign.create(tmp_path / "c", config, engine=ToyEngine()).close()
    assert "oracle_files" not in (tmp_path / "c" / "journal.jsonl").read_text()
    changed_script(folder)
    with Campaign.open(tmp_path / "c", engine=ToyEngine()) as campaign:
        campaign.prepare()


def test_calculators_that_run_programs_are_not_tried() -> None:
    """They may take hours, and are created in the folder of a label."""
    from ase.calculators.abinit import Abinit, AbinitProfile

    from acemaker.oracles.smoke_test import try_oracle

    calculator = Abinit(profile=AbinitProfile(command="nosuchprogram", pp_paths=[]), ecut=100)
    assert try_oracle(OBJECT, bulk("Si"), as_oracle(calculator, OBJECT)) is None


def test_object_takes_no_arguments_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="has no argument 'x'"):
        OracleConfig(oracle="object", oracle_arguments={"x": 1})
    with pytest.raises(ConfigError, match="'object' stands"):
        calculator_factory(OBJECT, ("Cu",))

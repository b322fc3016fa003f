"""Magnetic moments on their way: from objects and files to the oracle, and with its labels back to the campaign."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import all_changes
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from acemaker import Campaign, CampaignConfig
from acemaker.analysis.measured import NotApplicable
from acemaker.analysis.samples import Crystal, sample_of
from acemaker.config import OracleConfig
from acemaker.errors import Cause, ConfigError, OracleError, StructureError
from acemaker.loop.labels import label_key
from acemaker.oracles.oracle import CalculatorOracle, magnetic_results
from acemaker.oracles.process import ProcessOracle
from acemaker.oracles.start_moments import collapse_remark, start_moments
from acemaker.structures.moments import with_computed_moments
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from tests.conftest import copper

CALLS = "calls.txt"


class Spins(EMT):
    """A calculator whose moments are those with which it starts, times a factor; it notes its calls in a file."""

    def __init__(self, factor: float = 0.9, calls: str = "") -> None:
        super().__init__()
        self.factor, self.calls = factor, calls

    def calculate(self, atoms: Atoms | None = None, properties: Any = None, changes: Any = all_changes) -> None:
        super().calculate(atoms, properties, changes)
        moments = self.atoms.get_initial_magnetic_moments()
        self.results |= {"magmoms": self.factor * moments, "magmom": float(self.factor * moments.sum())}
        if self.calls:
            with Path(self.calls).open("a") as stream:
                stream.write(f"{moments[0]:g}\n")


MAKE = "tests.oracles.test_moments:Spins"


def antiferromagnet(symbol: str = "Cu", moment: float = 1.5) -> Atoms:
    atoms = copper() if symbol == "Cu" else bulk(symbol, "fcc", a=3.6, cubic=True).repeat(2)
    atoms.symbols[:] = symbol
    atoms.set_initial_magnetic_moments(np.where(np.arange(32) % 4 < 2, moment, -moment))
    return atoms


def config(tmp_path: Path, **oracle: Any) -> CampaignConfig:
    fields = toy_config().model_dump()
    arguments = {"calls": str(tmp_path / CALLS), **oracle.pop("oracle_arguments", {})}
    fields["oracle"] |= {"oracle": MAKE, "oracle_arguments": arguments, "label_process": "this", **oracle}
    return CampaignConfig(**fields)


def n_calls(tmp_path: Path) -> int:
    return len((tmp_path / CALLS).read_text().split()) if (tmp_path / CALLS).is_file() else 0


@pytest.mark.parametrize("process", ["this", "own"])
def test_moments_reach_the_calculator_and_come_back_with_every_label(tmp_path: Path, process: str) -> None:
    engine = ToyEngine(200, halting_at(100))
    made = config(tmp_path, label_process=process)
    with Campaign.create(tmp_path / "c", made, structure=antiferromagnet(), engine=engine) as campaign:
        if process == "own":  # each label takes seconds
            campaign.label()
        for _ in campaign.steps() if process == "this" else ():
            if len(campaign.labeled_structures()) > 2:
                break
    with Campaign.open(tmp_path / "c", engine=engine, allow_code=True) as campaign:
        labels = campaign.labeled_structures()
    assert len(labels) > 2 or process == "own", "also of a candidate"
    for label in labels:
        assert label.calc is not None
        initial = antiferromagnet().get_initial_magnetic_moments()
        assert np.array_equal(label.get_initial_magnetic_moments(), initial)
        assert np.allclose(label.calc.results["magmoms"], 0.9 * initial)
        assert label.calc.results["magmom"] == 0.0


def test_moments_are_part_of_a_labels_key_and_of_the_store(tmp_path: Path) -> None:
    store = str(tmp_path / "store")

    def label(name: str, moment: float) -> int:
        made = config(tmp_path, label_store=store)
        with Campaign.create(tmp_path / name, made, structure=antiferromagnet(moment=moment), engine=ToyEngine()) as c:
            before = n_calls(tmp_path)  # the oracle may have been checked already
            c.label()
            for atoms in c.labeled_structures():
                assert atoms.calc is not None
                assert np.isclose(atoms.calc.results["magmoms"][0], 0.9 * moment)
        return n_calls(tmp_path) - before

    assert label("one", 1.5) == 2
    assert label("two", 1.5) == 0, "taken from the store"
    assert label("three", -1.5) == 2
    oracle = OracleConfig(oracle="emt")
    keys = {label_key(antiferromagnet(moment=moment), oracle) for moment in (0.0, 1.0, -1.0)}
    assert len(keys) == 3
    without = copper()
    assert label_key(without, oracle) == label_key(antiferromagnet(moment=0.0), oracle)


def test_a_moment_of_an_element_reaches_a_calculator_named_by_its_path(tmp_path: Path) -> None:
    made = OracleConfig(oracle=MAKE, magnetic_moments={"Cu": 0.5}, label_process="own", scratch=str(tmp_path))
    for oracle in (CalculatorOracle.from_config(made, ("Cu",)), ProcessOracle(made, ("Cu",))):
        label = oracle.label(copper())
        assert label.calc is not None
        assert np.allclose(label.calc.results["magmoms"], 0.45)
        assert not label.has("initial_magmoms"), "the label is of the structure that was asked for"


def test_objects_and_functions_receive_moments_and_their_results_are_kept(tmp_path: Path) -> None:
    def function(atoms: Atoms) -> dict[str, Any]:
        calculator = Spins()
        atoms.calc = calculator
        atoms.get_forces()
        return calculator.results

    fields = config(tmp_path).model_dump()
    fields["oracle"] |= {"oracle": "object", "oracle_arguments": {}, "magnetic_moments": {"Cu": 0.5}}
    for name, oracle in (("object", Spins()), ("function", function)):
        made = CampaignConfig(**fields)
        with Campaign.create(tmp_path / name, made, oracle=oracle, engine=ToyEngine()) as campaign:
            campaign.label()
            for label in campaign.labeled_structures():
                assert label.calc is not None
                assert np.allclose(label.calc.results["magmoms"], 0.45)
    with pytest.raises(ConfigError, match="an oracle object of your own receives only the structure"):
        Campaign.create(tmp_path / "own", CampaignConfig(**fields), oracle=ToyOracle(), engine=ToyEngine())
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize(("factor", "said"), [(-0.5, "32 of 32 magnetic atoms changed their sign"), (0.0, "vanished")])
def test_moments_that_collapse_are_reported_and_stored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, factor: float, said: str
) -> None:
    made = config(tmp_path, oracle_arguments={"factor": factor})
    with (
        caplog.at_level(logging.WARNING, "acemaker"),
        Campaign.create(tmp_path / "c", made, structure=antiferromagnet(), engine=ToyEngine()) as campaign,
    ):
        campaign.label()
        assert len(campaign.labeled_structures()) == 2
    assert said in caplog.text and "label of candidate 0: the moments of" in caplog.text


def test_a_calculator_without_spin_is_reported() -> None:
    start = antiferromagnet()
    label = start.copy()
    label.calc = SinglePointCalculator(label, energy=0.0)
    assert "its result has none: check that the calculator is spin-polarized" in collapse_remark(start, label, {})
    assert collapse_remark(copper(), label, {}) == ""
    assert "result has none" in collapse_remark(copper(), label, {"Cu": 1.0})


@pytest.mark.parametrize("moments", [[np.nan] * 32, [1.0] * 31, [[1.0]] * 32])
def test_moments_that_are_no_numbers_of_atoms_are_no_label(moments: Any) -> None:
    with pytest.raises(OracleError, match="magmoms") as caught:
        magnetic_results({"magmoms": moments}, copper())
    assert caught.value.cause is Cause.NONSENSE


def test_zeros_and_vectors_are_no_results() -> None:
    assert magnetic_results({"magmoms": np.zeros(32), "magmom": 0.0}, copper()) == {}
    assert magnetic_results({"magmoms": np.ones((32, 3)), "magmom": np.ones(3)}, copper()) == {}
    assert set(magnetic_results({"magmoms": np.zeros(32), "magmom": 0.0}, antiferromagnet())) == {"magmom", "magmoms"}
    assert set(magnetic_results({"magmoms": np.ones(32), "magmom": None}, copper())) == {"magmoms"}


@pytest.mark.parametrize("moments", [np.ones((32, 3)), np.full(32, np.inf)])
def test_moments_that_no_oracle_can_start_with_are_refused_before_a_label(tmp_path: Path, moments: np.ndarray) -> None:
    atoms = copper()
    atoms.arrays["initial_magmoms"] = moments
    with pytest.raises(StructureError, match=r"noncollinear magnetism is not supported|must be finite numbers"):
        Campaign.create(tmp_path / "c", config(tmp_path), structure=atoms, engine=ToyEngine())
    assert not (tmp_path / "c").exists() and n_calls(tmp_path) == 0


def test_properties_are_not_compared_in_cells_without_the_moments(tmp_path: Path) -> None:
    for name, structure in (("magnetic", antiferromagnet()), ("other", copper())):
        with Campaign.create(tmp_path / name, config(tmp_path), structure=structure, engine=ToyEngine()) as campaign:
            if name == "other":
                assert isinstance(sample_of("lattice", campaign), Crystal)
                continue
            with pytest.raises(NotApplicable, match="has magnetic moments, which the cells of this property would not"):
                sample_of("lattice", campaign)


def test_a_moment_of_an_element_that_is_not_there_is_refused_before_a_label(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="magnetic_moments: Ni is not in the structure, which has Cu"):
        Campaign.create(tmp_path / "c", config(tmp_path, magnetic_moments={"Ni": 1.0}), engine=ToyEngine())
    assert not (tmp_path / "c").exists() and n_calls(tmp_path) == 0


def from_file(tmp_path: Path, name: str, **oracle: Any) -> Atoms:
    fields = config(tmp_path, **oracle).model_dump()
    fields["system"] |= {"structure": str(tmp_path / name), "supercell": (1, 1, 1), "crystal": None}
    with Campaign.create(tmp_path / "c", CampaignConfig(**fields), engine=ToyEngine()) as campaign:
        campaign.label()
        label: Atoms = campaign.labeled_structures()[0]
    return label


@pytest.mark.parametrize("name", ["a.extxyz", "a.xyz", "a.traj", "a.json"])
@pytest.mark.parametrize("source", ["initial", "computed"])
def test_moments_of_files_are_kept(tmp_path: Path, name: str, source: str) -> None:
    atoms = antiferromagnet("Ag" if name == "a.traj" else "Cu", 1.25 if source == "initial" else 1.2471)
    if source == "computed":
        atoms.calc = SinglePointCalculator(atoms, magmoms=atoms.get_initial_magnetic_moments())
        atoms.set_initial_magnetic_moments(None)
        atoms.calc.atoms = atoms.copy()
    write(tmp_path / name, atoms, format="extxyz" if name.endswith("xyz") else None)
    expected = 1.25 if source == "initial" else 1.2
    assert np.allclose(np.abs(from_file(tmp_path, name).get_initial_magnetic_moments()), expected)


PW_INPUT = """\
&control
/
&system
  ibrav = 0, nat = 2, ntyp = 2, nspin = 2, starting_magnetization(1) = 0.3, starting_magnetization(2) = -0.3
/
&electrons
/
ATOMIC_SPECIES
Cu1 63.546 Cu.upf
Cu2 63.546 Cu.upf
K_POINTS gamma
CELL_PARAMETERS angstrom
2.9 0 0
0 2.9 0
0 0 2.9
ATOMIC_POSITIONS angstrom
Cu1 0 0 0
Cu2 1.45 1.45 1.45
"""


def test_starting_magnetizations_of_an_input_are_not_taken_for_moments(tmp_path: Path) -> None:
    """ASE takes those of the last species of an element, and takes fractions for Bohr magnetons."""
    (tmp_path / "pw.pwi").write_text(PW_INPUT)
    with pytest.raises(StructureError, match=r"input of pw.x with starting magnetizations, which are fractions of"):
        from_file(tmp_path, "pw.pwi")
    assert not (tmp_path / "c").exists() and n_calls(tmp_path) == 0
    label = from_file(tmp_path, "pw.pwi", magnetic_moments={"Cu": 0.7})
    assert label.calc is not None
    assert np.allclose(label.calc.results["magmoms"], 0.63)


def test_a_magnetic_cif_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.cif", copper())
    with (tmp_path / "a.cif").open("a") as stream:
        stream.write("loop_\n  _atom_site_moment.label\n  _atom_site_moment.crystalaxis_x\n  Cu1 1.0\n")
    with pytest.raises(StructureError, match=r"magnetic CIF, of which ASE does not read the moments"):
        from_file(tmp_path, "a.cif")


def test_computed_moments_do_not_replace_initial_ones() -> None:
    atoms = antiferromagnet(moment=2.0)
    atoms.calc = SinglePointCalculator(atoms, magmoms=np.zeros(32) + 0.7)
    assert with_computed_moments(atoms, "it") is atoms
    atoms.set_initial_magnetic_moments(None)
    atoms.calc = SinglePointCalculator(atoms, magmoms=np.ones((32, 3)))
    with pytest.raises(StructureError, match=r"it has magnetic moments of shape \(32, 3\)"):
        with_computed_moments(atoms, "it")
    atoms.calc = SinglePointCalculator(atoms, magmoms=np.zeros(32) + 1e-4)
    assert with_computed_moments(atoms, "it") is atoms


def test_a_setting_and_moments_of_one_element_agree_or_are_refused() -> None:
    with pytest.raises(
        StructureError, match=r"moments of Cu \(-1.5, 1.5 Bohr magnetons\), and magnetic_moments sets 1"
    ):
        start_moments(antiferromagnet(), {"Cu": 1.0})
    equal = copper()
    equal.set_initial_magnetic_moments([2.3] * 32)
    assert start_moments(equal, {"Cu": -1.0}).tolist() == [-1.0] * 32
    assert (
        start_moments(antiferromagnet(), {"Ni": 1.0}).tolist() == antiferromagnet().arrays["initial_magmoms"].tolist()
    )


@pytest.mark.parametrize("moments", [{"magmoms": np.ones((2, 3))}, {"magmom": np.ones(3)}, {"magmoms": np.ones(5)}])
def test_moments_of_another_shape_lose_no_label(moments: dict[str, Any]) -> None:
    """An oracle object of one's own may return vectors; the label is paid for."""
    iron = bulk("Fe", cubic=True)
    iron.set_initial_magnetic_moments([2.5, -2.5])
    labeled = iron.copy()
    labeled.calc = SinglePointCalculator(labeled, energy=0.0, forces=np.zeros((2, 3)))
    labeled.calc.results.update(moments)
    collapse_remark(iron, labeled, {})

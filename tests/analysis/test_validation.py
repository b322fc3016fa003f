"""A small real ACE and its EAM oracle: gamma, held-out structures, properties, the command and the report."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT

from acemaker import Campaign, CampaignConfig, attach
from acemaker.analysis import calibrate_gamma, compare_properties, evaluate_accuracy, read_validation, validate
from acemaker.cli import main
from acemaker.errors import ConfigError, LabelBudgetError, StateError, StructureError, UntrustedError
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.structures.files import write_structures
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from tests.conftest import MISHIN, copper, rattled

pytest.importorskip("spglib", reason="no spglib: pip install 'acemaker[physics]'")
pytest.importorskip("matscipy", reason="no matscipy: pip install 'acemaker[physics]'")

CONFIG = CampaignConfig(
    seed=1,
    system={"structure": "Cu", "lattice_constant": 3.615, "supercell": (2, 2, 2)},
    otf={"n_candidates": 4, "n_select": 1, "threshold_add_train": 1.1, "threshold_call_dft": 1.2},
    engine={"steps": 200, "temperature": (300, 900)},
    potential={"n_functions": 20, "cutoff": 4.5, "nradmax_by_orders": (8, 4, 2), "lmax_by_orders": (0, 3, 1)},
    oracle=MISHIN,
)


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    with Campaign.create(tmp_path_factory.mktemp("validation") / "c", CONFIG) as done:
        done.run()
        assert done.progress.generation >= 1
        return done


@pytest.fixture(scope="module")
def held_out() -> list[Atoms]:
    oracle = CalculatorOracle.from_config(MISHIN, ("Cu",))
    return [oracle.label(atoms) for atoms in rattled(copper(), 6, scale=0.3, seed=7)]


def test_gamma_is_calibrated_on_held_out_structures(campaign: Campaign, held_out: list[Atoms], tmp_path: Path) -> None:
    calibration = calibrate_gamma(campaign, held_out, tolerance=200.0)
    gamma, error = [], []
    assert campaign.generation is not None
    for labeled in held_out:
        atoms = labeled.copy()
        atoms.calc = campaign.generation.calculator()
        error.append(1e3 * np.linalg.norm(atoms.get_forces() - labeled.get_forces(), axis=1))
        gamma.append(atoms.calc.results["gamma"])
    last = calibration.generation == campaign.progress.generation
    assert calibration.error[last] == pytest.approx(np.concatenate(error), rel=1e-6)
    assert calibration.gamma[last] == pytest.approx(np.concatenate(gamma), rel=1e-6)
    wrong, seen = np.concatenate(error) > 200, np.concatenate(gamma) > 1.2
    number = campaign.progress.generation
    assert calibration.misses(generation=number).count == (wrong & ~seen).sum()
    assert calibration.false_alarms(generation=number).count == (~wrong & seen).sum()
    assert set(calibration.generation) == set(range(1, number + 1))
    file = tmp_path / "held_out.extxyz"
    write_structures(file, held_out)
    again = calibrate_gamma(campaign, file, tolerance=200.0)
    assert again.error == pytest.approx(calibration.error, abs=1e-3)
    assert "held-out structures" in repr(again)


def test_structures_that_prove_nothing_are_refused(campaign: Campaign, held_out: list[Atoms], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="got none"):
        calibrate_gamma(campaign, [])
    with pytest.raises(ConfigError, match="structure 1 has no forces"):
        calibrate_gamma(campaign, [held_out[0], copper()])
    with pytest.raises(ConfigError, match="structure 1 is a label of the campaign"):
        calibrate_gamma(campaign, [held_out[0], campaign.labeled_structures()[1]])
    foreign = held_out[0].copy()
    foreign.calc = held_out[0].calc
    foreign.symbols[0] = "Ni"
    with pytest.raises(StructureError, match="Ni, the potential has only Cu"):
        calibrate_gamma(campaign, [foreign])
    with pytest.raises(ConfigError, match="there is no file"):
        calibrate_gamma(campaign, tmp_path / "nothing.extxyz")
    (tmp_path / "broken.extxyz").write_text("12\nno structure\n")
    with pytest.raises(ConfigError, match="cannot be read"):
        calibrate_gamma(campaign, tmp_path / "broken.extxyz")


def test_an_accuracy_saves_evaluations_and_changes_nothing(campaign: Campaign) -> None:
    along = evaluate_accuracy(campaign)
    calibration, saved = calibrate_gamma(campaign), calibrate_gamma(campaign, along=along)
    assert np.array_equal(calibration.gamma, saved.gamma)
    assert np.array_equal(calibration.structure, saved.structure)
    last = calibration.generation == along.generation
    assert np.array_equal(calibration.error[last], along.atom_error)
    assert calibration.misses(generation=along.generation).count == along.misses
    with pytest.raises(ConfigError, match="expected the accuracy of generation"):
        calibrate_gamma(campaign, along=evaluate_accuracy(campaign, reference=campaign.labeled_structures()))


def test_the_command_validates_gamma_and_properties(campaign: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["validate", str(campaign.directory), "--properties", "equation_of_state", "elastic_constants", "liquid"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "Calibration of gamma for generation" in said
    assert "does not end in a liquid" in said
    assert re.search(r"up to 73 oracle calls: equation of state 27 of 1 atom, lattice 41 of 1 atom", said)
    found = read_validation(campaign)
    assert found is not None
    assert found.properties is not None
    by_name = {one.name: one for one in found.properties.quantities}
    assert by_name["lattice constant a"].oracle == pytest.approx(3.615, abs=1e-3)
    assert by_name["lattice constant a"].potential == pytest.approx(3.615, rel=0.02)
    assert by_name["C44"].oracle == pytest.approx(76.2, rel=0.01)
    assert 0 < found.properties.calls <= 73
    assert repr(found) in said
    assert repr(found.gamma) in said
    assert repr(found.properties) in said
    for part in (found.gamma, found.properties):
        assert part is not None
        for cell in re.findall(r"[\w.%Å³²]+", repr(part)):
            assert cell in part._repr_html_()
        assert all(axes.get_xlabel() for axes in part.figure().axes)  # type: ignore[attr-defined]
    for name in ("gamma", "properties"):
        assert (campaign.directory / "validation" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    # what was measured is not measured again
    assert compare_properties(campaign, ("equation_of_state", "elastic_constants")).calls == 0
    report = campaign.report().read_text()
    assert "Validation of generation" in report
    assert "misses and false alarms by threshold" in report
    assert main([*words[:2], "--properties", "phonon"]) == 2
    assert "did you mean 'phonons'" in capsys.readouterr().err


def test_nothing_to_validate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Campaign.create(tmp_path / "c", toy_config(), engine=ToyEngine(), oracle=ToyOracle()) as campaign:
        for refused in (calibrate_gamma, compare_properties):
            with pytest.raises(StateError, match="there is no potential to evaluate yet"):
                refused(campaign)
        campaign.prepare()
        assert read_validation(campaign) is None
        assert main(["validate", str(tmp_path / "c")]) == 2
        assert (
            "pass labeled structures that were not used for training (held_out, or --held-out FILE)"
            in capsys.readouterr().err
        )
    assert main(["validate", str(tmp_path / "nowhere")]) == 2


def test_without_an_analytic_oracle_generations_are_evaluated_on_later_labels(tmp_path: Path) -> None:
    engine = ToyEngine(steps=200, gamma=halting_at(50, 120))
    with Campaign.create(tmp_path / "c", toy_config(), engine=engine, oracle=ToyOracle()) as campaign:
        campaign.run()
        calibration = validate(campaign).gamma
        generations = campaign.generations()
        found = read_validation(campaign)
    assert calibration is not None
    assert found is not None
    assert repr(found.gamma) == repr(calibration)
    assert f"gamma for generation {generations[-1].generation.number}\n" in repr(calibration)
    assert "not evaluated: no label came after it" in repr(calibration)
    assert calibration.figure()._repr_png_().startswith(b"\x89PNG")
    assert "labels that came later" in repr(calibration)
    assert set(calibration.generation) == {
        one.generation.number for one in generations if one.n_structures < len(one.labels)
    }
    for one in generations:
        assert (calibration.structure[calibration.generation == one.generation.number] >= one.n_structures).all()


def test_an_oracle_of_ones_own_is_asked_within_a_limit(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "c", toy_config(), engine=ToyEngine(), oracle=CalculatorOracle(EMT, 100.0)) as made:
        made.prepare()
        with pytest.raises(LabelBudgetError, match=r"27 oracle calls .*at most 20; none were made"):
            compare_properties(made, ("equation_of_state",))
        assert compare_properties(made, ("equation_of_state",), max_calls=27).calls == 9
        assert (
            compare_properties(made, ("equation_of_state",), max_calls=27).calls == 9
        )  # nobody knows what it depends on
        assert not (tmp_path / "c" / "validation" / "labels").exists()
        with pytest.raises(ConfigError, match="must not be negative"):
            compare_properties(made, ("equation_of_state",), max_calls=-1)


def test_what_the_potential_cannot_give_is_not_paid_for(tmp_path: Path) -> None:
    oracle = ToyOracle()
    with Campaign.create(tmp_path / "c", toy_config(), engine=ToyEngine(), oracle=oracle) as campaign:
        campaign.prepare()
        before = oracle.calls
        found = compare_properties(campaign, ("equation_of_state",), max_calls=0)  # a mere repulsion has no minimum
        assert oracle.calls == before
    assert found.quantities == ()
    assert "no lowest energy" in repr(found)
    assert found.worst is None
    assert found.figure()._repr_png_().startswith(b"\x89PNG")


def test_what_was_paid_for_is_kept_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described = toy_config().model_dump() | {"oracle": {"oracle": "ase.calculators.emt:EMT", "label_process": "this"}}
    config = CampaignConfig(**described)
    with Campaign.create(tmp_path / "c", config, engine=ToyEngine()) as campaign:
        campaign.prepare()
    campaign.close()
    label, asked = CalculatorOracle.label, []

    def broken_off(self: CalculatorOracle, atoms: Atoms) -> Atoms:
        asked.append(len(atoms))
        if len(asked) == 5:
            raise KeyboardInterrupt
        return label(self, atoms)

    monkeypatch.setattr(CalculatorOracle, "label", broken_off)
    attached = attach(tmp_path / "c")
    with pytest.raises(KeyboardInterrupt):
        compare_properties(attached, ("equation_of_state",), max_calls=27)
    found = compare_properties(attached, ("equation_of_state",), max_calls=27)
    assert len(asked) == 5 + found.calls
    assert found.calls == 5  # of nine
    assert len(list((tmp_path / "c" / "validation" / "labels").rglob("*.extxyz"))) == 9
    assert not list((tmp_path / "c" / "validation").rglob("*.part"))
    again = compare_properties(attached, ("equation_of_state",), max_calls=0)
    assert again.quantities == found.quantities
    assert {one.name for one in found.quantities} == {"volume", "bulk modulus"}


def test_code_that_a_foreign_directory_names_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described = toy_config().model_dump() | {"oracle": {"oracle": "ase.calculators.emt:EMT", "label_process": "this"}}
    engine = ToyEngine(steps=200, gamma=halting_at(50))
    with Campaign.create(tmp_path / "c", CampaignConfig(**described), engine=engine) as campaign:
        campaign.run()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    campaign_there = attach(tmp_path / "c")
    for ask in (compare_properties, validate):
        with pytest.raises(UntrustedError, match=r"ase\.calculators\.emt:EMT"):
            ask(campaign_there)
    assert validate(campaign_there, allow_code=True).gamma is not None
    assert json.loads((tmp_path / "c" / "journal.jsonl").read_text().splitlines()[0])  # only looked at


def test_a_validation_of_another_generation_is_ignored(campaign: Campaign, held_out: list[Atoms]) -> None:
    validate(campaign, held_out)
    file = campaign.directory / "validation" / "gamma.npz"
    whole = file.read_bytes()
    with np.load(file) as data:
        values = dict(data)
    with file.open("wb") as stream:
        np.savez(stream, **{**values, "potential": values["potential"] + 1})
    found = read_validation(campaign)
    assert found is None or found.gamma is None
    file.write_bytes(whole[:100])
    found = read_validation(campaign)
    assert found is None or found.gamma is None
    file.write_bytes(whole)

"""A campaign that failed before its first potential was used begins again with another configuration, and its labels
are used again."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT

import acemaker
from acemaker import Campaign, CampaignConfig
from acemaker.engines.protocol import Exploration, Request
from acemaker.errors import CampaignError, CampaignExistsError, ConfigError, EngineError, OracleError
from acemaker.loop.journal import read_events
from acemaker.oracles.fingerprint import oracle_source
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.oracles.user_oracle import as_oracle
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config


class BrokenEngine(ToyEngine):
    def explore(self, request: Request) -> Exploration:
        raise EngineError("LAMMPS does not start")


def changed(**sections: dict[str, Any]) -> CampaignConfig:
    """Return the toy configuration with other values of some fields."""
    config = toy_config()
    updates = {
        name: type(getattr(config, name))(**{**getattr(config, name).model_dump(), **fields})
        for name, fields in sections.items()
    }
    return config.model_copy(update=updates)


def create(
    directory: Path, config: CampaignConfig, oracle: ToyOracle | None, engine: ToyEngine | None = None
) -> Campaign:
    engine = engine or ToyEngine(200, halting_at(60))
    return Campaign.create(directory, config, exist_ok=True, engine=engine, oracle=oracle)


def fail_after_the_labels(directory: Path, config: CampaignConfig, oracle: ToyOracle | None = None) -> None:
    campaign = create(directory, config, oracle, BrokenEngine(200, halting_at()))
    with campaign, pytest.raises(EngineError):
        campaign.run()


@pytest.mark.parametrize(
    "sections",
    [
        {"potential": {"n_functions": 14}},
        {"engine": {"steps": 100, "temperature": (100.0, 500.0)}},
        {"otf": {"n_select": 1, "threshold_break": 30.0}},
        {"oracle": {"max_force": 300.0, "oracle_timeout": 5.0}},
    ],
    ids=lambda sections: next(iter(sections)),
)
def test_equal_structures_are_not_labeled_twice(tmp_path: Path, sections: dict[str, Any]) -> None:
    fail_after_the_labels(tmp_path / "c", toy_config(), ToyOracle())
    oracle = ToyOracle()
    with create(tmp_path / "c", changed(**sections), oracle) as campaign:
        campaign.prepare()
        assert oracle.calls == 0
        labels = campaign.labeled_structures()
        assert len(labels) == 2
        for label in labels:
            assert np.allclose(label.get_forces(), ToyOracle().label(label).get_forces())
        assert campaign.run().state is State.DONE


@pytest.mark.parametrize(("n_first", "calls"), [(7, 3), (2, 0)])
def test_with_another_number_of_first_structures_only_the_others_are_labeled(
    tmp_path: Path, n_first: int, calls: int
) -> None:
    fail_after_the_labels(tmp_path / "c", changed(system={"n_first": 4}), ToyOracle())
    oracle = ToyOracle()
    with create(tmp_path / "c", changed(system={"n_first": n_first}), oracle) as campaign:
        campaign.prepare()
        assert oracle.calls == calls
        volumes = sorted(atoms.get_volume() for atoms in campaign.labeled_structures())
        assert len(volumes) == n_first == len(set(volumes))


@pytest.mark.parametrize(
    "sections",
    [{"system": {"first_rattle": 0.2}}, {"system": {"first_strain": 0.01}}, {"system": {"lattice_constant": 3.7}}],
    ids=["rattle", "strain", "crystal"],
)
def test_other_structures_are_labeled(tmp_path: Path, sections: dict[str, Any]) -> None:
    fail_after_the_labels(tmp_path / "c", toy_config(), ToyOracle())
    oracle = ToyOracle()
    with create(tmp_path / "c", changed(**sections), oracle) as campaign:
        campaign.prepare()
        assert oracle.calls == 2


class From:
    """All numbers from one on; another number is no other setting of an oracle."""

    def __init__(self, first: int) -> None:
        self.first = first

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and number >= self.first


def test_labels_before_a_failure_of_the_oracle_are_used(tmp_path: Path) -> None:
    config = changed(system={"n_first": 4})
    with create(tmp_path / "c", config, ToyOracle(failing=From(3))) as campaign, pytest.raises(OracleError):
        campaign.run()
    oracle = ToyOracle(failing=From(100))
    with create(tmp_path / "c", changed(system={"n_first": 4}, potential={"n_functions": 13}), oracle) as campaign:
        campaign.prepare()
        assert oracle.calls == 1


def test_it_may_be_replaced_again_and_again(tmp_path: Path) -> None:
    for n_functions in (12, 13, 14):
        oracle = ToyOracle()
        fail_after_the_labels(tmp_path / "c", changed(potential={"n_functions": n_functions}), oracle)
        assert oracle.calls == (2 if n_functions == 12 else 0)
    (created, *_), _ = read_events(tmp_path / "c" / "journal.jsonl")
    assert created["replaced"] == ["potential.n_functions: 13 -> 14"]


def test_an_oracle_of_another_class_labels_again(tmp_path: Path) -> None:
    class Stronger(ToyOracle):
        strength = 500.0

    fail_after_the_labels(tmp_path / "c", toy_config(), ToyOracle())
    oracle = Stronger()
    with create(tmp_path / "c", changed(potential={"n_functions": 13}), oracle) as campaign:
        campaign.prepare()
        assert oracle.calls == 2


@pytest.mark.parametrize(("cutoff", "calls"), [(2.0, 0), (4.0, 2)])
def test_an_oracle_with_another_function_labels_again(tmp_path: Path, cutoff: float, calls: int) -> None:
    made = []

    def wrapped(cutoff: float) -> CalculatorOracle:
        def calculator() -> EMT:
            made.append(cutoff)
            return EMT(asap_cutoff=cutoff > 3)

        return CalculatorOracle(calculator, max_force=100.0)

    engine = BrokenEngine(200, halting_at())
    with (
        Campaign.create(tmp_path / "c", toy_config(), oracle=wrapped(2.0), engine=engine) as campaign,
        pytest.raises(EngineError),
    ):
        campaign.run()
    config = changed(potential={"n_functions": 13})
    with Campaign.create(tmp_path / "c", config, exist_ok=True, oracle=wrapped(cutoff), engine=engine) as campaign:
        made.clear()
        campaign.prepare()
        assert len(made) == calls


NOTEBOOK = """
class MyOracle:
    unit = {unit}

    def __init__(self):
        self.calls, self.log = 0, []

    def label(self, atoms):
        self.calls += 1
        self.log.append(atoms)
        scale = (lambda: {scale})()
        return scale if str(atoms) in {{"a", "b", "c"}} else 0
"""


def oracle_of(text: str) -> Any:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(text, namespace)
    return namespace["MyOracle"]()


def test_a_class_of_a_notebook_is_compared_by_its_code(tmp_path: Path) -> None:
    """It has no source file; the number of calls does not matter."""

    def source(oracle: Any) -> str:
        return oracle_source(toy_config().oracle, ("Cu",), oracle)

    usual = oracle_of(NOTEBOOK.format(unit=1.0, scale=1.0))
    usual.calls, usual.log = 5, [1, 2]
    assert source(usual) == source(oracle_of(NOTEBOOK.format(unit=1.0, scale=1.0)))
    assert source(usual) != source(oracle_of(NOTEBOOK.format(unit=27.2, scale=1.0)))
    assert source(usual) != source(oracle_of(NOTEBOOK.format(unit=1.0, scale=27.2)))


@pytest.mark.parametrize(
    "change", [{"cutoff": 500}, {"kpts": (4, 4, 4)}, {"nested": {"xc": "PBEsol"}}, {"mode": None}], ids=str
)
def test_settings_in_a_function_are_compared(change: dict[str, Any]) -> None:
    """As captured values, as defaults, in a partial function, and in the parameters of a calculator object."""
    settings = {"cutoff": 400, "kpts": (2, 2, 2), "nested": {"xc": "PBE"}, "mode": "pw"}

    def captured(settings: dict[str, Any]) -> Any:
        return lambda: EMT(**settings)

    def default(settings: dict[str, Any]) -> Any:
        return lambda values=settings: EMT(**values)

    def partial(settings: dict[str, Any]) -> Any:
        return functools.partial(EMT, **settings)

    def instance(settings: dict[str, Any]) -> Any:
        calculator = EMT()
        calculator.parameters = settings
        return calculator

    class Holder(ToyOracle):
        def __init__(self, value: Any) -> None:
            super().__init__()
            self.value = value

    for make in (captured, default, partial, instance):
        first, second, other = (
            oracle_source(toy_config().oracle, ("Cu",), Holder(make(values)))
            for values in (settings, dict(settings), {**settings, **change})
        )
        assert first == second != other, make


class Configured:
    """An oracle whose settings are numbers, sequences and arrays, with records of its calls."""

    def __init__(self, level: int, k_points: list[int], shifts: np.ndarray, *, spin: bool) -> None:
        self.level, self.k_points, self.shifts, self.spin = level, k_points, shifts, spin
        self.calls, self.energies, self.last = 0, [0.0], (0, 0)

    def label(self, atoms: Atoms) -> Atoms:
        self.calls += 1
        self.energies.append(0.0)
        self.last = (self.level, len(atoms))
        return atoms


@pytest.mark.parametrize(
    "change", [{"level": 2}, {"k_points": [4, 4, 4]}, {"shifts": np.full(3, 0.5)}, {"spin": True}], ids=str
)
def test_numbers_and_sequences_of_an_object_are_settings_unless_its_methods_change_them(change: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"level": 1, "k_points": [2, 2, 2], "shifts": np.zeros(3), "spin": False}

    def source(oracle: Any) -> str:
        return oracle_source(toy_config().oracle, ("Cu",), oracle)

    used = Configured(**settings)
    used.label(Atoms("Cu"))
    assert source(used) == source(Configured(**settings)) != source(Configured(**{**settings, **change}))


def test_lists_within_settings_and_counters_of_functions() -> None:
    def function(k_points: list[int], records: list[int]) -> Any:
        n_calls = 0

        def label(atoms: Atoms) -> tuple[float, list[int]]:
            nonlocal n_calls
            n_calls += 1
            records.append(n_calls)
            return float(n_calls), k_points

        return label

    def source(value: Any) -> str:
        oracle = as_oracle(value, toy_config().oracle)
        return oracle_source(toy_config().oracle, ("Cu",), oracle)

    used = function([2, 2, 2], [])
    used(Atoms("Cu"))
    assert source(used) == source(function([2, 2, 2], [])) != source(function([3, 3, 3], []))
    fine, coarse = EMT(), EMT()
    fine.parameters, coarse.parameters = {"kpts": [4, 4, 4]}, {"kpts": [2, 2, 2]}
    assert source(fine) != source(coarse)


def test_a_description_is_the_same_in_another_process() -> None:
    program = (
        "from acemaker.oracles.fingerprint import oracle_source\n"
        "from acemaker.testing import ToyOracle, toy_config\n"
        f"namespace = {{'__name__': '__main__'}}\nexec({NOTEBOOK.format(unit=1.0, scale=1.0)!r}, namespace)\n"
        "for oracle in (ToyOracle(), namespace['MyOracle']()):\n"
        "    print(oracle_source(toy_config().oracle, ('Cu',), oracle))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(texts) == 1


MODULE = """
from pathlib import Path
from ase import Atoms
from ase.calculators.emt import EMT


class Counted(EMT):
    def calculate(self, *arguments, **options):
        with Path(__file__).with_name("calls.txt").open("a") as stream:
            stream.write("x")
        super().calculate(*arguments, **options)
"""


def test_a_calculator_by_its_path_is_called_again_only_if_its_file_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "counted_emt.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    calls = tmp_path / "calls.txt"
    oracle = {"oracle": "counted_emt:Counted", "label_process": "this"}
    fail_after_the_labels(tmp_path / "c", changed(oracle=oracle))
    before = calls.stat().st_size
    assert before >= 2
    with create(tmp_path / "c", changed(oracle=oracle, potential={"n_functions": 13}), None) as campaign:
        n_tried = calls.stat().st_size  # the trial before the campaign is created may call it, too
        campaign.prepare()
        assert calls.stat().st_size == n_tried
    fail_after_the_labels(tmp_path / "d", changed(oracle=oracle))
    (tmp_path / "counted_emt.py").write_text(MODULE + "# energies are in eV now\n")
    with create(tmp_path / "d", changed(oracle=oracle, potential={"n_functions": 13}), None) as campaign:
        n_tried = calls.stat().st_size
        campaign.prepare()
        assert calls.stat().st_size >= n_tried + 2


def test_other_settings_of_the_oracle_label_again(tmp_path: Path) -> None:
    fail_after_the_labels(tmp_path / "c", changed(oracle={"oracle": "emt"}))
    config = changed(oracle={"oracle": "emt", "oracle_arguments": {"asap_cutoff": True}})
    with create(tmp_path / "c", config, None) as campaign:
        campaign.prepare()
        for label in campaign.labeled_structures():
            label_again = label.copy()
            label_again.calc = EMT(asap_cutoff=True)
            assert label.get_potential_energy() == pytest.approx(label_again.get_potential_energy(), abs=1e-9)


def test_one_whose_potential_was_used_is_not_replaced(tmp_path: Path) -> None:
    class StopsLater(ToyEngine):
        n_segments = 0

        def explore(self, request: Request) -> Exploration:
            self.n_segments += 1
            if self.n_segments > 1:
                raise EngineError("the disk is gone")
            return super().explore(request)

    with (
        create(tmp_path / "c", toy_config(), ToyOracle(), StopsLater(200, halting_at(60))) as campaign,
        pytest.raises(EngineError),
    ):
        campaign.run()
    with pytest.raises(CampaignExistsError, match="continue the existing campaign"):
        create(tmp_path / "c", changed(potential={"n_functions": 13}), ToyOracle())


def test_one_that_ran_a_part_of_its_first_segment_is_not_replaced(tmp_path: Path) -> None:
    fail_after_the_labels(tmp_path / "c", toy_config(), ToyOracle())
    segment = tmp_path / "c" / "segments" / "segment_0001"
    segment.mkdir(parents=True, exist_ok=True)
    (segment / "checkpoint.100").write_bytes(b"state")
    with pytest.raises(CampaignExistsError, match="continue the existing campaign"):
        create(tmp_path / "c", changed(potential={"n_functions": 13}), ToyOracle())


def test_the_refusal_without_exist_ok_says_that_labels_are_used_again(tmp_path: Path) -> None:
    fail_after_the_labels(tmp_path / "c", toy_config(), ToyOracle())
    with pytest.raises(CampaignExistsError, match=r"exist_ok=True\) replaces it; its labels are used again"):
        Campaign.create(tmp_path / "c", changed(potential={"n_functions": 13}), oracle=ToyOracle())


def test_a_replacement_that_was_killed_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once before anything was deleted, and once after the journal was."""
    for name in ("delete_campaign", "write_files"):
        directory, oracle = tmp_path / name, ToyOracle()
        fail_after_the_labels(directory, toy_config(), ToyOracle())
        with monkeypatch.context() as patch:

            def stop(*_: object) -> None:
                raise KeyboardInterrupt

            patch.setattr(f"acemaker.loop.creation.{name}", stop)
            with pytest.raises(KeyboardInterrupt):
                create(directory, changed(potential={"n_functions": 13}), ToyOracle())
        with create(directory, changed(potential={"n_functions": 13}), oracle) as campaign:
            campaign.prepare()
            assert oracle.calls == 0
        assert not (directory / "earlier_labels" / "replacing").exists()


def rewrite_configuration(directory: Path, section: str, **values: Any) -> None:
    """Put values into the journal that are refused today, as an earlier version may have written them."""
    journal = directory / "journal.jsonl"
    from acemaker.loop import journal as module

    events, _ = read_events(journal)
    journal.unlink()
    with_values = [
        {**event, "config": {**event["config"], section: {**event["config"][section], **values}}}
        if "config" in event
        else event
        for event in events
    ]
    new = module.Journal(journal)
    for event in with_values:
        new.append(event["event"], **{name: event[name] for name in event if name not in ("event", "n", "time", "sum")})
    new.close()


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("oracle", {"espresso_input": {"nspn": 2}, "no_longer_a_field": 1}),
        ("engine", {"timestep": -1.0}),
        ("otf", {"threshold_add_train": 50.0, "threshold_call_dft": 3.0}),
        ("system", {"lattice_constant": -1.0}),
    ],
)
def test_a_campaign_whose_configuration_is_refused_today_is_readable(
    tmp_path: Path, section: str, values: dict[str, Any]
) -> None:
    with create(tmp_path / "c", toy_config(), ToyOracle()) as campaign:
        campaign.run()
    rewrite_configuration(tmp_path / "c", section, **values)
    attached = acemaker.attach(tmp_path / "c")
    assert attached.state is State.DONE
    assert len(attached.labeled_structures()) >= 2
    assert "DONE" in repr(attached) and attached.timeline().step[-1] == 200
    assert attached.report(file=tmp_path / "report.html").is_file()
    with pytest.raises(ConfigError, match=r"recorded earlier and is refused today"):
        attached.evaluate_accuracy()  # which would run the oracle and LAMMPS with these settings
    with pytest.raises(CampaignError, match=r"(?s)is refused.*acemaker\.attach"):
        Campaign.open(tmp_path / "c", oracle=ToyOracle(), engine=ToyEngine(200, halting_at()))


def test_one_that_failed_with_a_configuration_that_is_refused_today_is_replaced(tmp_path: Path) -> None:
    fail_after_the_labels(tmp_path / "c", toy_config(), ToyOracle())
    rewrite_configuration(tmp_path / "c", "engine", timestep=-1.0)
    oracle = ToyOracle()
    with create(tmp_path / "c", toy_config(), oracle) as campaign:
        assert campaign.config.engine.timestep > 0
        campaign.prepare()
        assert oracle.calls == 0
    assert json.loads((tmp_path / "c" / "journal.jsonl").read_text().splitlines()[0])["replaced"]

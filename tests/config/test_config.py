import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml

from acemaker.config import (
    CampaignConfig,
    EngineConfig,
    OracleConfig,
    OTFConfig,
    PotentialConfig,
    SystemConfig,
)
from acemaker.config.base import Section
from acemaker.config.campaign import parameter_homes
from acemaker.config.described import field_of
from acemaker.errors import ConfigError
from acemaker.headless.notebook import NotebookDescription
from acemaker.headless.parameters import gather

EMT = {"oracle": "emt"}
SECTIONS = [
    field.annotation
    for field in CampaignConfig.model_fields.values()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
]


def test_defaults_are_the_documented_ones() -> None:
    rule = OTFConfig()
    assert (rule.threshold_add_train, rule.threshold_call_dft, rule.threshold_break) == (2, 5, 20)
    assert (rule.check_every, rule.smooth_steps) == (5, 3)
    assert (rule.n_candidates, rule.perturbation_scale, rule.n_select) == (15, 0.05, 1)
    assert (rule.max_retries, rule.max_otf_iterations) == (2, 100)
    assert EngineConfig().restart_every == 50


def test_small_thresholds_are_legal() -> None:
    OTFConfig(threshold_add_train=0.02, threshold_call_dft=0.05, threshold_break=0.2)


@pytest.mark.parametrize(
    ("section", "values", "words"),
    [
        (
            OTFConfig,
            {"threshold_call_dft": 1.0},
            ["threshold_add_train <= threshold_call_dft", "call_dft=1,"],
        ),
        (OTFConfig, {"n_candidate": 3}, ["OTFConfig.n_candidate", "did you mean 'n_candidates'?"]),
        (OTFConfig, {"n_select": 0}, ["OTFConfig.n_select", "greater than 0", "got 0"]),
        (OTFConfig, {"n_select": 20}, ["n_select must not exceed n_candidates", "20 of 15"]),
        (OTFConfig, {"perturbation_scale": "wide"}, ["perturbation_scale", "valid number", "'wide'", "Å"]),
        (OTFConfig, {"strategies": {}}, ["OTFConfig.strategies", "at least 1"]),
        (OTFConfig, {"strategies": {"strain": 0}}, ["OTFConfig.strategies.strain", "greater than 0"]),
        (OTFConfig, {"strain_scale": 2}, ["OTFConfig.strain_scale", "less than 0.3", "dimensionless"]),
        (OTFConfig, {"candidate_temperature": 0}, ["OTFConfig.candidate_temperature", "greater than 0", "in K"]),
        (OTFConfig, {"mode_atoms": 0}, ["OTFConfig.mode_atoms", "greater than 0"]),
        (OTFConfig, {"mode_calculator": "emt"}, ["OTFConfig.mode_calculator", "'module:factory'", "'emt'"]),
        (EngineConfig, {"ensemble": "npe"}, ["EngineConfig.ensemble", "'npe'"]),
        (EngineConfig, {"temperature": (300,)}, ["EngineConfig.temperature", "in K at the first"]),
        (PotentialConfig, {"lmax_by_orders": (0, 1)}, ["equally long", "4 and 2"]),
        (PotentialConfig, {"lmax_by_orders": (1, 1, 1, 1)}, ["must start with 0"]),
        (SystemConfig, {"composition": {"Cu": 0.5, "Ni": 0.4}}, ["add up to 1", "0.9"]),
        (SystemConfig, {"supercell": (3, 3, 0)}, ["three positive repeats"]),
        (PotentialConfig, {"lmax_by_orders": (), "nradmax_by_orders": ()}, ["not empty"]),
        (SystemConfig, {"composition": {"Cu": 0.5, "Xx": 0.5}}, ["chemical elements", "Xx"]),
        (SystemConfig, {"composition": {"X": 0.5, "Cu": 0.5}}, ["chemical elements, got X"]),
        (SystemConfig, {"composition": {"Cu": float("nan"), "Ni": 0.5}}, ["finite number", "nan"]),
        (SystemConfig, {"composition": {"Cu": float("inf"), "Ni": float("-inf")}}, ["finite number", "inf"]),
        (OracleConfig, {"oracle": "lammps"}, ["needs pair_style and pair_coeff", "Cu_mishin1"]),
        (OracleConfig, {"oracle": "abacus"}, ["'module:factory'", "'abacus'"]),
        (CampaignConfig, {"oracle": EMT, "engine": {"restart_every": 7}}, ["multiple of otf.check_every", "7 and 5"]),
        (CampaignConfig, {"oracle": EMT, "otf": {"n_selct": 2}}, ["OTFConfig.n_selct", "'n_select'"]),
        (CampaignConfig, {}, ["OracleConfig", "needs pair_style and pair_coeff"]),
    ],
)
def test_errors_name_field_value_and_remedy(section: Any, values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        section(**values)
    for word in words:
        assert word in str(error.value)


def test_one_value_stands_for_what_stays() -> None:
    assert EngineConfig(temperature=300, pressure=1.5).temperature == (300, 300)
    assert EngineConfig(pressure=1.5).pressure == (1.5, 1.5)
    assert OracleConfig(pair_style="eam", pair_coeff="1 1 Cu_u3.eam").pair_coeff == ("1 1 Cu_u3.eam",)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_no_real_number_is_infinite_or_undefined(value: float) -> None:
    names = [name for name in parameter_homes() if "float" in str(field_of(name)).lower()]
    assert len(names) > 40
    for name in names:
        default = default_value(name)
        many: object = {"Cu": value} if isinstance(default, dict) else (value, value)
        with pytest.raises(ConfigError, match=name):
            CampaignConfig.from_parameters(
                {"oracle": "emt", name: many if isinstance(default, dict | tuple) else value}
            )


def default_value(name: str) -> object:
    field = field_of(name)
    assert field is not None
    default: object = field.get_default(call_default_factory=True)
    return default


def test_sections_are_frozen() -> None:
    with pytest.raises(Exception, match="frozen"):
        OTFConfig().n_select = 2


def test_flat_parameters_find_their_sections() -> None:
    config = CampaignConfig.from_parameters(
        {"seed": 3, "n_select": 1, "steps": 100, "cutoff": 4.5, "structure": "Al", "oracle": "emt"}
    )
    assert (config.seed, config.otf.n_select, config.engine.steps) == (3, 1, 100)
    assert (config.potential.cutoff, config.system.structure, config.oracle.oracle) == (4.5, "Al", "emt")


def test_an_unknown_parameter_is_named_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="unknown parameter 'treshold_break'; did you mean 'threshold_break'"):
        CampaignConfig.from_parameters({"treshold_break": 10, "oracle": "emt"})


def test_a_notebooks_variables_are_picked_and_typing_errors_found() -> None:
    names = {"oracle": "emt", "n_select": 2, "directory": "x", "tolerance": 3.0, "np": object(), "_n_select": 1}
    assert CampaignConfig.from_namespace(names).otf.n_select == 2
    with pytest.raises(ConfigError, match="'treshold_break'; did you mean 'threshold_break'"):
        CampaignConfig.from_namespace({"oracle": "emt", "treshold_break": 3})


def test_field_names_are_unique_across_sections() -> None:
    names = [name for section in SECTIONS for name in section.model_fields]
    assert len(names) == len(set(names)) == len(parameter_homes()) - 2


def test_every_field_is_described() -> None:
    for section in SECTIONS:
        for name, field in section.model_fields.items():
            assert field.description, f"{section.__name__}.{name}"


UNITS = (
    "seconds",
    "Å",
    "fs",
    "in K",
    "GPa",
    "in Ry",
    "eV",
    "Bohr magnetons",
    "dimensionless",
    "fraction",
    "Fraction",
    "weight",
    "repeats",
    "Parameter of",
    "1/ps",
    "elementary charges",
)


def test_every_real_number_has_a_unit() -> None:
    for section in SECTIONS:
        for name, field in section.model_fields.items():
            if "float" in str(field.annotation) or field.annotation is float:
                assert any(unit in str(field.description) for unit in UNITS), f"{section.__name__}.{name}"


def test_yaml_and_json_say_the_same(tmp_path: Path) -> None:
    config = CampaignConfig(seed=4, oracle=EMT, otf={"n_select": 2}, system={"composition": {"Cu": 0.5, "Ni": 0.5}})
    path = tmp_path / "campaign.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    assert CampaignConfig.from_yaml(path) == config


@pytest.mark.parametrize(("text", "word"), [("- 1\n", "mapping"), ("a: [", "cannot read")])
def test_yaml_that_is_no_configuration(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "campaign.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=word):
        CampaignConfig.from_yaml(path)
    with pytest.raises(ConfigError, match="cannot read"):
        CampaignConfig.from_yaml(tmp_path / "missing.yaml")


def test_differences_leave_out_the_bounds() -> None:
    one = CampaignConfig(oracle=EMT)
    two = CampaignConfig(oracle=EMT, seed=2, otf={"n_select": 3, "max_otf_iterations": 7})
    assert one.differences(two) == ["seed: 1 -> 2", "otf.n_select: 1 -> 3"]


def test_coefficients_without_their_quotes_say_where_these_belong() -> None:
    with pytest.raises(
        ConfigError, match=r"must be the arguments of one command, '\* \* Al', or .* in quotes, \['\* \* Al'\]"
    ):
        OracleConfig(pair_style="eam/alloy", pair_coeff="[* * Al]")


@pytest.mark.parametrize("wrong", [2, [2, 2], [2, 2, 2, 2], [2, "a", 2], "cubic"])
def test_a_wrong_supercell_is_explained(wrong: object) -> None:
    with pytest.raises(ConfigError) as refused:
        SystemConfig(supercell=wrong)
    (line,) = str(refused.value).splitlines()
    assert line.startswith("SystemConfig.supercell: must be three whole numbers, e.g. [3, 3, 3], got ")


def test_a_number_for_both_ends_of_a_ramp_is_refused_once() -> None:
    with pytest.raises(ConfigError) as refused:
        EngineConfig(temperature=-700)
    assert str(refused.value).startswith(
        "EngineConfig.temperature: input should be greater than 0, got -700 (Temperature in K at"
    )
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("text", [b"seed: " + b"9" * 5000, b"\xff", b"1: 2", b"[" * 20_000, b"engine: {1: 2}"])
def test_a_yaml_file_that_is_none_is_an_error_of_acemakers(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "c.yaml").write_bytes(text)
    notebook = NotebookDescription(path=Path(), types={}, defaults={}, takes_all=True, complete=True)
    with pytest.raises(ConfigError, match=r"c\.yaml"):
        CampaignConfig.from_yaml(tmp_path / "c.yaml")
    with pytest.raises(ConfigError, match=r"c\.yaml|pair_style"):
        CampaignConfig.from_parameters(gather(notebook, [tmp_path / "c.yaml"], []))


def test_an_error_names_the_fields_whose_own_values_are_invalid() -> None:
    def fields_of(**parameters: Any) -> tuple[str, ...]:
        with pytest.raises(ConfigError) as refused:
            CampaignConfig.from_parameters({"oracle": "emt", **parameters})
        pickled: ConfigError = pickle.loads(pickle.dumps(refused.value))
        assert (str(pickled), pickled.fields) == (str(refused.value), refused.value.fields)
        return refused.value.fields

    assert fields_of(steps=-1, temperature=(300, "x")) == ("EngineConfig.steps", "EngineConfig.temperature")
    assert fields_of(walkers=0) == ("CampaignConfig.walkers",)
    assert fields_of(walkers=[{"steps": 3}]) == ("WalkerConfig.steps",)
    assert fields_of(walkers=[{"seed": 2}, {"seed": 2}]) == ("CampaignConfig.walkers",)
    # each value is possible, with other values of the other fields
    assert fields_of(threshold_call_dft=100.5, threshold_break=50.25) == ()
    assert fields_of(oracle="lammps") == ()

"""`acemaker parameters`: every parameter, as a user would type it."""

from __future__ import annotations

import pytest

from acemaker import CampaignConfig
from acemaker.cli import main
from acemaker.config.campaign import parameter_homes
from acemaker.config.described import field_of
from acemaker.headless.parameters import read_value


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, str]:
    assert main(["parameters", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    typed = [line.strip() for line in lines if line.startswith("  ") and not line.startswith("   ")]
    return dict(line.split("=", 1) for line in typed)


def test_all_are_listed_and_can_be_typed_as_they_stand(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    found = listed(capsys)
    assert list(found) == list(parameter_homes())
    values = {name: read_value(text, "str" if isinstance(default(name), str) else "") for name, text in found.items()}
    assert CampaignConfig.from_parameters({**values, "oracle": "emt"}) == CampaignConfig(oracle={"oracle": "emt"})
    main(["parameters"])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    assert "\n\notf: Thresholds, candidates, selection and limits of the loop.\n" in out
    assert "  ensemble=npt\n      One of nve, nvt, npt, csvr, langevin, nph. Thermodynamic ensemble; nvt and npt" in out
    assert "  timestep=2.0\n      Time step in fs.\n" in out


def default(name: str) -> object:
    field = field_of(name)
    assert field is not None
    return field.get_default(call_default_factory=True)


def test_a_word_is_looked_for_in_names_and_meanings(capsys: pytest.CaptureFixture[str]) -> None:
    assert {"threshold_call_dft", "threshold_break", "smooth_steps"} <= set(listed(capsys, "Threshold"))
    assert set(listed(capsys, "barostat")) == {"pressure_coupling", "barostat_time"}
    assert main(["parameters", "treshold_brake"]) == 1
    assert "did you mean 'threshold_break'?" in capsys.readouterr().err

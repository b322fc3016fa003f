"""A campaign from elsewhere runs no code that its files name until the user allows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import acemaker
import acemaker.analysis
from acemaker import Campaign, CampaignConfig
from acemaker.config import OracleConfig
from acemaker.config.campaign import parameter_homes
from acemaker.errors import CampaignError, ConfigError, UntrustedError
from acemaker.loop.journal import sealed
from acemaker.loop.trusted_code import check_trusted, named_code, record_trusted
from acemaker.states import State
from acemaker.testing import ToyEngine, halting_at, toy_config
from tests.labeling.halted import config as told_config
from tests.labeling.halted import tell

ROOT = Path(__file__).parents[2]

NAMED: dict[str, Any] = {
    "oracle": "elsewhere:calculator",
    "espresso_command": "elsewhere.sh",
    "cold_start": "elsewhere:calculator",
    "mode_calculator": "elsewhere:calculator",
    "strategies": {"elsewhere:strategy": 1.0},
    "baseline_calculator": "elsewhere:calculator",
    "pretrain_calculator": "elsewhere:calculator",
    "trainer": "elsewhere:trainer",
    "pacemaker_environment": "elsewhere",
    "uncertainty": "elsewhere:calculator",
    "committee_trainer": "elsewhere:trainer",
    "committee_options": {"foundation_model": "elsewhere"},
    "committee_environment": "elsewhere",
    "lammps": "elsewhere.sh",
    "launcher": "elsewhere.sh",
    "executor": "elsewhere:executor",
    "scratch": "/elsewhere",
    "label_store": "/elsewhere",
}
"""A value for each parameter that names something to be run, or a folder to be written to."""


def stand_still(site: Any, config: Any, rng: Any) -> Any:
    while True:
        yield site.structure.copy()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a module that records when it is imported."""
    told = tmp_path / "told"
    (tmp_path / "elsewhere.py").write_text(
        f"from pathlib import Path\nfrom ase.calculators.emt import EMT as calculator\nPath({str(told)!r}).touch()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return told


def with_parameters(**parameters: Any) -> CampaignConfig:
    made = toy_config().model_dump()
    made["engine"]["engine"] = "isolated"
    for name, value in parameters.items():
        made[parameter_homes()[name] or "seed"][name] = value
    return CampaignConfig(**made)


def by_mail(tmp_path: Path, config: CampaignConfig) -> Path:
    """Create a campaign whose journal names code that was not run on this machine."""
    directory = tmp_path / "c"
    with Campaign.create(directory, toy_config(), engine=ToyEngine(200, halting_at(100))) as campaign:
        campaign.prepare()
    lines = (directory / "journal.jsonl").read_bytes().splitlines(keepends=True)
    first = {**json.loads(lines[0]), "config": config.model_dump(mode="json")}
    del first["checksum"]
    # who makes a campaign to do harm can make checksums, too
    (directory / "journal.jsonl").write_bytes(b"".join([sealed(json.dumps(first)), *lines[1:]]))
    return directory


@pytest.mark.parametrize("name", NAMED)
def test_opening_says_what_would_be_run_and_runs_nothing(tmp_path: Path, elsewhere: Path, name: str) -> None:
    directory = by_mail(tmp_path, with_parameters(**{name: NAMED[name]}))
    before = (directory / "journal.jsonl").read_bytes()
    words = rf"names code to run or folders to write.*{name} = .*elsewhere.*open the campaign with allow_code=True"
    with pytest.raises(UntrustedError, match=words):
        Campaign.open(directory)
    assert (directory / "journal.jsonl").read_bytes() == before
    attached = acemaker.attach(directory)
    assert "EXPLORE ●" in repr(attached)
    if name != "baseline_calculator":  # which the potential's file does not name here
        assert attached.generation is not None
    attached.report()
    assert not elsewhere.exists()


def test_whoever_gives_their_word_is_asked_once(tmp_path: Path, elsewhere: Path) -> None:
    config = with_parameters(oracle="elsewhere:calculator", label_process="this")
    directory = by_mail(tmp_path, config)
    with pytest.raises(UntrustedError):
        Campaign.open(directory)
    with Campaign.open(directory, engine=ToyEngine(200, halting_at(100)), allow_code=True) as campaign:
        assert campaign.run().state is State.DONE
    assert elsewhere.exists()
    Campaign.open(directory).close()
    other = by_mail(tmp_path / "other", with_parameters(oracle="elsewhere:calculator", oracle_arguments={"a": 1}))
    with pytest.raises(UntrustedError, match=r"before: oracle_arguments = \{'a': 1\}"):
        Campaign.open(other)


def test_what_was_made_or_given_here_needs_no_word(tmp_path: Path, elsewhere: Path) -> None:
    directory = tmp_path / "c"
    Campaign.create(directory, with_parameters(strategies={"tests.loop.test_trusted_code:stand_still": 1.0})).close()
    Campaign.open(directory).close()
    mailed = by_mail(tmp_path / "mailed", with_parameters(lammps="elsewhere.sh", trainer="elsewhere:trainer"))
    with pytest.raises(UntrustedError, match="trainer"):
        Campaign.open(mailed, lammps="python")
    Campaign.open(mailed, lammps="python", trainer_factory=lambda: None).close()  # type: ignore[arg-type,return-value]
    assert not elsewhere.exists()


def test_a_potentials_file_names_no_other_code_than_the_configuration(tmp_path: Path, elsewhere: Path) -> None:
    directory = by_mail(tmp_path, toy_config())
    file = directory / "potentials" / "potential_v1.json"
    described = json.loads(file.read_text())
    del described["checksum"]
    for baseline in (
        {"calculator": "elsewhere:calculator", "arguments": {}},
        {"style": "zbl 1 2\nshell touch x", "coeff": ["* * 29 29"], "files": []},
        {"style": 5, "coeff": [1], "files": ["../../x"]},
        5,
    ):
        file.write_text(json.dumps({**described, "baseline": baseline}))
        for campaign in (acemaker.attach(directory), Campaign.open(directory)):
            with pytest.raises(CampaignError, match=r"another baseline|names code to run|cannot be read"):
                campaign.generation  # noqa: B018
            if isinstance(campaign, Campaign):
                campaign.close()
    assert not elsewhere.exists()


class Told:
    """Records that it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.file),)


def test_a_label_that_was_left_is_not_unpickled(tmp_path: Path) -> None:
    config, told = told_config(tmp_path), tmp_path / "unpickled"
    tell(tmp_path)
    with Campaign.create(tmp_path / "one", config, engine=ToyEngine(200, halting_at(100))) as campaign:
        keys = {entry.key for entry in campaign.run().progress.labels}
    trap = np.empty(1, dtype=object)
    trap[0] = Told(told)
    with Campaign.create(tmp_path / "two", config, engine=ToyEngine(200, halting_at(100))) as campaign:
        queue = campaign.directory / "queue"
        queue.mkdir(exist_ok=True)
        for key in keys:
            np.savez(queue / f"{key}.npz", rest=trap)
            with pytest.raises(ValueError, match="allow_pickle"):
                np.load(queue / f"{key}.npz")["rest"]
        assert {entry.key for entry in campaign.run().progress.labels} == keys
    assert not told.exists()


COMMANDS: list[tuple[str, dict[str, Any]]] = [
    ("lammps", {"amendments": ["shell touch {told}"]}),
    ("lammps", {"lammps_header": ["units metal", "shell touch {told}", "atom_style atomic"]}),
    ("lammps", {"post_changebox_cmds": ["shell touch {told}"]}),
    ("lammps", {"log_file": "{told}"}),
    ("emt", {"directory": "{told}"}),
    ("espresso", {"command": "touch {told}"}),
    ("tblite", {"xtb_config": "{told}"}),
]


@pytest.mark.parametrize(("oracle", "arguments"), COMMANDS, ids=[next(iter(row[1])) for row in COMMANDS])
def test_no_command_comes_in_by_the_arguments_of_a_built_in_oracle(
    tmp_path: Path, oracle: str, arguments: dict[str, Any]
) -> None:
    told = tmp_path / "told"
    given = json.loads(json.dumps(arguments).replace("{told}", str(told)))
    directory = by_mail(tmp_path, toy_config())
    lines = (directory / "journal.jsonl").read_bytes().splitlines(keepends=True)
    first = json.loads(lines[0])
    del first["checksum"]
    first["config"]["oracle"] |= {
        "oracle": oracle,
        "oracle_arguments": given,
        "ecutwfc": 20.0,
        "pair_style": "eam/alloy",
        "pair_coeff": ["* * Cu_mishin1.eam.alloy Cu"],
    }
    (directory / "journal.jsonl").write_bytes(b"".join([sealed(json.dumps(first)), *lines[1:]]))
    with pytest.raises(CampaignError, match=f"the '{oracle}' oracle has no argument '{next(iter(given))}'"):
        Campaign.open(directory)
    assert repr(acemaker.attach(directory))  # reading needs no valid oracle, and runs nothing
    assert not told.exists()
    settings = {"pair_style": "eam/alloy", "pair_coeff": "* * Cu_mishin1.eam.alloy Cu", "ecutwfc": 20}
    with pytest.raises(ConfigError, match=r"To use all arguments of the calculator, pass its path: oracle='[\w.]+:"):
        OracleConfig(oracle=oracle, oracle_arguments=given, **settings)


def test_arguments_of_built_in_oracles() -> None:
    assert OracleConfig(oracle="emt", oracle_arguments={"asap_cutoff": True}).oracle_arguments
    assert OracleConfig(oracle="tblite", oracle_arguments={"method": "GFN1-xTB", "charge": -1}).oracle_arguments
    with pytest.raises(ConfigError, match=r"no argument 'acuracy'; did you mean 'accuracy'\?"):
        OracleConfig(oracle="tblite", oracle_arguments={"acuracy": 0.1})


def test_judging_an_attached_campaign_asks_for_permission(tmp_path: Path) -> None:
    style = {
        "pair_style": "hybrid/overlay zero 4.0 python 5.0",
        "pair_coeff": ("* * zero", "* * python elsewhere.X Cu"),
    }
    config = with_parameters(oracle="lammps", **style)
    for attempt in (acemaker.analysis.evaluate_accuracy, acemaker.analysis.validate):
        attached = acemaker.attach(by_mail(tmp_path / attempt.__name__, config))
        with pytest.raises(UntrustedError, match=r"pair_style = \['hybrid/overlay zero 4.0 python"):
            attempt(attached)


def test_a_baseline_in_lammps_that_calls_python_asks_for_permission(tmp_path: Path) -> None:
    parameters = {"baseline_style": "python 5.0", "baseline_coeff": ("* * elsewhere.X Cu",)}
    directory = by_mail(tmp_path, with_parameters(**parameters))
    file = directory / "potentials" / "potential_v1.json"
    described = json.loads(file.read_text())
    del described["checksum"]
    baseline = {"style": "python 5.0", "coeff": ["* * elsewhere.X Cu"], "files": []}
    file.write_text(json.dumps({**described, "baseline": baseline}))
    with pytest.raises(UntrustedError, match="baseline_style = "):
        acemaker.attach(directory).generation  # noqa: B018


def test_a_name_that_leads_elsewhere_is_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """A permission for a module or program of one folder does not apply to the same name in another."""
    monkeypatch.setattr("acemaker.loop.trusted_code._trusted", set())
    name = f"calc_{abs(hash(request.node.name)) % 10**6}"
    named = {"oracle": f"{name}:make", "lammps": "srun ./lmp", "pacemaker_environment": "env", "scratch": "labels"}
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.py").write_text("raise SystemExit('imported')\n")
        (tmp_path / folder / "lmp").touch()
    monkeypatch.chdir(tmp_path / "a")
    monkeypatch.syspath_prepend("")
    record_trusted(named)
    check_trusted(named, tmp_path)
    monkeypatch.chdir(tmp_path / "b")
    with pytest.raises(UntrustedError, match=rf"oracle = '{name}:make'; lammps = .*; pacemaker_environment.*; scratch"):
        check_trusted(named, tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    monkeypatch.chdir(tmp_path / "link")
    check_trusted(named, tmp_path)
    ask = "from acemaker.loop.trusted_code import check_trusted; from pathlib import Path; "
    command = [sys.executable, "-P", "-c", f"{ask}check_trusted({named}, Path('.'))"]  # as a console script: no cwd
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_an_environment_in_the_current_folder_is_asked_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not named_code(with_parameters(trainer="pacemaker"))
    (tmp_path / ".pacemaker").mkdir()
    assert named_code(with_parameters(trainer="pacemaker")) == {"pacemaker_environment": str(tmp_path / ".pacemaker")}


def test_what_cannot_be_remembered_is_asked_once_a_process(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    directory = by_mail(tmp_path, with_parameters(oracle="elsewhere:nothing", label_process="this"))
    with pytest.raises(UntrustedError):
        Campaign.open(directory)
    Campaign.open(directory, allow_code=True).close()
    Campaign.open(directory).close()


def test_every_parameter_that_names_code_is_known() -> None:
    """By the words of their descriptions, so that a new parameter cannot be forgotten."""
    for name, home in parameter_homes().items():
        section = CampaignConfig if home is None else CampaignConfig.model_fields[home].annotation
        description = section.model_fields[name].description
        if any(word in description.lower() for word in ("'module:", "command line", "a python executable")):
            assert name in NAMED, name
    for name, value in NAMED.items():
        assert list(named_code(with_parameters(**{name: value}))) == [name]
    assert not named_code(CampaignConfig.from_parameters({"oracle": "emt"}))

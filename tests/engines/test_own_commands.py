"""LAMMPS commands of the user: exact resume, and what is refused with a reason before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from acemaker import CampaignConfig
from acemaker.config import EngineConfig
from acemaker.config.own_commands import FIXES, REASONS
from acemaker.errors import ConfigError, StructureError
from acemaker.lammps.ensemble import check_ensemble
from acemaker.lammps.library import open_lammps
from acemaker.loop.checks import check_settings
from acemaker.loop.store import Store
from acemaker.potentials.generation import Generation
from acemaker.testing.contracts import AbortedError
from tests.conftest import copper
from tests.engines.test_conditions import KINDS, abort, explore

GROUPS = {"low": {"z": (None, 1.0)}, "up": {"indices": ["24:32"]}}
EXAMPLES: dict[str, list[str]] = {
    "addforce": ["variable push equal 0.05*sin(0.1*step)", "fix a up addforce 0 0 v_push"],
    "aveforce": ["fix a up aveforce 0.0 NULL NULL"],
    "heat": ["fix a all heat 1 5.0"],
    "indent": ["fix a all indent 1.0 sphere 3.6 3.6 3.6 1.5 units box"],
    "lineforce": ["fix a low lineforce 1 0 0"],
    "planeforce": ["fix a low planeforce 0 0 1"],
    "restrain": ["fix a all restrain bond 1 2 0.5 0.5 2.0"],
    "setforce": ["fix a low setforce 0.0 0.0 NULL"],
    "spring": ["fix a low spring couple up 0.5 NULL NULL 1.0 0.0"],
    "viscous": ["compute speed low ke", "fix a Cu viscous 0.01"],
    "wall/region": [
        "region inside block 0 7.23 0 7.23 -1 8 units box",
        "fix a all wall/region inside harmonic 1 0 1.5",
    ],
}
MATRIX = [
    pytest.param(
        kind,
        style,
        id=f"{kind}, {style}",
        marks=() if kind == KINDS[0] or (kind, style) == ("native", "spring") else pytest.mark.slow,
    )
    for kind in KINDS
    for style in EXAMPLES
]


def test_every_accepted_fix_has_an_example() -> None:
    assert tuple(EXAMPLES) == FIXES
    lmp = open_lammps()
    assert set(FIXES) <= set(lmp.available_styles("fix"))
    lmp.close()


@pytest.mark.parametrize(("kind", "style"), MATRIX)
def test_a_killed_run_goes_on_to_the_same_bits(
    tmp_path: Path, copper_generation: Generation, native_lammps: str, kind: str, style: str
) -> None:
    run: dict[str, Any] = {"atom_groups": GROUPS, "lammps_commands": EXAMPLES[style], "ensemble": "langevin"}
    start = copper()
    start.positions += 0.3  # no atom is on a wall
    whole = explore(kind, native_lammps, tmp_path / "whole", copper_generation, start, **run)
    with pytest.raises(AbortedError):
        explore(kind, native_lammps, tmp_path / "part", copper_generation, start, {"on_check": abort}, **run)
    resumed = explore(kind, native_lammps, tmp_path / "part", copper_generation, start, **run)
    assert np.array_equal(resumed.frames[-1].positions, whole.frames[-1].positions)
    assert np.array_equal(resumed.frames[-1].get_momenta(), whole.frames[-1].get_momenta())
    assert np.array_equal(resumed.timeline.gamma_max, whole.timeline.gamma_max)
    free = explore("inprocess", "", tmp_path / "free", copper_generation, start, ensemble="langevin")
    assert np.abs(free.frames[-1].positions - whole.frames[-1].positions).max() > 1e-6


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("shell rm -r /", "runs code"),
        ("python f input 1 v_x", "runs code"),
        ("include other.in", "runs code"),
        ("jump SELF again", "runs code"),
        ('if "1 > 0" then quit', "runs code"),
        ("print hello file x", "runs code"),
        ("group tip id 1", "define the group in atom_groups"),
        ("run 100", "set steps, or stages"),
        ("pair_style lj/cut 5", "the potential is that of the campaign"),
        ("write_data x", "expected one of fix, compute, region, variable"),
        ("fix a all deposit 10 1 100 5 region x", "changes the number of atoms"),
        ("fix a all evaporate 10 1 x 5", "changes the number of atoms"),
        ("fix a all gcmc 1 1 1 1 1 300 0 0", "changes the number of atoms"),
        ("fix a all atom/swap 1 1 2 300 types 1 2", "changes elements"),
        ("fix a all nve", "choose ensemble"),
        ("fix a all npt temp 1 1 1 iso 0 0 1", "choose ensemble"),
        ("fix a all nvt/sllod temp 1 1 1", "choose ensemble"),
        ("fix a all msst z 10 q 100", "choose ensemble"),
        ("fix a all langevin 300 300 1 5", "choose ensemble"),
        ("fix a all temp/berendsen 300 300 1", "choose ensemble"),
        ("fix a all rigid single", "choose ensemble"),
        ("fix a all deform 1 x erate 1", "set strain_rates"),
        ("fix a all momentum 1 linear 1 1 1", "set remove_momentum_every"),
        ("fix a all spring/self 1.0", "memory"),
        ("fix a all plumed plumedfile x outfile y", "memory"),
        ("fix a all colvars x", "memory"),
        ("fix a all ave/time 1 1 1 c_x file y", "memory"),
        ("fix a all print 1 x file y", "memory"),
        ("fix a all setforces 0 0 0", "did you mean 'setforce'"),
        ("fix a nowhere setforce 0 0 0", "'nowhere' is no group"),
        ("fix ace all setforce 0 0 0", "that acemaker does not use itself"),
        ("fix ensemble_2 all setforce 0 0 0", "that acemaker does not use itself"),
        ("fix a all", "expected a name, a style and arguments"),
        ("fix a all setforce 0 0 $(shell)", "LAMMPS would interpret"),
        ("fix a all setforce 0 0 0 # 1", "LAMMPS would interpret"),
        ('fix a all setforce 0 0 "0"', "LAMMPS would interpret"),
        ("fix a all setforce 0 0 ${x}", "LAMMPS would interpret"),
        ("variable x equal 1 &", "LAMMPS would interpret"),
        ("compute x all msd", "compute msd is not among"),
        ("compute x all mliap linear 1 f", "compute mliap is not among"),
        ("fix a all setforce 0 0 0\tshell", "plain ASCII"),
        ("variable x python f", "style equal or atom"),
        ("variable x getenv HOME", "style equal or atom"),
        ("variable x file y", "style equal or atom"),
        ("variable x equal random(0,1,5)", "'random' depends on"),
        ("variable x equal elapsed*2", "'elapsed' depends on"),
        ("variable x equal $(step)", "LAMMPS would interpret"),
        ("  ", "empty text"),
    ],
)
def test_other_commands_are_refused_with_the_reason(command: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EngineConfig(ensemble="nvt", lammps_commands=[command])


def test_a_line_break_is_not_a_second_command() -> None:
    with pytest.raises(ConfigError, match="a line break"):
        EngineConfig(lammps_commands=["fix a all setforce 0 0 0\nshell ls -l"])
    lines = EngineConfig(
        ensemble="nvt", lammps_commands="fix a all viscous 1\n\n fix b all viscous 2\n"
    ).lammps_commands
    assert lines == ("fix a all viscous 1", "fix b all viscous 2")
    with pytest.raises(ConfigError, match="runs code"):
        EngineConfig(ensemble="nvt", lammps_commands="fix a all viscous 1\nshell ls -l")


def test_every_fix_of_lammps_is_accepted_or_refused() -> None:
    lmp = open_lammps()
    styles = lmp.available_styles("fix")
    lmp.close()
    accepted = []
    for style in styles:
        try:
            EngineConfig(ensemble="nvt", lammps_commands=[f"fix a all {style} 1 1 1"])
            accepted.append(style)
        except ConfigError as error:
            assert style in str(error)
    assert sorted(accepted) == sorted(FIXES)
    assert len(REASONS) == 6


def test_what_lammps_rejects_is_refused_before_anything_is_labeled(tmp_path: Path) -> None:
    for command, message in (
        ("fix a all viscous", "Illegal fix viscous command"),
        ("fix a all setforce 0 0", "LAMMPS rejects the commands"),
        ("fix a all addforce 0 0 v_missing", "LAMMPS rejects the commands"),
        ("fix a all wall/region missing harmonic 1 0 2", "LAMMPS rejects the commands"),
        ("fix a all spring tether one NULL NULL 1 0", "LAMMPS rejects the commands"),
    ):
        with pytest.raises(ConfigError, match=message):
            config = CampaignConfig.from_parameters(
                {"oracle": "emt", "structure": "Cu", "ensemble": "nvt", "lammps_commands": [command]}
            )
            check_settings(Store(tmp_path / "c"), config, None, None, None)
    assert not (tmp_path / "c").exists()


def test_combinations_without_meaning_are_refused() -> None:
    command = ["fix a all viscous 0.1"]
    with pytest.raises(ConfigError, match="together with strain_rates"):
        EngineConfig(ensemble="nvt", lammps_commands=command, strain_rates={"z": 0.001})
    with pytest.raises(ConfigError, match="define 'a' twice"):
        EngineConfig(ensemble="nvt", lammps_commands=command * 2)
    with pytest.raises(StructureError, match="not available for a cluster"):
        check_ensemble(EngineConfig(ensemble="nvt", lammps_commands=command), Atoms("Cu2", [[0, 0, 0], [2, 0, 0]]))

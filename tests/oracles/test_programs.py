"""Oracles by the names of their programs: inputs, missing programs, and labels where the program is installed."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.cluster import Icosahedron

from acemaker.campaign import Campaign
from acemaker.config import CampaignConfig, OracleConfig
from acemaker.errors import AcemakerError, Cause, ConfigError, MissingLibraryError, OracleError, StructureError
from acemaker.loop.trusted_code import named_code
from acemaker.oracles.factory import calculator_factory
from acemaker.oracles.oracle import Oracle
from acemaker.oracles.process import make_oracle
from acemaker.testing import OracleContract

ABINIT_FILES = Path("/usr/share/abinit/psp")
abinit_is_here = pytest.mark.skipif(
    shutil.which("abinit") is None or not ABINIT_FILES.is_dir(), reason="no abinit: apt-get install abinit abinit-data"
)
cp2k_is_here = pytest.mark.skipif(
    shutil.which("cp2k_shell.psmp") is None, reason="no cp2k_shell.psmp: apt-get install cp2k cp2k-data"
)
gpaw_is_here = pytest.mark.skipif(
    importlib.util.find_spec("gpaw") is None, reason="no GPAW: apt-get install libxc-dev; make gpaw"
)

ARGUMENTS: dict[str, dict[str, Any]] = {
    "gpaw": {
        "mode": {"name": "pw", "ecut": 200},
        "xc": "LDA",
        "kpts": {"size": [1, 1, 1]},
        "occupations": {"name": "fermi-dirac", "width": 0.2},
    },
    "abinit": {"ecut": 200, "pps": "tm", "xc": "LDA", "kpts": [1, 1, 1], "tolvrs": 1e-8, "occopt": 3, "tsmear": 0.1},
    "cp2k": {"xc": "LDA", "cutoff": 5442, "basis_set_file": "BASIS_MOLOPT", "potential_file": "POTENTIAL"},
    "vasp": {"xc": "PBE", "encut": 400, "kpts": [2, 2, 2]},
    "mace": {"model": "mace.model"},
}


def config(oracle: str, **arguments: Any) -> OracleConfig:
    return OracleConfig(oracle=oracle, oracle_arguments={**ARGUMENTS.get(oracle, {}), **arguments}, oracle_timeout=300)


def silicon() -> Atoms:
    atoms = bulk("Si", "diamond", a=5.43)
    atoms.rattle(0.1, seed=1)
    return atoms


def without_programs(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("PATH", str(folder))
    for name in ("ASE_VASP_COMMAND", "VASP_COMMAND", "VASP_PP_PATH", "ASE_CP2K_COMMAND", "ABINIT_PP_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("oracle", "words"),
    [
        ("abinit", "there is no abinit on the PATH; install it: apt-get install abinit"),
        ("cp2k", "there is no cp2k_shell on the PATH; install it: apt-get install cp2k"),
        ("vasp", "licensed software: install it, and set ASE_VASP_COMMAND"),
    ],
)
def test_a_missing_program_is_named_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, oracle: str, words: str
) -> None:
    without_programs(monkeypatch, tmp_path)
    with pytest.raises(OracleError, match=words) as caught:
        calculator_factory(config(oracle), ("Si",))
    assert caught.value.cause is Cause.PROGRAM_MISSING
    parameters = {"structure": "Si", "crystal": "diamond", "n_functions": 15, "oracle": oracle, "ensemble": "nvt"}
    settings = CampaignConfig.from_parameters({**parameters, "oracle_arguments": ARGUMENTS[oracle]})
    with pytest.raises(OracleError, match=words):
        Campaign.create(tmp_path / "c", settings)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("oracle", "package", "words"),
    [
        ("gpaw", "gpaw", "install it by 'make gpaw'"),
        ("mace", "mace", "pip install mace-torch"),
        ("chgnet", "chgnet", "pip install 'acemaker"),
        ("sevennet", "sevenn", "pip install 'acemaker"),
    ],
)
def test_a_missing_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, oracle: str, package: str, words: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # what is None cannot be imported
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find_spec(name))
    model = tmp_path / "mace.model"
    model.write_bytes(b"")
    arguments = {"model": str(model)} if oracle == "mace" else {}
    with pytest.raises(MissingLibraryError, match=words):
        calculator_factory(config(oracle, **arguments), ("Si",))


@pytest.mark.parametrize(
    ("oracle", "arguments", "words"),
    [
        ("gpaw", {"mod": {}}, "the 'gpaw' oracle has no argument 'mod'; did you mean 'mode'"),
        ("gpaw", {"txt": "/etc/passwd"}, "the 'gpaw' oracle has no argument 'txt'"),
        ("cp2k", {"command": "rm"}, "the 'cp2k' oracle has no argument 'command'"),
        ("cp2k", {"inp": "@INCLUDE x"}, "the 'cp2k' oracle has no argument 'inp'"),
        ("mace", {"models": "x"}, "did you mean 'model'"),
        ("chgnet", {"device": "cuda"}, "the 'chgnet' oracle has no argument 'device'"),
        ("sevennet", {"path": "x"}, "the 'sevennet' oracle has no argument 'path'"),
    ],
)
def test_unknown_arguments_are_refused_by_name(oracle: str, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        OracleConfig(oracle=oracle, oracle_arguments=arguments)


@pytest.mark.parametrize(
    ("oracle", "arguments", "words"),
    [
        ("gpaw", {}, "the 'gpaw' oracle needs 'mode'"),
        ("gpaw", {"mode": "pw", "kpts": [[0, 0, 0], [0.5, 0, 0]]}, "got a list of points"),
        ("abinit", {}, "the 'abinit' oracle needs 'ecut'"),
        ("abinit", {"ecut": 200, "getden_filepath": "/etc/passwd"}, "'getden_filepath' is not accepted"),
        ("abinit", {"ecut": 200, "xc": "PBE\ninclude x"}, "expected a number or a plain word for 'xc'"),
        ("abinit", {"ecut": 200, "pps": "nosuch"}, r"no pseudopotential of Si with pps='nosuch' and xc='LDA'"),
        ("cp2k", {"xc": "PBE\n@INCLUDE 'x'"}, "expected a number or a plain word for 'xc'"),
        ("vasp", {"enctu": 400}, "VASP has no variable 'enctu'; did you mean 'encut'"),
        ("vasp", {"command": "rm"}, "VASP has no variable 'command'"),
        ("mace", {}, "needs the path of a model file.*nothing is downloaded"),
        ("mace", {"model": "medium"}, "got 'medium'; nothing is downloaded"),
    ],
)
def test_arguments_that_cannot_be_right_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, oracle: str, arguments: dict[str, Any], words: str
) -> None:
    if oracle in ("gpaw", "mace"):
        pytest.importorskip("gpaw" if oracle == "gpaw" else "ase")
    for program in ("abinit", "cp2k_shell.psmp", "vasp_std"):
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("ASE_VASP_COMMAND", "vasp_std")
    monkeypatch.setenv("VASP_PP_PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=words):
        calculator_factory(OracleConfig(oracle=oracle, oracle_arguments=arguments), ("Si",))


def test_vasp_is_started_with_ases_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """VASP itself is not available here: its input is written, and a program that fails is reported."""
    potentials = tmp_path / "potpaw_PBE" / "Si"
    potentials.mkdir(parents=True)
    (potentials / "POTCAR").write_text(
        "  PAW_PBE Si 05Jan2001\n 4.00\n   VRHFIN =Si: s2p2\n   ZVAL = 4.000\n End of Dataset\n"
    )
    program = tmp_path / "vasp_std"
    program.write_text(f"#!/bin/sh\ncp INCAR POSCAR KPOINTS {tmp_path}\nexit 7\n")
    program.chmod(0o755)
    monkeypatch.setenv("ASE_VASP_COMMAND", str(program))
    monkeypatch.setenv("VASP_PP_PATH", str(tmp_path))
    with pytest.raises(OracleError):
        make_oracle(config("vasp"), ("Si",)).label(silicon())
    assert "ENCUT = 400" in (tmp_path / "INCAR").read_text()
    assert (tmp_path / "POSCAR").read_text().split()[0] == "Si"


@pytest.mark.parametrize(("mode", "has_stress"), [({"name": "pw", "ecut": 200}, True), ("lcao", False), ("fd", False)])
def test_gpaws_modes_without_stress_are_no_oracle_under_a_barostat(tmp_path: Path, mode: Any, has_stress: bool) -> None:
    pytest.importorskip("gpaw", reason="no GPAW: make gpaw")
    parameters = {"structure": "Al", "supercell": [2, 2, 2], "n_functions": 15, "oracle": "gpaw"}
    settings = CampaignConfig.from_parameters({**parameters, "oracle_arguments": {"mode": mode}})
    if has_stress:
        Campaign.create(tmp_path / "c", settings).close()
    else:
        with pytest.raises(ConfigError, match="'npt' needs the stress"):
            Campaign.create(tmp_path / "c", settings)


@abinit_is_here
@pytest.mark.slow
class TestAbinit(OracleContract):
    def make_oracle(self) -> Oracle:
        return make_oracle(config("abinit"), ("Si",))

    def make_structure(self) -> Atoms:
        return silicon()


@abinit_is_here
def test_a_variable_that_abinit_does_not_know_is_reported() -> None:
    with pytest.raises(OracleError, match=r"NSTEPP.*not one of the registered input variable names"):
        make_oracle(config("abinit", nstepp=4), ("Si",)).label(silicon())


@cp2k_is_here
@pytest.mark.slow
def test_cp2k_labels() -> None:
    hydrogen = Atoms("H2", [[2.5, 2.5, 2.1], [2.5, 2.5, 3.0]], cell=[5, 5, 5], pbc=True)
    labeled = make_oracle(config("cp2k"), ("H",)).label(hydrogen)
    assert 0.5 < np.abs(labeled.get_forces()).max() < 20
    assert np.isfinite(labeled.get_stress()).all()


@gpaw_is_here
@pytest.mark.slow
def test_gpaw_labels() -> None:
    labeled = make_oracle(config("gpaw"), ("Si",)).label(silicon())
    assert 0.5 < np.abs(labeled.get_forces()).max() < 10
    assert np.isfinite(labeled.get_stress()).all()


@pytest.mark.parametrize("name", ["chgnet", "sevennet"])
@pytest.mark.slow
def test_universal_potentials_label_in_this_process_and_are_loaded_once(tmp_path: Path, name: str) -> None:
    pytest.importorskip({"chgnet": "chgnet", "sevennet": "sevenn"}[name], reason="make universal")
    from acemaker.oracles import universal
    from acemaker.oracles.process import is_inline

    settings = OracleConfig(oracle=name)
    assert is_inline(settings)
    oracle = make_oracle(settings, ("Si",))
    first = oracle.label(silicon())
    again = oracle.label(bulk("Si", "diamond", a=5.5))
    assert np.array_equal(oracle.label(silicon()).get_forces(), first.get_forces())
    assert again.get_potential_energy() != first.get_potential_energy()
    assert calculator_factory(settings, ("Si",))() is calculator_factory(settings, ("Si",))()
    fresh = getattr(universal, name)()
    assert fresh.get_potential_energy(silicon()) == pytest.approx(first.get_potential_energy(), abs=1e-4)


class StandIn(EMT):
    """Stands in for MACE, which is not installed here."""

    arguments: ClassVar[dict[str, Any]] = {}

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        type(self).arguments = arguments


def test_mace_gets_a_file_and_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, module = ModuleType("mace"), ModuleType("mace.calculators")
    module.MACECalculator = StandIn  # type: ignore[attr-defined]
    package.__spec__ = importlib.util.spec_from_loader("mace", None)
    monkeypatch.setitem(sys.modules, "mace", package)
    monkeypatch.setitem(sys.modules, "mace.calculators", module)
    pytest.importorskip("torch")
    model = tmp_path / "my mace.model"
    model.write_bytes(b"")
    settings = config("mace", model=str(model), head="omat")
    labeled = make_oracle(settings, ("Cu",)).label(bulk("Cu"))
    assert labeled.get_potential_energy() == pytest.approx(EMT().get_potential_energy(bulk("Cu")))
    assert StandIn.arguments == {
        "model_paths": str(model),
        "device": "cpu",
        "default_dtype": "float64",
        "head": "omat",
    }


def test_a_model_file_of_another_machine_needs_permission(tmp_path: Path) -> None:
    """It is unpickled, which can run any code."""
    model = tmp_path / "x.model"
    model.write_bytes(b"")
    for name in ("mace", "chgnet", "sevennet"):
        settings = CampaignConfig.from_parameters(
            {"structure": "Cu", "oracle": name, "oracle_arguments": {"model": str(model)}}
        )
        assert named_code(settings)["oracle"] == name
    assert "oracle" not in named_code(CampaignConfig.from_parameters({"structure": "Cu", "oracle": "chgnet"}))


@pytest.mark.parametrize("oracle", ["abinit", "cp2k", "vasp", "gpaw", "chgnet"])
def test_programs_that_need_a_cell_say_so_before_anything_is_written(tmp_path: Path, oracle: str) -> None:
    parameters = {"oracle": oracle, "oracle_arguments": ARGUMENTS.get(oracle, {}), "n_functions": 15, "ensemble": "nvt"}
    with pytest.raises(StructureError, match=r"put a cluster or molecule into a .*box with vacuum"):
        Campaign.create(tmp_path / "c", CampaignConfig.from_parameters(parameters), structure=Icosahedron("Cu", 2))
    assert not (tmp_path / "c").exists()


def test_a_misspelled_name_is_answered_with_the_nearest() -> None:
    for name, nearest in {"gpw": "gpaw", "VASP": "vasp", "sevenet": "sevennet", "chgnett": "chgnet"}.items():
        with pytest.raises(AcemakerError, match=f"did you mean '{nearest}'" if name != "VASP" else "oracle must be"):
            OracleConfig(oracle=name)

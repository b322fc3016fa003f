"""Directories, structure files and potential files of any name, for every engine."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.io import write

import acemaker
from acemaker import Campaign, CampaignConfig
from acemaker.analysis import evaluate_accuracy
from acemaker.config import OracleConfig, PotentialConfig
from acemaker.errors import ConfigError
from acemaker.lammps.library import open_lammps, potentials_directory
from acemaker.lammps.paths import PlainPaths, check_path
from acemaker.oracles.factory import pair_commands
from acemaker.oracles.fingerprint import fingerprint
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.baseline_files import find_baseline
from acemaker.states import State
from tests.conftest import MISHIN, copper

NAMES = ["Müller", "研究", "ein Büro & Co", '100% *"gut"*', "a'b", "@1"]


def potential(path: Path) -> str:
    """Copy the potential to a file of another name, and write its coefficients."""
    folder = potentials_directory()
    assert folder is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "Cu_mishin1.eam.alloy", path)
    return f"* * {shlex.quote(str(path))} Cu"


@pytest.mark.parametrize("name", [f"{name}.eam.alloy" for name in NAMES] + ["kein Punkt für"])
def test_a_potential_file_of_any_name(tmp_path: Path, name: str) -> None:
    coeff = potential(tmp_path / "für 研究" / name)
    config = OracleConfig(oracle="lammps", pair_style="eam/alloy", pair_coeff=(coeff,))
    atoms = copper()
    atoms.rattle(0.1, seed=1)
    label, usual_label = (CalculatorOracle.from_config(oracle, ("Cu",)).label(atoms) for oracle in (config, MISHIN))
    assert np.array_equal(label.get_forces(), usual_label.get_forces())
    assert fingerprint(config, ("Cu",)) == fingerprint(MISHIN, ("Cu",))


@pytest.mark.parametrize(
    "folder", ["für 研究", "O'Brien", 'the "good" ones', "two  spaces", "back\\slash", "a 'b c' d"]
)
def test_a_path_need_not_be_quoted(tmp_path: Path, folder: str) -> None:
    """Nor does that of a baseline."""
    potential(tmp_path / folder / "Cu one.eam.alloy")
    coeff = f"* * {tmp_path}/{folder}/Cu one.eam.alloy Cu"
    config = OracleConfig(oracle="lammps", pair_style="eam/alloy", pair_coeff=(coeff,))
    assert fingerprint(config, ("Cu",)) == fingerprint(MISHIN, ("Cu",))
    label, usual_label = (CalculatorOracle.from_config(oracle, ("Cu",)).label(copper()) for oracle in (config, MISHIN))
    assert label.get_potential_energy() == usual_label.get_potential_energy()
    baseline = find_baseline(PotentialConfig(baseline_style="eam/alloy", baseline_coeff=(coeff,)), ("Cu",))
    assert baseline is not None
    assert baseline.evaluate(copper())[0] == pytest.approx(usual_label.get_potential_energy(), abs=1e-9)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    config = OracleConfig(
        oracle="lammps", pair_style="eam/alloy", pair_coeff=(f"* * '{tmp_path}/Kupfer für Jörg.eam' Cu",)
    )
    with pytest.raises(ConfigError, match=r"there is no file '.*/Kupfer für Jörg\.eam' here"):
        pair_commands(config, ("Cu",))
    with pytest.raises(ConfigError, match="quotation marks do not match"):
        pair_commands(OracleConfig(oracle="lammps", pair_style="eam", pair_coeff=("* * 'a.eam Cu",)))


def settings(oracle: dict[str, Any] | None = None, **engine: Any) -> CampaignConfig:
    return CampaignConfig(
        seed=1,
        system={"structure": "Cu", "lattice_constant": 3.615, "supercell": (2, 2, 2), "n_first": 1},
        otf={"n_candidates": 4, "n_select": 1, "threshold_add_train": 1.5, "threshold_call_dft": 2.5},
        engine={"steps": 300, "temperature": (300, 1200), "restart_every": 50, **engine},
        potential={"n_functions": 20, "cutoff": 4.5, "nradmax_by_orders": (8, 4, 2), "lmax_by_orders": (0, 3, 1)},
        oracle=oracle or MISHIN.model_dump(),
    )


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """The same campaign in a directory of a plain name."""
    directory = tmp_path_factory.mktemp("plain") / "c"
    campaign = Campaign.create(directory, settings()).run()
    assert campaign.progress.halt >= 1
    return campaign


def assert_as_usual(directory: Path, usual: Campaign) -> None:
    campaign = acemaker.attach(directory)
    assert campaign.state is State.DONE
    for label, usual_label in zip(campaign.labeled_structures(), usual.labeled_structures(), strict=True):
        assert np.array_equal(label.positions, usual_label.positions)
    last = f"potential_v{usual.progress.generation}.yaml"
    assert (directory / "potentials" / last).read_bytes() == (usual.directory / "potentials" / last).read_bytes()


@pytest.mark.parametrize("name", ["Müller", '研究 "*" 100%'])
def test_a_campaign_in_this_process(tmp_path: Path, usual: Campaign, name: str) -> None:
    """Interrupted at a halt and opened again; then its accuracy is evaluated."""
    directory = tmp_path / name / "Läufe"
    coeff = potential(tmp_path / name / "Kupfer für Jörg.eam.alloy")
    oracle = {"oracle": "lammps", "pair_style": "eam/alloy", "pair_coeff": (coeff,)}
    with Campaign.create(directory, settings(oracle)) as campaign:
        campaign.prepare()
        campaign.explore()
    with Campaign.open(directory) as campaign:
        campaign.run()
        assert evaluate_accuracy(campaign).force_rmse_all == evaluate_accuracy(usual).force_rmse_all
        assert campaign.report().is_file()
    assert_as_usual(directory, usual)


def test_a_campaign_in_a_python_child(tmp_path: Path, usual: Campaign) -> None:
    directory = tmp_path / "Müller 研究" / "c"
    Campaign.create(directory, settings(engine="isolated", lammps="python")).run()
    assert_as_usual(directory, usual)


def test_a_campaign_in_a_native_lammps(tmp_path: Path, usual: Campaign, native_lammps: str) -> None:
    """The program is in such a folder, too."""
    folder = tmp_path / "Müller 研究"
    folder.mkdir()
    script = folder / "lmp für mich"
    script.write_text(f'#!/bin/sh\nexec {native_lammps} "$@"\n')
    script.chmod(0o755)
    directory = folder / "c"
    campaign = Campaign.create(directory, settings(engine="isolated", lammps=shlex.quote(str(script)))).run()
    assert campaign.state is State.DONE
    assert campaign.progress.halts[0]["step"] == usual.progress.halts[0]["step"]
    campaign.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_structure_file_of_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.extxyz"
    with path.open("w") as stream:
        write(stream, copper(), format="extxyz")
    config = settings()
    system = config.system.model_copy(update={"structure": str(path), "supercell": (1, 1, 1), "lattice_constant": None})
    campaign = Campaign.create(tmp_path / "c", config.model_copy(update={"system": system}))
    assert np.allclose(campaign.initial_structure().positions, copper().positions)
    campaign.close()


def test_links_are_deleted_on_close(tmp_path: Path) -> None:
    file = tmp_path / "ü" / "é.eam.alloy"
    file.parent.mkdir()
    file.write_text("content")
    paths = PlainPaths()
    quoted = [paths.quote(file), paths.quote(file)]
    assert quoted[0] == quoted[1]
    name = Path(quoted[0].strip('"'))
    assert name.read_text() == "content" and name.suffixes == [".eam", ".alloy"]
    paths.close()
    assert not name.parent.exists()
    assert paths.quote(tmp_path / "plain.eam") == f'"{tmp_path}/plain.eam"'


def test_a_replaced_folder_is_opened_again(tmp_path: Path) -> None:
    paths, folder = PlainPaths(), tmp_path / "100%"
    for content in ("old", "new"):
        folder.mkdir()
        (folder / "a.eam").write_text(content)
        assert Path(paths.quote(folder / "a.eam").strip('"')).read_text() == content
        folder.rename(tmp_path / content)
    paths.close()


def test_a_file_that_does_not_exist_yet_can_be_written(tmp_path: Path) -> None:
    """LAMMPS writes a log of such a name in such a folder."""
    lmp, paths = open_lammps(), PlainPaths()
    (tmp_path / "ü").mkdir()
    for file in (tmp_path / "ü" / "log.lammps", tmp_path / "protokoll_ü.log"):
        lmp.command(f"log {paths.quote(file)}")
        lmp.command("print hello")
    lmp.close()
    paths.close()
    assert all("hello" in path.read_text() for path in (tmp_path / "ü" / "log.lammps", tmp_path / "protokoll_ü.log"))


def test_a_name_that_is_no_text_is_refused_at_once(tmp_path: Path) -> None:
    directory = tmp_path / "not UTF-8 \udcff"
    with pytest.raises(ConfigError, match=r"\\udcff.* is not valid UTF-8; choose another one"):
        Campaign.create(directory, settings())
    assert not directory.exists()


@pytest.fixture
def without_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide /proc, as on macOS."""
    monkeypatch.setattr("acemaker.lammps.paths.sys.platform", "darwin")


@pytest.mark.usefixtures("without_descriptors")
@pytest.mark.parametrize("name", NAMES)
def test_without_descriptors_folders_are_links(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if the folder for temporary files has such a name: then another one is used."""
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    check_path(folder / "c")
    lmp, paths = open_lammps(), PlainPaths()
    for file in (folder / "log.lammps", folder / "protokoll_ü.log"):
        quoted = paths.quote(file)
        assert "/proc/" not in quoted
        lmp.command(f"log {quoted}")
        lmp.command("print hello")
    lmp.close()
    links = [Path(paths.quote(file).strip('"')) for file in (folder / "log.lammps", folder / "protokoll_ü.log")]
    assert all("hello" in file.read_text() for file in (folder / "log.lammps", folder / "protokoll_ü.log"))
    paths.close()
    assert not any(link.exists() for link in links if link.parent != folder)


@pytest.mark.usefixtures("without_descriptors")
def test_a_campaign_without_descriptors(tmp_path: Path, usual: Campaign) -> None:
    directory = tmp_path / "Müller 研究" / "c"
    coeff = potential(tmp_path / "Müller 研究" / "Kupfer für Jörg.eam.alloy")
    oracle = {"oracle": "lammps", "pair_style": "eam/alloy", "pair_coeff": (coeff,)}
    Campaign.create(directory, settings(oracle)).run().close()
    assert_as_usual(directory, usual)


@pytest.mark.usefixtures("without_descriptors")
def test_without_descriptors_and_a_plain_folder_names_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("acemaker.lammps.paths.TEMPORARY", ())
    (tmp_path / "Müller").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "Müller"))
    with pytest.raises(ConfigError, match=r"set TMPDIR to another folder"):
        Campaign.create(tmp_path / "Müller" / "c", settings())
    assert not (tmp_path / "Müller" / "c").exists()
    with pytest.raises(ConfigError, match="set TMPDIR"):
        PlainPaths().quote(tmp_path / "Müller" / "log.lammps")
    check_path(tmp_path)

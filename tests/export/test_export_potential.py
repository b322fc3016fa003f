"""The exported folder of a potential: LAMMPS and ASE reproduce with it what the campaign computes."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

import acemaker
from acemaker import Campaign, CampaignConfig
from acemaker.campaign import AttachedCampaign
from acemaker.cli import main
from acemaker.engines.scratch import write_data
from acemaker.errors import ConfigError, DamagedFileError, StateError
from acemaker.export import potential
from acemaker.lammps.box import standard_form
from acemaker.lammps.script import header_commands, mass_commands
from acemaker.potentials.generation import Generation, read_generation
from acemaker.process.tail import ThermoReader
from acemaker.testing import ToyEngine, ToyOracle, toy_config
from tests.export.conftest import PARAMETERS

COPPER = {
    "structure": "Cu",
    "supercell": (2, 2, 2),
    "steps": 100,
    "n_functions": 20,
    "cutoff": 4.2,
    "pair_style": "eam/alloy",
    "pair_coeff": ["* * Cu_mishin1.eam.alloy Cu"],
    "oracle_check": False,
    "isolated_atoms": False,
}

KINDS: dict[str, dict[str, Any]] = {
    "with core repulsion": {"core_repulsion": "always"},
    "over a pair potential": {"baseline_style": "zbl 1.0 2.6", "baseline_coeff": ["* * 29 29"]},
    "over a file": {"baseline_style": "eam/alloy", "baseline_coeff": ["* * Cu_zhou.eam.alloy Cu"]},
}


def rattled(atoms: Atoms, scale: float = 0.15) -> Atoms:
    atoms.positions += np.random.default_rng(7).normal(scale=scale, size=atoms.positions.shape)
    return atoms


def triclinic_alloy() -> Atoms:
    atoms = bulk("Cu", "fcc", a=3.6, cubic=True).repeat(2)
    atoms.symbols[::3] = "Ni"
    atoms.set_cell(atoms.cell @ np.array([[1, 0, 0], [0.07, 1, 0], [0.03, -0.05, 1]]), scale_atoms=True)
    return rattled(atoms)


def copper_with_a_close_pair() -> Atoms:
    atoms = rattled(bulk("Cu", "fcc", a=3.615, cubic=True).repeat(2), 0.05)
    direction = atoms.get_distance(0, 1, mic=True, vector=True)
    atoms.positions[0] += direction * (1 - 1.3 / np.linalg.norm(direction))  # 1.3 Å apart
    return atoms


def readme_commands(folder: Path) -> list[str]:
    """The commands of LAMMPS in the README, for the energy on the scale of the labels, and for the potential."""
    return [
        line
        for block in re.findall(r"```lammps\n(.*?)```", (folder / "README.md").read_text(), re.S)
        for line in block.splitlines()
    ]


def run_lammps(native: str, exported: Path, elements: tuple[str, ...], atoms: Atoms, run: Path, name: str) -> Any:
    """Run the commands of the README in another folder: energy with references, forces, gamma (NaN without it)."""
    run.mkdir()
    write_data(run / "structure.data", atoms, elements, triclinic=False)
    commands = [line.replace("/path/of/this/folder", str(exported)) for line in readme_commands(exported)]
    commands = [line.replace("in.potential", name) for line in commands]
    columns = "id fx fy fz" + (" f_gamma" if "gamma" in name else "")
    text = [
        *header_commands(True),
        "read_data structure.data",
        *mass_commands(elements),
        *commands,
        "thermo_style custom step pe c_reference press",
        "thermo_modify line yaml flush yes format float %.17g",
        f"dump forces all custom 1 forces.dump {columns}",
        "dump_modify forces sort id format float %.17g",
        "run 0",
    ]
    (run / "in.run").write_text("\n".join(text) + "\n")
    command = [*shlex.split(native), "-in", "in.run", "-log", "log.lammps", "-nocite"]
    done = subprocess.run(command, cwd=run, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    thermo = ThermoReader().feed((run / "log.lammps").read_bytes())[-1]
    rows = (run / "forces.dump").read_text().split(f"ITEM: ATOMS {columns}")[1].split()
    values = np.array(rows, dtype=float).reshape(len(atoms), -1)
    return thermo["PotEng"] + thermo["c_reference"], values[:, 1:4], values[:, 4:], thermo["Press"]


def check_in_lammps(native: str, exported: Path, generation: Generation, atoms: Atoms, tmp_path: Path) -> None:
    atoms.calc = generation.calculator()
    rotation = standard_form(atoms)[2]
    for number, name in enumerate(("in.potential", "in.potential_gamma")):
        run = tmp_path / f"run {number}"
        energy, forces, gamma, pressure = run_lammps(native, exported, generation.elements, atoms, run, name)
        assert energy == pytest.approx(atoms.get_potential_energy(), abs=1e-8)
        assert np.allclose(forces, atoms.get_forces() @ rotation.T, atol=1e-8)
        expected = -atoms.get_stress()[:3].mean() / 6.241509e-7  # bar
        assert pressure == pytest.approx(expected, rel=1e-5, abs=0.1)
        if "gamma" in name:
            ace = atoms.calc.ace.results["gamma"]
            assert np.allclose(gamma[:, 0], ace, rtol=1e-6)


def test_lammps_runs_the_potential_of_the_campaign(
    campaign: AttachedCampaign, native_lammps: str, tmp_path: Path
) -> None:
    result = campaign.export_potential(tmp_path / "potential")
    assert result.in_lammps
    assert result.elements == ("Cu", "Ni")
    assert campaign.generation is not None
    check_in_lammps(native_lammps, result.directory, campaign.generation, triclinic_alloy(), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_lammps_runs_potentials_with_core_repulsion_and_baselines(
    native_lammps: str, tmp_path: Path, kind: str
) -> None:
    config = CampaignConfig.from_parameters({**COPPER, **KINDS[kind]})
    with Campaign.create(tmp_path / "c", config) as campaign:
        campaign.prepare()
        result = campaign.export_potential(tmp_path / "potential")
        generation = campaign.generation
    assert generation is not None
    assert bool(generation.core_radii) == (kind == "with core repulsion")
    assert (result.directory / "baseline_Cu_zhou.eam.alloy").exists() == (kind == "over a file")
    shutil.rmtree(tmp_path / "c")  # nothing of the campaign is needed
    here = read_generation(result.directory, generation.number)
    check_in_lammps(native_lammps, result.directory, here, copper_with_a_close_pair(), tmp_path)
    assert ("core repulsion" in (result.directory / "README.md").read_text()) == bool(generation.core_radii)


SNIPPET = """
import json, sys
if sys.argv[2] == "alone":
    sys.modules["acemaker"] = None  # importing it would fail
sys.path.insert(0, sys.argv[1])
from ase.io import read
from ase_calculator import calculator
rows = []
for atoms in read(sys.argv[3], ":"):
    atoms.calc = calculator()
    rows.append({"energy": atoms.get_potential_energy(), "forces": atoms.get_forces().tolist(),
                 "gamma": [str(x) for x in atoms.calc.results["gamma"]],
                 "stress": atoms.get_stress().tolist() if atoms.pbc.all() else None})
print("READ", json.dumps(rows))
"""


def check_in_ase(exported: Path, generation: Generation, structures: list[Atoms], tmp_path: Path, how: str) -> None:
    from ase.io import read, write

    write(tmp_path / "structures.extxyz", structures)
    command = [sys.executable, "-c", SNIPPET, str(exported), how, str(tmp_path / "structures.extxyz")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("READ ")]
    for row, atoms in zip(
        json.loads(line.removeprefix("READ ")), read(tmp_path / "structures.extxyz", ":"), strict=True
    ):
        atoms.calc = generation.calculator()
        assert row["energy"] == pytest.approx(atoms.get_potential_energy(), abs=1e-10)
        assert np.allclose(row["forces"], atoms.get_forces(), atol=1e-11)
        assert np.allclose(np.array(row["gamma"], dtype=float), atoms.calc.results["gamma"], rtol=1e-9)
        if atoms.pbc.all():
            assert np.allclose(row["stress"], atoms.get_stress(), atol=1e-12)


def test_the_calculator_for_ase_needs_no_acemaker(campaign: AttachedCampaign, tmp_path: Path) -> None:
    result = campaign.export_potential(tmp_path / "potential")
    left_handed = triclinic_alloy()
    left_handed.set_cell(left_handed.cell.array[[1, 0, 2]], scale_atoms=False)
    cluster = Atoms("Cu3Ni", [(0, 0, 0), (2.4, 0, 0), (0.3, 2.5, 0), (30, 0, 0)])  # one of them alone
    structures = [triclinic_alloy(), left_handed, cluster]
    assert campaign.generation is not None
    assert np.isinf(campaign.generation.few_neighbors.applied(cluster, np.zeros(4))[:3]).all()
    check_in_ase(result.directory, campaign.generation, structures, tmp_path, "alone")


def test_over_a_python_calculator_there_is_nothing_for_lammps(tmp_path: Path) -> None:
    config = CampaignConfig.from_parameters(
        {**COPPER, "isolated_atoms": True, "baseline_calculator": "ase.calculators.emt:EMT"}
    )
    with Campaign.create(tmp_path / "c", config) as campaign:
        campaign.prepare()
        result = campaign.export_potential(tmp_path / "potential")
        generation = campaign.generation
    assert generation is not None
    assert not result.in_lammps
    assert "not possible" in repr(result)
    assert not list(result.directory.glob("in.*"))
    assert "**Not possible**" in (result.directory / "README.md").read_text()
    structure = rattled(bulk("Cu", cubic=True).repeat(2))
    check_in_ase(result.directory, generation, [structure], tmp_path, "with acemaker")


def test_the_folder_is_read_again_as_the_same_potential(campaign: AttachedCampaign, tmp_path: Path) -> None:
    result = campaign.export_potential(tmp_path / "potential")
    here, there = campaign.generation, read_generation(result.directory, result.generation)
    assert here is not None
    assert np.array_equal(here.coefficients(), there.coefficients())
    assert there.reference_energies == here.reference_energies
    assert here.error_floor is not None
    there.force_error_model()
    assert sorted(path.name for path in result.directory.iterdir()) == list(result.files)


def test_the_readme_states_units_range_errors_and_articles(campaign: AttachedCampaign, tmp_path: Path) -> None:
    result = campaign.export_potential(tmp_path / "potential")
    text = (result.directory / "README.md").read_text()
    about = json.loads((result.directory / "about.json").read_text())
    validity = about["validity"]
    labels = campaign.trained_on()
    densities = [1.66053907 * atoms.get_masses().sum() / atoms.get_volume() for atoms in labels]
    assert validity["density"] == pytest.approx([min(densities), max(densities)], rel=1e-6)
    for pair in (("Cu", "Cu"), ("Cu", "Ni"), ("Ni", "Ni")):
        nearest = []
        for atoms in labels:
            distances = atoms.get_all_distances(mic=True)
            first, second = (np.array(atoms.get_chemical_symbols()) == symbol for symbol in pair)
            some = distances[np.ix_(first, second)]
            nearest.append(some[some > 0].min())
        assert validity["shortest"]["-".join(pair)] == pytest.approx(min(nearest), abs=1e-9)
        assert f"{'–'.join(pair)} {min(nearest):.2f} Å" in text
    temperatures = campaign.timeline().observables["temperature_K"]
    assert validity["run"]["temperature"] == pytest.approx([temperatures.min(), temperatures.max()])
    assert "| temperature that was set | 300 to 1200 K |" in text
    assert about["reference_energies_eV"] == {"Cu": -0.25, "Ni": 0.5}
    assessment = campaign.assess()
    assert about["force_error_meV_per_A"] == assessment.force_error is not None
    assert assessment.verdict in text
    assert str(len(labels)) in text
    for words in ("eV/Å³", "Drautz", "10.1038/s41524-021-00559-9", "10.1016/j.cpc.2021.108171", "Short distances"):
        assert words in text
    assert about["holes"] == [hole.fields() for hole in campaign.generation.holes]


def test_a_folder_with_other_files_is_never_replaced(campaign: AttachedCampaign, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    campaign.export_potential(other)  # an empty one is filled
    before = (other / "about.json").read_bytes()
    with pytest.raises(ConfigError, match="contains an exported potential already"):
        campaign.export_potential(other)
    (other / "extra").write_text("of an earlier export")
    campaign.export_potential(other, overwrite=True)
    assert not (other / "extra").exists()
    assert (other / "about.json").read_bytes() == before
    for name in ("notes.txt", "about.json"):
        full = tmp_path / f"with {name}"
        full.mkdir()
        (full / name).write_text("[1, 2]")
        with pytest.raises(ConfigError, match="contains other files, which are never replaced"):
            campaign.export_potential(full, overwrite=True)
        assert [path.name for path in full.iterdir()] == [name]
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="expected a folder"):
        campaign.export_potential(tmp_path / "file", overwrite=True)
    for path in (campaign.directory, campaign.directory / "potentials", campaign.directory / "new"):
        with pytest.raises(ConfigError, match="among the files of the campaign"):
            campaign.export_potential(path, overwrite=True)


def test_an_export_that_fails_leaves_the_earlier_one(
    campaign: AttachedCampaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = campaign.export_potential(tmp_path / "potential")
    before = {path.name: path.read_bytes() for path in result.directory.iterdir()}

    def failing(path: Path, content: str) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(potential, "write_whole", failing)
    with pytest.raises(ConfigError, match="No space left on device"):
        campaign.export_potential(tmp_path / "potential", overwrite=True)
    with pytest.raises(ConfigError, match="No space left on device"):
        campaign.export_potential(tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["potential"]
    assert {path.name: path.read_bytes() for path in result.directory.iterdir()} == before


def test_a_damaged_potential_and_a_missing_one_are_refused(
    campaign: AttachedCampaign, alloy_directory: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(alloy_directory, copy)
    attached = acemaker.attach(copy)
    assert attached.generation is not None
    attached.generation.yace.write_text("changed after it was read")
    with pytest.raises(DamagedFileError, match=r"potential_v\d+\.yace"):
        attached.export_potential(tmp_path / "potential")
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]
    with (
        Campaign.create(tmp_path / "new", toy_config(), engine=ToyEngine(200), oracle=ToyOracle()) as new,
        pytest.raises(StateError, match="no potential to export yet"),
    ):
        new.export_potential(tmp_path / "potential")


def test_the_command_exports_the_potential(
    campaign: AttachedCampaign, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert PARAMETERS["cutoff"] == 4.2
    command = ["export-potential", str(campaign.directory), str(tmp_path / "potential")]
    assert main(command) == 0
    assert "Exported potential of Cu, Ni: generation" in capsys.readouterr().out
    assert main(command) == 2
    assert "contains an exported potential already" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0

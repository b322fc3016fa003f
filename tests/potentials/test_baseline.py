"""A baseline under the ACE: subtracted from labels, added by every engine, kept with the potential."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.constraints import FixAtoms

from acemaker import Campaign, CampaignConfig
from acemaker.config import OracleConfig, PotentialConfig
from acemaker.engines.native_check import evaluate
from acemaker.engines.preflight import preflight
from acemaker.errors import ConfigError
from acemaker.lammps.library import potentials_directory
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.baseline_files import find_baseline
from acemaker.potentials.evaluator import Evaluator, evaluator_of
from acemaker.potentials.generation import Generation, read_generation
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.process.tail import ThermoReader
from acemaker.states import State
from tests.conftest import CUNI, MISHIN, alloy, copper, rattled, small_basis, train

ZBL = ("zbl 1.0 2.6", ("* * 29 29",))
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "zbl": ZBL,
    "lj/cut": ("lj/cut 5.0", ("1 1 0.1 2.3",)),
    "eam": ("eam", ("* * Cu_u3.eam",)),
    "eam/alloy": ("eam/alloy", ("* * Cu_zhou.eam.alloy Cu",)),
}
SILICON = OracleConfig(oracle="lammps", pair_style="sw", pair_coeff=("* * Si.sw Si",))


def over(style: str, coeff: tuple[str, ...], **more: Any) -> PotentialConfig:
    values = small_basis().model_dump() | {"baseline_style": style, "baseline_coeff": coeff} | more
    return PotentialConfig(**values)


def assert_engines_agree(generation: Generation, structure: Atoms, native_lammps: str, folder: Path) -> None:
    """In-process and natively, forces to 1e-9 eV/Å: the preflight raises otherwise."""
    evaluator = evaluator_of(generation)
    preflight(evaluator, structure, 1.0)

    def run(_: Evaluator, atoms: Atoms, skin: float) -> Any:
        return evaluate(shlex.split(native_lammps), generation, atoms, skin, folder, 60.0)

    differences = preflight(evaluator, structure, 1.0, run)
    assert differences["forces"] < 1e-9
    assert differences["energy"] < 1e-9


@pytest.mark.parametrize("kind", list(KINDS))
def test_both_engines_run_the_sum(tmp_path: Path, native_lammps: str, kind: str) -> None:
    generation = train(tmp_path / "potentials", copper(), MISHIN, over(*KINDS[kind]))
    assert_engines_agree(generation, copper(), native_lammps, tmp_path / "run")
    assert generation.baseline is not None
    parts = generation.baseline.evaluate(rattled(copper(), 1)[0])
    assert abs(parts[0]) > 0.1, "the baseline does nothing here"


def test_a_tersoff_file_under_silicon(tmp_path: Path, native_lammps: str) -> None:
    silicon = bulk("Si", cubic=True).repeat(2)
    generation = train(tmp_path / "potentials", silicon, SILICON, over("tersoff", ("* * Si.tersoff Si",)))
    assert_engines_agree(generation, silicon, native_lammps, tmp_path / "run")


def test_an_alloy_in_a_triclinic_cell(tmp_path: Path, native_lammps: str) -> None:
    coeff = ("1 1 29 29", "1 2 29 28", "2 2 28 28")
    generation = train(tmp_path / "potentials", alloy(), CUNI, over("zbl 1.0 2.8", coeff), n=6)
    assert_engines_agree(generation, alloy(), native_lammps, tmp_path / "run")


def test_what_the_baseline_knows_is_not_learned(tmp_path: Path) -> None:
    """With the oracle itself for a baseline there is nothing left for the ACE."""
    trainer = LinearTrainer(over("eam/alloy", ("* * Cu_mishin1.eam.alloy Cu",)), ["Cu"])
    oracle = CalculatorOracle.from_config(MISHIN, ("Cu",))
    labels = [oracle.label(atoms) for atoms in rattled(copper(), 4)]
    training = trainer.train(labels, number=1, directory=tmp_path, predecessor=None, halted=None, gamma_limit=2.0)
    assert np.abs(training.generation.coefficients()).max() < 1e-6
    assert training.generation.reference_energies["Cu"] == pytest.approx(0.0, abs=1e-9)
    assert training.train_errors.forces < 1e-4  # meV/Å: ASE's stress in eV/Å^3 differs in the eighth digit
    # what is shown is the whole label
    assert training.forces[:, 0] == pytest.approx(np.concatenate([atoms.get_forces().ravel() for atoms in labels]))
    assert training.forces[:, 1] == pytest.approx(training.forces[:, 0], abs=1e-6)
    assert training.energies[:, 1] == pytest.approx(training.energies[:, 0], abs=1e-6)


def test_predictions_are_those_of_the_sum(tmp_path: Path) -> None:
    trainer = LinearTrainer(over(*ZBL), ["Cu"])
    oracle = CalculatorOracle.from_config(MISHIN, ("Cu",))
    labels = [oracle.label(atoms) for atoms in rattled(copper(), 4)]
    training = trainer.train(labels, number=1, directory=tmp_path, predecessor=None, halted=None, gamma_limit=2.0)
    evaluator = evaluator_of(training.generation)
    forces = np.concatenate([evaluator.structure(atoms).forces.ravel() for atoms in labels])
    assert training.forces[:, 1] == pytest.approx(forces, abs=1e-9)
    reference = training.generation.reference_energies["Cu"]
    energies = [evaluator.structure(atoms).energy / len(atoms) + reference for atoms in labels]
    assert training.energies[:, 1] == pytest.approx(np.array(energies), abs=1e-9)


def test_the_calculator_is_the_sum(tmp_path: Path) -> None:
    generation = train(tmp_path, copper(), MISHIN, over(*ZBL))
    assert read_generation(tmp_path, 1) == generation
    atoms = rattled(copper(1), 1)[0]
    atoms.calc = generation.calculator()
    assert atoms.get_forces()[:2] == pytest.approx(calculate_numerical_forces(atoms, eps=1e-4, iatoms=[0, 1]), abs=1e-5)
    assert atoms.get_stress() == pytest.approx(calculate_numerical_stress(atoms, eps=1e-5), abs=1e-6)
    result = evaluator_of(generation).structure(atoms)
    reference = len(atoms) * generation.reference_energies["Cu"]
    assert atoms.get_potential_energy() == pytest.approx(result.energy + reference, abs=1e-10)
    assert atoms.get_forces() == pytest.approx(result.forces, abs=1e-10)
    order = [0, 1, 2, 5, 4, 3]  # pyace's xx yy zz xy xz yz
    assert atoms.get_stress()[order] * atoms.get_volume() == pytest.approx(result.virial, abs=1e-5)
    assert result.gamma is not None
    assert atoms.calc.results["gamma"] == pytest.approx(result.gamma, rel=1e-9)
    held = atoms.copy()
    held.set_constraint(FixAtoms(range(4)))
    held.calc = generation.calculator()
    assert not held.get_forces().any()
    assert held.get_forces(apply_constraint=False) == pytest.approx(result.forces, abs=1e-10)


def test_a_cluster(tmp_path: Path) -> None:
    cluster = Atoms("Cu8", [[x, y, z] for x in (0, 2.3) for y in (0, 2.4) for z in (0, 2.5)])
    config = over(*ZBL, n_functions=6)
    generation = train(tmp_path, cluster, OracleConfig(oracle="emt"), config, n=6)
    preflight(evaluator_of(generation), cluster, 1.0)
    cluster.calc = generation.calculator()
    assert cluster.get_forces() == pytest.approx(calculate_numerical_forces(cluster, eps=1e-4), abs=1e-5)


@pytest.mark.parametrize("over_zbl", [True, False])
def test_lammps_runs_the_potential_from_the_file_beside_it(tmp_path: Path, native_lammps: str, over_zbl: bool) -> None:
    """The commands of ``potential_v1.in`` are all that a user of LAMMPS needs."""
    generation = train(tmp_path, copper(), MISHIN, over(*ZBL) if over_zbl else small_basis())
    text = (
        "units metal\nlattice fcc 3.5\nregion all block 0 2 0 2 0 2\ncreate_box 1 all\ncreate_atoms 1 box\n"
        f"mass 1 63.5\ninclude {generation.lammps_input.name}\n"
        "thermo_style custom step pe\nthermo_modify line yaml format float %.17g\nrun 0\n"
    )
    (tmp_path / "in.user").write_text(text)
    command = [*shlex.split(native_lammps), "-in", "in.user", "-log", "log.user"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    thermo = ThermoReader().feed((tmp_path / "log.user").read_bytes())[-1]
    crystal = bulk("Cu", "fcc", a=3.5, cubic=True).repeat(2)
    assert thermo["PotEng"] == pytest.approx(evaluator_of(generation).structure(crystal).energy, abs=1e-8)
    (added,) = re.findall(
        r"^# to obtain the energies of the oracle.*: Cu (\S+)$", generation.lammps_input.read_text(), re.M
    )
    crystal.calc = generation.calculator()
    total = thermo["PotEng"] + len(crystal) * float(added)
    assert total == pytest.approx(crystal.get_potential_energy(), abs=1e-8)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"baseline_style": "zbl 1 2"}, "needs both"),
        ({"baseline_coeff": ["* * 29 29"]}, "needs both"),
        ({"baseline_style": "hybrid zbl 1 2", "baseline_coeff": ["* * 29 29"]}, "be added to the ACE"),
        ({"baseline_style": "zbl 1 2\nshell true", "baseline_coeff": ["* * 29 29"]}, "a pair style and its numbers"),
        ({"baseline_style": "zbl $(1) 2", "baseline_coeff": ["* * 29 29"]}, "a pair style and its numbers"),
    ],
)
def test_a_baseline_that_cannot_be(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        PotentialConfig(**values)


@pytest.mark.parametrize(
    ("coeff", "words"),
    [
        ("* * 29 29 & shell", "expected plain keywords"),
        ("* * ${x} 29", "expected plain keywords"),
        ("* * 29 29;shell", "expected plain keywords"),
        ("* * '29\nshell true'", "expected plain keywords"),
        ("* * nowhere.eam Cu", "no file 'nowhere.eam'"),
        (
            "* * Cu_mishin1.eam.alloy Ni",
            r"for Ni, but the structure contains Cu; the file contains Cu: write '\* \* Cu_m",
        ),
        ("* * 'open quote", "quotation"),
        ("1", "at least two types"),
    ],
)
def test_coefficients_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coeff: str, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a*.eam").touch()
    with pytest.raises(ConfigError, match=words):
        find_baseline(over("zbl 1.0 2.6", (coeff,)), ("Cu",))


@pytest.mark.parametrize(
    ("coeff", "words"),
    [
        (("1 1 29 29", "2 2 28 28"), r"no coefficients for Cu-Ni \('1 2 ...'\)"),
        (("1 * 29 29",), "no coefficients for Ni-Ni"),
        (("1 3 29 29",), "a type from 1 to 2"),
        (("1 x 29 29",), "a type from 1 to 2"),
    ],
)
def test_every_pair_of_elements_needs_coefficients(coeff: tuple[str, ...], words: str) -> None:
    """LAMMPS mixes them for a style by itself, and leaves the pair out of an overlay."""
    with pytest.raises(ConfigError, match=words):
        find_baseline(over("zbl 1.0 2.6", coeff), ("Cu", "Ni"))


def test_two_files_of_one_name(tmp_path: Path) -> None:
    for folder in "pq":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "my.eam").write_text(folder)
    with pytest.raises(ConfigError, match=r"would both be stored as baseline_my\.eam"):
        find_baseline(over("eam", (f"1 1 {tmp_path}/p/my.eam", f"2 2 {tmp_path}/q/my.eam", "1 2 x")), ("Cu", "Ni"))


@pytest.mark.parametrize("name", ["a b & c.eam", 'Müller\'s "*" 100%.eam', "研究.eam", "α"])
def test_a_file_of_any_name_is_kept_with_the_potential(tmp_path: Path, native_lammps: str, name: str) -> None:
    folder = potentials_directory()
    assert folder is not None
    original = tmp_path / "my $own 100% 'file' \"*\" für 研究" / name
    original.parent.mkdir()
    shutil.copy(folder / "Cu_u3.eam", original)
    generation = train(tmp_path / "potentials", copper(), MISHIN, over("eam", (f"* * {shlex.quote(str(original))}",)))
    original.unlink()
    assert_engines_agree(generation, copper(), native_lammps, tmp_path / "run")
    assert evaluator_of(read_generation(tmp_path / "potentials", 1)).structure(copper()).energy == pytest.approx(
        evaluator_of(train(tmp_path / "other", copper(), MISHIN, over("eam", ("* * Cu_u3.eam",))))
        .structure(copper())
        .energy
    )


def small_campaign(**changes: Any) -> CampaignConfig:
    values: dict[str, Any] = {
        "seed": 3,
        "system": {"structure": "Cu", "lattice_constant": 3.615, "supercell": (2, 2, 2), "n_first": 1},
        "otf": {"n_candidates": 4, "n_select": 1, "threshold_add_train": 1.5, "threshold_call_dft": 2.5},
        "engine": {"steps": 400, "temperature": (300, 1200), "restart_every": 50},
        "potential": over(*ZBL, n_functions=20, cutoff=4.5).model_dump(),
        "oracle": MISHIN.model_dump(),
    }
    return CampaignConfig(**{name: value | changes.get(name, {}) for name, value in values.items() if name != "seed"})


def test_a_campaign_over_a_baseline(tmp_path: Path, native_lammps: str) -> None:
    """The same to the bit in this process and in a Python child; natively it ends as well."""
    done = {}
    for kind, engine in {
        "here": {},
        "child": {"engine": "isolated", "lammps": "python"},
        "native": {"engine": "isolated", "lammps": native_lammps},
    }.items():
        with Campaign.create(tmp_path / kind, small_campaign(engine=engine)) as campaign:
            campaign.run()
        done[kind] = campaign
    here, child, native = done["here"], done["child"], done["native"]
    assert here.progress.halts, "the test needs a halt"
    assert [halt["step"] for halt in here.progress.halts] == [halt["step"] for halt in child.progress.halts]
    assert native.progress.halts[0]["step"] == here.progress.halts[0]["step"]
    assert np.array_equal(here.timeline().gamma_max, child.timeline().gamma_max)
    assert native.state is State.DONE
    assert here.generation is not None
    assert here.generation.baseline is not None
    # labels are whole: a plain oracle gives the same
    label = next((tmp_path / "here" / "labels").rglob("*.extxyz"))
    from ase.io import read

    atoms = read(label)
    again = CalculatorOracle.from_config(MISHIN, ("Cu",)).label(atoms)
    assert atoms.get_potential_energy() == pytest.approx(again.get_potential_energy(), abs=1e-5)


def test_a_baseline_that_lammps_refuses_leaves_nothing_behind(tmp_path: Path) -> None:
    config = small_campaign(potential={"baseline_style": "zbl 1.0 2.6", "baseline_coeff": ("* * 29",)})
    with pytest.raises(ConfigError, match="LAMMPS rejected the baseline"):
        Campaign.create(tmp_path / "run", config)
    assert not (tmp_path / "run").exists() or not list((tmp_path / "run").iterdir())


def test_a_campaign_goes_on_with_the_file_that_it_began_with(tmp_path: Path) -> None:
    folder = potentials_directory()
    assert folder is not None
    original = tmp_path / "own.eam"
    shutil.copy(folder / "Cu_u3.eam", original)
    config = small_campaign(potential={"baseline_style": "eam", "baseline_coeff": (f"* * {original}",)})
    with Campaign.create(tmp_path / "run", config) as campaign:
        campaign.prepare()
    original.unlink()
    with Campaign.open(tmp_path / "run") as campaign:
        campaign.run()
        assert campaign.state is State.DONE

"""Labels in outputs of pw.x and VASP, with their settings, and those that are not converged."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from acemaker import Campaign, CampaignConfig, OracleConfig
from acemaker.errors import ConfigError
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.structures.computed import energy_of, forces_of, stress_of
from acemaker.structures.first_label_files import read_label_file
from acemaker.structures.label_keys import quantity_of, voigt_of
from acemaker.structures.label_settings import different_settings
from tests.conftest import rattled, small_basis
from tests.structures.vasp_outputs import outcar, vasprun

PW = Path(__file__).parent / "outputs" / "silicon_md.pwo"
SW = OracleConfig(oracle="lammps", pair_style="sw", pair_coeff=("* * Si.sw Si",))


@pytest.fixture(scope="module")
def labels() -> list[Atoms]:
    """Silicon of 16 atoms."""
    oracle = CalculatorOracle.from_config(SW, ("Si",))
    return [oracle.label(atoms) for atoms in rattled(bulk("Si", a=5.43, cubic=True).repeat((2, 1, 1)), 6, scale=0.08)]


def config(file: Path | list[Path], **changes: object) -> CampaignConfig:
    basis = small_basis().model_dump(include={"n_functions", "cutoff", "nradmax_by_orders", "lmax_by_orders"})
    files = [str(path) for path in (file if isinstance(file, list) else [file])]
    settings = {"structure": "Si", "supercell": (2, 1, 1), "steps": 40, "ensemble": "nvt", "n_probes": 0, **basis}
    own = {"oracle": "object", "oracle_check": False, "isolated_atoms": False}
    return CampaignConfig.from_parameters({**settings, **own, "first_labels": files, **changes})


def allowed(_digest: str) -> None:
    """Permit everything."""


@pytest.mark.parametrize("kind", ["OUTCAR", "vasprun.xml"])
def test_outputs_of_vasp_are_first_labels(tmp_path: Path, labels: list[Atoms], kind: str) -> None:
    text = outcar(labels) if kind == "OUTCAR" else vasprun(labels)
    (tmp_path / kind).write_text(text)
    (tmp_path / f"{kind}.gz").write_bytes(gzip.compress(text.encode()))
    for name in (kind, f"{kind}.gz"):
        oracle = CalculatorOracle.from_config(SW, ("Si",))
        with Campaign.create(tmp_path / f"c_{name}", config(tmp_path / name), oracle=oracle) as campaign:
            campaign.prepare()
            source, stored = campaign.first_labels().sources[0], campaign.labeled_structures()
        assert (source.kind, source.n_used, source.stress) == (kind, 6, "eV/Å^3")
        for mine, theirs in zip(labels, stored, strict=True):
            assert energy_of(theirs) == pytest.approx(energy_of(mine), abs=1e-7)  # to which the forces belong
            assert np.allclose(forces_of(theirs), forces_of(mine), atol=1e-6)
            assert np.allclose(stress_of(theirs), stress_of(mine), atol=1e-6)


def test_an_output_of_pw_x_is_first_labels(tmp_path: Path) -> None:
    file = read_label_file(PW, {}, allowed)
    assert len(file.records) == 3
    assert file.settings["plane-wave cutoff"] == "8.0000"
    assert file.settings["pseudopotential of Si"] == "Si.pbe-rrkj.UPF"
    assert file.records[0].energy == pytest.approx(-196.135013, abs=1e-5)  # -14.41574836 Ry
    oracle = CalculatorOracle.from_config(SW, ("Si",))
    settings = config(PW, supercell=(1, 1, 1), n_functions=6, n_first=1)
    with Campaign.create(tmp_path / "c", settings, oracle=oracle) as campaign:
        first = campaign.first_labels()
        campaign.label()
        stored = campaign.labeled_structures()
    assert first.sources[0].n_used == 3
    assert first.sources[0].kind == "output of pw.x"
    assert np.allclose(forces_of(stored[0])[0], [2.97794, -1.82061, 0.36748], atol=1e-5)
    assert stress_of(stored[0])[0] == pytest.approx(-0.199752, abs=1e-6)


def test_structures_that_are_not_converged_are_left_out(tmp_path: Path, labels: list[Atoms]) -> None:
    iterations = [12, 60, 12, 12, 12, 12]
    (tmp_path / "OUTCAR").write_text(outcar(labels, iterations=iterations))
    (tmp_path / "vasprun.xml").write_text(vasprun(labels, iterations=iterations))
    for name in ("OUTCAR", "vasprun.xml"):
        problems = [record.problem for record in read_label_file(tmp_path / name, {}, allowed).records]
        assert [bool(problem) for problem in problems] == [False, True, False, False, False, False]
        assert "did not converge" in problems[1]
    text = outcar(labels)
    (tmp_path / "ml").write_text(text.replace("aborting loop because EDIFF is reached", "machine-learned forces", 1))
    problems = [record.problem for record in read_label_file(tmp_path / "ml", {}, allowed).records]
    assert [bool(problem) for problem in problems] == [True, False, False, False, False, False]
    text = PW.read_text().replace("convergence has been achieved in", "convergence NOT achieved after", 1)
    (tmp_path / "pwo").write_text(text)
    assert all(record.problem for record in read_label_file(tmp_path / "pwo", {}, allowed).records)


def test_outputs_of_different_settings_are_refused(tmp_path: Path, labels: list[Atoms]) -> None:
    paths = [tmp_path / name for name in ("a_OUTCAR", "b_OUTCAR", "c_OUTCAR")]
    paths[0].write_text(outcar(labels[:3]))
    paths[1].write_text(outcar(labels[3:], cutoff=520.0))
    paths[2].write_text(outcar(labels[3:], title="PAW {} 02Apr1999"))
    oracle = CalculatorOracle.from_config(SW, ("Si",))
    for other, words in (
        (paths[1], r"plane-wave cutoff 400\.0 and 520\.0"),
        (paths[2], "pseudopotential of Si PAW_PBE"),
    ):
        with pytest.raises(ConfigError, match=words):
            Campaign.create(tmp_path / "c", config([paths[0], other]), oracle=oracle)
    assert not (tmp_path / "c").exists()
    espresso = {"oracle": "espresso", "ecutwfc": 30.0, "pseudopotentials": {"Si": "Si.pbe-rrkj.UPF"}}
    with pytest.raises(ConfigError, match="other settings than the oracle of this campaign: plane-wave cutoff 8"):
        Campaign.create(tmp_path / "c", config(PW, **espresso))
    assert different_settings({"functional": "PBE"}, {"plane-wave cutoff": "30"}) == []


def test_names_and_shapes_of_results_are_recognized() -> None:
    names = ("energy", "REF_energy", "dft_energy", "E", "forces", "REF_forces", "dft_forces", "force", "virials")
    assert [quantity_of(name) for name in names] == ["energy"] * 4 + ["forces"] * 4 + ["virial"]
    assert [quantity_of(name) for name in ("kinetic_energy", "isolated_energy", "stress_failure", "mask")] == [None] * 4
    matrix = np.array([[1.0, 6.0, 5.0], [6.0, 2.0, 4.0], [5.0, 4.0, 3.0]])
    assert voigt_of(matrix.ravel()).tolist() == [1, 2, 3, 4, 5, 6]


def test_a_file_that_is_not_readable_is_refused(tmp_path: Path) -> None:
    for name, text in (
        ("a.xyz", "99999999999\n\nCu 0 0 0\n"),
        ("b.dat", "no labels\n"),
        ("OUTCAR", " POTCAR:  PAW Si\n"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(ConfigError, match="cannot be read as"):
            read_label_file(tmp_path / name, {}, allowed)
    (tmp_path / "six.xyz").write_text(
        '1\nLattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3 E=1 stress="1 2"\nCu 0 0 0\n'
    )
    assert "six or nine" in read_label_file(tmp_path / "six.xyz", {}, allowed).records[0].problem

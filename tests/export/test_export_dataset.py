"""Export of labels: what is written, left out and refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect
from ase.io import read

import acemaker
from acemaker import Campaign, CampaignConfig
from acemaker.campaign import AttachedCampaign
from acemaker.errors import CampaignError, ConfigError, StateError
from acemaker.export import dataset
from acemaker.export.labels import ExportedLabel, labels_of
from acemaker.export.programs import PROGRAMS, find_program, frame_for, table_for_pacemaker
from acemaker.export.selection import included_labels
from acemaker.testing import ToyEngine, ToyOracle, toy_campaign, toy_config
from tests.export.conftest import PARAMETERS


def made_label(n: int = 4, *, mask: list[bool] | None = None, pbc: bool = True, **more: Any) -> ExportedLabel:
    """A label with numbers that a file holds."""
    rng = np.random.default_rng(n)
    atoms = Atoms(f"Cu{n}", np.round(rng.uniform(0, 6, (n, 3)), 8), cell=[6, 6.5, 7] if pbc else None, pbc=pbc)
    if (moments := more.pop("moments", None)) is not None:
        atoms.set_initial_magnetic_moments(moments)
    results: dict[str, Any] = {"energy": -3.25 * n, "forces": np.round(rng.normal(size=(n, 3)), 8)}
    if pbc:
        results["stress"] = rng.normal(size=6)
    results |= more.pop("results", {})
    atoms.calc = SinglePointCalculator(atoms, **results)
    atoms.info |= more.pop("info", {})
    if mask is not None:
        atoms.arrays["mask"] = np.array(mask)
        atoms.info |= {"energy_counts": False, "stress_counts": False}
    return ExportedLabel(file=f"labels/{n}.extxyz", atoms=atoms, key=str(n), **{"kind": "halt", "halt": n, **more})


@pytest.fixture
def with_labels(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Exports other labels than those of a campaign."""
    return lambda *labels: monkeypatch.setattr(dataset, "labels_of", lambda _: tuple(labels))


def test_the_origin_of_each_label_is_in_its_comment_line(campaign: AttachedCampaign, tmp_path: Path) -> None:
    campaign.export(tmp_path / "data.extxyz")
    frames = read(tmp_path / "data.extxyz", ":")
    halts = {event["halt"]["number"]: event for event in campaign.progress.segments if event["halt"]}
    for atoms, entry in zip(frames, campaign.progress.labels, strict=True):
        assert atoms.info["label_file"] == f"my_campaign/{entry.file}"
        assert atoms.info["candidate"] == entry.candidate
        assert atoms.info["oracle"] == "lammps"
        assert atoms.info["units"] == "eV_Angstrom"
        assert atoms.info.get("halt") == entry.halt
        if entry.halt is not None:
            event = halts[entry.halt]
            assert atoms.info["step"] == event["halt"]["step"]
            assert atoms.info["generation"] == event["generation"]
            assert atoms.info["walker"] == 1
    kinds = [atoms.info["config_type"] for atoms in frames]
    probes = {event["halt"] for event in campaign.progress.probes}
    assert [kind == "probe" for kind in kinds] == [entry.halt in probes for entry in campaign.progress.labels]
    assert len({atoms.info["oracle_settings"] for atoms in frames}) == 1


def test_the_provenance_contains_what_has_no_place_in_a_comment_line(
    campaign: AttachedCampaign, tmp_path: Path
) -> None:
    result = campaign.export(tmp_path / "train.extxyz", "mace", test=[2])
    content = json.loads(result.provenance.read_text())
    assert content["oracle"]["pair_coeff"] == ["* * CuNi.eam.alloy Cu Ni"]
    assert content["reference_energies_eV"] == {"Cu": -0.25, "Ni": 0.5}
    assert content["files"] == ["train.extxyz", "test.extxyz"]
    assert content["units"]["stress"] == "eV/Å^3"
    assert "under tension" in content["stress_sign"]
    splits = {item["label"]: item["split"] for item in content["from"]}
    for entry in campaign.progress.labels:
        assert splits[entry.file] == ("test" if entry.halt == 2 else "train")
    assert content["oracle_settings_fingerprint"] == read(result.file, 0).info["oracle_settings"]
    assert set(content["versions"]) >= {"acemaker", "lammps", "ase"}


@pytest.mark.parametrize("name", ["data.extxyz", "data.db", "data.pckl.gzip"])
def test_labels_of_one_halt_are_never_in_both_sets(campaign: AttachedCampaign, tmp_path: Path, name: str) -> None:
    result = campaign.export(tmp_path / name, test=0.3)
    if name.endswith(".db"):
        rows = list(connect(result.file).select())
        halts = [{row.get("halt") for row in rows if row.split == split} for split in ("train", "test")]
        assert result.test_file is None
    elif name.endswith("gzip"):
        tables = [pd.read_pickle(file, compression="gzip") for file in (result.file, result.test_file)]
        halts = [{None if pd.isna(halt) else halt for halt in table["halt"]} for table in tables]
    else:
        halts = [{atoms.info.get("halt") for atoms in read(file, ":")} for file in (result.file, result.test_file)]
    assert not halts[0] & halts[1]
    assert halts[1] == set(result.test_halts)
    assert result.n_train + result.n_test == len(campaign.progress.labels)


@pytest.mark.parametrize("name", ["data.extxyz", "data.pckl.gzip"])
def test_the_same_export_is_the_same_file(campaign: AttachedCampaign, tmp_path: Path, name: str) -> None:
    first = campaign.export(tmp_path / name, test=0.3)
    contents = [path.read_bytes() for path in (first.file, first.test_file, first.provenance) if path]
    if name.endswith("gzip"):
        assert contents[0][4:8] == bytes(4)  # no time stamp
    again = acemaker.attach(campaign.directory).export(tmp_path / name, test=0.3, overwrite=True)
    assert [path.read_bytes() for path in (again.file, again.test_file, again.provenance) if path] == contents


def test_energies_of_isolated_atoms_from_the_configuration_are_for_mace_alone(
    campaign: AttachedCampaign, tmp_path: Path
) -> None:
    for program in ("mace", "ase", "nequip", "nep"):
        campaign.export(tmp_path / f"{program}.xyz", program)
    atoms = [frame for frame in read(tmp_path / "mace.xyz", ":") if frame.info["config_type"] == "IsolatedAtom"]
    assert {frame.symbols[0]: frame.info["REF_energy"] for frame in atoms} == {"Cu": -0.25, "Ni": 0.5}
    for program in ("ase", "nequip", "nep"):
        assert len(read(tmp_path / f"{program}.xyz", ":")) == len(campaign.progress.labels)
        result = campaign.export(tmp_path / f"{program}.xyz", program, overwrite=True)
        assert "Cu -0.25, Ni 0.5 eV/atom" in repr(result)
        assert "IsolatedAtom" not in repr(result)


def test_fitted_reference_energies_are_no_isolated_atoms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = toy_campaign().export("train.xyz", "mace")
    assert result.n_atoms == 0
    assert {atoms.info["config_type"] for atoms in read("train.xyz", ":")} == {"initial", "halt"}
    assert any("not of isolated atoms, pass --E0s=average" in note for note in result.notes)


def test_labels_of_isolated_atoms_set_the_energies_of_mace(tmp_path: Path) -> None:
    config = toy_config().model_dump() | {"oracle": {"oracle": "emt"}}
    config["potential"]["isolated_atoms"] = True
    with Campaign.create(tmp_path / "c", CampaignConfig(**config), engine=ToyEngine(200)) as campaign:
        campaign.prepare()
        result = campaign.export(tmp_path / "train.xyz", "mace", overwrite=True)
        everything = campaign.export(tmp_path / "data.db")
    (atom,) = [atoms for atoms in read(tmp_path / "train.xyz", ":") if atoms.info["config_type"] == "IsolatedAtom"]
    assert atom.info["REF_energy"] == campaign.generation.reference_energies["Cu"] != 0
    assert "REF_stress" not in atom.info
    assert result.n_atoms == everything.n_atoms == 1
    assert [row.energy for row in connect(everything.file).select(config_type="IsolatedAtom")] == [
        atom.info["REF_energy"]
    ]


def test_masked_labels_are_left_out_by_name_for_programs_that_cannot_be_told(
    campaign: AttachedCampaign, tmp_path: Path, with_labels: Any
) -> None:
    with_labels(made_label(4), made_label(5, mask=[True, True, False, False, False]))
    for program, name in (("mace", "a.xyz"), ("nequip", "b.xyz"), ("nep", "c.xyz"), ("ase", "d.db")):
        result = campaign.export(tmp_path / name, program)
        assert result.n_train == 1
        assert [file for file, _ in result.left_out] == ["labels/5.extxyz"]
        assert "labels/5.extxyz" in repr(result)
        assert "cannot be told that the forces of some atoms do not count" in repr(result)
        assert "labels/5.extxyz" in result._repr_html_()
        assert json.loads(result.provenance.read_text())["left_out"][0]["label"] == "labels/5.extxyz"
        whole = campaign.export(tmp_path / f"whole_{name}", program, masked="whole")
        assert whole.n_train == 2
        assert not whole.left_out
        assert any("1 label of embedded cells written as whole labels" in note for note in whole.notes)


def test_masks_are_told_to_pacemaker_and_kept_for_ase(
    campaign: AttachedCampaign, tmp_path: Path, with_labels: Any
) -> None:
    with_labels(made_label(4), made_label(5, mask=[True, True, False, False, False]))
    result = campaign.export(tmp_path / "data.pckl.gzip")
    table = pd.read_pickle(result.file, compression="gzip")
    assert list(table["w_energy"]) == [1.0, 0.0]
    assert [list(weights) for weights in table["w_forces"]] == [[1.0] * 4, [1.0, 1.0, 0.0, 0.0, 0.0]]
    assert table["ase_atoms"][1].arrays["mask"].tolist() == [True, True, False, False, False]  # for acemaker
    assert any("w_forces" in note for note in result.notes)
    result = campaign.export(tmp_path / "data.extxyz")
    whole, masked = read(result.file, ":")
    assert "mask" not in whole.arrays
    assert masked.arrays["mask"].tolist() == [True, True, False, False, False]
    assert masked.info["energy_counts"] is False or masked.info["energy_counts"] == np.False_
    assert any("column mask" in note for note in result.notes)


def test_weights_are_left_to_pacemaker_if_everything_counts(campaign: AttachedCampaign, tmp_path: Path) -> None:
    table = pd.read_pickle(campaign.export(tmp_path / "a.pckl.gzip").file, compression="gzip")
    assert "w_energy" not in table.columns
    assert "w_forces" not in table.columns
    assert list(table["w_factor"]) == [label.weight for label in labels_of(campaign) if label.kind != "IsolatedAtom"]


def test_masked_labels_alone_are_refused_and_nothing_is_written(
    campaign: AttachedCampaign, tmp_path: Path, with_labels: Any
) -> None:
    with_labels(made_label(5, mask=[True, False, False, False, False]))
    with pytest.raises(ConfigError, match="masked='whole'"):
        campaign.export(tmp_path / "data.xyz", "mace")
    with pytest.raises(ConfigError, match="the energy of no label in it counts"):
        campaign.export(tmp_path / "data.pckl.gzip")
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_gets_a_box_for_gpumd_that_no_cutoff_crosses(
    campaign: AttachedCampaign, tmp_path: Path, with_labels: Any
) -> None:
    label = made_label(5, pbc=False)
    with_labels(label, made_label(4))
    result = campaign.export(tmp_path / "train.xyz", "nep")
    cluster = read(tmp_path / "train.xyz", 0)
    assert cluster.pbc.all()
    assert (cluster.cell.lengths() - np.ptp(cluster.positions, axis=0) >= 29.9).all()
    assert "virial" not in cluster.info
    assert any("1 cluster put into a periodic box" in note for note in result.notes)
    campaign.export(tmp_path / "mace.xyz", "mace")
    assert not read(tmp_path / "mace.xyz", 0).pbc.any()


def test_a_stress_that_some_labels_lack_is_left_out_where_all_must_have_one(
    campaign: AttachedCampaign, tmp_path: Path, with_labels: Any
) -> None:
    with_labels(made_label(5, pbc=False), made_label(4))
    result = campaign.export(tmp_path / "nequip.xyz", "nequip")
    assert all("stress" not in atoms.calc.results for atoms in read(tmp_path / "nequip.xyz", ":"))
    assert any("the stress was left out of all" in note for note in result.notes)
    assert "stress" not in pd.read_pickle(campaign.export(tmp_path / "a.pckl.gzip").file, compression="gzip").columns
    campaign.export(tmp_path / "mace.xyz", "mace")
    assert ["REF_stress" in atoms.info for atoms in read(tmp_path / "mace.xyz", ":2")] == [False, True]


def test_weights_beyond_the_limit_of_gpumd_keep_their_ratios(
    campaign: AttachedCampaign, tmp_path: Path, with_labels: Any
) -> None:
    with_labels(made_label(4, info={"label_weight": 1000.0}), made_label(5))
    campaign.export(tmp_path / "train.xyz", "nep")
    weights = [atoms.info["weight"] for atoms in read(tmp_path / "train.xyz", ":")]
    assert weights == pytest.approx([100.0, 0.1])


def test_moments_and_charges_go_to_programs_that_know_them() -> None:
    moments = np.array([1.0, -1.0, 2.0, 0.5])
    label = made_label(4, moments=moments, results={"magmoms": moments, "charges": np.array([0.25, -0.25, 0, 0])})
    mace = frame_for(PROGRAMS["mace"], label, {}, with_stress=True)
    assert np.array_equal(mace.arrays["REF_charges"], [0.25, -0.25, 0, 0])
    assert np.array_equal(mace.arrays["REF_magmoms"], moments)
    assert np.array_equal(mace.get_initial_magnetic_moments(), moments)
    everything = frame_for(PROGRAMS["ase"], label, {}, with_stress=True)
    assert np.array_equal(everything.get_magnetic_moments(), moments)
    nep = frame_for(PROGRAMS["nep"], label, {}, with_stress=True)
    assert set(nep.arrays) == {"numbers", "positions", "force"}
    assert np.array_equal(
        table_for_pacemaker([(label, {"label_file": "a"})], None, masked=False, weighted=False, with_stress=False)[
            "ase_atoms"
        ][0].get_initial_magnetic_moments(),
        moments,
    )


@pytest.mark.parametrize(("program", "key"), [("mace", "total_charge"), ("nep", "charge"), ("ase", "charge")])
def test_the_total_charge_of_the_oracle_is_told(
    campaign: AttachedCampaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, key: str
) -> None:
    campaign.export(tmp_path / "neutral.xyz", program)
    assert all(key not in atoms.info for atoms in read(tmp_path / "neutral.xyz", ":"))
    monkeypatch.setattr(dataset, "stated_charge", lambda _: -1.0)
    campaign.export(tmp_path / "a.xyz", program)
    frames = read(tmp_path / "a.xyz", ":")
    assert {atoms.info.get(key) for atoms in frames if atoms.info["config_type"] != "IsolatedAtom"} == {-1.0}
    assert all(key not in atoms.info for atoms in frames if atoms.info["config_type"] == "IsolatedAtom")
    if program == "ase":
        rows = connect(campaign.export(tmp_path / "a.db").file).select()
        assert {row.total_charge for row in rows} == {-1.0}


def test_labels_of_other_settings_are_named(campaign: AttachedCampaign, tmp_path: Path, with_labels: Any) -> None:
    with_labels(made_label(4), made_label(5, is_current=False))
    result = campaign.export(tmp_path / "data.xyz", "mace")
    settings = [atoms.info["oracle_settings"] for atoms in read(tmp_path / "data.xyz", ":2")]
    assert settings[1] == "other" != settings[0]
    assert any("1 label not computed with the present settings of the oracle" in note for note in result.notes)


def test_without_a_potential_the_reference_energies_are_left_to_pacemaker(tmp_path: Path) -> None:
    config = toy_config()
    with Campaign.create(tmp_path / "c", config, engine=ToyEngine(200), oracle=ToyOracle()) as campaign:
        with pytest.raises(StateError, match="no labels to export yet"):
            campaign.export(tmp_path / "data.extxyz")
        campaign.label()
        assert campaign.generation is None
        result = campaign.export(tmp_path / "data.pckl.gzip")
        columns = pd.read_pickle(result.file, compression="gzip").columns
        assert ("energy_corrected" in columns) == ("subtracted in energy_corrected" in result.notes[-1])
        assert "energy_corrected" in columns or "reference_energy: auto" in result.notes[-1]
        mace = campaign.export(tmp_path / "train.xyz", "mace")
        assert "pass --E0s=average" in mace.notes[-1]


def test_a_running_campaign_and_one_that_is_open_export_the_same(campaign: AttachedCampaign, tmp_path: Path) -> None:
    with Campaign.open(campaign.directory) as opened:
        opened.export(tmp_path / "a.xyz")
    campaign.export(tmp_path / "b.xyz")
    assert (tmp_path / "a.xyz").read_bytes() == (tmp_path / "b.xyz").read_bytes()


def test_names_that_readers_would_take_for_numbers_stay_text(campaign: AttachedCampaign) -> None:
    label = replace(labels_of(campaign)[-1], file="labels/1.extxyz")
    origin = label.origin('2024 "x=1"', "./my oracle.py:make", "s12")
    assert origin["label_file"] == "2024__x_1_/labels/1.extxyz"
    assert origin["oracle"] == "./my_oracle.py:make"
    assert label.origin("Eisen-Weiß", "emt", "s12")["label_file"] == "Eisen-Wei_/labels/1.extxyz"
    assert all(" " not in value and "=" not in value for value in origin.values() if isinstance(value, str))


def test_every_program_has_a_form_and_a_hint() -> None:
    assert "reference_energies" in PARAMETERS
    for name, program in PROGRAMS.items():
        assert program.hint
        assert find_program(name.upper(), Path(f"a{program.endings[0]}")) is program
        included, _ = included_labels(program, Path("a.xyz"), [made_label(4)], "auto")
        assert len(included) == 1


def test_a_damaged_label_is_reported_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    campaign = toy_campaign()
    entry = campaign.progress.labels[0]
    for file in (campaign.directory / entry.file, campaign.directory / "labels" / "spare" / Path(entry.file).name):
        file.write_bytes(file.read_bytes().replace(b"energy=", b"energy=1", 1))
    with pytest.raises(CampaignError, match=Path(entry.file).name):
        campaign.export("data.extxyz")
    assert not Path("data.extxyz").exists()

"""Labels that campaigns share are computed once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from acemaker import Campaign, CampaignConfig, OracleConfig
from acemaker.analysis import write_summary
from acemaker.lammps.library import potentials_directory
from acemaker.loop.label_store import LabelStore
from acemaker.loop.labels import label_key
from acemaker.oracles.fingerprint import fingerprint
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from tests.conftest import MISHIN, copper, rattled

SMALL = CampaignConfig(
    seed=3,
    system={"structure": "Cu", "lattice_constant": 3.615, "supercell": (2, 2, 2), "n_first": 1},
    otf={"n_candidates": 4, "n_select": 2, "threshold_add_train": 1.5, "threshold_call_dft": 2.5},
    engine={"steps": 400, "temperature": (300, 1200)},
    potential={"n_functions": 20, "cutoff": 4.5, "nradmax_by_orders": (8, 4, 2), "lmax_by_orders": (0, 3, 1)},
    oracle=MISHIN.model_dump(),
)


def sharing(folder: Path) -> CampaignConfig:
    return SMALL.model_copy(update={"oracle": SMALL.oracle.model_copy(update={"label_store": str(folder)})})


def refuse(*_: object) -> Atoms:
    raise AssertionError("the oracle was asked")


def test_a_second_campaign_computes_no_label_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And ends with the same potential, to the bit."""
    with Campaign.create(tmp_path / "one", sharing(tmp_path / "store")) as one:
        one.run()
    assert one.progress.halt, "the test needs a halt"
    assert not any(entry.shared for entry in one.progress.labels)
    with Campaign.create(tmp_path / "two", sharing(tmp_path / "store")) as two:  # which tries the oracle once
        monkeypatch.setattr(CalculatorOracle, "label", refuse)
        two.run()
        assert write_summary(two).values["labels_shared"] == len(one.progress.labels)
    assert two.state is State.DONE
    assert [entry.key for entry in two.progress.labels] == [entry.key for entry in one.progress.labels]
    assert all(entry.shared for entry in two.progress.labels)
    assert one.generation is not None
    assert two.generation is not None
    assert one.generation.yaml.read_bytes() == two.generation.yaml.read_bytes()
    assert "from the store" in repr(write_summary(two))


def test_other_settings_are_other_labels(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "one", sharing(tmp_path / "store")) as one:
        one.prepare()
    config = sharing(tmp_path / "store")
    other = config.oracle.model_copy(update={"pair_coeff": ("* * Cu_zhou.eam.alloy Cu",)})
    with Campaign.create(tmp_path / "two", config.model_copy(update={"oracle": other})) as two:
        two.prepare()
    assert not any(entry.shared for entry in two.progress.labels)


def test_a_file_that_was_cut_off_is_made_anew(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "one", sharing(tmp_path / "store")) as one:
        one.prepare()
    files = sorted((tmp_path / "store").rglob("*.extxyz"), key=lambda file: -file.stat().st_size)  # an atom is small
    assert len(files) == len(one.progress.labels) + len(one.progress.isolated)
    good = files[0].read_text()
    files[0].write_text(good[: len(good) // 2])
    with Campaign.create(tmp_path / "two", sharing(tmp_path / "store")) as two:
        two.prepare()
    assert sum(not entry.shared for entry in two.progress.labels) == 1
    assert files[0].read_text() == good
    assert sorted((tmp_path / "store").rglob("*")) == sorted({*files, *(file.parent for file in files)})


def test_a_file_with_another_name_is_not_believed(tmp_path: Path) -> None:
    store = LabelStore(tmp_path, "settings")
    labeled = CalculatorOracle.from_config(MISHIN, ("Cu",)).label(rattled(copper(), 1)[0])
    store.keep("abc", labeled)
    found = store.find("abc", lambda _: "abc")
    assert found is not None
    assert np.allclose(found.get_forces(), labeled.get_forces(), atol=1e-7)
    assert store.find("abc", lambda _: "xyz") is None
    assert store.find("xyz", lambda _: "xyz") is None
    assert LabelStore(tmp_path, "other settings").find("abc", lambda _: "abc") is None


def test_a_file_of_the_same_name_is_another_oracle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two campaigns in two folders, each with a potential file of its own."""
    folder = potentials_directory()
    assert folder is not None
    for name, source in (("one", "Cu_mishin1.eam.alloy"), ("two", "Cu_zhou.eam.alloy")):
        (tmp_path / name).mkdir()
        shutil.copy(folder / source, tmp_path / name / "mine.eam.alloy")
        monkeypatch.chdir(tmp_path / name)
        config = sharing(tmp_path / "store")
        oracle = config.oracle.model_copy(update={"pair_coeff": ("* * mine.eam.alloy Cu",)})
        with Campaign.create("c", config.model_copy(update={"oracle": oracle})) as campaign:
            campaign.prepare()
        assert not any(entry.shared for entry in campaign.progress.labels)
    assert fingerprint(MISHIN, ("Cu",)) != fingerprint(MISHIN, ("Ni",))


def test_a_store_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file, not a folder")
    with Campaign.create(tmp_path / "c", sharing(tmp_path / "store")) as campaign:
        with pytest.warns(UserWarning, match="label store .* cannot be written"):
            campaign.prepare()
        assert campaign.generation is not None


def test_a_shared_label_is_known_for_one_after_a_kill(tmp_path: Path) -> None:
    """Its file was written, the journal does not know of it yet."""
    for name in ("one", "two"):
        with Campaign.create(tmp_path / name, sharing(tmp_path / "store")) as campaign:
            campaign.prepare()
    journal = tmp_path / "two" / "journal.jsonl"
    journal.write_text(journal.read_text().splitlines(keepends=True)[0])
    with Campaign.open(tmp_path / "two") as again:
        again.prepare()
    assert all(entry.shared for entry in again.progress.labels)


def test_labels_of_an_oracle_object_are_not_shared(tmp_path: Path) -> None:
    config = toy_config()
    config = config.model_copy(update={"oracle": config.oracle.model_copy(update={"label_store": str(tmp_path / "s")})})
    with Campaign.create(tmp_path / "c", config, engine=ToyEngine(200, halting_at(60)), oracle=ToyOracle()) as campaign:
        campaign.run()
    assert not (tmp_path / "s").exists()


def test_a_pipe_in_the_store_is_no_label(tmp_path: Path) -> None:
    """The wait for it would never end."""
    store = LabelStore(tmp_path, "print")
    labeled = CalculatorOracle.from_config(MISHIN, ("Cu",)).label(copper())
    store.keep("ab" * 10, labeled)
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    file.unlink()
    os.mkfifo(file)
    assert store.find("ab" * 10, lambda _: "ab" * 10) is None


def test_keys_of_labels_from_before_a_setting_existed_stay_valid() -> None:
    """These were written before ``magnetic_moments`` and ``hubbard`` existed; nobody pays for such labels again."""
    copper = bulk("Cu", cubic=True)
    assert label_key(copper, OracleConfig(oracle="emt")) == "90c81ee113c5364f63ab"
    espresso = OracleConfig(oracle="espresso", ecutwfc=30.0)
    assert label_key(copper, espresso) == "92d467a6ad210dd2a9ad"
    for setting in ({"magnetic_moments": {"Cu": 0.5}}, {"hubbard": {"Cu": {"3d": 4.0}}}):
        changed = OracleConfig(oracle="espresso", ecutwfc=30.0, **setting)
        assert label_key(copper, changed) != label_key(copper, espresso)

"""Campaigns that begin with the labels of another campaign, which is only read."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect
from ase.io import write

from acemaker import Campaign, CampaignConfig
from acemaker.errors import CampaignError, ConfigError, DamagedFileError
from acemaker.export.dataset import export_dataset
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.states import State
from acemaker.structures.computed import energy_of, forces_of, stress_of
from acemaker.structures.mask import LABEL_WEIGHT, MASK
from tests.conftest import CUNI, MISHIN, copper, rattled, small_basis

BASIS = small_basis().model_dump(include={"n_functions", "cutoff", "nradmax_by_orders", "lmax_by_orders"})


def config(**changes: Any) -> CampaignConfig:
    base = {
        "seed": 3,
        "lattice_constant": 3.615,
        "supercell": (2, 2, 2),
        "steps": 200,
        "temperature": 300.0,
        "n_probes": 0,
        **MISHIN.model_dump(include={"oracle", "pair_style", "pair_coeff"}),
        **BASIS,
    }
    return CampaignConfig.from_parameters(base | changes)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a campaign with five labels and an isolated atom, which has been closed."""
    directory = tmp_path_factory.mktemp("earlier") / "a"
    with Campaign.create(directory, config(n_first=5)) as campaign:
        campaign.prepare()
    return directory


def contents(directory: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path.relative_to(directory)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def potential(directory: Path) -> bytes:
    return (directory / "potentials" / "potential_v1.yaml").read_bytes()


def test_its_labels_yield_the_same_potential_to_the_bit_and_it_is_not_changed(tmp_path: Path, earlier: Path) -> None:
    before = contents(earlier)
    with Campaign.create(tmp_path / "b", config(first_labels=[str(earlier)], temperature=900.0)) as campaign:
        campaign.prepare()
        labels = campaign.labeled_structures()
        report = campaign.report().read_text()
    assert contents(earlier) == before
    assert potential(tmp_path / "b") == potential(earlier)
    for name in np.load(earlier / "potentials" / "potential_v1.asi").files:
        ours, theirs = (np.load(path / "potentials" / "potential_v1.asi")[name] for path in (tmp_path / "b", earlier))
        assert np.array_equal(ours, theirs)
    assert str(earlier) in report
    assert "which cost nothing" in report
    write(tmp_path / "labels.xyz", labels)  # out of a campaign, and in again
    write(tmp_path / "labels.traj", labels)
    with connect(tmp_path / "labels.db") as rows:
        for atoms in labels:
            rows.write(atoms, key_value_pairs={LABEL_WEIGHT: atoms.info[LABEL_WEIGHT]})
    for ending in ("xyz", "traj", "db"):
        file = str(tmp_path / f"labels.{ending}")
        with Campaign.create(tmp_path / ending, config(first_labels=file, temperature=900.0)) as campaign:
            campaign.prepare()
            assert campaign.first_labels().n_labels == 5
        assert potential(tmp_path / ending) == potential(earlier)


def test_basis_walkers_cell_and_temperature_may_differ(tmp_path: Path, earlier: Path) -> None:
    changes = {"n_functions": 20, "cutoff": 4.3, "walkers": 2, "supercell": (3, 3, 3), "ensemble": "nvt", "steps": 40}
    with Campaign.create(tmp_path / "b", config(first_labels=[str(earlier)], **changes)) as campaign:
        campaign.run()
        assert campaign.state is State.DONE
        assert campaign.progress.n_labels - campaign.progress.n_charged == 5
        sources = [event["source"] for event in campaign.events() if event["event"] in ("label", "isolated_atom")]
    assert [source["index"] for source in sources if source["file"] == str(earlier)] == [5, 0, 1, 2, 3, 4]


def test_a_campaign_that_is_open_can_be_used(tmp_path: Path, earlier: Path) -> None:
    with Campaign.open(earlier), Campaign.create(tmp_path / "b", config(first_labels=[str(earlier)])) as campaign:
        assert campaign.first_labels().n_labels == 5
    (tmp_path / "new").mkdir()
    with pytest.raises(ConfigError, match="directory of this campaign"):
        Campaign.create(tmp_path / "new", config(first_labels=[str(tmp_path / "new")]))


def copied(earlier: Path, target: Path) -> Path:
    for path in earlier.rglob("*"):
        if path.is_file():
            (target / path.relative_to(earlier)).parent.mkdir(parents=True, exist_ok=True)
            (target / path.relative_to(earlier)).write_bytes(path.read_bytes())
    return target


def test_a_damaged_campaign_is_refused(tmp_path: Path, earlier: Path) -> None:
    journal = copied(earlier, tmp_path / "journal") / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"candidate": 1', b'"candidate": 7', 1))
    label = copied(earlier, tmp_path / "label") / "labels" / "initial_002.extxyz"
    for file in (label, label.parent / "spare" / label.name):
        file.write_bytes(file.read_bytes()[:-30])
    empty = tmp_path / "empty"
    Campaign.create(empty, config()).close()
    for name, error, words in (
        ("journal", CampaignError, "line .* is damaged or was changed"),
        ("label", DamagedFileError, "initial_002"),
        ("empty", ConfigError, "no labels yet"),
    ):
        with pytest.raises(error, match=words):
            Campaign.create(tmp_path / "b", config(first_labels=[str(tmp_path / name)]))
        assert not (tmp_path / "b").exists()


def test_a_campaign_of_another_oracle_is_refused(tmp_path: Path, earlier: Path) -> None:
    with pytest.raises(ConfigError, match=r"another oracle: .*pair_style: 'eam/alloy' there, 'eam/fs' here"):
        Campaign.create(tmp_path / "b", config(first_labels=[str(earlier)], pair_style="eam/fs", oracle_check=False))
    with pytest.raises(ConfigError, match="oracle: 'lammps' there, 'object' here"):
        arguments = {"oracle": "object", "pair_style": "", "pair_coeff": (), "oracle_check": False}
        oracle = CalculatorOracle.from_config(MISHIN, ("Cu",))
        Campaign.create(tmp_path / "b", config(first_labels=[str(earlier)], **arguments), oracle=oracle)


def test_an_alloy_begins_with_the_labels_of_a_pure_metal(tmp_path: Path) -> None:
    alloy = CUNI.model_dump(include={"oracle", "pair_style", "pair_coeff"})
    pure = alloy | {"pair_coeff": ("* * CuNi.eam.alloy Cu",)}
    with Campaign.create(tmp_path / "a", config(**pure, n_first=3)) as campaign:
        campaign.prepare()
    settings = config(**alloy, first_labels=[str(tmp_path / "a")], composition={"Cu": 0.9, "Ni": 0.1}, n_functions=16)
    with Campaign.create(tmp_path / "b", settings) as campaign:
        first = campaign.first_labels()
        campaign.prepare()
        assert first.n_labels == 3
        assert campaign.progress.n_charged == first.n_more >= 2
        assert set(campaign.progress.isolated) == {"Cu", "Ni"}


def test_masks_weights_and_spin_are_passed_on(tmp_path: Path) -> None:
    oracle = CalculatorOracle.from_config(MISHIN, ("Cu",))
    labels = [oracle.label(atoms) for atoms in rattled(copper(), 6)]
    for number, atoms in enumerate(labels):
        atoms.info[LABEL_WEIGHT] = 0.5
        atoms.set_initial_magnetic_moments([0.1 * number] * len(atoms))
        results = atoms.calc.results | {"magmoms": np.full(len(atoms), 0.2)}
        atoms.calc = SinglePointCalculator(atoms, **results)
    labels[2].arrays[MASK] = np.arange(32) < 20
    labels[2].info |= {"energy_counts": False, "stress_counts": False}
    write(tmp_path / "labels.xyz", labels)
    settings = {"oracle": "object", "pair_style": "", "pair_coeff": (), "oracle_check": False}
    for name, source in (("a", "labels.xyz"), ("b", "a")):
        own = config(**settings, first_labels=[str(tmp_path / source)], ensemble="nvt")
        with Campaign.create(tmp_path / name, own, oracle=oracle) as campaign:
            campaign.prepare()
            stored = campaign.labeled_structures()
    assert potential(tmp_path / "a") == potential(tmp_path / "b")
    assert [atoms.info[LABEL_WEIGHT] for atoms in stored] == [0.5] * 6
    assert np.array_equal(stored[2].arrays[MASK], labels[2].arrays[MASK])
    assert stored[2].info["energy_counts"] is np.False_ or not stored[2].info["energy_counts"]
    assert np.allclose(stored[3].get_initial_magnetic_moments(), 0.3)
    assert np.allclose(stored[3].calc.results["magmoms"], 0.2)


def assert_same_potential(one: Path, number: int, two: Path) -> None:
    """Compare a generation of a campaign with the first one of another, to the bit."""
    names = [directory / "potentials" / f"potential_v{n}" for directory, n in ((one, number), (two, 1))]
    assert names[0].with_suffix(".yaml").read_bytes() == names[1].with_suffix(".yaml").read_bytes()
    ours, theirs = (np.load(name.with_suffix(".asi")) for name in names)
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours.files)


@pytest.mark.slow
def test_with_the_same_basis_it_begins_with_potential_and_active_set_of_the_other_one(tmp_path: Path) -> None:
    hot = {"steps": 900, "temperature": (300.0, 2500.0), "n_first": 1, "n_candidates": 6, "n_select": 1}
    with Campaign.create(tmp_path / "a", config(**hot)) as campaign:
        campaign.run()
        generation = campaign.generation
        assert generation is not None
        number, n_halts = generation.number, campaign.progress.n_halts
    assert n_halts >= 2
    same = config(first_labels=[str(tmp_path / "a")], temperature=1200.0, seed=8, steps=60)
    with Campaign.create(tmp_path / "b", same) as campaign:
        first = campaign.first_labels()
        campaign.prepare()
        groups = [len(group) for group in campaign.progress.groups]
    assert f"generation {number} of the other campaign" in repr(first)
    assert_same_potential(tmp_path / "a", number, tmp_path / "b")
    assert groups[: len(first.groups)] == list(first.groups)
    with Campaign.open(tmp_path / "b") as campaign:  # and goes on from there
        campaign.run()
        assert campaign.state is State.DONE
    other = config(first_labels=[str(tmp_path / "a")], n_functions=18)
    with Campaign.create(tmp_path / "c", other) as campaign:
        assert "since n_functions differs" in repr(campaign.first_labels())
        campaign.prepare()
        assert len(campaign.progress.groups) == 1


@pytest.mark.parametrize(
    ("program", "file"),
    [
        ("mace", "data.xyz"),
        pytest.param("ase", "data.extxyz", marks=pytest.mark.slow),
        pytest.param("ase", "data.db", marks=pytest.mark.slow),
        pytest.param("nequip", "data.xyz", marks=pytest.mark.slow),
        pytest.param("nep", "data.xyz", marks=pytest.mark.slow),
        pytest.param("pacemaker", "data.pckl.gzip", marks=pytest.mark.slow),
    ],
)
def test_what_is_exported_for_other_programs_is_read(tmp_path: Path, earlier: Path, program: str, file: str) -> None:
    with Campaign.open(earlier) as campaign:
        labels = campaign.labeled_structures()
        export_dataset(campaign, tmp_path / file, program)
    settings = config(first_labels=[str(tmp_path / file)])
    with Campaign.create(tmp_path / "b", settings, allow_code=True) as campaign:
        campaign.prepare()
        stored = campaign.labeled_structures()
    assert len(stored) == len(labels) == 5
    for ours, theirs in zip(stored, labels, strict=True):
        assert np.array_equal(ours.positions, theirs.positions)
        assert energy_of(ours) == energy_of(theirs)
        assert np.array_equal(forces_of(ours), forces_of(theirs))
        assert np.allclose(stress_of(ours), stress_of(theirs), rtol=1e-14, atol=1e-16)
        if program != "nequip":  # which knows no weights
            assert ours.info[LABEL_WEIGHT] == theirs.info[LABEL_WEIGHT]
    if program not in ("nequip", "nep"):  # a virial is divided by the volume again
        assert potential(tmp_path / "b") == potential(earlier)


def killed_at(directory: Path, source: Path, number: int) -> None:
    """Create a campaign in a process that is killed when it has written some files, or that prepares it."""
    written = 0
    replace = os.replace
    fsync = os.fsync

    def count(*arguments: Any, **more: Any) -> None:
        nonlocal written
        written += 1
        if written == number:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(*arguments, **more)

    def count_sync(descriptor: int) -> None:
        nonlocal written
        written += 1
        if written == number:
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(descriptor)

    os.replace, os.fsync = count, count_sync  # type: ignore[assignment]
    Path.replace = lambda self, target: count(self, target)  # type: ignore[assignment, method-assign, return-value]
    with Campaign.create(directory, config(first_labels=[str(source)]), exist_ok=True) as campaign:
        campaign.prepare()


@pytest.mark.slow
def test_killed_while_it_is_created_it_begins_again_with_the_same_result(tmp_path: Path, earlier: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["acemaker.campaign", "pyace", "lammps"])
    kills = 0
    for number in (1, 2, 4, 5, 6, 7, 8, 9, 12, 17, 10_000):
        process = context.Process(target=killed_at, args=(tmp_path / "b", earlier, number))
        process.start()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
    assert process.exitcode == 0
    assert kills >= 8
    assert potential(tmp_path / "b") == potential(earlier)
    with Campaign.open(tmp_path / "b") as campaign:
        assert campaign.first_labels().n_labels == campaign.progress.n_labels == 5
        assert campaign.progress.n_charged == 0

"""Labels that are added, removed, restored and computed again by hand: the potential is that of the labels in force."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from acemaker import Campaign, CampaignConfig
from acemaker.campaign.attached import attach
from acemaker.errors import (
    ConfigError,
    DamagedFileError,
    LabelBudgetError,
    OracleError,
    StateError,
    StructureError,
)
from acemaker.loop.label_files import find_label, read_label, write_label
from acemaker.potentials.trainers import make_trainer
from acemaker.states import State
from acemaker.structures.computed import energy_of
from acemaker.structures.files import read_structures, write_structures
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config


def make(folder: Path, oracle: ToyOracle | None = None, **otf: Any) -> Campaign:
    """Create a campaign with two halts and four labels of them."""
    engine = ToyEngine(200, halting_at(60, 130))
    return Campaign.create(folder, toy_config(**otf), engine=engine, oracle=oracle or ToyOracle())


def rattled(campaign: Campaign, seed: int, scale: float = 0.1) -> Atoms:
    atoms = campaign.initial_structure().copy()
    atoms.rattle(scale, seed=seed)
    return atoms


def files_of(campaign: Campaign, number: int) -> list[bytes]:
    """Return the contents of potential and active set, which contain no number."""
    folder = campaign.directory / "potentials"
    return [(folder / f"potential_v{number}.{end}").read_bytes() for end in ("yaml", "yace", "asi")]


def fit_from_nothing(campaign: Campaign, groups: Sequence[Sequence[str]], folder: Path) -> list[bytes]:
    """Train on groups of labels, one after the other, as a campaign that never had others."""
    trainer = make_trainer(campaign.config.potential, campaign.config.pacemaker, ("Cu",), folder)
    for number, group in enumerate(groups, start=1):
        labels = [read_label(campaign.directory / file) for file in group]
        trainer.train(labels, number=number, directory=folder, predecessor=None, halted=None, gamma_limit=1e9)
    return [(folder / f"potential_v{len(groups)}.{end}").read_bytes() for end in ("yaml", "yace", "asi")]


def test_added_and_removed_leaves_the_potential_as_it_was_to_the_bit(tmp_path: Path) -> None:
    with make(tmp_path / "c") as campaign:
        campaign.run()
        before = files_of(campaign, 3)
        added = campaign.add([ToyOracle().label(rattled(campaign, 1)), rattled(campaign, 2)])
        assert added.action == "added"
        assert campaign.progress.n_labels == 8
        assert campaign.generation is not None
        assert campaign.generation.number == 4
        assert files_of(campaign, 4) != before
        removed = campaign.remove(added.files, "a trial")
        assert campaign.progress.n_labels == 6
        assert files_of(campaign, 5) == before
        assert removed.training is not None
        assert removed.training.generation.cv_forces == campaign.known_generation(3).cv_forces
        assert all((campaign.directory / file).exists() for file in added.files)
        campaign.restore(added.files)
        assert files_of(campaign, 6) == files_of(campaign, 4)


@pytest.mark.parametrize("index", [0, 2, 5])
def test_without_one_label_the_fit_is_that_of_a_campaign_that_never_had_it(tmp_path: Path, index: int) -> None:
    with make(tmp_path / "c") as campaign:
        campaign.run()
        groups = [[entry.file for entry in group] for group in campaign.progress.groups]
        file = campaign.progress.labels[index].file
        campaign.remove(file, "it looks wrong")
        rest = [[name for name in group if name != file] for group in groups]
        assert [entry.file for entry in campaign.progress.labels] == [name for group in rest for name in group]
        assert files_of(campaign, 4) == fit_from_nothing(campaign, [group for group in rest if group], tmp_path / "f")
        campaign.restore(Path(file).stem)
        assert files_of(campaign, 5) == files_of(campaign, 3)
    with Campaign.open(tmp_path / "c", engine=ToyEngine(200), oracle=ToyOracle()) as again:
        assert [[entry.file for entry in group] for group in again.progress.groups] == groups


def test_a_label_that_is_computed_again_takes_the_place_of_the_wrong_one(tmp_path: Path) -> None:
    class Wrong(ToyOracle):
        def label(self, atoms: Atoms) -> Atoms:
            labeled = super().label(atoms)
            if self.calls == 2:
                labeled.calc.results["energy"] += 5.0
            return labeled

    with make(tmp_path / "right") as right:
        right.prepare()
        expected = files_of(right, 1)
    with make(tmp_path / "c", Wrong()) as campaign:
        campaign.prepare()
        wrong = campaign.progress.labels[1].file
        revision = campaign.relabel(wrong)
        assert revision.files == ("labels/initial_001_again_0001.extxyz",)
        assert energy_of(campaign.labeled_structures()[1]) == pytest.approx(
            energy_of(read_label(campaign.directory / wrong)) - 5.0
        )
        assert files_of(campaign, 2) == expected
        campaign.restore(wrong)
        assert files_of(campaign, 3) == files_of(campaign, 1)
        campaign.restore(revision.files[0])
        assert files_of(campaign, 4) == files_of(campaign, 2)
        campaign.remove(revision.files[0], "both are doubtful")
        with pytest.raises(ConfigError, match="one version per label, got several"):
            campaign.restore([wrong, "initial_001_again_0001"])


def test_the_run_goes_on_with_the_new_potential(tmp_path: Path) -> None:
    with make(tmp_path / "c") as campaign:
        campaign.prepare()
        campaign.add(ToyOracle().label(rattled(campaign, 3)))
        campaign.run()
        assert campaign.state is State.DONE
        assert campaign.progress.halts[0]["step"] == 130  # the toy halts generation 2 there
        assert campaign.progress.generation == 3


def test_a_removed_label_is_not_selected_again_at_its_halt(tmp_path: Path) -> None:
    with make(tmp_path / "c", n_select=1, max_retries=2) as campaign:
        campaign.run(2 + 4)
        while campaign.state is not State.RESUME:
            campaign.step()
        entry = campaign.progress.labels[-1]
        campaign.remove(entry, "wrong")
        selection, _ = campaign._work.select()
        assert entry.candidate not in selection.selected
        assert campaign.run().state is State.DONE


def test_a_removed_probe_is_no_test_either(tmp_path: Path) -> None:
    with make(tmp_path / "c", n_probes=2) as campaign:
        campaign.run()
        halt = campaign.progress.probes[0]["halt"]
        (file,) = [entry.file for entry in campaign.progress.labels if entry.halt == halt and entry.candidate == 0]
        campaign.remove(file, "not converged")
        assert halt not in [event["halt"] for event in campaign.progress.probes]
        assert str(halt) not in campaign.progress.left_out
        campaign.restore(file)
        assert campaign.progress.probes[0]["halt"] == halt
        before = campaign.progress.probes[0]
        campaign.relabel(file)
        assert campaign.progress.probes[0] == before  # the oracle says the same, and so does the potential of that time


def test_labels_cost_what_the_oracle_computes_and_no_more(tmp_path: Path) -> None:
    oracle = ToyOracle()
    with make(tmp_path / "c", oracle, max_labels=8) as campaign:
        campaign.run()
        assert campaign.progress.n_charged == 6
        calls = oracle.calls
        campaign.add([ToyOracle().label(rattled(campaign, seed)) for seed in (1, 2, 3)])
        assert (campaign.progress.n_charged, campaign.progress.n_labels, oracle.calls) == (6, 9, calls)
        with pytest.raises(
            LabelBudgetError, match=r"at most 2 structures to label, .* got 3; choose fewer, .*max_labels=9"
        ):
            campaign.add([rattled(campaign, seed) for seed in (4, 5, 6)])
        added = campaign.add(rattled(campaign, 4))
        campaign.remove(added.files, "a trial")
        assert (campaign.progress.n_charged, oracle.calls) == (7, calls + 1)
        campaign.relabel("initial_000")
        assert (campaign.progress.n_charged, oracle.calls) == (8, calls + 2)
        with pytest.raises(LabelBudgetError, match="relabel: expected at most 0"):
            campaign.relabel(0)


def test_labels_that_are_pending_are_not_changed(tmp_path: Path) -> None:
    with make(tmp_path / "c") as campaign:
        with pytest.raises(StateError, match="as soon as there is a potential"):
            campaign.add(rattled(campaign, 1))
        refused = []
        while campaign.state is not State.DONE:
            state = campaign.state
            if campaign.generation is not None and state in (State.LABEL, State.TRAIN):
                with pytest.raises(StateError, match=r"while those of halt \d are pending; .*continue with campaign"):
                    campaign.remove(0, "no")
                refused.append(state)
            campaign.step()
        assert refused == [State.LABEL, State.TRAIN] * 2
    attached = attach(tmp_path / "c")
    for method in ("add", "remove", "restore", "relabel"):
        with pytest.raises(StateError, match=rf"only read, so that {method} cannot .*Campaign.open\(.*c'\)"):
            getattr(attached, method)("x", "y")


def test_what_cannot_be_used_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    oracle = ToyOracle()
    with make(tmp_path / "c", oracle) as campaign:
        campaign.run()
        good = rattled(campaign, 1)
        silver, nan, close, empty = (good.copy() for _ in range(4))
        silver.symbols[:] = "Ag"
        nan.positions[0, 0] = np.nan
        close.positions[1] = close.positions[0] + 0.1
        del empty[:]
        no_forces, moved, huge, unstressed = (good.copy() for _ in range(4))
        no_forces.calc = SinglePointCalculator(no_forces, energy=-1.0)
        moved.calc = SinglePointCalculator(moved, energy=-1.0, forces=np.zeros((32, 3)))
        moved.positions += np.random.default_rng(1).normal(size=(32, 3)) * 0.01
        huge.calc = SinglePointCalculator(huge, energy=-1.0, forces=np.full((32, 3), 1e4))
        unstressed.calc = SinglePointCalculator(unstressed, energy=-1.0, forces=np.zeros((32, 3)))
        journal = (tmp_path / "c/journal.jsonl").read_bytes()
        calls = oracle.calls
        for structures, words in (
            ([good, silver], "structure 1: .*not for Ag"),
            (nan, "structure 0: expected finite positions"),
            (close, "structure 0: .*two atoms are"),
            (empty, "an empty one"),
            ([], "got none"),
            ([good, "text"], "got Atoms, str"),
            (no_forces, "without forces"),
            (moved, "its positions changed after its results were computed"),
            (huge, "above max_force"),
            (tmp_path / "missing.xyz", "cannot be read"),
            ([good, good.copy()], "structure 1 equals structure 0"),
            (campaign.labeled_structures()[2], "equals the label halt_0001_candidate_000"),
        ):
            with pytest.raises(StructureError, match=words):
                campaign.add(structures)
        for labels, reason, words in (
            ("initial_00", "x", "did you mean 'initial_00.'"),
            (17, "x", "from 0 to 5, got 17"),
            (True, "x", "got bool"),
            ([], "x", "got none"),
            ("initial_000", " ", "expected a reason"),
            (range(6), "x", "no label would be left of 6 labels"),
            ("../x", "x", "there is no label"),
        ):
            with pytest.raises(ConfigError, match=words):
                campaign.remove(labels, reason)
        with pytest.raises(ConfigError, match="with the present settings"):
            campaign.relabel()
        with pytest.raises(ConfigError, match="since it is in force"):
            campaign.restore("initial_000")
        assert (tmp_path / "c/journal.jsonl").read_bytes() == journal
        assert oracle.calls == calls
        campaign.remove("initial_000", "x")
        with pytest.raises(ConfigError, match="since it was removed"):
            campaign.remove("initial_000", "x")


def test_structures_come_from_a_file_too(tmp_path: Path) -> None:
    with make(tmp_path / "c") as campaign:
        campaign.run()
        write(tmp_path / "more.extxyz", [ToyOracle().label(rattled(campaign, 1)), rattled(campaign, 2)])
        assert len(campaign.add(tmp_path / "more.extxyz").files) == 2
        assert campaign.to_dataframe("labels").file.tolist()[-1] == "labels/added_0001_structure_001.extxyz"


def test_structures_that_cannot_be_labeled_are_told_and_not_tried_again(tmp_path: Path) -> None:
    oracle = ToyOracle(failing=(6, 8, 9))
    with make(tmp_path / "c", oracle) as campaign:
        campaign.run()
        assert oracle.calls == 6
        revision = campaign.add([rattled(campaign, 1), rattled(campaign, 2)])
        assert [failure.candidate for failure in revision.failures] == [0]
        assert revision.files == ("labels/added_0001_structure_001.extxyz",)
        assert "the toy oracle fails" in str(revision)
        generation = campaign.progress.generation
        with pytest.raises(OracleError, match="no label was added, since none could be computed"):
            campaign.add(rattled(campaign, 3))
        with pytest.raises(OracleError, match="no label was relabeled"):
            campaign.relabel(0)
        assert campaign.progress.generation == generation
        assert campaign.progress.revisions.pending is None
    with Campaign.open(tmp_path / "c", engine=ToyEngine(200), oracle=oracle) as again:
        assert again.run().progress.generation == generation


@pytest.mark.parametrize("spare", [False, True])
def test_a_label_file_that_was_edited_is_named_and_never_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spare: bool
) -> None:
    with make(tmp_path / "c") as campaign:
        campaign.run()
        before = files_of(campaign, 3)
    file = tmp_path / "c/labels/initial_000.extxyz"
    edited = read_label(file).copy()
    results = dict(read_label(file).calc.results)
    edited.calc = SinglePointCalculator(edited, **{**results, "energy": results["energy"] + 1.0})
    write(file, edited, format="extxyz")  # without a checksum, as other programs write
    if spare:
        (file.parent / "spare" / file.name).write_bytes(file.read_bytes())
    content = file.read_bytes()
    with Campaign.open(tmp_path / "c", engine=ToyEngine(200), oracle=ToyOracle()) as campaign:
        assert "labels/initial_000.extxyz was changed or damaged" in caplog.text
        if spare:
            with pytest.raises(DamagedFileError, match=r"initial_000.*: it and its copy .* were changed"):
                campaign.remove(1, "it is another one")
            campaign.relabel("initial_000")
        else:
            campaign.remove(1, "it is another one")
            campaign.restore("initial_001")
        assert files_of(campaign, campaign.progress.generation or 0) == before
    assert file.read_bytes() == content


def test_of_two_files_without_a_recorded_checksum_the_one_with_its_own_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As in campaigns of earlier versions, whose journals have no checksums of labels."""
    atoms = ToyOracle().label(toy_structure())
    other = atoms.copy()
    other.calc = SinglePointCalculator(other, **{**atoms.calc.results, "energy": 1.0})
    file, second = tmp_path / "labels/edited.extxyz", tmp_path / "labels/two.extxyz"
    for path in (file, second):
        write_label(path, atoms)
    write(file, other, format="extxyz")
    assert energy_of(read_label(file)) == pytest.approx(energy_of(atoms))
    assert caplog.text.count("edited.extxyz was changed or damaged") == 1
    labeled = find_label(file)
    assert labeled is not None
    assert energy_of(labeled) == pytest.approx(energy_of(atoms))
    assert energy_of(read_structures(file.with_name("edited.extxyz.changed"))[0]) == 1.0  # not lost
    write_structures(second, [other])
    for read in (read_label, find_label):
        with pytest.raises(DamagedFileError, match="one of both was changed since the label was computed"):
            read(second)


def toy_structure() -> Atoms:
    atoms: Atoms = bulk("Cu", cubic=True).repeat(2)
    atoms.rattle(0.1, seed=1)
    return atoms


def test_a_basis_that_was_chosen_stays(tmp_path: Path) -> None:
    settings = toy_config().model_dump()
    settings["potential"]["basis"] = "auto"
    settings["system"]["n_first"] = 4
    engine = ToyEngine(200, halting_at(60))
    with Campaign.create(tmp_path / "c", CampaignConfig(**settings), engine=engine, oracle=ToyOracle()) as campaign:
        campaign.run()
        before = files_of(campaign, 2)
        campaign.remove(campaign.add(ToyOracle().label(rattled(campaign, 1))).files, "a trial")
        assert files_of(campaign, 4) == before
        assert campaign.generation is not None
        assert campaign.generation.basis_choice is not None

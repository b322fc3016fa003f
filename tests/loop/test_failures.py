"""Failures cost no more labels than necessary."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from acemaker import Campaign, attach
from acemaker.config import PotentialConfig
from acemaker.config.campaign import CHANGEABLE, HALFWAY
from acemaker.errors import (
    CampaignError,
    CampaignExistsError,
    CampaignLockedError,
    Cause,
    ConfigError,
    FitRejectedError,
    MissingLibraryError,
    OracleError,
    StateError,
    StructureError,
)
from acemaker.loop.journal import read_events
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config


def make(directory: Path, oracle: ToyOracle | None = None, **otf: object) -> Campaign:
    engine = ToyEngine(200, halting_at(100))
    return Campaign.create(directory, toy_config(**otf), exist_ok=True, engine=engine, oracle=oracle or ToyOracle())


def reopen(directory: Path, oracle: ToyOracle | None = None, **changes: Any) -> Campaign:
    return Campaign.open(directory, engine=ToyEngine(200, halting_at(100)), oracle=oracle or ToyOracle(), **changes)


def test_a_failed_label_costs_that_structure(tmp_path: Path) -> None:
    """Calls 0 and 1 are for generation 1; the third labels the halted structure, the fourth the other selected one."""
    campaign = make(tmp_path / "c", ToyOracle(failing={3})).run()
    assert campaign.state is State.DONE
    assert [entry.candidate for entry in campaign.progress.labels if entry.halt == 1] == [0]
    journal = (tmp_path / "c" / "journal.jsonl").read_text()
    assert '"event": "label_failed"' in journal
    assert "fails in this call" in journal


def test_a_label_is_tried_again(tmp_path: Path) -> None:
    oracle = ToyOracle(failing={2, 3})
    campaign = make(tmp_path / "c", oracle, max_retries=2).run()
    assert next(entry.candidate for entry in campaign.progress.labels if entry.halt == 1) == 0
    assert "label_failed" not in (tmp_path / "c" / "journal.jsonl").read_text()


def test_an_anchor_that_cannot_be_labeled_hands_its_place_on(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c", ToyOracle(failing={2}), n_select=1)
    campaign.prepare()
    for _ in range(4):
        selection = campaign.step()
    labels = campaign.label()
    assert labels.failures[0].candidate == 0
    assert labels.candidates == (selection.reserve[0],)  # type: ignore[attr-defined]


def test_with_none_left_the_state_is_failed_and_a_mended_oracle_goes_on(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c", ToyOracle(failing=range(2, 100)))
    with pytest.raises(OracleError, match=r"0 of 6 structures could be labeled, 1 are needed"):
        campaign.run()
    assert campaign.state is State.FAILED
    assert len(campaign.progress.labels) == 2
    campaign.close()
    oracle = ToyOracle()
    again = reopen(tmp_path / "c", oracle)
    assert again.state is State.LABEL
    assert again.run().state is State.DONE
    assert oracle.calls == 2, "the first structures were paid for again"


def test_a_rejected_fit_goes_back_for_more_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from acemaker.potentials import linear_trainer

    decisions = iter(["", "too bad", "still bad", ""])
    monkeypatch.setattr(linear_trainer, "reason_to_reject", lambda *_: next(decisions))
    campaign = make(tmp_path / "c", n_select=1, max_retries=2).run()
    labeled = [entry.candidate for entry in campaign.progress.labels if entry.halt == 1]
    assert len(labeled) == len(set(labeled)) == 3
    assert labeled[0] == 0
    assert campaign.generation is not None
    assert campaign.generation.number == 2
    assert len(campaign.progress.groups) == 4


def test_too_many_rejected_fits_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from acemaker.potentials import linear_trainer

    decisions = iter(["", *["bad"] * 10])
    monkeypatch.setattr(linear_trainer, "reason_to_reject", lambda *_: next(decisions))
    campaign = make(tmp_path / "c", n_select=1, max_retries=1)
    with pytest.raises(
        FitRejectedError, match=r"2 consecutive fits were rejected at halt 1, the last because bad;.*max_retries=3"
    ):
        campaign.run()
    assert not (tmp_path / "c" / "potentials" / "potential_v2.yaml").exists()
    campaign.close()
    monkeypatch.undo()
    assert reopen(tmp_path / "c", max_retries=3).run().state is State.DONE


def test_ctrl_c_in_the_oracle_leaves_a_campaign_that_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted(ToyOracle):
        def label(self, atoms: Atoms) -> Atoms:
            if self.calls == 3:
                raise KeyboardInterrupt
            return super().label(atoms)

    campaign = make(tmp_path / "c", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        campaign.run(progress=True)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"interrupted; all results so far are in {tmp_path / 'c'}, and run() continues from there"
    assert campaign.state is State.LABEL
    assert len(campaign.progress.labels) == 3
    campaign.close()
    oracle = ToyOracle()
    assert reopen(tmp_path / "c", oracle).run().state is State.DONE
    assert oracle.calls == 1


def test_ctrl_c_in_training_does_not_teach_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from acemaker.potentials.linear import LeastSquares

    whole = make(tmp_path / "whole").run()
    campaign = make(tmp_path / "c")
    for _ in range(7):
        campaign.step()
    assert campaign.state is State.TRAIN
    original = LeastSquares.solve

    def press(*_: object, **__: object) -> np.ndarray:
        raise KeyboardInterrupt

    monkeypatch.setattr(LeastSquares, "solve", press)
    with pytest.raises(KeyboardInterrupt):
        campaign.train()
    monkeypatch.setattr(LeastSquares, "solve", original)
    assert campaign.state is State.TRAIN
    campaign.run()  # the same object, as a notebook does it
    files = [directory / "potentials" / "potential_v2.yaml" for directory in (whole.directory, campaign.directory)]
    assert files[0].read_bytes() == files[1].read_bytes()


class Liar(ToyOracle):
    """An oracle of the user that checks nothing and raises arbitrary exceptions."""

    def label(self, atoms: Atoms) -> Atoms:
        labeled = super().label(atoms)
        assert labeled.calc is not None
        if self.calls == 3:
            raise RuntimeError("out of memory")
        if self.calls == 4:
            labeled.calc.results["forces"][0, 0] = np.nan
        if self.calls == 5:
            labeled.calc.results["forces"] *= 1e6
        return labeled


def test_an_oracle_of_the_users_own_may_raise_anything(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c", Liar(), n_select=4).run()
    assert campaign.state is State.DONE
    journal = (tmp_path / "c" / "journal.jsonl").read_text()
    for words in ("RuntimeError: out of memory", "expected a finite forces", "above max_force"):
        assert words in journal


class Failing(ToyOracle):
    """Fails from its third call to its fifth, for a cause that it names."""

    def __init__(self, cause: Cause) -> None:
        super().__init__()
        self.cause = cause

    def label(self, atoms: Atoms) -> Atoms:
        labeled = super().label(atoms)
        if 2 < self.calls < 6:
            raise OracleError("as it was told", self.cause)
        return labeled


def test_what_would_fail_for_every_structure_uses_none_of_them_up(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c", Failing(Cause.PROGRAM_MISSING), max_retries=2)
    with pytest.raises(OracleError, match=r"^program missing: as it was told"):
        campaign.run()
    assert campaign.state is State.FAILED
    journal = (tmp_path / "c" / "journal.jsonl").read_text()
    assert "label_failed" not in journal
    campaign.close()
    oracle = ToyOracle()
    again = reopen(tmp_path / "c", oracle).run()
    assert again.state is State.DONE
    assert next(entry.candidate for entry in again.progress.labels if entry.halt == 1) == 0


@pytest.mark.parametrize(("cause", "attempts"), [(Cause.NOT_CONVERGED, 1), (Cause.TIMED_OUT, 3)])
def test_what_would_only_fail_again_is_not_tried_again(tmp_path: Path, cause: Cause, attempts: int) -> None:
    campaign = make(tmp_path / "c", Failing(cause), max_retries=2, n_select=1).run()
    assert campaign.state is State.DONE
    failures = [json.loads(line) for line in (tmp_path / "c" / "journal.jsonl").read_text().splitlines()]
    failures = [event for event in failures if event["event"] == "label_failed"]
    assert len(failures) == 3 // attempts
    assert {event["attempts"] for event in failures} == {attempts}
    assert failures[0]["cause"] == f"{cause}: as it was told"


def test_generation_0_has_structures_in_reserve(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c", ToyOracle(failing={1}))
    labels = campaign.label()
    assert labels.candidates == (0, 2)
    assert campaign.train().accepted


def test_generation_0_that_cannot_be_labeled_goes_on_once_the_oracle_is_mended(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c", ToyOracle(failing={1, 2, 3}))
    with pytest.raises(OracleError, match="1 of 4 structures could be labeled, 2 are needed") as failed:
        campaign.run()
    assert len(str(failed.value).splitlines()) == 2, "what is common to all is said once"
    assert "\n  candidates 1, 2, 3: " in str(failed.value)
    with pytest.raises(StateError, match="failed in LABEL"):
        campaign.prepare()
    campaign.close()
    oracle = ToyOracle()
    again = reopen(tmp_path / "c", oracle)
    again.prepare()
    assert oracle.calls == 1
    assert again.run().state is State.DONE


def test_a_campaign_that_failed_before_its_first_label_gives_way_to_a_mended_one(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c", ToyOracle(failing=range(100)))
    with pytest.raises(OracleError, match="0 of 4"):
        campaign.run()
    looking = attach(tmp_path / "c")
    campaign.close()
    again = make(tmp_path / "c", n_select=1)
    created, *rest = read_events(tmp_path / "c/journal.jsonl")[0]
    assert created["replaced"] == ["otf.n_select: 2 -> 1"]
    assert not rest
    with pytest.raises(CampaignError, match="was replaced by another one"):
        looking.refresh()
    assert again.run().state is State.DONE
    again.close()
    with pytest.raises(CampaignExistsError, match=r"(?s)n_select: 1 -> 2\nchoose another directory"):
        make(tmp_path / "c")


def test_one_that_has_explored_does_not_give_way(tmp_path: Path) -> None:
    """Calls 0 and 1 are for generation 1, which has run until a halt."""
    campaign = make(tmp_path / "c", ToyOracle(failing=range(2, 100)))
    with pytest.raises(OracleError):
        campaign.run()
    campaign.close()
    before = {path: path.read_bytes() for path in (tmp_path / "c").rglob("*") if path.is_file()}
    with pytest.raises(CampaignExistsError, match=r"n_select"):
        make(tmp_path / "c", n_select=1)
    assert {path: path.read_bytes() for path in (tmp_path / "c").rglob("*") if path.is_file()} == before


def test_one_without_a_label_that_has_not_failed_may_be_deleted(tmp_path: Path) -> None:
    make(tmp_path / "c").close()
    with pytest.raises(CampaignExistsError, match="no labels yet, so that its directory can be deleted without loss"):
        make(tmp_path / "c", n_select=1)


def test_a_missing_file_is_no_difference(tmp_path: Path) -> None:
    make(tmp_path / "c").close()
    other = toy_config()
    other = type(other)(**{**other.model_dump(), "system": {"structure": "al.cif"}})
    with pytest.raises(ConfigError, match=r"'al.cif' is neither a chemical symbol nor a file"):
        Campaign.create(tmp_path / "c", other, exist_ok=True, engine=ToyEngine(), oracle=ToyOracle())


def test_what_another_campaign_left_is_not_taken_for_its_own(tmp_path: Path) -> None:
    make(tmp_path / "c").run(4)
    (tmp_path / "c" / "journal.jsonl").unlink()
    with pytest.raises(CampaignExistsError, match="no journal, but contains labels, segments, potentials"):
        make(tmp_path / "c")


def test_another_structure_is_another_campaign(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c")
    campaign.close()
    nickel = campaign.initial_structure().copy()
    nickel.symbols[:] = "Ni"
    parts: dict[str, Any] = {"engine": ToyEngine(), "oracle": ToyOracle()}
    with pytest.raises(CampaignExistsError, match="structure: another one"):
        Campaign.create(tmp_path / "c", toy_config(), exist_ok=True, structure=nickel, **parts)
    # the lock was given back, and the campaign itself is as it was
    assert Campaign.create(tmp_path / "c", toy_config(), exist_ok=True, structure=campaign.initial_structure(), **parts)


def test_only_changeable_fields_can_be_changed_on_opening(tmp_path: Path) -> None:
    make(tmp_path / "c").close()
    with pytest.raises(ConfigError, match=r"max_atoms, .*label_store, .* only, not n_functions"):
        reopen(tmp_path / "c", n_functions=3)


def test_the_fields_that_the_docstring_names_are_those_that_can_be_changed(tmp_path: Path) -> None:
    described = str(Campaign.open.__doc__).partition("**changes")[2].partition("Returns")[0]
    allowed = [name for names in CHANGEABLE.values() for name in names]
    allowed += [name for section, names in HALFWAY.items() if section != "oracle" for name in names]
    assert sorted(re.findall("``(\\w+)``", described)) == sorted(allowed)
    make(tmp_path / "c").close()
    with pytest.raises(ConfigError) as refused:
        reopen(tmp_path / "c", n_functions=3)
    assert [name for name in allowed if name not in str(refused.value)] == []


def test_an_executor_can_be_changed_by_its_name(tmp_path: Path) -> None:
    make(tmp_path / "c").close()
    with Campaign.open(tmp_path / "c", oracle=ToyOracle(), engine=ToyEngine(), executor="files") as campaign:
        assert campaign.config.labeling.executor == "files"
        assert "queue/elsewhere" in str(campaign.submit())


def test_a_label_written_just_before_a_crash_is_not_paid_twice(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c", ToyOracle())
    campaign.label()
    campaign.close()
    journal = tmp_path / "c" / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines[:2]))  # created, and the first of two labels
    oracle = ToyOracle()
    again = reopen(tmp_path / "c", oracle)
    again.run()
    assert oracle.calls == 2  # those of the halt
    assert len(again.progress.labels) == 4


def test_another_process_is_kept_out(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c")
    code = (
        "from acemaker import Campaign\nfrom acemaker.errors import CampaignLockedError\n"
        f"try:\n    Campaign.open({str(tmp_path / 'c')!r})\nexcept CampaignLockedError as e:\n    print('locked', e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("locked another process has the campaign")
    campaign.close()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert issubclass(CampaignLockedError, CampaignError)


def test_opening_nothing(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match=r"no campaign in .*; create one with Campaign\.create"):
        Campaign.open(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def slab() -> Atoms:
    return Atoms("Cu4", np.eye(4, 3) * 2.5, cell=[6, 6, 20], pbc=[True, True, False])


@pytest.mark.parametrize(
    ("change", "structure", "error", "words"),
    [
        ({}, slab(), StructureError, "periodic boundary conditions"),
        ({"oracle": {"oracle": "nowhere:thing"}}, None, ConfigError, "cannot be imported"),
        ({"oracle": {"oracle": "math:pi"}}, None, ConfigError, "not callable"),
        (
            {"oracle": {"oracle": "lammps", "pair_style": "eam/alloy", "pair_coeff": ["* * missing.eam Cu"]}},
            None,
            ConfigError,
            "no file 'missing.eam'",
        ),
        (
            {"oracle": {"oracle": "lammps", "pair_style": "eam/aloy", "pair_coeff": ["* * Cu_mishin1.eam.alloy Cu"]}},
            None,
            ConfigError,
            r"^OracleConfig\.pair_style, .* 'Unrecognized pair style 'eam/aloy''.*; did you mean 'eam/alloy'\?$",
        ),
        (
            {"oracle": {"oracle": "lammps", "pair_style": "lj/cut", "pair_coeff": ["* * 0.2 2.3"]}},
            None,
            ConfigError,
            "LAMMPS reports 'Illegal pair_style command' for 'pair_style lj/cut",
        ),
        (
            {"oracle": {"oracle": "emt"}},
            Atoms("Fe2", [[0, 0, 0], [0, 0, 2.5]], cell=np.eye(3) * 5, pbc=True),
            ConfigError,
            "the 'emt' oracle cannot label the initial structure: .*Fe",
        ),
        ({"system": {"structure": "missing.xyz"}}, None, ConfigError, "neither a chemical symbol nor a file"),
        ({"system": {"structure": "Cu", "crystal": "wurtzite"}}, None, ConfigError, "cannot build"),
        ({"engine": {"ensemble": "npt"}}, Atoms("Cu2", [[0, 0, 0], [0, 0, 2.5]]), StructureError, "needs a periodic"),
        ({"engine": {"engine": "isolated", "lammps": "no-such-lmp"}}, None, MissingLibraryError, "does not run"),
        ({"potential": {"reference_energies": {"Au": 1.0}}}, None, ConfigError, "no value for Cu"),
        ({"otf": {"strategies": {"magic": 1}}}, None, ConfigError, "got 'magic'"),
        ({"otf": {"strategies": {"nowhere:mine": 1}}}, None, ConfigError, "'nowhere:mine' cannot be imported"),
        ({"otf": {"mode_calculator": "math:pi"}}, None, ConfigError, "mode_calculator: 'math:pi' is not callable"),
        (
            {"otf": {"strategies": {"strain": 1}}, "engine": {"ensemble": "nve"}},
            Atoms("Cu2", [[0, 0, 0], [0, 0, 2.5]]),
            ConfigError,
            "'strain' needs a periodic structure",
        ),
        ({"potential": {"n_functions": 5000}}, None, ConfigError, "expected at most"),
    ],
)
def test_bad_input_leaves_nothing_behind(
    tmp_path: Path, change: dict[str, object], structure: Atoms | None, error: type[Exception], words: str
) -> None:
    config = toy_config()
    config = type(config)(**{**config.model_dump(), **change})
    with pytest.raises(error, match=words):
        Campaign.create(tmp_path / "c", config, structure=structure)
    assert not (tmp_path / "c").exists()


def test_an_element_without_functions(tmp_path: Path) -> None:
    """A trainer for copper alone is given a structure with nickel."""
    from acemaker.potentials.linear_trainer import LinearTrainer

    atoms = Atoms("CuNi", [[0, 0, 0], [1.8, 1.8, 0]], cell=np.eye(3) * 3.6, pbc=True)
    trainer = LinearTrainer(PotentialConfig(n_functions=5), ["Cu"])
    with pytest.raises(StructureError, match="functions for Cu but not for Ni"):
        trainer.grade([atoms])


def test_generation_0_takes_enough_structures_by_itself(tmp_path: Path) -> None:
    config = toy_config()
    config = type(config)(
        **{**config.model_dump(), "system": {"structure": "Cu", "supercell": (1, 1, 1), "n_first": 1}}
    )
    campaign = Campaign.create(tmp_path / "c", config, engine=ToyEngine(), oracle=ToyOracle())
    labels = campaign.label()
    assert len(labels.structures) == 3 + 1  # 12 functions, 4 atoms; and the start, whose gamma would halt the run
    assert campaign.train().accepted

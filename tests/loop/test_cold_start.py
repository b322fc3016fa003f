"""First structures from the run of a cheap potential, before the first label."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.cluster import Octahedron
from ase.constraints import FixAtoms

from acemaker import Campaign, CampaignConfig, attach
from acemaker.errors import ConfigError, EngineError, UntrustedError
from acemaker.loop import cold_start
from acemaker.loop.cold_start import planned_runs
from acemaker.structures.files import read_structures
from acemaker.structures.geometry import closeness
from acemaker.testing import ToyEngine
from tests.conftest import MISHIN, copper, small_basis

ZHOU = {"cold_start": "eam/alloy", "cold_start_coeff": "* * Cu_zhou.eam.alloy Cu"}
COUNTED = f"{__name__}:Counted"


class Counted(EMT):
    """EMT that counts its evaluations, and may be interrupted."""

    made = 0
    interrupt_at = 0

    def calculate(self, *arguments: Any, **more: Any) -> None:
        Counted.made += 1
        if Counted.made == Counted.interrupt_at:
            raise KeyboardInterrupt
        super().calculate(*arguments, **more)


class NotFinite(EMT):
    """EMT without a finite energy from the tenth evaluation on."""

    made = 0

    def calculate(self, *arguments: Any, **more: Any) -> None:
        super().calculate(*arguments, **more)
        NotFinite.made += 1
        if NotFinite.made > 10:
            self.results["energy"] = float("nan")


class NeverFinite(EMT):
    """EMT without finite forces."""

    def calculate(self, *arguments: Any, **more: Any) -> None:
        super().calculate(*arguments, **more)
        self.results["forces"] = np.full_like(self.results["forces"], np.inf)


@pytest.fixture(autouse=True)
def _count() -> None:
    Counted.made = Counted.interrupt_at = NotFinite.made = 0


def config(**changes: Any) -> CampaignConfig:
    base = {
        "seed": 3,
        "lattice_constant": 3.615,
        "supercell": (2, 2, 2),
        "steps": 60,
        "temperature": (600.0, 1200.0),
        "restart_every": 10,
        "cold_start_frames": 3,
        "n_probes": 0,
        **MISHIN.model_dump(include={"oracle", "pair_style", "pair_coeff"}),
        **small_basis().model_dump(include={"n_functions", "cutoff", "nradmax_by_orders", "lmax_by_orders"}),
    }
    return CampaignConfig.from_parameters(base | ZHOU | changes)


def first_of(campaign: Campaign) -> tuple[Atoms, ...]:
    return read_structures(campaign.directory / "candidates" / "initial.extxyz")


def frames_of(campaign: Campaign) -> list[Atoms]:
    return [atoms for atoms in first_of(campaign) if atoms.info["origin"] == "cold_start"]


def events_of(campaign: Campaign) -> list[dict[str, Any]]:
    return [event for event in campaign.events() if event["event"] == "cold_start"]


def test_generation_1_comes_of_frames_evenly_in_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "acemaker")
    with Campaign.create(tmp_path / "run", config()) as campaign:
        assert not frames_of(campaign), "nothing runs while the campaign is created"
        assert "3 of 32 atoms, from a cold start with eam/alloy" in str(campaign)
        campaign.prepare()
        frames = frames_of(campaign)
        assert [atoms.info["step"] for atoms in frames] == [20, 40, 60]
        labels = campaign.labeled_structures()
        assert len(labels) == campaign.progress.n_labels == 3
        for frame, label in zip(frames, labels, strict=True):
            assert np.array_equal(frame.positions, label.positions)
        forces = [float(np.abs(atoms.get_forces()).max()) for atoms in labels]
        assert min(forces) > 0.1, "they are frames of a run, and not of a crystal at rest"
        assert campaign.generation is not None
        assert campaign.generation.number == 1
        (event,) = events_of(campaign)
        assert event["frames"] == [{"walker": 1, "step": step} for step in (20, 40, 60)]
        assert event["left_out"] == []
    lines = [record.message for record in caplog.records if record.message.startswith("cold start")]
    assert lines[0] == "cold start: eam/alloy runs first, for 3 frames to be labeled"
    assert "step      60 of 60" in lines[-1]


def test_a_campaign_reopens_to_the_same_bits_without_a_second_run(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "whole", config(cold_start=COUNTED, cold_start_coeff=())) as whole:
        whole.run()
    made = Counted.made
    with Campaign.create(tmp_path / "stepwise", config(cold_start=COUNTED, cold_start_coeff=())):
        pass
    for _ in range(100):
        with Campaign.open(tmp_path / "stepwise") as stepwise:
            if stepwise.state == "DONE":
                break
            stepwise.step()
    assert stepwise.state == "DONE"
    assert Counted.made == 2 * made
    assert len(events_of(stepwise)) == 1
    assert whole.generation is not None
    assert stepwise.generation is not None
    assert np.array_equal(whole.generation.coefficients(), stepwise.generation.coefficients())
    with Campaign.create(tmp_path / "other", config(cold_start=COUNTED, cold_start_coeff=(), seed=4)) as other:
        other.prepare()
    assert not np.allclose(frames_of(other)[0].positions, frames_of(whole)[0].positions, atol=1e-3)


def test_interrupted_in_the_run_it_begins_again(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "whole", config(cold_start=COUNTED, cold_start_coeff=())) as whole:
        whole.prepare()
    with Campaign.create(tmp_path / "broken", config(cold_start=COUNTED, cold_start_coeff=())):
        pass
    Counted.interrupt_at = Counted.made + 30
    with Campaign.open(tmp_path / "broken") as broken:
        with pytest.raises(KeyboardInterrupt):
            broken.prepare()
        assert not frames_of(broken)
        assert not broken.progress.n_labels
    with Campaign.open(tmp_path / "broken") as broken:
        broken.prepare()
    assert (broken.directory / "candidates/initial.extxyz").read_bytes() == (
        whole.directory / "candidates/initial.extxyz"
    ).read_bytes()


def test_killed_between_its_file_and_the_journal_it_does_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> dict[str, Any]:
        raise KeyboardInterrupt

    with Campaign.create(tmp_path / "run", config(cold_start=COUNTED, cold_start_coeff=())) as campaign:
        monkeypatch.setattr(cold_start, "_event", killed)
        with pytest.raises(KeyboardInterrupt):
            campaign.prepare()
        monkeypatch.undo()
    stored, made = first_of(campaign), Counted.made
    with Campaign.open(tmp_path / "run") as campaign:
        campaign.prepare()
    assert Counted.made == made
    assert len(events_of(campaign)) == 1
    assert all(np.array_equal(a.positions, b.positions) for a, b in zip(stored, first_of(campaign), strict=True))


def test_frozen_atoms_stay_and_masses_count(tmp_path: Path) -> None:
    atoms = copper()
    atoms.set_constraint(FixAtoms(indices=range(8)))
    heavy = atoms.copy()
    heavy.set_masses([1000.0] * len(heavy))
    moved = {}
    for name, structure in (("light", atoms), ("heavy", heavy)):
        with Campaign.create(tmp_path / name, config(ensemble="nvt"), structure=structure) as campaign:
            campaign.submit()
            frames = frames_of(campaign)
        for frame in frames:
            assert frame.arrays["frozen"].sum() == 8
            scaled = frame.get_scaled_positions(wrap=True)[:8] - structure.get_scaled_positions(wrap=True)[:8]
            assert np.abs(scaled - np.round(scaled)).max() < 1e-6
        distances = frames[0].get_scaled_positions() - structure.get_scaled_positions()
        moved[name] = np.abs(distances - np.round(distances)).max()
    assert moved["heavy"] < 0.5 * moved["light"], "heavy atoms at the same temperature are slower"


def test_a_cluster_remains_in_its_box(tmp_path: Path) -> None:
    cluster = Octahedron("Cu", 3, 1)
    cluster = Atoms(cluster.symbols, cluster.positions)
    cluster.center(vacuum=6)
    with Campaign.create(
        tmp_path / "run", config(ensemble="csvr", cold_start="emt", cold_start_coeff=()), structure=cluster
    ) as campaign:
        campaign.submit()
        for frame in frames_of(campaign):
            assert not frame.pbc.any()
            assert frame.cell.lengths() == pytest.approx(cluster.cell.lengths(), abs=0.5)
            assert (frame.get_scaled_positions() > 0.1).all()


def test_walkers_under_other_conditions_run_each(tmp_path: Path) -> None:
    walkers = [{"temperature": 300}, {"temperature": 900}, {"temperature": 900}]
    settings = config(walkers=walkers)
    with Campaign.create(tmp_path / "run", settings) as campaign:
        campaign.submit()
        found = [(atoms.info["walker"], atoms.info["step"]) for atoms in frames_of(campaign)]
    assert found == [(1, 30), (1, 60), (2, 60)]


def test_more_frames_where_the_basis_or_the_walkers_need_them() -> None:
    assert [len(run.steps) for run in planned_runs(config(cold_start_frames=1, n_first=1), 5)] == [5]
    settings = config(cold_start_frames=1, n_first=1, walkers=[{"temperature": 300}, {"temperature": 900}])
    runs = planned_runs(settings, 4)
    assert [(run.walker, run.steps) for run in runs] == [(1, (20, 40, 60)), (2, (60,))]


def test_triclinic_boxes_may_tilt(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "run", config(pressure_coupling="tri", temperature=1200)) as campaign:
        campaign.submit()
        angles = [atoms.cell.angles() for atoms in frames_of(campaign)]
    assert np.abs(np.array(angles) - 90).max() > 1e-3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cold_start": "emt", "cold_start_coeff": (), "structure": "W"}, "cold_start: .*W"),
        ({"cold_start_coeff": "* * W_zhou.eam.alloy W"}, "cold_start_coeff: these coefficients are for W"),
        ({"cold_start_coeff": "* * nowhere.eam.alloy Cu"}, r"cold_start_coeff: .*nowhere\.eam\.alloy"),
        ({"cold_start": "no/style", "cold_start_coeff": "* *"}, "SystemConfig.cold_start: .*no/style"),
        ({"cold_start": "nowhere:at_all", "cold_start_coeff": ()}, "SystemConfig.cold_start: .*cannot be imported"),
        ({"cold_start": f"{__name__}:NeverFinite", "cold_start_coeff": ()}, "not finite"),
        ({"cold_start": "lj/cut 0.5", "cold_start_coeff": "* * 0.1 2.3"}, "no forces on displaced atoms of Cu"),
        ({"max_atoms": 20}, "32 atoms, more than max_atoms=20"),
        ({"steps": 10, "cold_start_frames": 11}, "11 frames need as many MD steps, got steps=10"),
        ({"max_labels": 2}, "max_labels: expected at least 3.*cold_start_frames"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_written(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    if changes.get("structure") == "W":
        changes |= {"lattice_constant": 3.165, "pair_coeff": ["* * W_zhou.eam.alloy W"]}
    with pytest.raises(ConfigError, match=words):
        Campaign.create(tmp_path / "run", config(**changes))
    assert not (tmp_path / "run").exists()


def test_an_engine_object_may_run_something_else(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cold_start.*engine object"):
        Campaign.create(tmp_path / "run", config(), engine=ToyEngine())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cold_start": "nothing", "cold_start_coeff": ()}, "cold_start must be 'emt'"),
        ({"cold_start": "", "cold_start_coeff": "* * 1 2"}, "cold_start_coeff needs cold_start"),
        ({"cold_start": "emt"}, "cold_start_coeff belongs to a LAMMPS pair style"),
        ({"cold_start_arguments": {"a": 1}}, "cold_start_arguments belong to a calculator"),
        ({"cold_start": "emt", "cold_start_coeff": (), "cold_start_arguments": {"b": 1}}, "no argument 'b'"),
        ({"cold_start": "hybrid eam"}, "cold_start must be a potential"),
        ({"cold_start": 'sw"\nshell'}, "cold_start must be a pair style"),
        ({"cold_start_frames": 0}, "cold_start_frames"),
        ({"cold_start_frames": float("inf")}, "cold_start_frames"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config(**changes)


def test_a_run_that_stops_says_where_and_may_be_replaced(tmp_path: Path) -> None:
    broken = config(cold_start=f"{__name__}:NotFinite", cold_start_coeff=())
    with Campaign.create(tmp_path / "run", broken) as campaign, pytest.raises(EngineError) as caught:
        campaign.prepare()
    assert "stopped after step" in str(caught.value)
    assert "not finite" in str(caught.value)
    assert campaign.state == "FAILED"
    with Campaign.create(tmp_path / "run", config(), exist_ok=True) as campaign:
        campaign.prepare()
    assert [atoms.info["step"] for atoms in frames_of(campaign)] == [20, 40, 60]


def test_atoms_that_explode_end_the_run_by_name(tmp_path: Path) -> None:
    exploding = config(cold_start="lj/cut 6.0", cold_start_coeff="* * 5.0 6.0", ensemble="nve")
    with Campaign.create(tmp_path / "run", exploding) as campaign, pytest.raises(EngineError, match="cold_start"):
        campaign.prepare()
    assert not campaign.progress.n_labels


def test_frames_with_unphysical_distances_are_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    collapsing = config(
        cold_start="lj/cut 6.0", cold_start_coeff="* * 0.4 1.2", barostat_time=200.0, steps=100, cold_start_frames=10
    )
    with Campaign.create(tmp_path / "run", collapsing) as campaign:
        campaign.submit()
        structures = first_of(campaign)
        (event,) = events_of(campaign)
    assert event["left_out"]
    assert event["frames"]
    limit = collapsing.otf.min_distance_fraction
    assert all(closeness(atoms).share >= limit for atoms in frames_of(campaign))
    told = [record.message for record in caplog.records if "is not taken" in record.message]
    assert len(told) == len(event["left_out"])
    assert "min_distance_fraction=0.65" in told[0]
    assert len(structures) > 3, "strained and rattled structures take their places"


def test_a_run_without_any_physical_frame_yields_no_label(tmp_path: Path) -> None:
    collapsing = config(
        cold_start="lj/cut 6.0",
        cold_start_coeff="* * 0.4 1.2",
        barostat_time=100.0,
        steps=300,
        cold_start_frames=1,
        n_first=1,
    )
    with Campaign.create(tmp_path / "run", collapsing) as campaign, pytest.raises(EngineError, match="no frame"):
        campaign.prepare()
    assert not campaign.progress.n_labels


def test_a_directory_does_not_run_its_factory_without_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Campaign.create(tmp_path / "run", config(cold_start=COUNTED, cold_start_coeff=())):
        pass
    made = Counted.made
    shutil.copytree(tmp_path / "run", tmp_path / "elsewhere")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with pytest.raises(UntrustedError, match="cold_start"):
        Campaign.open(tmp_path / "elsewhere")
    attach(tmp_path / "elsewhere").summary()
    assert Counted.made == made
    with Campaign.open(tmp_path / "elsewhere", allow_code=True) as campaign:
        campaign.submit()
    assert Counted.made > made


def test_the_configuration_in_the_journal_says_what_was_used(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "run", config()) as campaign:
        lines = (campaign.directory / "journal.jsonl").read_text().splitlines()
    system = json.loads(lines[0])["config"]["system"]
    assert system["cold_start"] == "eam/alloy"
    assert system["cold_start_coeff"] == ["* * Cu_zhou.eam.alloy Cu"]

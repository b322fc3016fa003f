"""Campaigns with stages, strain and frozen atoms by configuration: kill and resume, walkers, figure, records."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import fcc111
from ase.constraints import FixAtoms

from acemaker import Callback, Campaign, CampaignConfig
from acemaker.errors import ConfigError, StructureError
from acemaker.loop.initial_structures import initial_structures_of
from acemaker.states import State
from tests.loop.test_walkers import CONFIG

STAGES: list[dict[str, Any]] = [
    {"steps": 50, "ensemble": "nvt", "temperature": 300},
    {"steps": 75, "ensemble": "npt", "temperature": (300, 1500)},
    {"steps": 50, "ensemble": "nvt", "temperature": 1500, "strain_rates": {"z": -0.5}},
]


class KilledError(Exception):
    pass


def config(**engine: Any) -> CampaignConfig:
    run = {"restart_every": 25, "trajectory_every": 25, "temperature": 300, "soft_start_steps": 10, **engine}
    otf = {"n_candidates": 6, "n_select": 2, "threshold_add_train": 1.5, "threshold_call_dft": 2.0, "n_probes": 1}
    return CampaignConfig(
        seed=3, system=CONFIG.system, otf=otf, engine=run, potential=CONFIG.potential, oracle=CONFIG.oracle
    )


def killed_at(step: int) -> Callback:
    """Kill the process at the first check of a step."""
    once = []

    def on_check(check: Any) -> None:
        if check.step == step and not once:
            once.append(step)
            raise KilledError

    return Callback(on_check=on_check)


def assert_same(one: Campaign, other: Campaign) -> None:
    """Compare labels, coefficients and checks to the last digit."""
    assert one.state is other.state is State.DONE
    labels, others = one.labeled_structures(), other.labeled_structures()
    assert len(labels) == len(others)
    for first, second in zip(labels, others, strict=True):
        assert np.array_equal(first.positions, second.positions)
        assert first.get_potential_energy() == second.get_potential_energy()
    assert one.generation is not None
    assert other.generation is not None
    assert one.generation.number == other.generation.number
    files = [campaign.directory / "potentials" / f"{one.generation.name}.yaml" for campaign in (one, other)]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert np.array_equal(one.timeline().step, other.timeline().step)
    assert np.array_equal(one.timeline().gamma_max, other.timeline().gamma_max)


@pytest.mark.parametrize("where", ["here", pytest.param("native", marks=pytest.mark.slow)])
def test_a_campaign_of_three_stages_is_killed_in_each_of_them(tmp_path: Path, where: str, native_lammps: str) -> None:
    engine = {"engine": "isolated", "lammps": native_lammps} if where == "native" else {}
    settings = config(stages=STAGES, **engine)
    whole = Campaign.create(tmp_path / "whole", settings)
    whole.run()
    assert whole.progress.steps == (175,)
    assert len(whole.segments()) > 1
    for step in (50, 100, 125):
        part = Campaign.create(tmp_path / "part", settings, callbacks=[killed_at(step)], exist_ok=True)
        with suppress(KilledError), part:
            part.run()
    part = Campaign.open(tmp_path / "part")
    part.run()
    assert_same(whole, part)
    figure: Any = whole.figure()
    axis = figure.axes[0]
    assert sorted({line.get_xdata()[0] for line in axis.lines if line.get_gid() == "stage"}) == [50, 125]
    assert "nvt, npt" in str(whole)
    frames = {atoms.info["step"]: atoms for atoms in whole.trajectory()}
    assert frames[50].cell.lengths() == pytest.approx(frames[0].cell.lengths())
    assert frames[125].cell.lengths()[0] != pytest.approx(frames[0].cell.lengths()[0], abs=1e-3)
    assert frames[175].cell.lengths()[0] == pytest.approx(frames[150].cell.lengths()[0])
    assert frames[175].cell.lengths()[2] < frames[150].cell.lengths()[2] - 0.05
    whole.close()
    part.close()


def test_each_walker_may_have_its_own_stages(tmp_path: Path) -> None:
    own = [{"steps": 100, "ensemble": "nvt", "temperature": 900}, {"steps": 75, "ensemble": "nve"}]
    several = CampaignConfig(**{**config(stages=STAGES).model_dump(), "walkers": [{}, {"stages": own}]})
    assert [several.walker(number).engine.borders for number in (1, 2)] == [(50, 125), (100,)]
    with Campaign.create(tmp_path / "c", several) as campaign:
        campaign.run()
        assert campaign.progress.steps == (175, 175)
        figure: Any = campaign.figure()
        drawn = [{line.get_xdata()[0] for line in axis.lines if line.get_gid() == "stage"} for axis in figure.axes]
        assert drawn == [{50, 125}, {100}]
    with pytest.raises(ConfigError, match=r"walker 2: .*steps must be the sum of the steps of the stages, 100"):
        CampaignConfig(**{**config(stages=STAGES).model_dump(), "walkers": [{}, {"stages": own[:1]}]})
    with pytest.raises(ConfigError, match=r"walker 2: .*all stages set temperature"):
        CampaignConfig(**{**config(stages=STAGES).model_dump(), "walkers": [{}, {"temperature": 500}]})


def test_more_steps_of_a_campaign_with_stages_are_refused(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "c", config(stages=STAGES)):
        pass
    with pytest.raises(ConfigError, match="More steps need another stage"):
        Campaign.open(tmp_path / "c", steps=200)


def test_atoms_frozen_by_configuration_are_those_of_the_constraint() -> None:
    slab = fcc111("Al", (2, 2, 4), a=4.05, vacuum=8, periodic=True)
    base = {"oracle": "emt", "ensemble": "nvt"}

    def frozen(selection: Any, atoms: Any = slab) -> list[int]:
        (start,) = initial_structures_of(CampaignConfig.from_parameters({**base, "frozen_atoms": selection}), atoms)
        assert not atoms.arrays.get("frozen", np.zeros(1)).any()
        chosen: list[int] = np.flatnonzero(start.arrays["frozen"]).tolist()
        return chosen

    assert frozen({"z": [None, 11]}) == list(range(8))
    assert frozen({"indices": ["0:4", 9]}) == [0, 1, 2, 3, 9]
    assert frozen({"elements": "Al", "z": [12, 13]}) == list(range(8, 12))
    constrained = slab.copy()
    constrained.set_constraint(FixAtoms(range(8)))
    assert frozen({"z": [None, 11]}, constrained) == list(range(8))
    for selection, error, message in (
        ({"z": [30, None]}, StructureError, r"contains no atom of the structure.*z 8 to 15"),
        ({"indices": 16}, StructureError, "index 16, but the structure has 16 atoms"),
        ({"elements": "Al"}, StructureError, "all 16 atoms"),
        ({"elements": "Xx"}, ConfigError, "chemical symbols, got Xx"),
        ({"z": [3, 1]}, ConfigError, r"lowest and the highest coordinate, got \(3, 1\)"),
        ({"indices": ["5:5"]}, ConfigError, "contains no atoms"),
        ({"indices": -1}, ConfigError, "greater than or equal to 0"),
        ({}, ConfigError, "at least one of elements, indices, x, y and z"),
        ({"layers": 2}, ConfigError, "unknown name"),
    ):
        with pytest.raises(error, match=message):
            frozen(selection)
    with pytest.raises(StructureError, match="the structure itself fixes 8 atoms, which are others"):
        frozen({"z": [None, 9]}, constrained)

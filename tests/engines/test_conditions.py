"""Groups, forces, fixed directions, strain and momentum removal: exact resume and physics, in every engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk

from acemaker.config import EngineConfig, OTFConfig
from acemaker.engines.factory import make_engine
from acemaker.engines.protocol import Check, Exploration, Request
from acemaker.potentials.generation import Generation
from acemaker.testing.contracts import CALM, NERVOUS, AbortedError
from tests.conftest import alloy, copper

LOW, UP = {"z": (None, 1.0)}, {"indices": ["8:16"]}
CASES: dict[str, dict[str, Any]] = {
    "momentum": {"ensemble": "langevin", "remove_momentum_every": 7},
    "forces": {
        "ensemble": "csvr",
        "atom_groups": {"low": LOW, "up": UP},
        "added_forces": {"low": (0, 0, 0.05), "up": (0, 0, -0.05)},
    },
    "fixed": {"ensemble": "langevin", "atom_groups": {"low": LOW}, "fixed_directions": {"low": "z"}},
    "fixed csvr": {"ensemble": "csvr", "atom_groups": {"low": LOW}, "fixed_directions": {"low": "xyz"}},
    "tension": {"ensemble": "nvt", "strain_rates": {"z": 0.5}},
    "tension under pressure": {"ensemble": "npt", "pressure_coupling": "x y", "strain_rates": {"z": 0.5}},
    "shear": {"ensemble": "csvr", "strain_rates": {"xy": 0.5}},
    "shear langevin": {"ensemble": "langevin", "strain_rates": {"xz": -0.5, "y": 0.3}},
    "nph": {"ensemble": "nph", "pressure_components": {"x": (0, 5), "y": 0, "z": 0}},
    "npt by component": {"ensemble": "npt", "pressure_components": {"x": (0, 5), "z": 1, "xy": 2}},
}
KINDS = ("inprocess", "python", "native")
QUICK = {("python", "shear"), ("native", "forces"), ("native", "shear langevin")}
MATRIX = [
    pytest.param(
        kind, name, id=f"{kind}, {name}", marks=() if kind == KINDS[0] or (kind, name) in QUICK else pytest.mark.slow
    )
    for kind in KINDS
    for name in CASES
]


def explore(
    kind: str,
    native: str,
    directory: Path,
    generation: Generation,
    start: Atoms,
    request: dict[str, Any] | None = None,
    **changes: Any,
) -> Exploration:
    where = {"engine": "inprocess"} if kind == "inprocess" else {"engine": "isolated", "lammps": kind}
    if kind == "native":
        where["lammps"] = native
    run = {"steps": 40, "restart_every": 10, "trajectory_every": 10, "temperature": (300, 600), "timestep": 2}
    engine = make_engine(EngineConfig(**{**run, **where, **changes}), seed=1)
    values: dict[str, Any] = {"number": 1, "start_step": 0, "checkpoint": None, "rule": CALM}
    try:
        return engine.explore(
            Request(**{**values, **(request or {})}, structure=start, generation=generation, directory=directory)
        )
    finally:
        engine.close()


def abort(check: Check) -> None:
    if check.step >= 15:
        raise AbortedError


@pytest.mark.parametrize(("kind", "name"), MATRIX)
def test_a_killed_run_goes_on_to_the_same_bits(
    tmp_path: Path, copper_generation: Generation, native_lammps: str, kind: str, name: str
) -> None:
    """From the checkpoint of step 10, and over those of steps 20 and 30."""
    arguments = (copper_generation, copper())
    whole = explore(kind, native_lammps, tmp_path / "whole", *arguments, **CASES[name])
    with pytest.raises(AbortedError):
        explore(kind, native_lammps, tmp_path / "part", *arguments, {"on_check": abort}, **CASES[name])
    resumed = explore(kind, native_lammps, tmp_path / "part", *arguments, **CASES[name])
    assert whole.end_step == resumed.end_step == 40
    later = {atoms.info["step"]: atoms for atoms in resumed.frames if atoms.info["step"] > 10}
    assert set(later) >= {20, 30, 40}
    for atoms in whole.frames:
        if (other := later.get(atoms.info["step"])) is not None:
            assert np.array_equal(atoms.cell.array, other.cell.array)
            assert np.array_equal(atoms.positions, other.positions)
    last, again = whole.frames[-1], resumed.frames[-1]
    assert np.array_equal(last.positions, again.positions)
    assert np.array_equal(last.get_momenta(), again.get_momenta())
    assert np.array_equal(whole.timeline.gamma_max, resumed.timeline.gamma_max)
    for column, values in whole.timeline.observables.items():
        assert np.array_equal(values, resumed.timeline.observables[column]), column
    untouched = explore("inprocess", "", tmp_path / "free", *arguments, ensemble=CASES[name]["ensemble"])
    assert np.abs(untouched.frames[-1].positions - last.positions).max() > 1e-4


@pytest.mark.parametrize("name", ["momentum", "forces", "fixed", "tension", "shear"])
def test_a_halt_is_continued_as_if_nothing_had_happened(
    tmp_path: Path, copper_generation: Generation, name: str
) -> None:
    """A strain continues from the last checkpoint, everything else from the halt itself, with a seed of its own."""
    whole = explore("inprocess", "", tmp_path / "whole", copper_generation, copper(), **CASES[name])
    halted = explore("inprocess", "", tmp_path / "halt", copper_generation, copper(), {"rule": NERVOUS}, **CASES[name])
    assert (halted.halt_checkpoint is None) == ("strain_rates" in CASES[name])
    follow = {"start_step": 10, "checkpoint": halted.halt_checkpoint, "number": 2}
    if halted.halt_checkpoint is None:
        follow = {"start_step": halted.safe_step, "checkpoint": halted.safe_checkpoint}
    rest = explore("inprocess", "", tmp_path / "rest", copper_generation, copper(), follow, **CASES[name])
    assert np.array_equal(rest.frames[-1].positions, whole.frames[-1].positions)


@pytest.mark.parametrize("kind", KINDS)
def test_the_cell_follows_the_rates(
    tmp_path: Path, copper_generation: Generation, native_lammps: str, kind: str
) -> None:
    """Engineering strain: 0.5 per ps of the initial length in 0.08 ps, also when the run begins at a later frame."""
    rates = {"z": 0.5, "xy": -0.25}
    changes: dict[str, Any] = {"ensemble": "nvt", "strain_rates": rates}
    whole = explore(kind, native_lammps, tmp_path / "whole", copper_generation, copper(), **changes)
    steps = np.array([atoms.info["step"] for atoms in whole.frames])
    late = 0 if kind == "native" else 1  # a callback sees the cell before the deformation of its step
    time = np.maximum(steps - late, 0) * 0.002
    time[0] = 0.0
    cells = np.array([atoms.cell.array for atoms in whole.frames])
    assert np.allclose(cells[:, 2, 2], 7.23 * (1 + 0.5 * time), atol=1e-9)
    assert np.allclose(cells[:, 1, 0], -0.25 * 7.23 * time, atol=1e-9)
    assert np.allclose(cells[:, 0, 0], 7.23)
    frame = next(atoms for atoms in whole.frames if atoms.info["step"] == 25)
    follow = {"start_step": 25, "state": frame}
    rest = explore(kind, native_lammps, tmp_path / "rest", copper_generation, copper(), follow, **changes)
    assert rest.frames[-1].cell[2, 2] == pytest.approx(cells[-1, 2, 2], abs=7.23 * 0.5 * 0.0021)
    assert abs(rest.frames[-1].cell[2, 2] - cells[-1, 2, 2]) <= 7.23 * 0.5 * 0.002 * late + 1e-9


@pytest.mark.parametrize("kind", ["inprocess", "native"])
@pytest.mark.parametrize("ensemble", ["nvt", "langevin"])
def test_atoms_do_not_move_in_fixed_directions(
    tmp_path: Path, copper_generation: Generation, native_lammps: str, kind: str, ensemble: str
) -> None:
    """Neither in production nor in a soft start, and the temperature is that of the other degrees of freedom."""
    start = copper()
    low = start.positions[:, 2] < 1.0
    changes: dict[str, Any] = {"ensemble": ensemble, "atom_groups": {"low": LOW}, "fixed_directions": {"low": "z"}}
    changes |= {"soft_start_steps": 20, "temperature": (500, 500)}
    request = {"soft_start": True}
    outcome = explore(kind, native_lammps, tmp_path, copper_generation, start, request, **changes)
    assert outcome.soft_start is not None
    for atoms in outcome.frames:
        height = atoms.positions[low, 2]
        assert np.abs(height - np.round(height / 7.23) * 7.23).max() < 1e-12
    assert np.abs(outcome.frames[-1].positions - start.positions)[low, :2].max() > 1e-2
    plain = explore(kind, native_lammps, tmp_path / "plain", copper_generation, start, **changes)
    assert plain.timeline.observables["temperature_K"][0] == pytest.approx(500, abs=1e-6)


def test_the_temperature_counts_the_degrees_of_freedom_that_are_left(
    tmp_path: Path, copper_generation: Generation, native_lammps: str
) -> None:
    """Of 32 atoms, 8 do not move along z: 96 - 8 components, and two of the momentum, which is conserved and zero."""
    changes: dict[str, Any] = {"ensemble": "nve", "atom_groups": {"low": LOW}, "fixed_directions": {"low": "z"}}
    outcome = explore("native", native_lammps, tmp_path, copper_generation, copper(), **changes)
    last = outcome.frames[-1]
    momenta = last.get_momenta()
    assert np.abs(momenta.sum(axis=0)[:2]).max() < 1e-6
    temperature = (momenta**2 / last.get_masses()[:, None]).sum() / (96 - 8 - 2) / units.kB
    assert temperature == pytest.approx(outcome.timeline.observables["temperature_K"][-1], rel=1e-5)


@pytest.mark.parametrize("kind", ["inprocess", "native"])
def test_an_electric_field_moves_opposite_charges_apart(
    tmp_path: Path, alloy_generation: Generation, native_lammps: str, kind: str
) -> None:
    """A field of 1 V/Å on charges of 0.1 e accelerates each element by 0.1 eV/Å over its mass; the sum is at rest."""
    start = alloy()
    start.set_cell(bulk("Cu", "fcc", a=3.58, cubic=True).repeat(2).cell, scale_atoms=True)
    start.set_momenta(np.full((len(start), 3), 1e-9))
    common: dict[str, Any] = {"ensemble": "nve", "steps": 5, "restart_every": 5, "trajectory_every": 5}
    common |= {"timestep": 0.1, "check_course": False}
    field = {"electric_field": (0, 0, 1), "field_charges": {"Cu": 0.1, "Ni": -0.1}}
    rule = OTFConfig(**{**CALM.model_dump(), "check_every": 1})
    frames = [
        explore(kind, native_lammps, tmp_path / name, alloy_generation, start, {"rule": rule}, **common, **more).frames[
            -1
        ]
        for name, more in (("with", field), ("without", {}))
    ]
    moved = (frames[0].positions - frames[1].positions)[:, 2]
    time = 0.5 * units.fs
    for symbol, charge in (("Cu", 0.1), ("Ni", -0.1)):
        of_element = np.array(start.get_chemical_symbols()) == symbol
        expected = charge / start.get_masses()[of_element] * time**2 / 2
        assert np.allclose(moved[of_element], expected, rtol=0.02)
    assert np.abs((frames[0].positions - frames[1].positions)[:, :2]).max() < 1e-6


def test_momentum_is_removed(tmp_path: Path, copper_generation: Generation, native_lammps: str) -> None:
    """Noise moves the center of mass, which the removal stops at every interval."""
    common: dict[str, Any] = {"ensemble": "langevin", "thermostat_time": 20}
    totals = []
    for every in (0, 10):
        outcome = explore(
            "native",
            native_lammps,
            tmp_path / str(every),
            copper_generation,
            copper(),
            remove_momentum_every=every,
            **common,
        )
        totals.append(np.abs(outcome.frames[-1].get_momenta().sum(axis=0)).max())
    assert totals[0] > 1
    assert totals[1] < 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_a_soft_start_keeps_the_forces_and_not_the_strain(
    tmp_path: Path, copper_generation: Generation, native_lammps: str, kind: str
) -> None:
    changes: dict[str, Any] = {"ensemble": "nvt", "strain_rates": {"x": 0.5}, "soft_start_steps": 30}
    changes |= {"added_forces": {"all": (0, 0, 0)}}
    outcome = explore(kind, native_lammps, tmp_path, copper_generation, copper(), {"soft_start": True}, **changes)
    assert outcome.soft_start is not None
    assert outcome.frames[0].cell[0, 0] == pytest.approx(7.23, abs=1e-12)
    assert outcome.frames[-1].cell[0, 0] == pytest.approx(7.23 * (1 + 0.5 * 0.08), abs=0.01)

"""Dumps without gamma, and a measure of uncertainty, with a LAMMPS that knows neither: both follow from coordinates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from acemaker.config import EngineConfig, OTFConfig
from acemaker.engines import isolated, native
from acemaker.engines.dump import COLUMNS, UNGRADED, DumpReader
from acemaker.engines.isolated import IsolatedEngine
from acemaker.engines.protocol import Exploration, Request
from acemaker.potentials.generation import Generation, pair_commands
from acemaker.potentials.measures import PredictedForceError
from acemaker.testing.contracts import CALM, NERVOUS
from tests.conftest import copper

CONFIG = {"steps": 60, "restart_every": 10, "temperature": (300.0, 900.0), "engine": "isolated"}


def explore(directory: Path, generation: Generation, lammps: str, rule: OTFConfig, **more: object) -> Exploration:
    request = Request(
        number=1,
        structure=copper(2),
        start_step=0,
        checkpoint=None,
        generation=generation,
        rule=rule,
        directory=directory,
        **more,  # type: ignore[arg-type]
    )
    return IsolatedEngine(EngineConfig(**{**CONFIG, "lammps": lammps}), seed=1).explore(request)


def without_gamma(generation: Generation) -> native.Potential:
    """The commands of a LAMMPS whose ML-PACE has no pair style for gamma."""
    return native.Potential(pair=pair_commands("pace", f"{generation.yace} Cu", None))


def test_gamma_of_a_dump_without_it_is_that_of_lammps(
    tmp_path: Path, copper_generation: Generation, native_lammps: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trajectory is the same by pair_style pace; gamma from coordinates is that of LAMMPS."""
    graded = explore(tmp_path / "graded", copper_generation, native_lammps, CALM)
    monkeypatch.setattr(native, "extrapolating", lambda *_: without_gamma(copper_generation))
    monkeypatch.setattr(isolated, "preflight", lambda *_, **__: None)  # it compares gamma of LAMMPS
    ungraded = explore(tmp_path / "ungraded", copper_generation, native_lammps, CALM)
    assert ungraded.decision is None
    assert ungraded.timeline.step.tolist() == graded.timeline.step.tolist()
    assert ungraded.timeline.gamma_max == pytest.approx(graded.timeline.gamma_max, rel=1e-5)
    assert ungraded.frames[-1].arrays["gamma"] == pytest.approx(graded.frames[-1].arrays["gamma"], rel=1e-5)
    halted = explore(tmp_path / "halted", copper_generation, native_lammps, NERVOUS)
    assert halted.decision is not None
    assert (halted.decision.step, halted.decision.tier) == (10, "smooth")


def test_predicted_errors_of_a_native_lammps_are_those_of_its_frames(
    tmp_path: Path, copper_generation: Generation, native_lammps: str
) -> None:
    """A measure is evaluated while LAMMPS runs, on exactly the coordinates that it has dumped."""
    measure = PredictedForceError(copper_generation)
    outcome = explore(tmp_path, copper_generation, native_lammps, CALM, measure=measure)
    values = outcome.timeline.observables["predicted_force_error_meV/A"]
    evaluated = [atoms for atoms in outcome.frames if "uncertainty" in atoms.arrays]
    assert [atoms.info["step"] for atoms in evaluated] == [0, 15, 30, 45, 60]
    for atoms in evaluated:
        expected = measure.per_atom(atoms)
        assert np.array_equal(atoms.arrays["uncertainty"], expected)
        assert values[outcome.timeline.step == atoms.info["step"]] == [expected.max()]
    assert values[np.isfinite(values)].min() > 0


def test_a_dump_may_lack_gamma_but_no_coordinates() -> None:
    header = "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 4\n0 4\n0 4\n"
    row = "1 0.5 0.5 0.5 0 0 0 0 0 0"
    (frame,) = DumpReader(True, 1).feed(f"{header}ITEM: ATOMS {UNGRADED}\n{row}\n".encode())
    assert frame.gamma.shape == (0,)
    (frame,) = DumpReader(True, 1).feed(f"{header}ITEM: ATOMS {COLUMNS}\n{row} 3.5\n".encode())
    assert frame.gamma.tolist() == [3.5]
    with pytest.raises(Exception, match="expected a snapshot with the columns"):
        DumpReader(True, 1).feed(f"{header}ITEM: ATOMS id x y z\n1 0 0 0\n".encode())

"""Contract tests for engines, oracles and candidate strategies, as test classes to inherit.

Subclass a contract, return the object under test from its hooks, and let pytest collect the subclass.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from acemaker.config import OTFConfig
from acemaker.engines.protocol import Check, Engine, Exploration, Request
from acemaker.errors import StructureError
from acemaker.oracles.oracle import Oracle
from acemaker.potentials.generation import Generation
from acemaker.structures.strategies import Site, Strategy

CALM = OTFConfig(threshold_add_train=1e6, threshold_call_dft=1e7, threshold_break=1e8)
NERVOUS = OTFConfig(threshold_add_train=1e-9, threshold_call_dft=1e-9, threshold_break=1e8)
BRITTLE = OTFConfig(threshold_add_train=1e-9, threshold_call_dft=1e-9, threshold_break=1e-9)


class Displacement:
    """A measure of uncertainty for tests: the distance of each atom from where it was, in 1e-3 Å.

    Parameters
    ----------
    start
        Structure from which the distance is measured.
    unknown
        Distance in Å from which the values are NaN.
    """

    name = "displacement"
    unit = "mA"

    def __init__(self, start: Atoms, unknown: float = np.inf) -> None:
        self._start, self._unknown = start, unknown

    def per_atom(self, atoms: Atoms) -> np.ndarray:
        """Return the distance of each atom, 1e-3 Å, shape (n_atoms,)."""
        moves = atoms.positions - self._start.positions
        if atoms.pbc.all():
            moves = moves - np.round(moves @ np.linalg.inv(atoms.cell.array)) @ atoms.cell.array
        distances = np.linalg.norm(moves, axis=1)
        return np.where(distances > self._unknown, np.nan, 1e3 * distances)


class EngineContract:
    """Contract of an engine.

    The engine must run 60 steps, with a checkpoint every 10 steps.

    Examples
    --------
    Inherit from it in a test file, and define what makes yours; pytest then runs all its tests.

    >>> from acemaker.testing import EngineContract
    >>> class TestMine(EngineContract): ...
    """

    n_steps = 60
    resumes_midway = True
    """Whether the engine's checkpoints contain its complete state; otherwise an interrupted segment starts over."""

    saves_halts = True
    """Whether a run can continue from the state of a halt; a child that is killed has already run further."""

    def make_engine(self) -> Engine:
        """Return a new engine of `n_steps` steps with a checkpoint every 10 steps."""
        raise NotImplementedError

    def make_structure(self) -> Atoms:
        """Return the initial structure."""
        raise NotImplementedError

    def make_generation(self, directory: Path) -> Generation:
        """Write a potential for the structure, and return its generation."""
        raise NotImplementedError

    def request(self, folder: Path, rule: OTFConfig, **changes: object) -> Request:
        """Return a request for the first segment, with `changes` to its fields."""
        values: dict[str, object] = {
            "number": 1,
            "structure": self.make_structure(),
            "start_step": 0,
            "checkpoint": None,
            "generation": self.make_generation(folder / "potentials"),
            "rule": rule,
            "directory": folder / "segment",
        }
        return Request(**{**values, **changes})  # type: ignore[arg-type]

    def explore(self, request: Request) -> Exploration:
        """Run a segment with a new engine, and close the engine."""
        engine = self.make_engine()
        try:
            return engine.explore(request)
        finally:
            engine.close()

    def test_reaches_the_requested_steps_and_checks_on_the_way(self, tmp_path: Path) -> None:
        """A run without exceedance ends at its last step, with a check at each interval."""
        checks: list[Check] = []
        outcome = self.explore(self.request(tmp_path, CALM, on_check=checks.append))
        assert outcome.decision is None
        assert outcome.end_step == self.n_steps
        assert outcome.timeline.step.tolist() == list(range(0, self.n_steps + 1, CALM.check_every))
        assert [check.step for check in checks] == outcome.timeline.step.tolist()
        assert np.isfinite(outcome.timeline.gamma_max).all()
        assert all(np.isfinite(values).all() for values in outcome.timeline.observables.values())

    def test_halts_at_the_last_of_the_checks_in_a_row(self, tmp_path: Path) -> None:
        """All checks exceed the threshold, so that the run halts at the third."""
        outcome = self.explore(self.request(tmp_path, NERVOUS))
        assert outcome.decision is not None
        assert (outcome.decision.step, outcome.decision.first_step) == (10, 0)
        assert outcome.decision.tier == "smooth"
        assert outcome.end_step == 10

    def test_breaks_at_once(self, tmp_path: Path) -> None:
        """One check above the break threshold halts the run."""
        outcome = self.explore(self.request(tmp_path, BRITTLE))
        assert outcome.decision is not None
        assert (outcome.decision.step, outcome.decision.tier) == (0, "break")

    def test_halts_for_a_probe_although_gamma_is_low(self, tmp_path: Path) -> None:
        """The first check at or after the step ends the segment."""
        outcome = self.explore(self.request(tmp_path, CALM, probe_step=45))
        assert outcome.decision is not None
        assert (outcome.decision.step, outcome.decision.first_step, outcome.decision.tier) == (45, 45, "probe")
        assert (outcome.safe_step, outcome.end_step) == (40, 45)
        assert outcome.frames[-1].info["step"] == 45

    def test_another_measure_is_recorded_at_every_few_checks(self, tmp_path: Path) -> None:
        """Between them, and without a tolerance, nothing changes."""
        rule = CALM.model_copy(update={"uncertainty_every": 2})
        plain = self.explore(self.request(tmp_path / "plain", rule))
        measure = Displacement(self.make_structure())
        outcome = self.explore(self.request(tmp_path / "measured", rule, measure=measure))
        assert outcome.decision is None
        values = outcome.timeline.observables["displacement_mA"]
        evaluated = outcome.timeline.step % 10 == 0
        assert np.isfinite(values[evaluated]).all()
        assert np.isnan(values[~evaluated]).all()
        assert values[-1] > 0
        assert outcome.timeline.gamma_max.tolist() == plain.timeline.gamma_max.tolist()
        assert outcome.frames[-1].positions.tolist() == plain.frames[-1].positions.tolist()

    def test_halts_for_another_measure_although_gamma_is_low(self, tmp_path: Path) -> None:
        """The second of two evaluations above the tolerance ends the segment; the run resumes before the first."""
        measure = Displacement(self.make_structure())
        whole = self.explore(self.request(tmp_path / "whole", CALM, measure=measure))
        of_step = dict(zip(whole.timeline.step.tolist(), whole.timeline.observables["displacement_mA"], strict=True))
        tolerance = 0.8 * min(of_step[15], of_step[30])
        outcome = self.explore(self.request(tmp_path, CALM, measure=measure, tolerance=tolerance))
        assert outcome.decision is not None
        assert (outcome.decision.step, outcome.decision.first_step) == (30, 15)
        assert outcome.decision.tier == "uncertainty"
        halted = outcome.frames[-1]
        assert halted.info["step"] == outcome.end_step == 30
        assert halted.arrays["uncertainty"].max() == of_step[30]
        assert outcome.safe_step == 10

    def test_halts_at_once_far_beyond_the_tolerance(self, tmp_path: Path) -> None:
        """A single evaluation is enough there."""
        measure = Displacement(self.make_structure())
        outcome = self.explore(self.request(tmp_path, CALM, measure=measure, tolerance=1e-9))
        assert outcome.decision is not None
        assert (outcome.decision.step, outcome.decision.first_step) == (15, 15)
        assert (outcome.safe_step, outcome.decision.tier) == (10, "uncertainty")

    def test_not_a_number_is_above_every_tolerance(self, tmp_path: Path) -> None:
        """An atom of which nothing is known halts the run, also with the largest tolerance."""
        measure = Displacement(self.make_structure(), unknown=1e-9)
        outcome = self.explore(self.request(tmp_path, CALM, measure=measure, tolerance=1e300))
        assert outcome.decision is not None
        assert (outcome.decision.step, outcome.decision.tier) == (15, "uncertainty")
        assert np.isinf(outcome.timeline.observables["displacement_mA"][-1])

    def test_keeps_frames_with_gamma_up_to_the_halt(self, tmp_path: Path) -> None:
        """The halted structure is the last frame, in the order of the initial one."""
        request = self.request(tmp_path, NERVOUS)
        outcome = self.explore(request)
        assert [atoms.info["step"] for atoms in outcome.frames] == [0, 5, 10]
        halted = outcome.frames[-1]
        assert halted.get_chemical_symbols() == request.structure.get_chemical_symbols()
        assert halted.arrays["gamma"].shape == (len(request.structure),)
        assert halted.arrays["gamma"].max() == outcome.timeline.gamma_max[-1]

    def test_continues_from_a_halt_as_if_nothing_had_happened(self, tmp_path: Path) -> None:
        """A run that halts at step 10 and resumes with the same potential ends like an uninterrupted run."""
        whole = self.explore(self.request(tmp_path / "whole", CALM))
        halted = self.explore(self.request(tmp_path / "parts", NERVOUS))
        assert (halted.halt_checkpoint is not None) == self.saves_halts
        resumed = self.explore(
            self.request(
                tmp_path / "parts",
                CALM,
                number=2 if self.saves_halts else 1,  # stochastic thermostats are seeded with it
                start_step=10 if self.saves_halts else halted.safe_step,
                checkpoint=halted.halt_checkpoint if self.saves_halts else halted.safe_checkpoint,
                directory=tmp_path / "parts" / "second",
            )
        )
        assert resumed.end_step == self.n_steps
        assert np.array_equal(resumed.frames[-1].positions, whole.frames[-1].positions)
        later = len(resumed.timeline.step) - 1
        assert np.array_equal(resumed.timeline.gamma_max[1:], whole.timeline.gamma_max[-later:])

    def test_the_same_request_gives_the_same_bits(self, tmp_path: Path) -> None:
        """Two runs of the same request are identical."""
        first, second = (self.explore(self.request(tmp_path / name, CALM)) for name in ("first", "second"))
        assert np.array_equal(first.frames[-1].positions, second.frames[-1].positions)
        assert np.array_equal(first.timeline.gamma_max, second.timeline.gamma_max)

    def test_an_interrupted_segment_continues_to_the_same_end(self, tmp_path: Path) -> None:
        """A segment continues from the files of a killed run, with an incomplete row and an incomplete checkpoint."""
        whole = self.explore(self.request(tmp_path / "whole", CALM))
        interrupted = self.request(tmp_path / "interrupted", CALM, on_check=self.abort_at(45))
        with pytest.raises(AbortedError):
            self.explore(interrupted)
        with (interrupted.directory / "checks.csv").open("a") as stream:
            stream.write("50,0.1")
        (interrupted.directory / "writing.restart").write_bytes(b"torn")
        checks: list[Check] = []
        resumed = self.explore(self.request(tmp_path / "interrupted", CALM, on_check=checks.append))
        assert checks[0].step == (45 if self.resumes_midway else 0)
        assert np.array_equal(resumed.timeline.step, whole.timeline.step)
        assert np.array_equal(resumed.timeline.gamma_max, whole.timeline.gamma_max)
        assert np.array_equal(resumed.frames[-1].positions, whole.frames[-1].positions)

    def test_frozen_atoms_do_not_move(self, tmp_path: Path) -> None:
        """Atoms marked in ``arrays["frozen"]`` stay where they are, and masses are used, or the engine refuses them."""
        structure = self.make_structure()
        structure.arrays["frozen"] = np.arange(len(structure)) % 2 == 0
        structure.set_masses(2 * structure.get_masses())
        try:
            outcome = self.explore(self.request(tmp_path, CALM, structure=structure))
        except StructureError:
            return
        frozen = structure.arrays["frozen"]
        first, last = outcome.frames[0], outcome.frames[-1]
        assert first is not last
        assert np.array_equal(last.positions[frozen], first.positions[frozen])
        assert np.abs(last.positions - first.positions)[~frozen].max() > 0
        assert np.array_equal(last.arrays["frozen"], frozen)
        assert np.allclose(last.get_masses(), structure.get_masses())

    def test_checkpoints_are_pruned_but_for_the_last_safe_one(self, tmp_path: Path) -> None:
        """Only checkpoints that are older than the last safe state are deleted."""
        self.explore(self.request(tmp_path, CALM))
        checkpoints = sorted(int(path.suffix[1:]) for path in (tmp_path / "segment").glob("checkpoint.*"))
        assert self.n_steps - 10 in checkpoints
        assert len(checkpoints) <= 3

    def test_a_halt_without_a_checkpoint_goes_back_to_the_start(self, tmp_path: Path) -> None:
        """No checkpoint is safe if all checks exceed the threshold."""
        halted = self.explore(self.request(tmp_path, NERVOUS))
        assert (halted.safe_step, halted.safe_checkpoint) == (0, None)

    @staticmethod
    def abort_at(step: int) -> Callable[[Check], None]:
        """Return a callback that aborts the run at a step."""

        def abort(check: Check) -> None:
            if check.step >= step:
                raise AbortedError

        return abort


class AbortedError(Exception):
    """Raised by a callback to abort a run."""


class OracleContract:
    """Contract of an oracle.

    Examples
    --------
    Inherit from it in a test file, and define what makes yours; pytest then runs all its tests.

    >>> from acemaker.testing import OracleContract
    >>> class TestMine(OracleContract): ...
    """

    def make_oracle(self) -> Oracle:
        """Return the oracle."""
        raise NotImplementedError

    def make_structure(self) -> Atoms:
        """Return a periodic structure, away from equilibrium, that the oracle can label."""
        raise NotImplementedError

    def test_labels_a_copy(self) -> None:
        """The label has energy and forces, and is otherwise equal to the structure, which is not changed."""
        atoms = self.make_structure()
        before = atoms.positions.copy()
        labeled = self.make_oracle().label(atoms)
        assert labeled is not atoms
        assert atoms.calc is None
        assert np.array_equal(atoms.positions, before)
        assert np.array_equal(labeled.positions, before)
        assert np.isfinite(labeled.get_potential_energy())
        assert labeled.get_forces().shape == (len(atoms), 3)

    def test_forces_are_the_energys_slope(self) -> None:
        """The force on one atom agrees with a central difference."""
        atoms, oracle, step = self.make_structure(), self.make_oracle(), 1e-4
        force = oracle.label(atoms).get_forces()[0, 0]
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[0, 0] += sign * step
            energies.append(oracle.label(moved).get_potential_energy())
        assert abs(force + (energies[0] - energies[1]) / (2 * step)) < 1e-3

    def test_stress_is_the_energys_slope(self) -> None:
        """The xx component of the stress, if the oracle returns one, agrees with a central difference."""
        # the tolerance allows for the kinks of tabulated potentials
        atoms, oracle, step = self.make_structure(), self.make_oracle(), 1e-4
        labeled = oracle.label(atoms)
        assert labeled.calc is not None
        if "stress" not in labeled.calc.results:
            return
        energies = []
        for sign in (1, -1):
            strained = atoms.copy()
            strain = np.diag([1 + sign * step, 1, 1])
            strained.set_cell(strained.cell @ strain, scale_atoms=True)
            energies.append(oracle.label(strained).get_potential_energy())
        slope = (energies[0] - energies[1]) / (2 * step) / atoms.get_volume()
        assert abs(labeled.get_stress()[0] - slope) < 1e-4


class StrategyContract:
    """Contract of a candidate strategy.

    Examples
    --------
    Inherit from it in a test file, and define what makes yours; pytest then runs all its tests.

    >>> from acemaker.testing import StrategyContract
    >>> class TestMine(StrategyContract): ...
    """

    is_local = True
    """Whether the strategy changes neither atoms outside the region nor the cell."""

    def make_strategy(self) -> Strategy:
        """Return the strategy."""
        raise NotImplementedError

    def make_config(self) -> OTFConfig:
        """Return the configuration of the strategy."""
        return OTFConfig()

    def make_site(self) -> Site:
        """Return the site of the candidates: a rattled copper crystal with a small region and ASE's EMT."""
        atoms = bulk("Cu", cubic=True).repeat(3)
        atoms.rattle(0.1, seed=1)
        return Site.around(atoms, np.array([5, 17]), radius=3.5, temperature=500.0, calculator=EMT)

    def make(self, site: Site, seed: int = 0, n: int = 3) -> list[Atoms]:
        """Create the first `n` candidates."""
        return list(islice(self.make_strategy()(site, self.make_config(), np.random.default_rng(seed)), n))

    def test_makes_structures_that_are_new(self) -> None:
        """Candidates are finite, and differ from the halted structure and from each other."""
        site = self.make_site()
        candidates = self.make(site)
        assert len(candidates) == 3
        geometries = [np.vstack([atoms.cell.array, atoms.positions]) for atoms in (site.structure, *candidates)]
        assert all(np.isfinite(geometry).all() for geometry in geometries)
        assert len({geometry.tobytes() for geometry in geometries}) == 4

    def test_does_not_change_the_halted_structure(self) -> None:
        """Only copies are changed."""
        site = self.make_site()
        before = site.structure.positions.copy(), site.structure.cell.array.copy()
        self.make(site)
        assert np.array_equal(site.structure.positions, before[0])
        assert np.array_equal(site.structure.cell.array, before[1])
        assert site.structure.calc is None

    def test_keeps_to_the_region(self) -> None:
        """A local strategy changes neither atoms outside the region nor the cell."""
        site = self.make_site()
        outside = np.setdiff1d(np.arange(len(site.structure)), site.region)
        assert len(outside)
        if self.is_local:
            for atoms in self.make(site):
                assert np.array_equal(atoms.cell.array, site.structure.cell.array)
                assert np.array_equal(atoms.positions[outside], site.structure.positions[outside])

    def test_the_same_random_numbers_give_the_same_bits(self) -> None:
        """Candidates depend on the seed of the generator and on no other randomness."""
        first, second, other = (self.make(self.make_site(), seed) for seed in (3, 3, 4))
        assert all(np.array_equal(a.positions, b.positions) for a, b in zip(first, second, strict=True))
        assert not all(np.array_equal(a.positions, b.positions) for a, b in zip(first, other, strict=True))

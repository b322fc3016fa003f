"""What every engine, oracle and candidate strategy must do, as test classes to be inherited.

Subclass one, say in its hooks what is to be tested, and let pytest collect the subclass.
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
from acemaker.oracles.oracle import Oracle
from acemaker.potentials.generation import Generation
from acemaker.structures.strategies import Site, Strategy

CALM = OTFConfig(threshold_add_train=1e6, threshold_call_dft=1e7, threshold_break=1e8)
NERVOUS = OTFConfig(threshold_add_train=1e-9, threshold_call_dft=1e-9, threshold_break=1e8)
BRITTLE = OTFConfig(threshold_add_train=1e-9, threshold_call_dft=1e-9, threshold_break=1e-9)


class EngineContract:
    """The contract of an engine.

    The engine must have a checkpoint every 10 steps and 60 steps in all.
    """

    n_steps = 60
    resumes_midway = True
    """Whether the engine's checkpoints hold all of its state; else a broken-off segment starts over."""

    saves_halts = True
    """Whether the state of a halt itself can be gone on from; a child that is killed has gone further."""

    def make_engine(self) -> Engine:
        """Return a fresh engine of `n_steps` steps with checkpoints every 10."""
        raise NotImplementedError

    def make_structure(self) -> Atoms:
        """Return the structure to start from."""
        raise NotImplementedError

    def make_generation(self, directory: Path) -> Generation:
        """Write a potential that describes the structure."""
        raise NotImplementedError

    def request(self, folder: Path, rule: OTFConfig, **changes: object) -> Request:
        """Return a request for a first segment."""
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
        """Run a fresh engine, and close it."""
        engine = self.make_engine()
        try:
            return engine.explore(request)
        finally:
            engine.close()

    def test_reaches_the_requested_steps_and_checks_on_the_way(self, tmp_path: Path) -> None:
        """A calm run ends at its last step with a check at each interval."""
        seen: list[Check] = []
        outcome = self.explore(self.request(tmp_path, CALM, on_check=seen.append))
        assert outcome.verdict is None
        assert outcome.end_step == self.n_steps
        assert outcome.timeline.step.tolist() == list(range(0, self.n_steps + 1, CALM.check_every))
        assert [check.step for check in seen] == outcome.timeline.step.tolist()
        assert np.isfinite(outcome.timeline.gamma_max).all()
        assert all(np.isfinite(values).all() for values in outcome.timeline.observables.values())

    def test_halts_at_the_last_of_the_checks_in_a_row(self, tmp_path: Path) -> None:
        """From the first check on, all are above: the halt is at the third."""
        outcome = self.explore(self.request(tmp_path, NERVOUS))
        assert outcome.verdict is not None
        assert (outcome.verdict.step, outcome.verdict.first_step) == (10, 0)
        assert outcome.verdict.tier == "smooth"
        assert outcome.end_step == 10

    def test_breaks_at_once(self, tmp_path: Path) -> None:
        """One check above the break tier halts."""
        outcome = self.explore(self.request(tmp_path, BRITTLE))
        assert outcome.verdict is not None
        assert (outcome.verdict.step, outcome.verdict.tier) == (0, "break")

    def test_keeps_frames_with_gamma_up_to_the_halt(self, tmp_path: Path) -> None:
        """The halted structure is the last frame, in the order of the initial one."""
        request = self.request(tmp_path, NERVOUS)
        outcome = self.explore(request)
        assert [atoms.info["step"] for atoms in outcome.frames] == [0, 5, 10]
        halted = outcome.frames[-1]
        assert halted.get_chemical_symbols() == request.structure.get_chemical_symbols()
        assert halted.arrays["gamma"].shape == (len(request.structure),)
        assert halted.arrays["gamma"].max() == outcome.timeline.gamma_max[-1]

    def test_goes_on_from_a_halt_as_if_nothing_had_happened(self, tmp_path: Path) -> None:
        """Halted at step 10, resumed from there with the same potential, it ends like the calm run."""
        whole = self.explore(self.request(tmp_path / "whole", CALM))
        halted = self.explore(self.request(tmp_path / "parts", NERVOUS))
        assert (halted.halt_checkpoint is not None) == self.saves_halts
        resumed = self.explore(
            self.request(
                tmp_path / "parts",
                CALM,
                number=2 if self.saves_halts else 1,  # stochastic thermostats draw by it
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
        """Two runs do not differ."""
        one, two = (self.explore(self.request(tmp_path / name, CALM)) for name in ("one", "two"))
        assert np.array_equal(one.frames[-1].positions, two.frames[-1].positions)
        assert np.array_equal(one.timeline.gamma_max, two.timeline.gamma_max)

    def test_a_broken_off_segment_goes_on_to_the_same_end(self, tmp_path: Path) -> None:
        """What a killed run left behind is taken up: a torn row, and a checkpoint in the making."""
        whole = self.explore(self.request(tmp_path / "whole", CALM))
        broken = self.request(tmp_path / "broken", CALM, on_check=self.give_up_at(45))
        with pytest.raises(GivenUpError):
            self.explore(broken)
        with (broken.directory / "checks.csv").open("a") as stream:
            stream.write("50,0.1")
        (broken.directory / "writing.restart").write_bytes(b"torn")
        seen: list[Check] = []
        again = self.explore(self.request(tmp_path / "broken", CALM, on_check=seen.append))
        assert seen[0].step == (45 if self.resumes_midway else 0)
        assert np.array_equal(again.timeline.step, whole.timeline.step)
        assert np.array_equal(again.timeline.gamma_max, whole.timeline.gamma_max)
        assert np.array_equal(again.frames[-1].positions, whole.frames[-1].positions)

    def test_checkpoints_are_pruned_but_for_the_last_safe_one(self, tmp_path: Path) -> None:
        """What is older than the state to go back to is deleted, and nothing else."""
        self.explore(self.request(tmp_path, CALM))
        checkpoints = sorted(int(path.suffix[1:]) for path in (tmp_path / "segment").glob("checkpoint.*"))
        assert self.n_steps - 10 in checkpoints
        assert len(checkpoints) <= 3

    def test_a_halt_without_a_checkpoint_goes_back_to_the_start(self, tmp_path: Path) -> None:
        """All checks were above: no checkpoint is safe."""
        halted = self.explore(self.request(tmp_path, NERVOUS))
        assert (halted.safe_step, halted.safe_checkpoint) == (0, None)

    @staticmethod
    def give_up_at(step: int) -> Callable[[Check], None]:
        """Return a callback that breaks the run off at a check."""

        def give_up(check: Check) -> None:
            if check.step >= step:
                raise GivenUpError

        return give_up


class GivenUpError(Exception):
    """Stands for whatever breaks a run off."""


class OracleContract:
    """The contract of an oracle."""

    def make_oracle(self) -> Oracle:
        """Return the oracle."""
        raise NotImplementedError

    def make_structure(self) -> Atoms:
        """Return a periodic structure that it can label, away from equilibrium."""
        raise NotImplementedError

    def test_labels_a_copy(self) -> None:
        """Energy and forces come with a structure that is otherwise the same."""
        atoms = self.make_structure()
        before = atoms.positions.copy()
        labelled = self.make_oracle().label(atoms)
        assert labelled is not atoms
        assert atoms.calc is None
        assert np.array_equal(atoms.positions, before)
        assert np.array_equal(labelled.positions, before)
        assert np.isfinite(labelled.get_potential_energy())
        assert labelled.get_forces().shape == (len(atoms), 3)

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
        """Where there is a stress, its xx agrees with a central difference."""
        # tabulated potentials have kinks: the tolerance is that of a slope across one
        atoms, oracle, step = self.make_structure(), self.make_oracle(), 1e-4
        labelled = oracle.label(atoms)
        assert labelled.calc is not None
        if "stress" not in labelled.calc.results:
            return
        energies = []
        for sign in (1, -1):
            strained = atoms.copy()
            strain = np.diag([1 + sign * step, 1, 1])
            strained.set_cell(strained.cell @ strain, scale_atoms=True)
            energies.append(oracle.label(strained).get_potential_energy())
        slope = (energies[0] - energies[1]) / (2 * step) / atoms.get_volume()
        assert abs(labelled.get_stress()[0] - slope) < 1e-4


class StrategyContract:
    """The contract of a candidate strategy."""

    is_local = True
    """Whether atoms outside the region stay where they are, and the cell as it is."""

    def make_strategy(self) -> Strategy:
        """Return the strategy."""
        raise NotImplementedError

    def make_config(self) -> OTFConfig:
        """Return the configuration that it reads."""
        return OTFConfig()

    def make_site(self) -> Site:
        """Return where candidates are made: a rattled copper crystal with a small region and ASE's EMT."""
        atoms = bulk("Cu", cubic=True).repeat(3)
        atoms.rattle(0.1, seed=1)
        return Site.around(atoms, np.array([5, 17]), radius=3.5, temperature=500.0, calculator=EMT)

    def make(self, site: Site, seed: int = 0, n: int = 3) -> list[Atoms]:
        """Make some candidates."""
        return list(islice(self.make_strategy()(site, self.make_config(), np.random.default_rng(seed)), n))

    def test_makes_structures_that_are_new(self) -> None:
        """Finite, and different from the anchor and from each other."""
        site = self.make_site()
        made = self.make(site)
        assert len(made) == 3
        shapes = [np.vstack([atoms.cell.array, atoms.positions]) for atoms in (site.structure, *made)]
        assert all(np.isfinite(shape).all() for shape in shapes)
        assert len({shape.tobytes() for shape in shapes}) == 4

    def test_leaves_the_anchor_alone(self) -> None:
        """What is changed are copies."""
        site = self.make_site()
        before = site.structure.positions.copy(), site.structure.cell.array.copy()
        self.make(site)
        assert np.array_equal(site.structure.positions, before[0])
        assert np.array_equal(site.structure.cell.array, before[1])
        assert site.structure.calc is None

    def test_keeps_to_the_region(self) -> None:
        """All that is not near the epicentre stays."""
        site = self.make_site()
        outside = np.setdiff1d(np.arange(len(site.structure)), site.region)
        assert len(outside)
        if self.is_local:
            for atoms in self.make(site):
                assert np.array_equal(atoms.cell.array, site.structure.cell.array)
                assert np.array_equal(atoms.positions[outside], site.structure.positions[outside])

    def test_the_same_random_numbers_give_the_same_bits(self) -> None:
        """Chance comes from the generator alone, and it matters."""
        one, two, other = (self.make(self.make_site(), seed) for seed in (3, 3, 4))
        assert all(np.array_equal(a.positions, b.positions) for a, b in zip(one, two, strict=True))
        assert not all(np.array_equal(a.positions, b.positions) for a, b in zip(one, other, strict=True))

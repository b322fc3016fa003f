"""The non-linear fit: the input of pacemaker, the interpretation of its output, and the end of its processes."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil
import pytest
from ase import Atoms

from acemaker.config import CampaignConfig, PacemakerConfig, PotentialConfig
from acemaker.engines.native_check import evaluate
from acemaker.engines.preflight import LammpsResult, preflight
from acemaker.errors import ConfigError, FitError, MissingLibraryError
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.evaluator import Evaluator, evaluator_of
from acemaker.potentials.guard import Comparison, reason_to_reject_known
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.potentials.optimizer import Iteration
from acemaker.potentials.pacemaker import child
from acemaker.potentials.pacemaker.child import run_fit
from acemaker.potentials.pacemaker.installation import find_python
from acemaker.potentials.pacemaker.job import Job, make_job
from acemaker.potentials.pacemaker.metrics import MetricsReader
from acemaker.potentials.pacemaker.optimizer_outcome import interpret, read_outcome
from acemaker.potentials.pacemaker.start import first_start, load_basis
from acemaker.potentials.pacemaker.trainer import PacemakerTrainer
from acemaker.potentials.prediction import mean_errors, parity_of, residuals_of
from acemaker.potentials.trainers import make_trainer
from acemaker.process.child import MARK, ChildProcess
from acemaker.results import Training
from tests.conftest import CUNI, MISHIN, alloy, copper, rattled, small_basis

ORACLE = CalculatorOracle.from_config(MISHIN, ("Cu",))
TINY = PotentialConfig(n_functions=10, cutoff=4.0, nradmax_by_orders=(5, 3, 2), lmax_by_orders=(0, 2, 1))


def labels(n: int, scale: float = 0.12, seed: int = 0) -> list[Atoms]:
    return [ORACLE.label(atoms) for atoms in rattled(copper(), n, scale, seed)]


def masked(atoms: Atoms, n: int = 8, energy: bool = False) -> Atoms:
    made = atoms.copy()
    made.calc = atoms.calc
    made.arrays["mask"] = np.arange(len(atoms)) < n
    made.info["energy_counts"] = energy
    return made


def steps(losses: list[float]) -> list[Iteration]:
    return [
        Iteration(number=n, max_iterations=100, loss=loss, energy=1.0, forces=10.0, functions=10)
        for n, loss in enumerate(losses)
    ]


@pytest.mark.parametrize(
    ("message", "converged", "words"),
    [
        ("Optimization terminated successfully.", True, "the gradient of the loss is small"),
        ("CONVERGENCE: NORM_OF_PROJECTED_GRADIENT_<=_PGTOL", True, "the gradient of the loss is small"),
        ("CONVERGENCE: NORM OF PROJECTED GRADIENT <= PGTOL", True, "the gradient of the loss is small"),
        ("CONVERGENCE: RELATIVE REDUCTION OF F <= FACTR*EPSMCH", True, "barely reduced the loss"),
        ("Desired error not necessarily achieved due to precision loss.", True, "rounding hides"),
        ("ABNORMAL_TERMINATION_IN_LNSRCH", False, "no lower loss along its search direction"),
        ("ABNORMAL: ", False, "no lower loss along its search direction"),
        ("NaN result encountered.", False, "not a number"),
        ("STOP: TOTAL NO. OF F,G EVALUATIONS EXCEEDS LIMIT", False, "maximum number of evaluations"),
        ("the cat walked over it", False, "ended with the message: the cat walked over it"),
    ],
)
def test_the_messages_of_optimizers_are_explained(message: str, converged: bool, words: str) -> None:
    result = interpret(message, steps([2.0, 1.0]))
    assert result[0] is converged
    assert words in result[1]


@pytest.mark.parametrize(
    "message",
    ["Maximum number of iterations has been exceeded.", "STOP: TOTAL NO. OF ITERATIONS REACHED LIMIT"],
)
def test_used_up_iterations_say_whether_more_would_help(message: str) -> None:
    assert interpret(message, steps([1.0] * 20 + [0.5])) == (
        False,
        "used up its iterations; the last 10 brought the loss down by 50 %: more iterations would help",
    )
    assert "0.2 %: more iterations would bring little" in interpret(message, steps([1.0] * 20 + [0.998]))[1]
    assert interpret(message, steps([1.0, float("nan")])) == (False, "stopped at a loss that is not a number")


def test_the_last_result_of_a_ladder_counts() -> None:
    line = "INFO - Optimization result(success={}, status={}, message={}, nfev=7, njev=7)\n"
    said = line.format(False, 1, "Maximum number of iterations has been exceeded.") + line.format(
        True, 0, "Optimization terminated successfully."
    )
    outcome = read_outcome(said, "BFGS", steps([3.0, 2.0, 1.0]))
    assert outcome.converged
    assert str(outcome) == "BFGS converged: the gradient of the loss is small; 2 iterations, loss 3 -> 1"
    with pytest.raises(FitError, match="no result of the optimizer"):
        read_outcome("nothing of the kind", "BFGS", steps([1.0]))


def test_the_table_is_read_as_it_grows(tmp_path: Path) -> None:
    table = tmp_path / "metrics.txt"
    reader = MetricsReader(table, 50)
    assert reader.read() == []
    head = "ladder_step iter_num loss rmse_epa rmse_f_comp nfuncs\n"
    table.write_text(head + "0 0 0.5 0.002 0.03 10\n0 1 0.4 0.0")
    (first,) = reader.read()
    assert (first.number, first.max_iterations, first.loss, first.functions) == (0, 50, 0.5, 10)
    assert (first.energy, first.forces) == pytest.approx((2.0, 30.0))
    with table.open("a") as stream:
        stream.write("01 0.02 10\n1 0 0.3 0.001 0.02 20\n")
    assert [row.loss for row in reader.read()] == [0.4, 0.3]
    assert [row.functions for row in reader.last] == [20], "a ladder's last step alone"
    assert str(first) == "fit     0 of 50  loss 5.000e-01  forces 30 meV/Å  energy 2 meV/atom"


def job(structures: list[Atoms], config: PotentialConfig = TINY, first: bool = True, **fit: object) -> Job:
    return make_job(structures, structures, {"Cu": -3.5}, "start", config, PacemakerConfig(**fit), first=first)


def test_pacemaker_is_given_the_linear_fits_loss() -> None:
    whole, extra = labels(2)
    made = job([whole, masked(extra)])
    # one energy and two structures: 1 - kappa and 3 kappa / 2 are as the squared weights
    kappa = made.settings["fit"]["loss"]["kappa"]
    assert (1 - kappa) / (3 * kappa / 2) == pytest.approx((TINY.energy_weight / TINY.force_weight) ** 2)
    assert made.table["w_energy"] == [1.0, 0.0]
    assert [weights.sum() for weights in made.table["w_forces"]] == pytest.approx([1, 1])
    assert (made.table["w_forces"][1][8:] == 0).all()
    assert made.table["energy"][0] == pytest.approx(whole.get_potential_energy() + 3.5 * 32)
    forces_alone = job([masked(whole), masked(extra)])
    assert forces_alone.settings["fit"]["loss"]["kappa"] == 1
    assert sum(forces_alone.table["w_energy"]) > 0, "pacemaker divides by it"
    assert (made.settings["fit"]["maxiter"], job([whole], first=False).settings["fit"]["maxiter"]) == (300, 100)
    ladder: dict[str, Any] = {"ladder_step": 5, "first_start": "zero"}
    assert job([whole], **ladder).settings["fit"]["ladder_step"] == 5
    with pytest.raises(ConfigError, match="ladder_step requires first_start"):
        PacemakerConfig(ladder_step=5)
    assert "ladder_step" not in job([whole], first=False, **ladder).settings["fit"]


def test_a_light_label_weighs_little_in_all_that_it_says() -> None:
    """The ratio of energies to forces stays that of the linear fit's loss."""
    structures = labels(2)
    even = job(structures)
    structures[0].info["label_weight"] = 0.25
    light = job(structures)
    assert light.table["w_energy"] == pytest.approx([0.25, 1])
    assert [weights.sum() for weights in light.table["w_forces"]] == pytest.approx([0.25, 1])
    assert light.settings["fit"]["loss"]["kappa"] == pytest.approx(even.settings["fit"]["loss"]["kappa"])


def test_a_fits_key_is_that_of_all_it_is_given() -> None:
    structures = labels(2)
    moved = [structures[0], labels(2, seed=1)[1]]
    stronger = TINY.model_copy(update={"energy_weight": 3.0})
    jobs = [
        job(structures),
        job(moved),
        job(structures, stronger),
        job(structures, first_iterations=7),
        job([structures[0], masked(structures[1], energy=True)]),
        replace(job(structures), start="another"),
    ]
    assert len({made.key for made in jobs}) == len(jobs)
    assert job(labels(2)).key == jobs[0].key


def test_residuals_are_those_of_the_linear_fit(tmp_path: Path) -> None:
    config = small_basis()
    structures = [*labels(4), masked(labels(1, seed=3)[0])]
    trainer = LinearTrainer(config, ["Cu"])
    training = trainer.train(structures, number=1, directory=tmp_path, predecessor=None, halted=None, gamma_limit=2.0)
    generation = training.generation
    residuals = residuals_of(load_basis(generation.yaml), structures, structures, generation.reference_energies)
    found, expected = mean_errors(residuals), training.train_errors
    assert found.energy == pytest.approx(expected.energy, rel=1e-6)
    assert found.forces == pytest.approx(expected.forces, rel=1e-6)
    assert found.virial == pytest.approx(expected.virial, rel=1e-6)
    energies, forces = parity_of(structures, residuals)
    assert energies == pytest.approx(training.energies, abs=1e-9)
    assert forces == pytest.approx(training.forces, abs=1e-9)
    assert np.isnan(mean_errors([]).forces)


def test_the_guard_on_known_structures() -> None:
    def compared(before: float, after: float) -> Comparison:
        return Comparison(before=before, after=after, ratio=after / before)

    assert "has become worse" in reason_to_reject_known(TINY, compared(10, 300), compared(20, 22))
    assert not reason_to_reject_known(TINY, compared(10, 40), compared(20, 22)), "within cv_tolerance"
    assert not reason_to_reject_known(TINY, compared(1, 30), compared(20, 22)), "overfitted before, and still small"
    nothing = Comparison(before=np.nan, after=np.nan, ratio=np.nan)
    assert not reason_to_reject_known(TINY, nothing, nothing)
    assert reason_to_reject_known(TINY, compared(1, 30), nothing)


def test_a_missing_environment_is_named_before_anything_is_written(tmp_path: Path) -> None:
    from acemaker import Campaign

    config = CampaignConfig(
        oracle={"oracle": "emt"},
        potential={"trainer": "pacemaker"},
        pacemaker={"pacemaker_environment": str(tmp_path / "nowhere")},
    )
    with pytest.raises(MissingLibraryError, match=r"no environment with pacemaker in .*nowhere; create one with: make"):
        Campaign.create(tmp_path / "c", config)
    assert not (tmp_path / "c").exists()


def test_an_environment_that_lacks_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    with pytest.raises(MissingLibraryError, match=r"has no tensorpotential, tensorflow; create one"):
        find_python(sys.executable)
    fake = tmp_path / "python"
    fake.write_text(
        '#!/bin/sh\necho \'{"python-ace": "0.4", "tensorpotential": "1", "tensorflow": "2", "numpy": "2.4.6"}\'\n'
    )
    fake.chmod(0o755)
    with pytest.raises(MissingLibraryError, match=r"numpy 2.4.6, but fits .* need numpy<2.4"):
        find_python(str(fake))
    fake.write_text("#!/bin/sh\nexit 3\n")
    monkeypatch.setenv("ACEMAKER_PACEMAKER", str(fake))
    with pytest.raises(MissingLibraryError, match="does not work"):
        find_python("")


def own_trainer(config: PotentialConfig, elements: list[str], directory: Path | None) -> LinearTrainer:
    return LinearTrainer(config.model_copy(update={"n_functions": 5}), elements, directory)


def test_a_trainer_of_ones_own_by_its_path() -> None:
    config = TINY.model_copy(update={"trainer": f"{__name__}:own_trainer"})
    made = make_trainer(config, PacemakerConfig(), ["Cu"])
    assert isinstance(made, LinearTrainer)
    assert made.basis.n_functions == (5,)
    with pytest.raises(ConfigError, match=r"PotentialConfig.trainer: .* cannot be imported"):
        make_trainer(TINY.model_copy(update={"trainer": "nowhere:at_all"}), PacemakerConfig(), ["Cu"])
    with pytest.raises(ConfigError, match="'linear', 'pacemaker' or a dotted path"):
        PotentialConfig(trainer="quadratic")


def test_the_environment_may_change_when_a_campaign_is_reopened() -> None:
    one = CampaignConfig(oracle={"oracle": "emt"})
    two = CampaignConfig(oracle={"oracle": "emt"}, pacemaker={"pacemaker_environment": "x", "densities": 1})
    assert one.differences(two) == ["pacemaker.densities: 2 -> 1"]


@pytest.mark.parametrize("densities", [1, 2])
def test_the_first_generation_starts_at_the_linear_fit(tmp_path: Path, densities: Literal[1, 2]) -> None:
    """In an alloy, too, where coefficients are numbered by element, function and density."""
    config, elements = small_basis(), ("Cu", "Ni")
    structures = [CalculatorOracle.from_config(CUNI, elements).label(atoms) for atoms in rattled(alloy(), 5)]
    linear = LinearTrainer(config, elements).train(
        structures, number=1, directory=tmp_path, predecessor=None, halted=None, gamma_limit=2.0
    )
    fit, reference = PacemakerConfig(densities=densities), linear.generation.reference_energies
    errors = []
    for coefficients in (linear.generation.coefficients(), None):
        (tmp_path / "start.yaml").write_text(first_start(config, fit, elements, coefficients, tmp_path))
        basis = load_basis(tmp_path / "start.yaml")
        assert basis.basis_set.map_embedding_specifications[1].ndensity == densities
        errors.append(mean_errors(residuals_of(basis, structures, structures, reference)))
    assert errors[0].forces == pytest.approx(linear.train_errors.forces, rel=1e-6)
    assert errors[0].energy == pytest.approx(linear.train_errors.energy, rel=1e-6)
    forces = [np.mean(atoms.get_forces() ** 2) for atoms in structures]
    assert errors[1].forces == pytest.approx(1e3 * np.sqrt(np.mean(forces)))


# from here on pacemaker itself runs


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory, pacemaker_python: Path) -> tuple[PacemakerTrainer, Training]:
    """Train the first generation on three labels without and one with a mask."""
    fit = PacemakerConfig(first_iterations=15, fit_iterations=2, pacemaker_environment=str(pacemaker_python))
    trainer = PacemakerTrainer(TINY, fit, ["Cu"])
    structures = [*labels(3), masked(labels(1, seed=3)[0])]
    directory = tmp_path_factory.mktemp("fitted")
    training = trainer.train(structures, number=1, directory=directory, predecessor=None, halted=None, gamma_limit=2.0)
    return trainer, training


def running(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.environ().get(MARK, "/")).is_relative_to(folder.resolve()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.slow
def test_the_potential_is_the_same_for_every_engine(
    fitted: tuple[PacemakerTrainer, Training], tmp_path: Path, native_lammps: str
) -> None:
    """Energy, forces, pressure and gamma of LAMMPS with the callback, of ML-PACE, and of pyace's own calculator."""
    import shlex

    generation = fitted[1].generation
    evaluator = evaluator_of(generation)
    assert evaluator._basis.map_embedding_specifications[0].ndensity == 2

    def native(_: Evaluator, atoms: Atoms, skin: float) -> LammpsResult:
        return evaluate(shlex.split(native_lammps), generation, atoms, skin, tmp_path / "run", 60.0)

    for differences in (preflight(evaluator, copper(), 1.0), preflight(evaluator, copper(), 1.0, native)):
        assert differences["energy"] < 1e-9
    atoms = rattled(copper(), 1, 0.2, seed=5)[0]
    said = evaluator.structure(atoms)
    atoms.calc = generation.calculator()
    reference = len(atoms) * generation.reference_energies["Cu"]
    assert said.energy + reference == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
    assert said.forces == pytest.approx(atoms.get_forces(), abs=1e-9)
    assert said.gamma == pytest.approx(atoms.calc.results["gamma"], rel=1e-6)
    text = generation.yaml.read_text()
    assert "user" not in text, "pacemaker's notes on who fitted it, and when"


@pytest.mark.slow
def test_a_warm_start_begins_at_the_old_potentials_loss(
    fitted: tuple[PacemakerTrainer, Training], tmp_path: Path
) -> None:
    """Which is the linear fit's loss, masks included: weights, start and reference energies are what they should be."""
    trainer, first = fitted
    start = load_basis(first.generation.yaml)
    structures = [*labels(3), masked(labels(1, seed=3)[0]), *labels(1, 0.2, seed=8)]
    again = PacemakerTrainer(TINY, trainer.fit, ["Cu"])
    again.restore([structures[:4]], first.generation)
    seen: list[Iteration] = []
    again.listener = seen.append
    training = again.train(
        structures[4:], number=2, directory=tmp_path, predecessor=first.generation, halted=None, gamma_limit=2.0
    )
    assert training.optimizer is not None
    assert [iteration.number for iteration in seen] == [0, 1, 2]
    assert training.optimizer.loss == (seen[0].loss, seen[-1].loss)
    assert "more iterations would help" in training.optimizer.words
    residuals = residuals_of(start, structures, structures, first.generation.reference_energies)
    energies = [found.energy**2 for found in residuals if found.energy is not None]
    kappa = 1 / (1 + 3 * 4 * 4 / 5)
    loss = (1 - kappa) * np.mean(energies) + kappa * np.mean([3 * np.mean(found.forces**2) for found in residuals])
    penalty = trainer.fit.l2_penalty * np.sum(np.square(start.basis_set.all_coeffs))
    assert seen[0].loss == pytest.approx(loss, rel=1e-6, abs=2 * penalty)
    assert seen[-1].loss < seen[0].loss
    assert training.unseen_errors == mean_errors(residuals[4:])
    for said in (repr(training), training._repr_html_()):
        assert "BFGS used up its iterations" in said
        assert "new labels, before the fit" in said
        assert "held out from a linear fit" in said


@pytest.mark.slow
def test_a_finished_fit_is_not_run_again_and_a_broken_one_leaves_nothing_running(
    fitted: tuple[PacemakerTrainer, Training], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, first = fitted
    structures = [*labels(3), masked(labels(1, seed=3)[0])]
    shutil.copytree(first.generation.directory, tmp_path / "copy")
    again = PacemakerTrainer(TINY, trainer.fit, ["Cu"])
    python, again.python = again.python, tmp_path / "nowhere"
    training = again.train(
        structures, number=1, directory=tmp_path / "copy", predecessor=None, halted=None, gamma_limit=2.0
    )
    assert repr(training) == repr(first)
    assert training.generation.yaml.read_bytes() == first.generation.yaml.read_bytes()
    folder = tmp_path / "copy" / "fit"
    finished = json.loads((folder / "finished.json").read_text())
    (folder / "finished.json").write_text(json.dumps({**finished, "key": "that of other labels"}))
    fresh = PacemakerTrainer(TINY, trainer.fit, ["Cu"])
    fresh.python = python

    begun: list[bool] = []

    class Seen(ChildProcess):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, **more)
            begun.append(bool(running(folder)))

    def stop(iteration: Iteration) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(child, "ChildProcess", Seen)
    fresh.listener = stop
    with pytest.raises(KeyboardInterrupt):
        fresh.train(structures, number=1, directory=tmp_path / "copy", predecessor=None, halted=None, gamma_limit=2.0)
    assert begun == [True]
    assert not running(folder)
    assert not (folder / "finished.json").exists()


@pytest.mark.slow
def test_a_fit_that_dies_says_why(pacemaker_python: Path, tmp_path: Path) -> None:
    made = job(labels(2))
    made.settings["fit"]["optimizer"] = "gradient ascent"
    with pytest.raises(FitError, match=r"exit status 1\); its input is in ") as error:
        run_fit(replace(made, start="global: nonsense"), tmp_path / "fit", pacemaker_python)
    assert error.value.log == tmp_path / "fit" / "output.txt"
    assert "Error" in str(error.value)

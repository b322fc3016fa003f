"""Answers of the self-checks to right answers and to frequent mistakes, for small examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk

from acemaker import Campaign
from acemaker.analysis import Accuracy
from acemaker.analysis.accuracy import Liquid
from acemaker.potentials.generation import Generation
from acemaker.results import Diagnosis, Segment, Selection
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from acemaker.workshop import Answer, copper, faults
from acemaker.workshop.checks import campaign as campaigns
from acemaker.workshop.checks import faults as trouble
from acemaker.workshop.checks import halt, material, meaning
from acemaker.workshop.copper import Graded
from acemaker.workshop.plane import Plane

PLANE = Plane.example()


def says(answer: Answer, verdict: str, words: str = "") -> None:
    assert answer.verdict == verdict, answer
    assert words in answer.message, answer


def test_the_plane_is_one_where_the_farthest_label_teaches_most() -> None:
    assert np.abs(PLANE.trained @ np.linalg.inv(PLANE.active)).max() <= 1.001
    assert PLANE.gamma("P") < 1 < PLANE.gamma("Q") < PLANE.gamma("R")
    says(meaning.unknown("P", PLANE), "right")
    says(meaning.unknown("R", PLANE), "not right", "outside of the region that the active set spans")
    says(meaning.unknown(["P"], PLANE), "not right")
    says(meaning.best_label("R", PLANE), "right")
    says(meaning.best_label("Q", PLANE), "not right", "R has")
    says(meaning.best_label("S", PLANE), "not right", "one of P, Q, R, got 'S'")


@pytest.mark.parametrize(
    ("gamma", "words"),
    [
        (lambda b, a: (b @ np.linalg.inv(a)).max(), "with its sign"),
        (lambda b, a: np.abs(np.linalg.inv(a) @ b).max(), "wrong side"),
        (lambda b, a: np.abs(b @ np.linalg.inv(a)).sum(), "sum of the absolute coefficients"),
        (lambda b, a: np.abs(b @ a).max(), "its inverse"),
        (lambda b, a: np.abs(b).max(), "write b as a combination"),
        (lambda b, a: np.abs(b @ np.linalg.inv(a)), "should be a single number, got an array of shape (2,)"),
        (lambda b, a: 0.5, "returns 0.5, but gamma is"),
    ],
)
def test_mistakes_in_gamma_are_named(gamma: Any, words: str) -> None:
    says(meaning.gamma_function(gamma, PLANE), "not right", words)


def test_gamma_by_least_squares_is_as_good() -> None:
    says(meaning.gamma_function(lambda b, a: np.abs(np.linalg.solve(a.T, b)).max(), PLANE), "right")


def test_the_share_that_is_seen() -> None:
    graded = Graded(gamma=np.array([1.0, 3.0, 3.0, 5.0, 0.5]), error=np.array([200.0, 200.0, 20.0, 300.0, 1.0]))
    says(meaning.share_seen(2 / 3, graded, 2.0, 100.0), "right", "67%")
    says(meaning.share_seen(200 / 3, graded, 2.0, 100.0), "not right", "percentage")
    says(meaning.share_seen(0.4, graded, 2.0, 100.0), "not right", "divide by the number of wrong atoms")
    says(meaning.share_seen(0.1, graded, 2.0, 100.0), "not right", "2 of 3 wrong atoms are above")
    says(meaning.share_seen(graded.error > 100, graded, 2.0, 100.0), "not right", "an array of shape (5,)")


def test_what_is_strange_and_what_does_no_harm() -> None:
    def one(gamma: float, error: float) -> Graded:
        return Graded(gamma=np.array([gamma]), error=np.array([error]))

    graded = {"rattled": one(1.0, 5.0), "stretched": one(3.0, 0.0), "liquid": one(30.0, 500.0)}
    says(meaning.strange({"highest gamma": "liquid", "no error": "stretched"}, graded), "right", "symmetry")
    says(meaning.strange({"highest gamma": "stretched", "no error": "stretched"}, graded), "not right", "more")
    says(meaning.strange({"highest gamma": "liquid", "no error": "rattled"}, graded), "not right", "symmetry")
    says(meaning.strange({"highest gamma": "gas", "no error": "rattled"}, graded), "not right", "got 'gas'")
    says(meaning.strange({"highest gamma": "liquid", "no error": None}, graded), "not yet")


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A campaign of toys up to its second generation."""
    campaign = Campaign.create(
        tmp_path_factory.mktemp("toy") / "c",
        toy_config(),
        engine=ToyEngine(200, halting_at(100)),
        oracle=ToyOracle(),
    )
    with campaign:
        campaign.prepare()
        made: dict[str, Any] = {"segment": campaign.explore(), "diagnosis": campaign.diagnose()}
        campaign.generate()
        made["selection"], made["old"] = campaign.select(), campaign.generation
        campaign.label()
        campaign.train()
        made["new"], made["campaign"] = campaign.generation, campaign
        campaign.run()
    return made


def test_a_halt_is_read_rightly(toy: dict[str, Any]) -> None:
    segment, diagnosis, selection = toy["segment"], toy["diagnosis"], toy["selection"]
    assert isinstance(segment, Segment)
    assert isinstance(diagnosis, Diagnosis)
    assert isinstance(selection, Selection)
    found = float(segment.timeline.observables["temperature_K"][-1])
    says(halt.temperature(found + 100, segment), "right", "off by 100 K")
    says(halt.temperature(found + 2000, segment), "not right", "2000 K away")
    says(halt.temperature(300, replace(segment, halt=None)), "not right", "did not halt")
    worst = int(diagnosis.structure.arrays["gamma"].argmax())
    bond = diagnosis.atom(worst).neighbors[0].distance
    says(halt.worst_atom([worst, round(bond, 2)], diagnosis), "right", f"{bond:.3f} Å")
    says(halt.worst_atom([worst, bond / 10], diagnosis), "not right", "nm")
    says(halt.worst_atom([worst + 1, bond], diagnosis), "not right", "is not the worst (its gamma is")
    says(halt.worst_atom([worst, None], diagnosis), "not yet")
    most, second = int(selection.candidates.gamma_max.argmax()), selection.selected[1]
    says(halt.candidates([most, second], selection), "right")
    says(halt.candidates([most, 0], selection), "not right", "the halted structure is always selected first")
    says(halt.candidates([most + 1, second], selection), "not right", "largest gamma")


def test_a_healed_structure(toy: dict[str, Any]) -> None:
    structure, old, new = toy["diagnosis"].structure, toy["old"], toy["new"]
    assert isinstance(new, Generation)
    before, after = halt._largest(old, structure), halt._largest(new, structure)
    assert before > 1.1 * after
    says(halt.healed(after, structure, old, new), "right", "gamma decreased")
    says(halt.healed(before, structure, old, new), "not right", "under the old potential")
    says(halt.healed(0.0, structure, old, new), "not right", "results['gamma']")


def test_a_campaign_is_read_rightly(toy: dict[str, Any]) -> None:
    view = toy["campaign"]
    made = view.progress.n_labels
    says(campaigns.labels(made + 1, view), "right")
    says(campaigns.labels(100 * made, view), "not right", "factor of two")
    # the toy's gamma jumps from calm to raised: with any threshold between it halts at the same check
    says(campaigns.earlier_halt(0, view, 4.0), "right", "instead of 100")
    says(campaigns.earlier_halt(100, view, 4.0), "not right", "step")
    costs = view.label_costs()
    ratio = costs.at_random / len(costs.paid)
    says(campaigns.saving(ratio, costs), "right")
    says(campaigns.saving(1 / ratio, costs), "not right", "the inverse")
    says(campaigns.saving(20 * ratio, costs), "not right")
    says(material.first_labels(2, view), "right", "32 Cu")
    says(material.first_labels(3, view), "not right", "the first generation needed 2")


def accuracy(error: Sequence[float], gamma: Sequence[float]) -> Accuracy:
    nothing, liquid = np.zeros(1), Liquid(displacement=0.0, coordination=12.0)
    return Accuracy(
        generation=1,
        steps=np.array([0]),
        force_rmse=nothing,
        energy_error=nothing,
        gamma_max=nothing,
        atom_gamma=np.array(gamma),
        atom_error=np.array(error),
        tolerance=100.0,
        threshold=5.0,
        campaign=liquid,
        reference=liquid,
        liquid_limit=1.0,
    )


def test_misses_are_counted() -> None:
    found = accuracy([60, 70, 120, 120, 10, 10], [1, 2, 3, 9, 1, 8])
    says(campaigns.misses(3, found, 50.0), "right", "3 of 6")
    says(campaigns.misses(0.5, found, 50.0), "not right", "a share")
    says(campaigns.misses(4, found, 50.0), "not right", "detected or not")
    says(campaigns.misses(1, found, 50.0), "not right")
    says(campaigns.misses(2, found, 50.0), "not right", "both conditions")


def test_the_largest_threshold() -> None:
    found = accuracy([200] * 5 + [10], [2.5, 3.5, 4.5, 5.5, 6.5, 1.0])
    says(trouble.threshold(4, found, 2), "right", "with 4, 2 of 5")
    says(trouble.threshold(5, found, 2), "not right", "at most 2 are allowed")
    says(trouble.threshold(3, found, 2), "not right", "so is 4")
    says(trouble.threshold(3.5, found, 2), "not right", "integer")


ALUMINIUM: dict[str, Any] = {
    "structure": "Al",
    "lattice_constant": 4.05,
    "supercell": [2, 2, 2],
    "pair_style": "eam/alloy",
    "pair_coeff": ["* * Al_zhou.eam.alloy Al"],
}


@pytest.mark.parametrize(
    ("change", "verdict", "words"),
    [
        ({}, "right", "32 atoms of Al at rest"),
        ({"lattice_constant": 3.615}, "not right", "of Al is larger"),
        ({"lattice_constant": 4.6}, "not right", "of Al is smaller"),
        ({"structure": "Cu"}, "not right", "consists of Cu, not of Al"),
        ({"pair_coeff": ["* * Al_zhuo.eam.alloy Al"]}, "not right", "there is no file"),
        ({"latice_constant": 4.05}, "not right", "did you mean 'lattice_constant'"),
        ({"pair_coeff": [...]}, "not yet", "replace every ..."),
    ],
)
def test_a_material_is_asked_of_the_oracle(change: dict[str, Any], verdict: str, words: str) -> None:
    says(material.material({**ALUMINIUM, **change}, "Al"), verdict, words)


def test_a_structure_file(tmp_path: Path) -> None:
    crystal = bulk("Al", a=4.05, cubic=True).repeat(2)
    whole, holed, other = (tmp_path / f"{name}.extxyz" for name in ("whole", "holed", "other"))
    crystal.write(whole)
    del crystal[3]
    crystal.write(holed)
    says(material.structure_file(holed, "Al", 31), "right", "Al31")
    says(material.structure_file(str(whole), "Al", 31), "not right", "32 atoms")
    says(material.structure_file("nowhere.xyz", "Al", 31), "not right", "there is no file nowhere.xyz")
    says(material.structure_file(holed, "Cu", 31), "not right", "contains Al31")
    crystal.pbc = False
    crystal.write(other)
    says(material.structure_file(other, "Al", 31), "not right", "periodic")
    other.write_text("nonsense")
    says(material.structure_file(other, "Al", 31), "not right", "cannot read")


RUN = "acemaker run otf_campaign.ipynb runs/al.ipynb"


@pytest.mark.parametrize(
    ("command", "verdict", "words"),
    [
        (f"{RUN} -p structure=Al -p steps=2000 -p directory=runs/al", "right", "runs/al"),
        (f"{RUN} -p structure Al -p steps 2000 -p directory runs/al", "right", "runs/al"),
        (f"{RUN} -p structure=Al -p directory=runs/al", "not right", "steps is not set"),
        (f"{RUN} -p structure=Al -p steps=20 -p directory=runs/al", "not right", "steps should be 2000"),
        (f"{RUN} -p structure=Al -p steps=2000", "not right", "runs/demo"),
        (f"{RUN} -p strukture=Al", "not right", "no parameter 'strukture'"),
        (f"{RUN} -p steps", "not right", "expected"),
        ("acemaker run otf_campaign.ipynb", "not right", "required"),
        ("papermill otf_campaign.ipynb out.ipynb", "not right", "begin with acemaker run"),
        ("acemaker doctor", "not right", "begin with acemaker run"),
        (f"{RUN} -p 'structure=Al", "not right", "a shell cannot read this"),
        (None, "not yet", "write the command"),
    ],
)
def test_a_command_is_read_as_acemaker_would(command: str | None, verdict: str, words: str) -> None:
    if command == f"{RUN} -p steps":
        verdict, words = "not yet", "name=value"
    says(material.command(command, {"structure": "Al", "steps": 2000}), verdict, words)


def test_the_one_that_lies_is_found_and_looks_well() -> None:
    frames = list(copper.heated(copper.crystal(), (300.0, 600.0), 60, 5))
    labels = faults.with_a_liar(frames, seed=3)
    (liar,) = (
        place
        for place, (one, other) in enumerate(zip(frames, labels, strict=True))
        if not np.array_equal(one.get_forces(), other.get_forces())
    )
    assert np.abs(labels[liar].get_forces().sum(axis=0)).max() < 1e-6
    oracle = copper.copper_oracle()
    says(trouble.liar(liar, labels, oracle), "right", f"label {liar}")
    says(trouble.liar(liar + 1, labels, oracle), "not right", "is right")
    says(trouble.liar(0, frames, oracle), "not right", "none of these")


def test_who_notices(toy: dict[str, Any]) -> None:
    says(trouble.who_notices("nobody", toy["campaign"]), "right")
    says(trouble.who_notices("guard", toy["campaign"]), "not right", "'nobody'")
    says(trouble.who_notices("the teacher", toy["campaign"]), "not right", "choose one of")


class Cell:
    """The attributes of an embedded cell that the check reads."""

    core = np.array([True, True, False, False])


@pytest.mark.parametrize(
    ("rule", "verdict", "words"),
    [
        (lambda d: d < 4, "right", "2 of 4 atoms are selected"),
        (lambda d: d < 10, "not right", "the boundary disturbs"),
        (lambda d: (d > 1) & (d < 4), "not right", "center is not selected"),
        (lambda d: d < -1, "not right", "no atom is selected"),
        (lambda d: 4.0, "not right", "one True or False for each of the 4 atoms"),
        (lambda d: d, "not right", "of float64"),
        (lambda d: ..., "not yet", "return"),
    ],
)
def test_a_core_is_judged_by_its_true_error(rule: Any, verdict: str, words: str) -> None:
    distances, error = np.array([0.0, 3.0, 5.0, 6.0]), np.array([1.0, 20.0, 900.0, 900.0])
    says(trouble.core(rule, Cell(), distances, error, 50.0), verdict, words)  # type: ignore[arg-type]

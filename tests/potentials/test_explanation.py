"""Contributions of basis functions to a grade, which add up to gamma."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.active_set import gamma_of
from acemaker.potentials.explanation import contributions_of
from acemaker.potentials.linear_trainer import LinearTrainer
from tests.conftest import CUNI, alloy, rattled, small_basis


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> LinearTrainer:
    made = LinearTrainer(small_basis(), ["Cu", "Ni"])
    oracle = CalculatorOracle.from_config(CUNI, ("Cu", "Ni"))
    labels = [oracle.label(atoms) for atoms in rattled(alloy(), 6)]
    folder: Path = tmp_path_factory.mktemp("potentials")
    made.train(labels, number=1, directory=folder, predecessor=None, halted=None, gamma_limit=2.0)
    return made


def test_the_parts_of_all_functions_add_up_to_gamma(trainer: LinearTrainer) -> None:
    assert trainer.active_set is not None
    atoms = rattled(alloy(), 1, scale=0.4, seed=3)[0]
    blocks = trainer._builder.projections(atoms)
    grades = gamma_of(blocks, trainer.active_set.inverses)
    for species, element in enumerate(("Cu", "Ni")):
        members = np.flatnonzero(atoms.symbols == element)
        for place in (0, int(grades[species].argmax())):
            explained = trainer.explain(atoms, [int(members[place])])
            assert len(explained.contributions) == trainer.basis.n_functions[species]
            assert sum(contribution.part for contribution in explained.contributions) == pytest.approx(
                grades[species][place], rel=1e-6
            )
            assert explained.contributions[0].elements[0] == element
            sizes = [abs(contribution.part) for contribution in explained.contributions]
            assert sizes == sorted(sizes, reverse=True)
            # the plain terms of b A^-1 would cancel by orders of magnitude
            assert sum(sizes) < 10 * grades[species][place]


def test_a_function_that_alone_is_beyond_carries_the_grade(trainer: LinearTrainer) -> None:
    """An active environment to which much of one function is added."""
    assert trainer.active_set is not None
    active = trainer.active_set.matrices[0]
    functions = trainer.basis.basis_set
    last = len(active) - 1
    highest = [*functions.basis_rank1[0], *functions.basis[0]][last]
    row = active[3].copy()
    row[last] += 50 * np.ptp(active[:, last])
    contribution = contributions_of(functions, 0, active, row)[0]
    assert (contribution.n, contribution.l) == (tuple(highest.ns), tuple(highest.ls))
    assert contribution.body_order == len(highest.ns) + 1
    assert str(contribution).startswith(f"{contribution.body_order}-body Cu-")


def test_nothing_to_ask_about(trainer: LinearTrainer) -> None:
    explained = trainer.explain(alloy(), [])
    assert explained.contributions == ()
    assert explained.outside == ()
    assert 1.5 < explained.trained_distance < 2.5

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from acemaker.errors import StructureError, TooFewEnvironmentsError
from acemaker.potentials.active_set import build_active_set, gamma_of
from acemaker.potentials.basis import Basis
from acemaker.potentials.design import DesignBuilder
from acemaker.potentials.maxvol import FEW, first_rows, swap_rows
from acemaker.potentials.pyace_library import load_pyace
from acemaker.potentials.ranking import rank_by_volume
from tests.conftest import alloy, rattled, small_basis


def clouds(n: int, size: int, n_functions: int = 5, seed: int = 0) -> list[list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [[rng.normal(size=(size, n_functions))] for _ in range(n)]


def test_no_trained_environment_extrapolates() -> None:
    made = clouds(4, 30)
    active = build_active_set(["Cu"], [5], made)
    for blocks in made:
        assert gamma_of(blocks, active.inverses)[0].max() < 1.01


def test_gamma_is_linear_in_the_distance() -> None:
    active = build_active_set(["Cu"], [5], clouds(2, 30))
    row = active.matrices[0][:1]
    assert gamma_of([7 * row], active.inverses)[0] == pytest.approx([7.0])


def test_extending_never_loses_volume() -> None:
    active = build_active_set(["Cu"], [5], clouds(1, 10))
    for number, blocks in enumerate(clouds(5, 10, seed=1)):
        larger = active.extend(blocks, source=number)
        assert larger.log_volume >= active.log_volume - 1e-9
        assert gamma_of(blocks, larger.inverses)[0].max() < 1.01
        active = larger


def test_every_row_seen_is_inside() -> None:
    seen = clouds(6, 40, 12, seed=5)
    active = build_active_set(["Cu"], [12], seen[:1])
    for blocks in seen[1:]:
        active = active.extend(blocks)
    assert max(gamma_of(blocks, active.inverses)[0].max() for blocks in seen) < 1.3
    assert max(gamma_of([matrix], active.inverses)[0].max() for matrix in active.matrices) < 1.0 + 1e-9


def test_swapping_ends_where_nothing_more_can_be_gained() -> None:
    rng = np.random.default_rng(2)
    matrix = rng.normal(size=(300, 20)) * np.logspace(0, -6, 20)
    chosen = swap_rows(matrix, np.arange(20))
    assert np.abs(np.linalg.solve(matrix[chosen].T, matrix.T)).max() <= 1.001 + 1e-9
    before, after = (np.linalg.slogdet(matrix[rows])[1] for rows in (np.arange(20), chosen))
    assert after > before + 5


def test_of_very_many_rows_none_is_left_out() -> None:
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(2 * FEW, 20)) * np.logspace(0, -6, 20)
    matrix[FEW + 1] *= 30  # between the rows that are looked at first
    chosen = first_rows(matrix)
    assert chosen is not None
    assert FEW + 1 in chosen
    assert np.abs(np.linalg.solve(matrix[chosen].T, matrix.T)).max() <= 1.001 + 1e-9


def test_functions_that_few_of_very_many_rows_have_are_found() -> None:
    matrix = np.zeros((2 * FEW, 6))
    matrix[:, :5] = np.random.default_rng(4).normal(size=(len(matrix), 5))
    matrix[7, 5] = 1.0
    chosen = first_rows(matrix)
    assert chosen is not None
    assert 7 in chosen
    assert first_rows(matrix[8:]) is None


def test_sources_name_the_structures() -> None:
    made = clouds(3, 10)
    active = build_active_set(["Cu"], [5], made)
    for row, source in zip(active.matrices[0], active.sources[0], strict=True):
        assert (made[source][0] == row).all(axis=1).any()


def test_too_few_environments_names_both_and_the_number_needed() -> None:
    with pytest.raises(TooFewEnvironmentsError, match=r"Cu has 8 atoms in 2 structures but 10 .*at least 3 in all"):
        build_active_set(["Cu"], [10], clouds(2, 4, 10))
    with pytest.raises(TooFewEnvironmentsError, match="some with this element"):
        build_active_set(["Cu"], [10], clouds(2, 0, 10))


def test_equal_environments_are_refused() -> None:
    with pytest.raises(StructureError, match="too similar"):
        build_active_set(["Cu"], [5], [[np.ones((20, 5))]])


def test_the_file_gives_pyace_the_same_gamma(tmp_path: Path) -> None:
    basis = Basis.create(small_basis(), ["Cu", "Ni"])
    builder = DesignBuilder(basis)
    made = rattled(alloy(), 4)
    active = build_active_set(basis.elements, basis.n_functions, [builder.projections(atoms) for atoms in made])
    active.save(tmp_path / "a.asi")
    atoms = rattled(alloy(), 1, scale=0.3, seed=9)[0]
    calculator = load_pyace().PyACECalculator(basis.basis_set)
    calculator.set_active_set(str(tmp_path / "a.asi"))
    atoms.calc = calculator
    atoms.get_potential_energy()
    ours = np.empty(len(atoms))
    for element, values in zip(basis.elements, gamma_of(builder.projections(atoms), active.inverses), strict=True):
        ours[atoms.symbols == element] = values
    assert ours == pytest.approx(calculator.results["gamma"], rel=1e-8)
    assert ours.max() > 2


def test_ranking_takes_the_anchor_first_then_the_largest_gain() -> None:
    active = build_active_set(["Cu"], [5], clouds(1, 20))
    near, far, farther = (scale * clouds(1, 8, seed=3)[0][0] for scale in (1.0, 3.0, 9.0))
    ranking = rank_by_volume(active, [[near], [far], [farther], [near]], 2)
    assert ranking.selected == (0, 2)
    assert set(ranking.reserve) == {1, 3}
    # after the ninefold cloud the same cloud at a third of its size adds nothing
    assert ranking.gains[1] == pytest.approx(0, abs=1e-6)
    assert ranking.gains[2] > 1


def test_a_gain_is_the_growth_of_the_determinant() -> None:
    active = build_active_set(["Cu"], [5], clouds(1, 20))
    blocks = [4 * clouds(1, 8, seed=3)[0][0]]
    ranking = rank_by_volume(active, [blocks], 1)
    grown = active.extend(blocks).log_volume - active.log_volume
    assert ranking.gains[0] == pytest.approx(grown, rel=1e-9)
    contribution = active.contribution(blocks)
    assert contribution.growth == pytest.approx(grown, rel=1e-9)
    # those that enter are the new rows of the extended set
    (entering,) = contribution.entering
    assert len(entering)
    rows = {row.tobytes() for row in active.extend(blocks).matrices[0]} - {row.tobytes() for row in active.matrices[0]}
    assert rows == {blocks[0][number].tobytes() for number in entering}
    assert ranking.entering[0] is not None
    assert ranking.entering[0][0].tolist() == entering.tolist()
    nothing = active.contribution([active.matrices[0]])
    assert nothing.growth == 0
    assert nothing.entering[0].tolist() == []


def test_excluded_candidates_are_not_chosen() -> None:
    active = build_active_set(["Cu"], [5], clouds(1, 20))
    projections = clouds(4, 8, seed=3)
    ranking = rank_by_volume(active, projections, 2, excluded=[0, 2])
    assert set(ranking.selected) == {1, 3}
    assert ranking.reserve == ()
    assert rank_by_volume(active, projections, 2, excluded=[0, 1, 2, 3]).selected == ()

"""Strategies mixed by share, and candidates that are rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from hypothesis import given, settings
from hypothesis import strategies as st

from acemaker.config import OTFConfig
from acemaker.errors import ConfigError
from acemaker.structures.candidates import TRIES, CandidateSet, check_strategies, make_candidates
from acemaker.structures.geometry import closeness
from acemaker.structures.grading import Grading
from acemaker.structures.strategies import STRATEGIES, Site, strategy_of
from tests.conftest import alloy, copper, rattled

MINE = "tests.structures.test_candidates:two_of_one_kind"


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def site(atoms: Atoms, epicenter: Sequence[int] = (0,), radius: float = 3.0) -> Site:
    return Site.around(atoms, np.array(epicenter, dtype=int), radius=radius, temperature=600.0, calculator=EMT)


class Grader:
    """Returns gammas in turn, and counts its calls."""

    def __init__(self, *gammas: float) -> None:
        self.gammas, self.asked, self.calls = gammas, 0, 0

    def __call__(self, structures: Sequence[Atoms]) -> Grading:
        numbers = range(self.asked, self.asked + len(structures))
        self.asked += len(structures)
        self.calls += 1
        gammas = [self.gammas[number % len(self.gammas)] for number in numbers]
        return Grading(gamma_max=np.array(gammas), features=np.zeros((len(structures), 2)))


def make(atoms: Atoms, grade: Grader | None = None, **rule: object) -> CandidateSet:
    return make_candidates(site(atoms), OTFConfig(**{"n_select": 1, **rule}), rng(), grade or Grader(3.0))


def two_of_one_kind(here: Site, config: OTFConfig, rng: np.random.Generator) -> Iterator[Atoms]:
    for element in ("Ag", "Au"):
        made = here.structure.copy()
        made.symbols[here.epicenter[0]] = element
        yield made


def test_candidates_are_distinct_local_and_physical() -> None:
    halted = rattled(copper(), 1)[0]
    made = make(halted, n_candidates=12).structures
    region = site(halted).region
    assert len(made) == 12
    assert np.array_equal(made[0].positions, halted.positions.round(8))
    moves = np.array([atoms.positions - made[0].positions for atoms in made[1:]])
    assert moves[:, region].std() == pytest.approx(0.05, rel=0.1)
    assert not np.delete(moves, region, axis=1).any()
    assert all(closeness(atoms).share >= 0.65 for atoms in made)
    assert len({atoms.positions.tobytes() for atoms in made}) == 12
    assert [atoms.info["origin"] for atoms in made] == ["halted structure", *["random_displacement"] * 11]
    again = make(halted, n_candidates=12).structures
    assert all(np.array_equal(a.positions, b.positions) for a, b in zip(made, again, strict=True))


def test_the_anchor_is_never_filtered_out() -> None:
    made = make(Atoms("Cu2", [[0, 0, 0], [0, 0, 0.8]]), Grader(1e6))
    assert len(made.structures) == len(made.grading.gamma_max) == 1
    assert made.dropped["too close"] >= TRIES


def test_strategies_share_the_candidates() -> None:
    mixed = {"random_displacement": 3, "strain": 1, "md_burst": 1, "normal_modes": 2}
    made = make(rattled(copper(), 1)[0], n_candidates=15, strategies=mixed, mode_atoms=3, burst_steps=3)
    origins = Counter(atoms.info["origin"] for atoms in made.structures)
    assert origins == {"halted structure": 1, "random_displacement": 6, "strain": 2, "md_burst": 2, "normal_modes": 4}


@given(
    n=st.integers(1, 20),
    shares=st.dictionaries(st.sampled_from(["random_displacement", "strain"]), st.floats(0.01, 100), min_size=1),
)
@settings(max_examples=15, deadline=None)
def test_any_shares_give_the_number_asked_for(n: int, shares: dict[str, float]) -> None:
    made = make(copper(), n_candidates=n, strategies=shares)
    assert len(made.structures) == n
    total = sum(shares.values())
    for name, share in shares.items():
        count = sum(atoms.info["origin"] == name for atoms in made.structures)
        assert abs(count - (n - 1) * share / total) < 1


def test_a_strategy_of_ones_own_by_its_dotted_path() -> None:
    made = make(copper(), n_candidates=9, strategies={MINE: 1, "random_displacement": 1})
    assert [atoms.info["origin"] for atoms in made.structures] == [
        "halted structure",
        *[MINE] * 2,
        *["random_displacement"] * 4,
    ]
    assert made.dropped == {"not generated": 2}
    assert made.structures[1].symbols.count("Ag") == 1


def test_gamma_between_the_edge_and_the_break_tier() -> None:
    """Each candidate is graded once, several at a time."""
    grade = Grader(0.2, 0.5, 4.0, 30.0)
    made = make(copper(), grade, n_candidates=7)
    assert made.grading.gamma_max.tolist() == [0.2, *[4.0] * 6]
    assert set(made.dropped) == {"gamma below 1", "gamma above 20"}
    assert grade.asked == len(made.structures) + sum(made.dropped.values())
    assert grade.calls < grade.asked


def test_beyond_the_break_tier_the_anchor_is_the_bound() -> None:
    """One of them must take its place if it cannot be labeled."""
    made = make(copper(), Grader(40.0, 30.0, 50.0), n_candidates=5)
    assert made.grading.gamma_max.tolist() == [40.0, 30.0, 40.0, 30.0, 40.0]
    assert set(made.dropped) == {"gamma above 40"}


def test_without_a_gamma_there_is_no_bound() -> None:
    made = make(copper(), Grader(np.nan), n_candidates=5)
    assert len(made.structures) == 5
    assert not made.dropped


def test_a_measure_with_small_thresholds_has_no_edge_at_one() -> None:
    rule = {"threshold_add_train": 0.02, "threshold_call_dft": 0.05, "threshold_break": 0.2}
    made = make(copper(), Grader(0.1, 0.1, 0.01), n_candidates=4, **rule)
    assert made.grading.gamma_max.tolist() == [0.1] * 4
    assert set(made.dropped) == {"gamma below 0.02"}


def test_a_strategy_is_given_up_after_twenty_in_a_row() -> None:
    grade = Grader(3.0, *[30.0] * 100)
    made = make(copper(), grade, n_candidates=4)
    assert len(made.structures) == 1
    assert TRIES <= made.dropped["gamma above 20"] < TRIES + 3
    assert grade.asked == 1 + made.dropped["gamma above 20"]


def doubled(here: Site, config: OTFConfig, rng: np.random.Generator) -> Iterator[Atoms]:
    """Copies of the halted structure, then a new structure twice."""
    whole = here.structure.copy()
    image = whole.copy()
    image.positions[3] += image.cell.array[0] - image.cell.array[2]
    shifted = whole.copy()
    shifted.positions += [0.3, 0.1, 7.0]
    new = whole.copy()
    new.set_cell(new.cell.array * 1.01, scale_atoms=True)
    for structure in (whole, image, shifted, new, new):
        yield structure.copy()


@pytest.mark.parametrize("halted", [rattled(copper(), 1)[0], rattled(alloy(), 1)[0]])
def test_images_and_shifts_are_duplicates_and_strains_are_not(halted: Atoms) -> None:
    made = make(halted, n_candidates=6, strategies={"tests.structures.test_candidates:doubled": 1})
    assert len(made.structures) == 2
    assert made.dropped == {"duplicate": 4, "not generated": 4}


def test_names_are_checked() -> None:
    for strategies, words in (
        ({"magic": 1}, "expected random_displacement, normal_modes, md_burst, strain, .* got 'magic'"),
        ({"nowhere:thing": 1}, "OTFConfig.strategies: 'nowhere:thing' cannot be imported"),
        ({"math:pi": 1}, "not callable"),
        ({":": 1}, "cannot be imported"),
    ):
        with pytest.raises(ConfigError, match=words):
            check_strategies(OTFConfig(strategies=strategies), copper())
    cluster = Atoms("Cu2", [[0, 0, 0], [0, 0, 2.5]])
    with pytest.raises(ConfigError, match="'strain' needs a periodic structure"):
        check_strategies(OTFConfig(strategies={"strain": 1}), cluster)
    with pytest.raises(ConfigError, match=r"OTFConfig.mode_calculator: 'ase:nothing' cannot be imported"):
        check_strategies(OTFConfig(mode_calculator="ase:nothing"), copper())
    check_strategies(OTFConfig(strategies={**dict.fromkeys(STRATEGIES, 1), MINE: 1}), copper())
    assert strategy_of(MINE).__name__ == "two_of_one_kind"  # type: ignore[attr-defined]


def test_the_region_around_an_epicenter() -> None:
    atoms = copper(3)
    here = site(atoms, [7], radius=2.6)
    assert len(here.region) == 13
    assert here.nearest(5)[0] == 7
    assert atoms.get_distances(7, here.region, mic=True).max() == pytest.approx(3.615 / np.sqrt(2))
    assert len(site(atoms, [7, 50], radius=0.1).region) == 2
    atoms.pbc = False
    assert len(site(atoms, [0], radius=2.6).region) == 4


def test_without_an_epicenter_the_worst_atom_is_one() -> None:
    atoms = copper(3)
    assert len(site(atoms, []).region) == len(atoms)
    atoms.arrays["gamma"] = np.arange(108.0)
    assert site(atoms, []).epicenter.tolist() == [107]
    assert len(site(atoms, [], radius=2.6).region) == 13
    assert "gamma" not in site(atoms, []).structure.arrays

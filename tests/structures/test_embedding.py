"""Small cells out of large ones."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.spacegroup import crystal
from hypothesis import example, given, settings
from hypothesis import strategies as st

from acemaker.config import EmbeddingConfig, OTFConfig
from acemaker.errors import EmbeddingError
from acemaker.potentials.generation import Generation
from acemaker.structures.embedding import embed
from acemaker.structures.embedding.cell import choose_cells, reach
from acemaker.structures.embedding.cut import Cut, cut
from acemaker.structures.embedding.surroundings import surroundings
from acemaker.structures.geometry import closeness
from tests.conftest import copper

TOLERANT = OTFConfig(threshold_add_train=50, threshold_call_dft=100, threshold_break=1000)
"""The small potential of these tests has seen crystals alone."""


def hot_copper(repeat: int = 6, scale: float = 0.1) -> Atoms:
    atoms = copper(repeat)
    atoms.rattle(scale, seed=1)
    return atoms


def first_cut(atoms: Atoms, center: int = 0, n_min: int = 60, n_max: int = 100, choice: int = 0) -> Cut:
    near = surroundings(atoms, center, reach(n_max, surroundings(atoms, center, 0.1).spacing))
    return cut(near, choose_cells(near, n_min, n_max, 10.0)[choice], 0.65)


def from_parent(atoms: Atoms, cell: Atoms, indices: np.ndarray) -> np.ndarray:
    """How far each atom is from where the parent has it, both seen from the first."""
    apart = (cell.positions - cell.positions[0]) - (atoms.positions[indices] - atoms.positions[indices[0]])
    in_cells = apart @ np.linalg.inv(atoms.cell.array)
    return np.linalg.norm((in_cells - np.round(in_cells)) @ atoms.cell.array, axis=1)


def test_a_hot_crystal(copper_generation: Generation) -> None:
    parent = hot_copper()
    made = embed(parent, [17], copper_generation.calculator(), max_atoms=150, rule=TOLERANT)
    assert 100 <= len(made.structure) <= 150
    assert made.structure.pbc.all()
    assert made.center == 17
    assert made.radius > 6.0
    assert made.core[0]
    assert 13 <= made.core.sum() < len(made.structure) / 2
    assert made.validation.passed
    assert made.validation.force_error <= 20
    assert closeness(made.structure).share == pytest.approx(made.validation.share)
    assert np.array_equal(made.structure.arrays["mask"], made.core)
    assert made.structure.info["stress_counts"]
    assert abs(parent.get_volume() / len(parent) * len(made.structure) / made.structure.get_volume() - 1) < 0.02
    # what is counted, and its nearest neighbors, stand where they do in the parent
    distances = made.structure.get_distances(0, range(len(made.structure)), mic=True)
    assert from_parent(parent, made.structure, made.indices)[distances <= made.radius].max() < 1e-6
    assert np.abs(parent.positions - hot_copper().positions).max() == 0


def test_no_chance_is_in_it(copper_generation: Generation) -> None:
    one, two = (
        embed(hot_copper(), [17], copper_generation.calculator(), max_atoms=120, rule=TOLERANT) for _ in range(2)
    )
    assert one.structure.positions.tobytes() == two.structure.positions.tobytes()
    assert np.array_equal(one.core, two.core)
    assert repr(one) == repr(two)
    assert "core force error" in one._repr_html_()


def test_a_vacancy_stays_one() -> None:
    parent = hot_copper(scale=0.05)
    neighbor = int(np.argsort(parent.get_distances(100, range(len(parent)), mic=True))[1])
    del parent[100]
    made = first_cut(parent, neighbor - (neighbor > 100))
    assert len(made.structure) == round(made.structure.get_volume() / copper(1).get_volume() * 4) - 1


@pytest.mark.parametrize("n_max", [60, 100, 150])
def test_a_cold_crystal_gives_a_supercell(n_max: int) -> None:
    made = first_cut(copper(6), 5, n_max // 2, n_max)
    assert len(made.structure) <= n_max
    assert len(made.structure) * copper(1).get_volume() / 4 == pytest.approx(made.structure.get_volume())
    distances = made.structure.get_all_distances(mic=True)
    np.fill_diagonal(distances, np.inf)
    assert np.allclose(distances.min(axis=1), 3.615 / np.sqrt(2))


def test_a_compound_keeps_its_composition() -> None:
    rutile = crystal(["Ti", "O"], [(0, 0, 0), (0.3, 0.3, 0)], spacegroup=136, cellpar=[4.6, 4.6, 2.95, 90, 90, 90])
    parent = rutile.repeat((5, 5, 8))
    parent.rattle(0.05, seed=2)
    made = first_cut(parent, 10, 80, 140)
    symbols = made.structure.get_chemical_symbols()
    assert symbols.count("O") == 2 * symbols.count("Ti")


def test_a_slab_keeps_its_surface(copper_generation: Generation) -> None:
    parent = fcc111("Cu", (9, 10, 9), a=3.615, vacuum=8, orthogonal=True)
    parent.pbc = True
    parent.rattle(0.08, seed=3)
    top = int(parent.positions[:, 2].argmax())
    made = embed(parent, [top], copper_generation.calculator(), max_atoms=150, rule=TOLERANT)
    small = made.structure
    normal = np.cross(small.cell[0], small.cell[1])
    heights = np.sort(small.positions @ normal / np.linalg.norm(normal))
    period = small.get_volume() / np.linalg.norm(normal)
    assert len(small) >= 90
    assert period - np.ptp(heights) >= 8
    assert small.positions[0] @ normal / np.linalg.norm(normal) > heights[-1] - 0.5
    assert made.validation.force_error <= 20
    inner = int(np.abs(parent.positions[:, 2] - parent.positions[:, 2].mean()).argmin())
    thin = embed(parent, [inner], copper_generation.calculator(), max_atoms=150, rule=TOLERANT)
    assert thin.validation.passed


def test_what_has_no_lattice_is_cut_as_well() -> None:
    rng = np.random.default_rng(5)
    parent = copper(6)
    parent.positions += rng.normal(scale=0.6, size=parent.positions.shape)
    made = first_cut(parent, 3, 100, 150)
    assert 90 < len(made.structure) <= 150
    assert closeness(made.structure).share >= 0.65 or closeness(parent).share < 0.65


@settings(max_examples=6, deadline=None)
@given(
    st.sampled_from(["fcc", "bcc", "hcp", "diamond"]),
    st.integers(0, 30),
    st.integers(70, 140),
)
@example(lattice="diamond", center=0, n_max=127)  # one atom less than a cell of the best shape
def test_cells_of_crystals_are_commensurate(lattice: str, center: int, n_max: int) -> None:
    symbol = {"fcc": "Al", "bcc": "W", "hcp": "Mg", "diamond": "Si"}[lattice]
    cell = bulk(symbol, orthorhombic=True) if lattice == "hcp" else bulk(symbol, cubic=True)
    parent = cell.repeat(5)
    made = first_cut(parent, center, n_max // 2, n_max)
    volume = parent.get_volume() / len(parent)
    assert len(made.structure) * volume == pytest.approx(made.structure.get_volume(), rel=1e-6)
    assert closeness(made.structure).distance == pytest.approx(closeness(parent).distance, rel=1e-6)


def test_refusals_say_why(copper_generation: Generation) -> None:
    calculator = copper_generation.calculator()
    with pytest.raises(EmbeddingError, match=r"more than max_atoms=150 atoms, got 108; label it without embedding"):
        embed(copper(3), [0], calculator, max_atoms=150)
    cluster = copper(4)
    cluster.pbc = False
    with pytest.raises(EmbeddingError, match="cannot be cut from clusters"):
        embed(cluster, [0], calculator, max_atoms=150)
    wire = copper(4)
    wire.center(vacuum=6, axis=(0, 1))
    with pytest.raises(EmbeddingError, match="vacuum in 2 directions"):
        embed(wire, [0], calculator, max_atoms=150)
    with pytest.raises(EmbeddingError, match="got none"):
        embed(copper(4), [], calculator, max_atoms=150)
    strict = EmbeddingConfig(embed_force_error=1e-6, embed_tries=2)
    with pytest.raises(EmbeddingError, match=r"none of 2 cells of 100 to 150 atoms .* the best was rejected for core"):
        embed(hot_copper(), [3], calculator, max_atoms=150, config=strict, rule=TOLERANT)


def test_others_of_the_epicenter_are_tried(copper_generation: Generation) -> None:
    """An error limit that the first center's cells miss by a little is met around another one, or is refused."""
    parent = hot_copper()
    calculator = copper_generation.calculator()
    made = embed(parent, [17], calculator, max_atoms=150, rule=TOLERANT)
    strict = EmbeddingConfig(embed_force_error=made.validation.force_error / 2, embed_tries=3)
    try:
        other = embed(parent, [17, 200, 400], calculator, max_atoms=150, config=strict, rule=TOLERANT)
    except EmbeddingError as error:
        assert "none of 3 cells" in str(error)
    else:
        assert other.rejected or other.core.sum() < made.core.sum()

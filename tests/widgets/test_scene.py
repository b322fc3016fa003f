"""What is drawn: where atoms are, in which colors, and the cell around them."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from acemaker.errors import StructureError
from acemaker.plotting.scale import GAMMA_RANGE, Scale, scale_with
from acemaker.plotting.scene import DIRECTION, EDGES, LARGE, NEAR, Scenes
from acemaker.plotting.structure import scene_figure, structure_figure
from acemaker.results.picked import pick
from acemaker.widgets.viewer.legend import legend
from acemaker.widgets.viewer.pdb import pdb_text
from tests.conftest import alloy

NONE = np.zeros(0, dtype=int)


def graded(atoms: Atoms, gamma: float | np.ndarray = 1.0) -> Atoms:
    atoms = atoms.copy()
    atoms.arrays["gamma"] = np.full(len(atoms), gamma) if np.isscalar(gamma) else np.asarray(gamma, dtype=float)
    return atoms


def oblique() -> Atoms:
    """A cell that is neither cubic nor in standard orientation."""
    atoms = bulk("Cu", "fcc", a=3.6).repeat(3)
    atoms.rotate(40, (1, 2, 3), rotate_cell=True)
    atoms.rattle(0.3, seed=4)
    return atoms


def columns(text: str) -> list[tuple[np.ndarray, float, str]]:
    """Read what a reader of PDB files takes from fixed columns."""
    lines = [line for line in text.splitlines() if line.startswith("HETATM")]
    return [
        (np.array([float(line[a : a + 8]) for a in (30, 38, 46)]), float(line[60:66]), line[76:78].strip())
        for line in lines
    ]


@pytest.mark.parametrize("atoms", [alloy(), oblique()], ids=["triclinic", "rotated"])
def test_atoms_and_cell_are_drawn_where_they_are(atoms: Atoms) -> None:
    scene = Scenes([graded(atoms)], 0, NONE)[0]
    assert np.allclose(scene.positions, atoms.get_positions(wrap=True), atol=1e-9)
    read = columns(pdb_text(scene, Scale()))
    assert np.allclose([place for place, _, _ in read[: len(atoms)]], scene.positions, atol=6e-4)
    assert [symbol.capitalize() for _, _, symbol in read[: len(atoms)]] == atoms.get_chemical_symbols()
    corners = np.array([place for place, _, _ in read[len(atoms) :]])
    edges = np.array([corners[end] - corners[start] for start, end in EDGES])
    for vector in atoms.cell.array:
        assert sum(np.allclose(edge, vector, atol=2e-3) for edge in edges) == 4
    assert pdb_text(scene, Scale()).count("CONECT") == 12


def test_gamma_never_shifts_columns() -> None:
    gamma = np.array([1e-9, 0.3, 1.0, 30.0, 1e5, np.nan, np.inf, 1234.5])
    atoms = graded(bulk("Cu", cubic=True).repeat((2, 1, 1)), gamma)
    atoms.positions[3] = (1e7, np.nan, -1e7)
    read = columns(pdb_text(Scenes([atoms], 0, NONE)[0], Scale()))
    low, high = np.log10(GAMMA_RANGE)
    assert [value for _, value, _ in read[:8]] == pytest.approx([low, low, 0, high, high, high, high, high], abs=5e-3)
    assert [symbol for _, _, symbol in read] == ["CU"] * 8 + ["X"] * 8


def test_atoms_do_not_jump_across_the_cell() -> None:
    atoms = alloy()
    frames = []
    for step in range(4):
        moved = graded(atoms)
        moved.positions += 0.7 * step
        moved.set_cell(moved.cell * (1 + 0.001 * step), scale_atoms=True)
        moved.wrap()
        frames.append(moved)
    assert np.abs(frames[3].positions - frames[2].positions).max() > 3
    scenes = Scenes(frames, 3, NONE)
    for earlier, later in zip(range(3), range(1, 4), strict=True):
        assert np.abs(scenes[later].positions - scenes[earlier].positions).max() < 1.0
    for check, frame in enumerate(frames):
        shift = (scenes[check].positions - frame.positions) @ np.linalg.inv(frame.cell.array)
        assert np.allclose(shift, np.round(shift), atol=1e-9)


def test_of_a_large_cell_the_neighborhood_is_drawn() -> None:
    atoms = bulk("Cu", cubic=True).repeat((9, 9, 10))
    gamma = np.full(len(atoms), 0.9)
    gamma[[5, 40]] = 8.0, 6.0
    gamma[len(atoms) // 2] = 3.0  # far away
    assert len(atoms) > LARGE
    scene = Scenes([graded(atoms, gamma)], 0, np.array([5, 40, len(atoms) // 2]))[0]
    assert len(scene.indices) == NEAR
    center = int(np.flatnonzero(scene.indices == 5)[0])
    true = atoms.get_distances(5, scene.indices, mic=True)
    assert np.allclose(np.linalg.norm(scene.positions - scene.positions[center], axis=1), true)
    others = np.setdiff1d(np.arange(len(atoms)), scene.indices)
    assert true.max() <= atoms.get_distances(5, others, mic=True).min() + 1e-9
    assert scene.corners is None
    assert list(scene.indices[scene.marked]) == [5, 40]
    assert f"{NEAR} of {len(atoms)} atoms, within " in scene.caption
    assert "2 of 3 in the epicenter" in scene.caption


def test_clusters_have_no_cell_and_are_not_wrapped() -> None:
    water = graded(molecule("H2O"))
    scene = Scenes([water], 0, NONE)[0]
    assert scene.corners is None
    assert np.array_equal(scene.positions, water.positions)
    large = graded(bulk("Cu", cubic=True).repeat(10))
    large.set_pbc(False)
    large.cell = None
    assert len(Scenes([large], 0, NONE)[0].indices) == NEAR


def test_the_scale_is_the_same_for_all_but_other_measures() -> None:
    assert (scale_with(()).low, scale_with((2, 5, 20)).high) == GAMMA_RANGE
    assert scale_with((1.5, 3, 25)).norm(1.0) == scale_with((2, 5, 20)).norm(1.0)
    other = scale_with((0.02, 0.05, 0.2))
    assert other.low < 0.02
    assert other.high > 0.2
    assert Scale().share(3.0) == pytest.approx(0.5)


def test_the_legend_marks_the_thresholds_where_they_are() -> None:
    shown = legend(scale_with((2.0, 5.0, 20.0)))
    for name, value in (("epicenter", 2), ("halt", 5), ("break", 20)):
        assert f"{name}&nbsp;{value}" in shown
        assert f"left:{100 * np.log(value / 0.3) / np.log(100):.1f}%" in shown
    assert "color:" not in shown  # the page's own, light or dark
    assert legend(Scale()).count("&nbsp;") == 0


def test_the_static_fallback_has_the_same_atoms_colors_and_marks() -> None:
    atoms = graded(alloy(), np.geomspace(0.1, 100, 32))
    scene = Scenes([atoms], 0, np.array([30, 31]))[0]
    picture = scene_figure(scene, scale_with((2.0, 5.0, 20.0)))
    axes, bar = picture.axes
    discs: Any
    rings: Any
    discs, rings = axes.collections[0], axes.collections[1]
    order = np.argsort((scene.positions @ DIRECTION.T)[:, 2], kind="stable")
    assert np.allclose(discs.get_offsets(), (scene.positions @ DIRECTION.T)[order, :2])  # the far ones first
    assert len(rings.get_offsets()) == 2
    picture._repr_png_()
    colors = Scale().colors(256)
    for place in (0, 31):
        row = int(np.flatnonzero(order == place)[0])
        hexed = "#" + "".join(f"{round(255 * part):02x}" for part in discs.get_facecolors()[row][:3])
        assert hexed == colors[0 if place == 0 else -1]
    assert [text.get_text() for text in bar.texts] == ["epicenter 2", "halt 5", "break 20"]


def test_what_blew_up_is_drawn_all_the_same() -> None:
    atoms = graded(alloy(), np.full(32, np.nan))
    atoms.positions[4] = np.nan
    assert structure_figure(atoms, atoms.arrays["gamma"], np.array([4]))._repr_png_()
    assert pick(atoms, 4, NONE).neighbors == ()


def test_a_large_structure_is_drawn_in_seconds() -> None:
    atoms = bulk("Cu", cubic=True).repeat(20)
    started = time.perf_counter()
    assert structure_figure(atoms, np.ones(len(atoms)))._repr_png_()
    assert time.perf_counter() - started < 10


def test_an_atoms_own_image_is_its_neighbor() -> None:
    picked = pick(graded(bulk("Cu", "fcc", a=3.6)), 0, NONE)
    assert len(picked.neighbors) == 12
    assert {one.atom for one in picked.neighbors} == {0}
    assert picked.neighbors[0].distance == pytest.approx(3.6 / np.sqrt(2))


def test_bonds_of_molecules_are_those_of_chemistry() -> None:
    ethanol = graded(molecule("CH3CH2OH"))
    counts = [len(pick(ethanol, atom, NONE).neighbors) for atom in range(len(ethanol))]
    expected = {"C": 4, "O": 2, "H": 1}
    assert counts == [expected[symbol] for symbol in ethanol.get_chemical_symbols()]
    with pytest.raises(StructureError, match="expected the index of an atom, from 0 to 8, got 9"):
        pick(ethanol, 9, NONE)

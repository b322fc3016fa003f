"""Crystals by name, random alloys, and cells that LAMMPS cannot run as they are."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.data import chemical_symbols, reference_states
from ase.io import write

from acemaker import Campaign, CampaignConfig
from acemaker.config import SystemConfig
from acemaker.errors import AcemakerError, ConfigError, StructureError
from acemaker.headless.form import Form
from acemaker.loop.initial_structures import initial_structures_of
from acemaker.structures.geometry import closeness
from acemaker.structures.initial import initial_structure, with_regular_cell


def made(**settings: Any) -> Atoms:
    config = SystemConfig(**{"supercell": (1, 1, 1), **settings})
    return initial_structure(config, np.random.default_rng(0))


def start(**parameters: Any) -> Atoms:
    config = CampaignConfig.from_parameters({"oracle": "emt", "supercell": [2, 2, 2], **parameters})
    return initial_structures_of(config)[0]


def test_the_default_is_the_same_crystal_as_ever() -> None:
    atoms = initial_structure(SystemConfig(), np.random.default_rng(0))
    before = bulk("Cu", "fcc", cubic=True).repeat(3)
    assert np.array_equal(atoms.positions, before.positions)
    assert np.array_equal(atoms.cell.array, before.cell.array)
    assert set(atoms.arrays) == {"numbers", "positions"}


@pytest.mark.parametrize(
    ("element", "n_atoms", "lengths"),
    [
        ("Fe", 2, [2.87] * 3),
        ("Si", 8, [5.43] * 3),
        ("Ti", 2, [2.95, 2.95, 4.685]),
        ("W", 2, [3.16] * 3),
        ("Po", 1, [3.35] * 3),
        ("Bi", 2, [4.75] * 3),
        ("Sn", 2, None),
    ],
)
def test_without_a_name_the_crystal_is_the_reference_state(
    element: str, n_atoms: int, lengths: list[float] | None
) -> None:
    atoms = made(structure=element)
    assert len(atoms) == n_atoms
    assert lengths is None or atoms.cell.lengths() == pytest.approx(lengths, abs=1e-3)


@pytest.mark.parametrize("notebook", ["otf_campaign.ipynb", "02_real_dft.ipynb"])
def test_the_crystal_of_a_notebook_is_that_of_the_element(notebook: str) -> None:
    path = Path(__file__).parents[2] / "notebooks" / notebook
    for element, length in (("Al", 4.05), ("Fe", 2.87), ("Si", 5.43)):
        form = Form(path).fill(structure=element)
        assert not {"structure", "crystal", "lattice_constant"} & set(form.problems.by_name)
        values = {name: form.unchecked_values[name] for name in ("structure", "crystal", "lattice_constant")}
        assert made(**values).cell.lengths() == pytest.approx([length] * 3)


def test_every_element_is_built_or_refused() -> None:
    built = 0
    for element in chemical_symbols[1:104]:
        try:
            share = closeness(made(structure=element)).share
        except ConfigError as error:
            assert "set crystal and lattice_constant, or set structure to a file" in str(error)
            symmetry = (reference_states[chemical_symbols.index(element)] or {}).get("symmetry")
            assert symmetry not in ("fcc", "bcc", "hcp", "diamond")
            continue
        built += 1
        assert 0.75 < share < 2.75, element
    assert built > 70


@pytest.mark.parametrize(
    ("formula", "crystal", "n_atoms", "coordination"),
    [
        ("NaCl", "rocksalt", 8, 6),
        ("MgO", "rocksalt", 8, 6),
        ("CsCl", "cesiumchloride", 2, 8),
        ("GaAs", "zincblende", 8, 4),
        ("ZnO", "wurtzite", 4, 4),
        ("CaF2", "fluorite", 12, 8),
    ],
)
def test_compounds_have_names(formula: str, crystal: str, n_atoms: int, coordination: int) -> None:
    atoms = made(structure=formula, crystal=crystal, lattice_constant=5.0, supercell=(1, 1, 1))
    assert len(atoms) == n_atoms
    first = atoms[0].symbol
    assert formula.startswith(first)
    distances = made(structure=formula, crystal=crystal, lattice_constant=5.0, supercell=(3, 3, 3)).get_distances(
        0, np.arange(27 * n_atoms), mic=True
    )
    assert int((np.abs(distances - np.sort(distances)[1]) < 0.05).sum()) == coordination


def test_the_ratio_of_the_axes_can_be_set() -> None:
    for formula, crystal, constant in (("Zn", None, 2.66), ("Mg", "hcp", 3.2), ("GaN", "wurtzite", 3.19)):
        atoms = made(structure=formula, crystal=crystal, lattice_constant=constant, c_over_a=1.7)
        assert atoms.cell.lengths() == pytest.approx([constant, constant, 1.7 * constant])
    reference = made(structure="Zn", lattice_constant=2.7).cell.lengths()
    assert reference[2] / reference[0] == pytest.approx(1.856, abs=2e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"structure": "N"}, "its reference state is diatom"),
        ({"structure": "Ga"}, "its reference state is orthorhombic"),
        ({"structure": "Mn"}, "its reference state is cubic"),
        ({"structure": "NaCl"}, r"neither a chemical symbol nor a file; set crystal to .*\(rocksalt, zincblende, "),
        ({"structure": "Al2O3"}, "neither a chemical symbol nor a file; set it to a structure file"),
        ({"structure": "MgO", "crystal": "rocksalt"}, "ASE has no lattice constant of 'MgO'; set it, in Å"),
        ({"structure": "MgO", "crystal": "bcc", "lattice_constant": 4}, "whose formula has 1 atom, not 2"),
        ({"structure": "Mg", "crystal": "rocksalt", "lattice_constant": 4}, "whose formula has 2 atoms, not 1"),
        ({"structure": "Mg2", "crystal": "rocksalt", "lattice_constant": 4}, "expected a formula like 'NaCl'"),
        ({"structure": "F2Ca", "crystal": "fluorite", "lattice_constant": 4}, "expected a formula like 'CaF2'"),
        ({"structure": "MgO", "crystal": "rock-salt", "lattice_constant": 4}, "did you mean 'rocksalt'"),
        ({"structure": "Fe", "crystal": "fcc"}, "set lattice_constant, another crystal, or a structure file"),
        ({"structure": "Fe", "c_over_a": 1.6}, "bcc has no ratio c/a"),
        ({"structure": "U", "crystal": "orthorhombic", "lattice_constant": 3}, "ASE cannot build 'U'"),
    ],
)
def test_a_crystal_that_does_not_exist_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        made(**settings)


def test_a_file_whose_name_is_a_formula_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write("NaCl", bulk("Ag", cubic=True), format="vasp")
    assert made(structure="NaCl", format="vasp").get_chemical_formula() == "Ag4"


def test_another_crystal_of_a_walker_does_not_inherit_the_first_ones_name() -> None:
    config = CampaignConfig.from_parameters(
        {
            "oracle": "emt",
            "structure": "Al",
            "crystal": "bcc",
            "lattice_constant": 3.2,
            "composition": {"Al": 0.5, "Cu": 0.5},
            "supercell": [2, 2, 2],
            "walkers": [{}, {"structure": "Cu"}, {"supercell": [1, 2, 3]}],
        }
    )
    first, second, third = initial_structures_of(config)
    assert [len(first), len(second), len(third)] == [16, 32, 12]
    assert second.cell.lengths() == pytest.approx([7.22] * 3)


def test_a_campaign_that_was_recorded_with_a_named_crystal_is_the_same() -> None:
    """Before there were reference states, the default was 'fcc'."""
    new, old = SystemConfig(structure="Al"), SystemConfig(structure="Al", crystal="fcc")
    assert not CampaignConfig(oracle={"oracle": "emt"}, system=old).differences(
        CampaignConfig(oracle={"oracle": "emt"}, system=new)
    )
    iron = [SystemConfig(structure="Fe", crystal=crystal, lattice_constant=3.0) for crystal in ("fcc", None)]
    (difference,) = CampaignConfig(oracle={"oracle": "emt"}, system=iron[0]).differences(
        CampaignConfig(oracle={"oracle": "emt"}, system=iron[1])
    )
    assert "system.crystal: 'fcc' -> None" in difference


@pytest.mark.parametrize(
    ("composition", "n_atoms", "counts"),
    [
        ({"Cu": 0.75, "Ni": 0.25}, 108, {"Cu": 81, "Ni": 27}),
        ({"Cu": 0.99, "Ni": 0.01}, 32, {"Cu": 31, "Ni": 1}),
        ({"Ni": 0.99, "Cu": 0.01}, 32, {"Cu": 1, "Ni": 31}),
        ({"Pt": 0.001, "Ag": 0.001, "Pd": 0.998}, 32, {"Ag": 1, "Pd": 30, "Pt": 1}),
        (dict.fromkeys(("Cu", "Ni", "Ag", "Au", "Pd"), 0.2), 108, {"Ag": 22, "Au": 22, "Cu": 22, "Ni": 21, "Pd": 21}),
        ({"Cu": 1.0, "Ni": 0.0}, 32, {"Cu": 32}),
        ({"Cu": 0.5, "Ni": 0.5}, 1, None),
        (dict.fromkeys(("Cu", "Ni", "Ag", "Au", "Pd"), 0.2), 4, None),
    ],
)
def test_an_alloy_has_at_least_one_atom_of_each_element(
    composition: dict[str, float], n_atoms: int, counts: dict[str, int] | None, caplog: pytest.LogCaptureFixture
) -> None:
    supercell = {1: (1, 1, 1), 4: (1, 1, 1), 32: (2, 2, 2), 108: (3, 3, 3)}[n_atoms]
    host = {"structure": "Po"} if n_atoms == 1 else {"structure": "Cu"}
    settings = {**host, "composition": composition, "supercell": supercell}
    if counts is None:
        with pytest.raises(ConfigError, match=r"\d atoms are too few for \d elements; increase supercell"):
            made(**settings)
        return
    with caplog.at_level(logging.WARNING, logger="acemaker"):
        atoms = made(**settings)
    assert dict(sorted(atoms.symbols.formula.count().items())) == counts
    assert ("less than one" in caplog.text) == any(0 < fraction * n_atoms < 0.5 for fraction in composition.values())


@pytest.mark.parametrize(
    "settings",
    [
        {"structure": "NaCl", "crystal": "rocksalt", "lattice_constant": 5.64, "composition": {"Na": 0.5, "Cl": 0.5}},
        {"structure": "MgO", "crystal": "rocksalt", "lattice_constant": 4.2, "composition": {"Mg": 0.9, "Ni": 0.1}},
        {"structure": "file", "composition": {"Ni": 0.5, "Al": 0.5}},
    ],
)
def test_an_alloy_does_not_overwrite_a_compound(tmp_path: Path, settings: dict[str, Any]) -> None:
    if settings["structure"] == "file":
        settings = {**settings, "structure": str(tmp_path / "x.cif")}
        write(settings["structure"], bulk("NiAl", "cesiumchloride", a=2.88))
    calls: list[Atoms] = []
    config = CampaignConfig.from_parameters({"oracle": "emt", **settings})
    with pytest.raises(ConfigError, match="whose sites a random alloy would overwrite"):
        Campaign.create(tmp_path / "c", config, oracle=lambda atoms: calls.append(atoms))
    assert not calls
    assert not (tmp_path / "c").exists()


def energy(atoms: Atoms) -> float:
    copy = atoms.copy()
    copy.calc = EMT()
    return float(copy.get_potential_energy()) / len(copy)


def skewed(atoms: Atoms, rng: np.random.Generator, *, left_handed: bool) -> Atoms:
    """Describe a crystal by another cell of its lattice."""
    cell = atoms.cell.array.copy()
    for vector, other in itertools.permutations(range(3), 2):
        if vector > other:
            cell[vector] += int(rng.integers(-3, 4)) * cell[other]
    atoms = atoms.copy()
    atoms.set_cell(cell[[1, 0, 2]] if left_handed else cell)
    return atoms


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("left_handed", [False, True])
@pytest.mark.parametrize("element", ["Al", "Pt"])
def test_left_handed_and_skewed_cells_become_regular_ones(seed: int, *, left_handed: bool, element: str) -> None:
    rng = np.random.default_rng(seed)
    crystal = bulk(element, cubic=seed % 2 == 0).repeat(2)
    crystal.rattle(0.1, rng=rng)
    odd = skewed(crystal, rng, left_handed=left_handed)
    atoms = with_regular_cell(odd, 5.0)
    assert atoms.cell.handedness == 1
    lower = atoms.cell.standard_form()[0].array
    tilts = [lower[1, 0] / lower[0, 0], lower[2, 0] / lower[0, 0], lower[2, 1] / lower[1, 1]]
    assert np.abs(tilts).max() <= 0.601
    assert np.array_equal(atoms.positions, odd.positions)
    assert energy(atoms) == pytest.approx(energy(crystal), abs=1e-9)
    assert with_regular_cell(atoms, 5.0) is atoms


def test_a_regular_cell_is_not_touched() -> None:
    for atoms in (bulk("Cu"), bulk("Ti"), bulk("Bi"), bulk("Cu", cubic=True).repeat(2), bulk("Fe"), bulk("In")):
        doubled = atoms.repeat(2)
        assert with_regular_cell(doubled, 5.0) is doubled


@pytest.mark.parametrize("way", ["object", "file", "name"])
def test_a_single_atom_in_a_cell_is_repeated_to_the_cutoff(
    tmp_path: Path, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    element, cell = ("Po", bulk("Po")) if way == "name" else ("Pd", bulk("Pd"))
    write(tmp_path / "x.vasp", cell)
    config = CampaignConfig.from_parameters(
        {
            "oracle": "emt",
            "structure": str(tmp_path / "x.vasp") if way == "file" else element,
            "supercell": [1, 1, 1],
            "cutoff": 5.0,
        }
    )
    with caplog.at_level(logging.INFO, logger="acemaker"):
        (atoms,) = initial_structures_of(config, cell if way == "object" else None)
    heights = 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
    assert heights.min() >= 5.0 > heights.min() / 2
    assert "a cell with a single atom has no forces: it is repeated" in caplog.text


ODD = {
    "left-handed": skewed(bulk("Cu", cubic=True).repeat(2), np.random.default_rng(1), left_handed=True),
    "skewed": skewed(bulk("Al", cubic=True).repeat(2), np.random.default_rng(2), left_handed=False),
    "one atom": bulk("Ni"),
    "a cluster without a cell": Atoms("Pt13", bulk("Pt").repeat(3).positions[:13]),
}


@pytest.mark.parametrize(
    ("name", "ensemble"),
    [(name, ensemble) for ensemble in ("nvt", "npt") for name in ODD if ensemble == "nvt" or ODD[name].pbc.all()],
)
def test_campaigns_run_in_odd_cells(tmp_path: Path, name: str, ensemble: str) -> None:
    config = CampaignConfig.from_parameters(
        {
            "oracle": "emt",
            "ensemble": ensemble,
            "steps": 40,
            "temperature": 300,
            "n_functions": 8,
            "cutoff": 4.0,
            "threshold_call_dft": 1e6,
            "threshold_break": 1e7,
        }
    )
    with Campaign.create(tmp_path / "c", config, structure=ODD[name]) as campaign:
        campaign.run()
        assert campaign.state.name == "DONE"
        assert campaign.initial_structure().get_chemical_symbols()[0] == ODD[name].get_chemical_symbols()[0]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (None, "does not span a volume: there is none. Set three vectors"),
        ([10, 10, 0], "does not span a volume: the vectors are"),
        ([[4, 0, 0], [0, 4, 0], [4.1, 4.3, 1e-14]], "does not span a volume: the vectors are"),
        ([9, 9, float("nan")], "not finite numbers"),
    ],
)
def test_a_periodic_object_needs_a_cell_with_a_volume(tmp_path: Path, cell: Any, message: str) -> None:
    atoms = Atoms("Cu4", np.eye(4, 3) * 3, cell=cell, pbc=True)
    config = CampaignConfig.from_parameters({"oracle": "emt"})
    with pytest.raises(StructureError, match=message):
        Campaign.create(tmp_path / "campaign", config, structure=atoms)
    assert not (tmp_path / "campaign").exists()


def test_a_structure_that_is_periodic_in_two_directions_is_refused_with_the_remedy(tmp_path: Path) -> None:
    slab = bulk("Cu", cubic=True).repeat(2)
    slab.pbc = (True, True, False)
    write(tmp_path / "x.xyz", slab, format="extxyz")
    for structure, settings in ((slab, {}), (None, {"structure": str(tmp_path / "x.xyz")})):
        config = CampaignConfig.from_parameters({"oracle": "emt", **settings})
        with pytest.raises(AcemakerError, match=r"periodic in all directions or in none.*add vacuum"):
            Campaign.create(tmp_path / "c", config, structure=structure)
    assert not (tmp_path / "c").exists()

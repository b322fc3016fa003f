"""Campaigns that begin with labels that exist: read in any convention, checked, free, and copied."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from ase import Atoms
from ase.io import write
from ase.units import GPa

from acemaker import Campaign, CampaignConfig
from acemaker.errors import ConfigError, OracleError, UntrustedError
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.structures.computed import energy_of, forces_of, stress_of
from tests.conftest import CUNI, MISHIN, alloy, copper, rattled, small_basis

Names = tuple[str, str, str]


class Counted(CalculatorOracle):
    """The oracle as an object, whose labels cost something."""

    def __init__(self) -> None:
        inner = CalculatorOracle.from_config(MISHIN, ("Cu",))
        super().__init__(inner.factory, 100.0)
        self.labeled: list[str] = []

    def label(self, atoms: Atoms) -> Atoms:
        self.labeled.append(atoms.get_chemical_formula())
        return super().label(atoms)


def config(**changes: Any) -> CampaignConfig:
    base = {
        "seed": 3,
        "lattice_constant": 3.615,
        "supercell": (2, 2, 2),
        "steps": 100,
        "ensemble": "npt",
        "n_probes": 0,
        "oracle": "object",
        "oracle_check": False,
        **small_basis().model_dump(include={"n_functions", "cutoff", "nradmax_by_orders", "lmax_by_orders"}),
    }
    return CampaignConfig.from_parameters(base | changes)


@pytest.fixture(scope="module")
def labels() -> list[Atoms]:
    """Strained and rattled copper with its labels."""
    oracle = CalculatorOracle.from_config(MISHIN, ("Cu",))
    return [oracle.label(atoms) for atoms in rattled(copper(), 6)]


def isolated_copper(energy: float = -0.25) -> Atoms:
    atom = Atoms("Cu", cell=[20, 20, 20], pbc=True)
    atom.info["energy"] = energy
    return atom


def written(path: Path, labels: Sequence[Atoms], names: Names, factor: float = 1.0, n_numbers: int = 9) -> str:
    """Write labels with other names, and the stress in another convention; a virial is multiplied by the volume."""
    frames = []
    for atoms in labels:
        frame = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        stress = stress_of(atoms) * factor * (atoms.get_volume() if "virial" in names[2] else 1.0)
        xx, yy, zz, yz, xz, xy = stress
        numbers = stress if n_numbers == 6 else np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        frame.info["E_own"], frame.info["S_own"] = energy_of(atoms), numbers
        frame.arrays["F_own"] = forces_of(atoms)
        frames.append(frame)
    write(path, frames, format="extxyz")
    text = path.read_text()
    for old, new in zip(("E_own", "F_own", "S_own"), names, strict=True):
        text = text.replace(old, new)
    path.write_text(text)
    return str(path)


def create(directory: Path, settings: CampaignConfig, **arguments: Any) -> Campaign:
    return Campaign.create(directory, settings, oracle=arguments.pop("oracle", Counted()), **arguments)


@pytest.mark.parametrize(
    ("names", "factor", "n_numbers", "convention"),
    [
        (("energy", "forces", "stress"), 1.0, 9, "eV/Å^3"),
        (("REF_energy", "REF_forces", "REF_stress"), -1 / GPa, 6, "-GPa"),
        (("E", "force", "virial"), -1.0, 9, "-eV/Å^3"),
        (("dft_energy", "dft_forces", "virials"), 1.0, 6, "eV/Å^3"),
    ],
)
def test_labels_in_any_convention_yield_the_same_potential(
    tmp_path: Path, labels: list[Atoms], names: Names, factor: float, n_numbers: int, convention: str
) -> None:
    file = written(tmp_path / "labels.xyz", labels, names, factor, n_numbers)
    oracle = Counted()
    with create(tmp_path / "c", config(first_labels=[file]), oracle=oracle) as campaign:
        campaign.prepare()
        first, stored = campaign.first_labels(), campaign.labeled_structures()
    assert oracle.labeled == ["Cu"]  # the isolated atom alone
    assert f"{convention}, from the labels" == first.sources[0].stress
    assert f"{convention}, from the labels" in repr(first)
    assert "6 of 6" in first._repr_html_()
    assert first.n_more == 0
    for mine, theirs in zip(labels, stored, strict=True):
        assert np.allclose(mine.positions, theirs.positions, atol=1e-7)
        assert energy_of(mine) == pytest.approx(energy_of(theirs), abs=1e-9)
        assert np.allclose(forces_of(mine), forces_of(theirs), atol=1e-7)
        assert np.allclose(stress_of(mine), stress_of(theirs), atol=1e-9)


def test_a_stress_of_unknown_sign_is_refused_with_what_to_write(tmp_path: Path, labels: list[Atoms]) -> None:
    one = labels[:1]  # which no other label says anything about
    file = written(tmp_path / "one.xyz", one, ("energy", "forces", "stress"))
    with pytest.raises(ConfigError, match=r"the sign and the unit of the stresses .* first_labels_stress to one of"):
        create(tmp_path / "c", config(first_labels=file))
    assert not (tmp_path / "c").exists()
    settings = config(first_labels=file, first_labels_stress="-GPa")
    with create(tmp_path / "set", settings) as campaign:
        campaign.prepare()
        assert campaign.first_labels().sources[0].stress == "-GPa, as set"
        assert np.allclose(stress_of(campaign.labeled_structures()[0]), -GPa * stress_of(one[0]))
        assert campaign.first_labels().n_more == 1  # n_first is 2
    with create(tmp_path / "none", config(first_labels=file, first_labels_stress="none", ensemble="nvt")) as campaign:
        campaign.prepare()
        assert "stress" not in campaign.labeled_structures()[0].calc.results


def test_a_convention_that_contradicts_the_labels_is_refused(tmp_path: Path, labels: list[Atoms]) -> None:
    file = written(tmp_path / "labels.xyz", labels, ("energy", "forces", "stress"), -1.0)
    with pytest.raises(ConfigError, match=r"first_labels_stress='-eV/A\^3'"):
        create(tmp_path / "c", config(first_labels=file, first_labels_stress="eV/A^3"))
    with pytest.raises(ConfigError, match=r"input should be .auto., "):
        config(first_labels=file, first_labels_stress="bar")


def test_unusable_structures_are_left_out_with_their_reasons(tmp_path: Path, labels: list[Atoms]) -> None:
    frames = [atoms.copy() for atoms in labels]
    for frame, atoms in zip(frames, labels, strict=True):
        frame.info["energy"], frame.arrays["forces"] = energy_of(atoms), forces_of(atoms)
    foreign, silent, nan, slab, close, same = (frames[0].copy() for _ in range(6))
    foreign.symbols[0] = "Ag"
    del silent.arrays["forces"]
    nan.arrays["forces"][3, 1] = np.nan
    slab.pbc = (True, True, False)
    close.positions[1] = close.positions[0] + [0.3, 0, 0]
    write(tmp_path / "a.xyz", [*frames, foreign, silent, nan, slab, close, same, isolated_copper(), isolated_copper(1)])
    with create(tmp_path / "c", config(first_labels=tmp_path / "a.xyz", ensemble="nvt")) as campaign:
        first = campaign.first_labels()
        campaign.prepare()
        assert campaign.progress.n_labels == 6
    reasons = {index: reason for _, index, reason in first.left_out}
    assert set(reasons) == {6, 7, 8, 9, 10, 11, 13}
    for index, words in {6: "Ag", 7: "no forces", 8: "NaN", 9: "pbc", 10: "0.300 Å", 11: "number 0", 13: "12"}.items():
        assert words in reasons[index]
        assert reasons[index] in repr(first)


def test_isolated_atoms_set_the_reference_energies_and_are_not_paid_again(tmp_path: Path, labels: list[Atoms]) -> None:
    write(tmp_path / "labels.xyz", labels)
    write(tmp_path / "atom.xyz", [isolated_copper()])
    oracle = Counted()
    settings = config(first_labels=[str(tmp_path / "labels.xyz"), str(tmp_path / "atom.xyz")])
    with create(tmp_path / "c", settings, oracle=oracle) as campaign:
        campaign.prepare()
        assert campaign.generation is not None
        assert campaign.generation.reference_energies == {"Cu": -0.25}
        assert campaign.generation.energies_from == "isolated atoms"
    assert oracle.labeled == []


def test_first_labels_do_not_count_in_the_budget(tmp_path: Path, labels: list[Atoms]) -> None:
    write(tmp_path / "labels.xyz", labels)
    with create(tmp_path / "c", config(first_labels=tmp_path / "labels.xyz", max_labels=1)) as campaign:
        campaign.prepare()
        assert campaign.progress.n_labels == 6
        assert campaign.progress.n_charged == 0
        assert not campaign.label_costs().paid.any()
        assert "6 of them existed before" in repr(campaign)


def test_structures_are_only_labeled_for_elements_and_pairs_that_are_missing(tmp_path: Path) -> None:
    oracle = CalculatorOracle.from_config(CUNI, ("Cu", "Ni"))
    mixed = [oracle.label(atoms) for atoms in rattled(alloy(), 8)]
    pure = copper()
    nickel = copper()
    nickel.symbols[:] = "Ni"
    nickel.set_cell(nickel.cell * 0.97, scale_atoms=True)
    apart = [oracle.label(atoms) for structure in (pure, nickel) for atoms in rattled(structure, 5)]
    changes = {"composition": {"Cu": 0.5, "Ni": 0.5}, **CUNI.model_dump(include={"oracle", "pair_style", "pair_coeff"})}
    n_more = {}
    for name, chosen in (("mixed", mixed), ("apart", apart), ("two", mixed[:2]), ("copper", apart[:5])):
        write(tmp_path / f"{name}.xyz", chosen)
        settings = config(**changes, first_labels=tmp_path / f"{name}.xyz", n_functions=16)
        with Campaign.create(tmp_path / name, settings) as campaign:
            n_more[name] = campaign.first_labels().n_more
            if name == "copper":
                campaign.prepare()
                assert campaign.progress.n_labels == 5 + n_more[name]
    assert n_more["mixed"] == 0
    assert n_more["apart"] == n_more["two"] == 2 if n_more["two"] else n_more["apart"] == 2
    assert n_more["copper"] >= 2


def test_labels_of_another_oracle_or_zero_are_refused(tmp_path: Path, labels: list[Atoms]) -> None:
    write(tmp_path / "labels.xyz", labels)
    cheap = {"oracle": "emt", "oracle_check": True, "first_labels": tmp_path / "labels.xyz"}
    with pytest.raises(ConfigError, match=r"the forces of number \d of .* differ by .* from those of the oracle 'emt'"):
        Campaign.create(tmp_path / "c", config(**cheap))
    shifted = [atoms.copy() for atoms in labels]
    for copy, atoms in zip(shifted, labels, strict=True):
        copy.rattle(0.02, seed=len(copy))
        again = CalculatorOracle.from_config(MISHIN, ("Cu",)).label(copy)
        copy.info["energy"], copy.arrays["forces"] = energy_of(again) + 0.7 * len(atoms), forces_of(again)
    write(tmp_path / "shifted.xyz", shifted)
    both = [str(tmp_path / "labels.xyz"), str(tmp_path / "shifted.xyz")]
    with pytest.raises(ConfigError, match=r"different zeros.*0\.\d+ eV/atom above"):
        create(tmp_path / "c", config(first_labels=both))
    own = {**MISHIN.model_dump(include={"oracle", "pair_style", "pair_coeff"}), "oracle_check": True}
    with pytest.raises(ConfigError, match=r"\+0\.7 eV/atom off that of the oracle"):
        Campaign.create(tmp_path / "c", config(**own, first_labels=both[1]))
    copied = [atoms.copy() for atoms in labels[:1]]
    copied[0].info["energy"], copied[0].arrays["forces"] = energy_of(labels[0]) + 1.0, forces_of(labels[0])
    write(tmp_path / "again.xyz", copied)
    with pytest.raises(ConfigError, match="the same structure, with energies that differ by"):
        create(tmp_path / "c", config(first_labels=[both[0], str(tmp_path / "again.xyz")]))
    assert not (tmp_path / "c").exists()


def test_two_energies_of_one_structure_must_be_told_apart(tmp_path: Path, labels: list[Atoms]) -> None:
    frames = [atoms.copy() for atoms in labels]
    for frame, atoms in zip(frames, labels, strict=True):
        frame.arrays["forces"] = forces_of(atoms)
        frame.info |= {"energy": 0.0, "REF_energy": energy_of(atoms)}
    write(tmp_path / "a.xyz", frames)
    with pytest.raises(ConfigError, match=r"first_labels_names=.*'energy': '(REF_)?energy'"):
        create(tmp_path / "c", config(first_labels=tmp_path / "a.xyz", ensemble="nvt"))
    names = {"energy": "REF_energy"}
    settings = config(first_labels=tmp_path / "a.xyz", first_labels_names=names, ensemble="nvt")
    with create(tmp_path / "c", settings) as campaign:
        assert campaign.first_labels().n_labels == 6
    with pytest.raises(ConfigError, match="first_labels_names must name energy, forces"):
        config(first_labels_names={"charge": "q"})


def test_a_campaign_does_not_depend_on_files_that_are_deleted_or_changed(tmp_path: Path, labels: list[Atoms]) -> None:
    file = tmp_path / "labels.xyz"
    write(file, labels)
    settings = config(first_labels=[str(file)])
    whole = create(tmp_path / "whole", settings)
    whole.prepare()
    for name, change in (("deleted", file.unlink), ("changed", lambda: write(file, labels[:2]))):
        write(file, labels)
        create(tmp_path / name, settings).close()
        change()
        with create(tmp_path / name, settings, exist_ok=True) as campaign:
            campaign.prepare()
        for path in ("potentials/potential_v1.yaml", "potentials/potential_v1.asi", "labels/initial_003.extxyz"):
            assert (tmp_path / name / path).read_bytes() == (tmp_path / "whole" / path).read_bytes()
    events = [event for event in whole.events() if event["event"] == "label"]
    assert [event["source"]["index"] for event in events] == list(range(6))
    assert {event["source"]["file"] for event in events} == {str(file)}
    assert len(events[0]["source"]["checksum"]) == 64


def test_pickled_files_are_read_only_with_permission(tmp_path: Path, labels: list[Atoms]) -> None:
    bare = [Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True) for atoms in labels]
    energies, forces = [energy_of(atoms) for atoms in labels], [forces_of(atoms) for atoms in labels]
    table = pandas.DataFrame({"ase_atoms": bare, "energy": energies, "forces": forces})
    file = tmp_path / "data.pckl.gzip"
    table.to_pickle(file, compression="gzip", protocol=4)
    settings = config(first_labels=[str(file)], ensemble="nvt")
    with pytest.raises(UntrustedError, match="allow_code=True"):
        create(tmp_path / "c", settings)
    assert not (tmp_path / "c").exists()
    with create(tmp_path / "c", settings, allow_code=True) as campaign:
        campaign.prepare()
        assert np.allclose([energy_of(atoms) for atoms in campaign.labeled_structures()], energies)
    create(tmp_path / "again", settings).close()  # the same file was allowed before
    evil = tmp_path / "evil.pckl"
    evil.write_bytes(pickle.dumps(Evil(tmp_path / "was_here")))
    with pytest.raises(UntrustedError):
        create(tmp_path / "evil", config(first_labels=str(evil)))
    assert not (tmp_path / "was_here").exists()
    relative = table.rename(columns={"energy": "energy_corrected"})
    relative.to_pickle(tmp_path / "relative.pckl")
    with pytest.raises(ConfigError, match="energy_corrected is relative to isolated atoms"):
        create(tmp_path / "r", config(first_labels=str(tmp_path / "relative.pckl")), allow_code=True)


class Evil:
    """An object whose pickle creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_campaign_that_failed_is_replaced_and_begins_with_the_labels(tmp_path: Path, labels: list[Atoms]) -> None:
    write(tmp_path / "two.xyz", labels[:2])

    class Failing(Counted):
        def label(self, atoms: Atoms) -> Atoms:
            if len(self.labeled) >= 2:
                raise OracleError("no license")
            return super().label(atoms)

    with create(tmp_path / "c", config(n_first=5), oracle=Failing()) as campaign, pytest.raises(OracleError):
        campaign.prepare()
    oracle = Counted()
    settings = config(n_first=5, first_labels=tmp_path / "two.xyz", first_labels_stress="eV/A^3")
    with create(tmp_path / "c", settings, oracle=oracle, exist_ok=True) as campaign:
        campaign.prepare()
        assert campaign.progress.n_labels == 5
        assert campaign.progress.n_charged == 3
        assert np.allclose(campaign.labeled_structures()[1].positions, labels[1].positions, atol=1e-7)


def test_labels_and_a_cold_start_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="omit cold_start"):
        config(first_labels=["a.xyz"], cold_start="emt")
    with pytest.raises(ConfigError, match="cannot be read"):
        create(tmp_path / "c", config(first_labels=[str(tmp_path / "none.xyz")]))
    with pytest.raises(ConfigError, match="contains no campaign"):
        create(tmp_path / "c", config(first_labels=[str(tmp_path)]))
    with pytest.raises(ConfigError, match="got an empty one"):
        config(first_labels=["a.xyz", " "])

"""Forces of fixed atoms are forces: no constraint of a frame counts anywhere."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.constraints import FixAtoms, FixCom, Hookean

from acemaker import Campaign
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.structures.computed import energy_of, forces_of, stress_of
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from tests.conftest import MISHIN, copper

PACKAGE = Path(__file__).parents[2] / "acemaker"


def labeled() -> Atoms:
    atoms = copper()
    atoms.rattle(0.1, seed=1)
    return CalculatorOracle.from_config(MISHIN, ("Cu",)).label(atoms)


@pytest.mark.parametrize(
    "constraint",
    [FixAtoms([0, 5]), FixCom(), Hookean(0, 1, rt=1.0, k=5.0)],
    ids=lambda constraint: type(constraint).__name__,
)
def test_constraints_change_nothing(constraint: object) -> None:
    plain, fixed = labeled(), labeled()
    fixed.set_constraint(constraint)
    differs = not np.allclose(fixed.get_forces(), plain.get_forces()) or isinstance(constraint, FixCom)
    assert differs
    assert energy_of(fixed) == plain.get_potential_energy()
    assert np.array_equal(forces_of(fixed), plain.get_forces())
    assert np.array_equal(stress_of(fixed), plain.get_stress())


def test_what_is_returned_is_the_callers_own() -> None:
    atoms = labeled()
    forces_of(atoms)[:] = 0
    stress_of(atoms)[:] = 0
    assert np.abs(forces_of(atoms)).max() > 0.1
    assert np.abs(stress_of(atoms)).max() > 0


class Constrained(ToyOracle):
    """An oracle of a user's own, whose results come with constraints."""

    def label(self, atoms: Atoms) -> Atoms:
        result = super().label(atoms)
        result.set_constraint(FixAtoms(range(0, len(atoms), 2)))
        return result


def test_a_users_oracle_may_return_constraints(tmp_path: Path) -> None:
    """Its labels are kept in files with them; what is learned from them is the same to the bit."""
    learned = []
    for name, oracle in (("plain", ToyOracle()), ("constrained", Constrained())):
        with Campaign.create(
            tmp_path / name, toy_config(), engine=ToyEngine(200, halting_at(60)), oracle=oracle
        ) as campaign:
            campaign.run()
        learned.append([path.read_bytes() for path in sorted((tmp_path / name / "potentials").glob("*.yace"))])
    assert learned[0] == learned[1]
    assert len(learned[0]) == 2


def test_nothing_in_the_package_asks_with_constraints() -> None:
    """ASE's methods without arguments apply them; atoms made here have none, but then neither does it hurt."""
    allowed = {"structures/computed.py", "oracles/oracle.py"}
    asked = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).as_posix() not in allowed and path.parent.name != "testing"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args
        if node.func.attr in ("get_forces", "get_stress", "get_potential_energy", "get_stresses")
    ]
    assert not asked, "use acemaker.structures.computed"

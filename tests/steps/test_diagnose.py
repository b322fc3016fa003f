"""The diagnosis: atoms, the step since which they exceed the threshold, and its text."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from acemaker.config import OTFConfig
from acemaker.potentials.explanation import Explanation, GammaContribution
from acemaker.results import Halt
from acemaker.steps import diagnose
from acemaker.structures.bonds import Bond
from tests.conftest import copper

RULE = OTFConfig(threshold_add_train=2, threshold_call_dft=5, threshold_break=20)


def halt(*gammas: list[float]) -> Halt:
    """A halt with a frame at every fifth step; the first atoms have these gammas, the others 1."""
    frames = []
    for number, some in enumerate(gammas):
        atoms = copper()
        atoms.arrays["gamma"] = np.array([*some, *[1.0] * (len(atoms) - len(some))])
        atoms.info["step"] = 5 * number
        frames.append(atoms)
    step = int(frames[-1].info["step"])
    return Halt(
        number=1,
        step=step,
        tier="smooth",
        first_step=step,
        frames=tuple(frames),
        safe_step=0,
        safe_checkpoint=None,
        halt_checkpoint=None,
    )


def explain(structure: Atoms, atoms: np.ndarray) -> Explanation:
    pair = Bond(atom=1, neighbor=7, elements=("Cu", "Cu"), distance=1.9, trained=(2.1, 2.6))
    parts = [(("Cu", "Cu"), (1,), (0,), 0.5), (("Cu", "Cu", "Cu"), (1, 2), (1, 1), 6.5)]
    contributions = [GammaContribution(elements=e, n=n, l=l, part=part) for e, n, l, part in parts]  # noqa: E741
    return Explanation(trained_distance=2.1, outside=(pair,), contributions=tuple(contributions))


def test_each_atom_since_when() -> None:
    """Without interruption until the halt; NaN counts as beyond."""
    gammas = [[3.0, 1.0, 3.0, 1.0], [3.0, 3.0, 1.0, 1.0], [3.0, np.nan, 3.0, 1.0], [4.0, 7.0, 3.0, 1.0]]
    made = diagnose(halt(*gammas), RULE, explain)
    assert made.epicenter.tolist() == [1, 0, 2]
    assert made.since.tolist() == [5, 0, 10]


def test_it_says_what_and_why() -> None:
    made = diagnose(halt([1.0, 3.0], [4.0, 7.0]), RULE, explain)
    assert made.contributions_by_body_order() == {2: 0.5, 3: 6.5}
    for text in (repr(made), made._repr_html_()):
        assert "2 of 32 atoms (2 Cu); the first of them since step 0" in text
        assert "Cu–Cu 1.90 Å, atoms 1 and 7 (2.10 to 2.60)" in text
        assert "+0.5 from 2-body, +6.5 from 3-body functions" in text
        assert "2-body Cu-Cu n=1 l=0: +0.5" in text
        assert "since step" in text


def test_the_trainer_is_asked_about_the_epicenter_alone() -> None:
    asked = []

    def listen(structure: Atoms, atoms: np.ndarray) -> Explanation:
        asked.append((structure, atoms.tolist()))
        return Explanation(trained_distance=2.1, outside=(), contributions=())

    made = diagnose(halt([1.0], [9.0, 8.0]), RULE, listen)
    assert asked == [(made.structure, [0, 1])]
    assert "none: the neighbors are arranged in a new way" in repr(made)
    assert "from 2-body" not in repr(made)


def test_a_halt_without_an_epicenter() -> None:
    """A halt may be called by the threshold for labels alone, as after a break in a soft start."""
    made = diagnose(halt([1.0]), RULE, explain)
    assert made.since.tolist() == []
    assert "0 of 32 atoms (none)" in repr(made)

"""Self-checks of notebook 1: what gamma means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from acemaker.potentials.active_set import gamma_of as true_gamma
from acemaker.workshop.answer import NotRightError, as_number, checks, kind, tried
from acemaker.workshop.copper import Graded
from acemaker.workshop.plane import Plane

EXACT = 1e-6


@checks("Prediction 1", "choose an environment of the figure, as prediction = 'P'")
def unknown(answer: Any, plane: Plane) -> str:
    """Check which environment is within the training set."""
    name = _name(answer, plane)
    known = [stranger for stranger in plane.strangers if plane.gamma(stranger) <= 1]
    if name not in known:
        raise NotRightError(
            f"{name} has gamma {plane.gamma(name):.2f}: it is outside of the region that the active set spans. See the "
            "next figure, then change your answer"
        )
    return f"gamma of {name} is {plane.gamma(name):.2f}, below 1: it is a combination of trained environments"


@checks("Exercise 1", "replace ... in gamma_of by one or two lines that compute gamma")
def gamma_function(function: Any, plane: Plane) -> str:
    """Compare a student's gamma with acemaker's."""
    rng = np.random.default_rng(0)
    skew = np.array([[2.0, 1.0], [0.5, 1.5]])
    cases = [(np.array([-3.0, 1.0]), skew), *((b, plane.active) for b in (*rng.normal(size=(6, 2)), *plane.trained))]
    results = [as_number(tried(function, b.copy(), active.copy()), "gamma") for b, active in cases]
    expected = [float(true_gamma([b[None]], [np.linalg.inv(active)])[0][0]) for b, active in cases]
    if _same(results, expected):
        return "it agrees with acemaker for all environments that were tried"
    hint = next((hint for hint, other in MISTAKES.items() if _same(results, [other(*case) for case in cases])), "")
    wrong = next(i for i in range(len(cases)) if not _same(results[i : i + 1], expected[i : i + 1]))
    b, active = cases[wrong]
    case = f"b = {_shown(b)} and active = [{_shown(active[0])}, {_shown(active[1])}]"
    message = f"for {case} it returns {results[wrong]:.3g}, but gamma is {expected[wrong]:.3g}. {hint}"
    raise NotRightError(message.rstrip())


MISTAKES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "This is the largest coefficient with its sign; a large negative coefficient counts as well": (
        lambda b, active: (b @ np.linalg.inv(active)).max()
    ),
    "The inverse is on the wrong side: use b @ inverse, since the rows of active are environments": (
        lambda b, active: np.abs(np.linalg.inv(active) @ b).max()
    ),
    "This is the sum of the absolute coefficients; gamma is the largest of them": (
        lambda b, active: np.abs(b @ np.linalg.inv(active)).sum()
    ),
    "This is the smallest absolute coefficient; gamma is the largest": (
        lambda b, active: np.abs(b @ np.linalg.inv(active)).min()
    ),
    "This is the norm of the coefficients; gamma is the largest absolute coefficient": (
        lambda b, active: float(np.linalg.norm(b @ np.linalg.inv(active)))
    ),
    "This multiplies by active itself; the coefficients need its inverse": lambda b, active: np.abs(b @ active).max(),
    "This is the largest component of b; first write b as a combination of the rows of active": (
        lambda b, _: np.abs(b).max()
    ),
}
"""Common wrong formulas for gamma, by the hint that is shown."""


def _same(values: Sequence[float], others: Sequence[float]) -> bool:
    return bool(np.allclose(values, others, rtol=0, atol=EXACT))


@checks("Exercise 2", "enter the environment to label, as label = 'P'")
def best_label(answer: Any, plane: Plane) -> str:
    """Check the single label after which gamma of all environments is at most 1."""
    name = _name(answer, plane)
    after = plane.with_label(name)
    above = [f"{other} has {after.gamma(other):.2f}" for other in plane.strangers if after.gamma(other) > 1 + EXACT]
    if above:
        raise NotRightError(f"after labeling {name}, gamma is still above 1: {', '.join(above)}")
    return f"after labeling {name} all three are within the parallelogram: the label of the farthest one is most useful"


@checks("Prediction 2", "fill in both names, as prediction = {'highest gamma': 'rattled', 'no error': 'vacancy'}")
def strange(answer: Any, graded: Mapping[str, Graded]) -> str:
    """Check which structure has the highest gamma, and which has a gamma above 1 without a force error."""
    if not isinstance(answer, dict) or set(answer) != {"highest gamma", "no error"}:
        raise NotRightError("prediction should have the keys 'highest gamma' and 'no error', each with a structure")
    for name in answer.values():
        if name not in graded:
            raise NotRightError(f"the structures are {', '.join(graded)}, got {kind(name)}")
    highest = max(graded, key=lambda name: float(graded[name].gamma.max()))
    beyond = {name: float(grades.error.max()) for name, grades in graded.items() if grades.gamma.max() > 1.5}
    harmless = min(beyond, key=lambda name: beyond[name])
    if answer["highest gamma"] != highest:
        chosen = answer["highest gamma"]
        raise NotRightError(f"{chosen} has gamma {graded[chosen].gamma.max():.3g}, another one has more: see below")
    if answer["no error"] != harmless:
        chosen = answer["no error"]
        gamma, error = graded[chosen].gamma.max(), graded[chosen].error.max()
        raise NotRightError(
            f"{chosen} has gamma {gamma:.2g} and force errors up to {error:.0f} meV/Å; in which structure are all "
            "forces zero by symmetry, for any potential?"
        )
    return (
        f"{highest} has the highest gamma; {harmless} is outside of the training set (gamma "
        f"{graded[harmless].gamma.max():.2g}), but has no force error, since all forces are zero by symmetry"
    )


@checks("Exercise 3", "compute seen, a share between 0 and 1, from the arrays gamma and error")
def share_seen(answer: Any, graded: Graded, threshold: float, tolerance: float) -> str:
    """Check the share of wrong atoms that gamma detects."""
    share = as_number(answer, "seen")
    wrong, above = graded.error > tolerance, graded.gamma > threshold
    expected = float(above[wrong].mean())
    if abs(share - expected) < 1e-3:
        return f"gamma detects {expected:.0%} of the atoms whose force is wrong by more than {tolerance:g} meV/Å"
    mistakes = {
        "this is a percentage; enter the share between 0 and 1": 100 * expected,
        "this is the share of wrong and detected atoms among all atoms; divide by the number of wrong atoms": (
            wrong & above
        ).mean(),
        "this is the share of wrong atoms among the detected atoms": wrong[above].mean(),
        "this is the share of wrong atoms among all atoms": wrong.mean(),
        "this is the share of all atoms above the threshold, wrong or not": above.mean(),
        "this is a number of atoms; divide it by the number of wrong atoms": (wrong & above).sum(),
        "this is the share that is not detected": 1 - expected,
    }
    hint = next((hint for hint, value in mistakes.items() if abs(share - value) < 1e-3), "")
    fallback = f"{int((wrong & above).sum())} of {int(wrong.sum())} wrong atoms are above the threshold"
    raise NotRightError(f"{share:.3g} is not the share: {hint or fallback}")


def _name(answer: Any, plane: Plane) -> str:
    if answer not in plane.strangers:
        raise NotRightError(f"it should be one of {', '.join(plane.strangers)}, got {kind(answer)}")
    return str(answer)


def _shown(values: np.ndarray) -> str:
    return "(" + ", ".join(f"{value:.2g}" for value in values) + ")"

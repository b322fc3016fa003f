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


@checks("Prediction 1", "look at the picture and name an environment, as prediction = 'P'")
def unknown(answer: Any, plane: Plane) -> str:
    """Check which stranger is known."""
    name = _name(answer, plane)
    known = [one for one in plane.strangers if plane.gamma(one) <= 1]
    if name not in known:
        raise NotRightError(
            f"{name} has gamma {plane.gamma(name):.2f}: it lies outside of what the active set spans. Look at the "
            "next picture, then change your answer"
        )
    return f"gamma of {name} is {plane.gamma(name):.2f}, below 1: it is a mixture of what was trained"


@checks("Exercise 1", "replace ... in gamma_of by the one or two lines that give gamma")
def gamma_function(function: Any, plane: Plane) -> str:
    """Check a student's gamma against acemaker's."""
    rng = np.random.default_rng(0)
    skew = np.array([[2.0, 1.0], [0.5, 1.5]])
    tries = [(np.array([-3.0, 1.0]), skew), *((b, plane.active) for b in (*rng.normal(size=(6, 2)), *plane.trained))]
    given = [as_number(tried(function, b.copy(), active.copy()), "gamma") for b, active in tries]
    true = [float(true_gamma([b[None]], [np.linalg.inv(active)])[0][0]) for b, active in tries]
    if _same(given, true):
        return "the same as acemaker's for every environment that was tried"
    why = next((words for words, other in MISTAKES.items() if _same(given, [other(*one) for one in tries])), "")
    wrong = next(place for place in range(len(tries)) if not _same(given[place : place + 1], true[place : place + 1]))
    b, active = tries[wrong]
    shown = f"b = {_shown(b)} and active = [{_shown(active[0])}, {_shown(active[1])}]"
    raise NotRightError(f"for {shown} it gives {given[wrong]:.3g}, where gamma is {true[wrong]:.3g}. {why}".rstrip())


MISTAKES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "You have taken the largest coefficient with its sign; a large negative one is as far away": (
        lambda b, active: (b @ np.linalg.inv(active)).max()
    ),
    "The inverse stands on the wrong side: b @ inverse, since the rows of active are environments": (
        lambda b, active: np.abs(np.linalg.inv(active) @ b).max()
    ),
    "This is the sum of the coefficients' sizes; gamma is the largest of them alone": (
        lambda b, active: np.abs(b @ np.linalg.inv(active)).sum()
    ),
    "This is the smallest of the coefficients' sizes; gamma is the largest": (
        lambda b, active: np.abs(b @ np.linalg.inv(active)).min()
    ),
    "This is the length of the coefficients; gamma is the largest of their sizes": (
        lambda b, active: float(np.linalg.norm(b @ np.linalg.inv(active)))
    ),
    "This multiplies by active itself; the coefficients need its inverse": lambda b, active: np.abs(b @ active).max(),
    "This takes the size of b itself; first write b as a mixture of the rows of active": (lambda b, _: np.abs(b).max()),
}
"""What students return instead of gamma, by what they are told."""


def _same(one: Sequence[float], other: Sequence[float]) -> bool:
    return bool(np.allclose(one, other, rtol=0, atol=EXACT))


@checks("Exercise 2", "name the environment that you would have labelled, as label = 'P'")
def best_label(answer: Any, plane: Plane) -> str:
    """Check the one label after which everything is known."""
    name = _name(answer, plane)
    after = plane.with_label(name)
    still = [f"{one} has {after.gamma(one):.2f}" for one in plane.strangers if after.gamma(one) > 1 + EXACT]
    if still:
        raise NotRightError(f"after labelling {name}, gamma is still above 1: {', '.join(still)}")
    return f"after labelling {name} all three are within the parallelogram: the farthest one teaches most"


@checks("Prediction 2", "fill in both names, as prediction = {'highest gamma': 'rattled', 'no error': 'vacancy'}")
def strange(answer: Any, graded: Mapping[str, Graded]) -> str:
    """Check which structure has the highest gamma, and which has one above 1 without any error."""
    if not isinstance(answer, dict) or set(answer) != {"highest gamma", "no error"}:
        raise NotRightError("keep the two names 'highest gamma' and 'no error', and give each a structure")
    for name in answer.values():
        if name not in graded:
            raise NotRightError(f"the structures are {', '.join(graded)}; {kind(name)} is none of them")
    highest = max(graded, key=lambda name: float(graded[name].gamma.max()))
    beyond = {name: float(one.error.max()) for name, one in graded.items() if one.gamma.max() > 1.5}
    harmless = min(beyond, key=lambda name: beyond[name])
    if answer["highest gamma"] != highest:
        chosen = answer["highest gamma"]
        raise NotRightError(f"{chosen} has gamma {graded[chosen].gamma.max():.3g}, and another one has more: see below")
    if answer["no error"] != harmless:
        chosen = answer["no error"]
        gamma, error = graded[chosen].gamma.max(), graded[chosen].error.max()
        raise NotRightError(
            f"{chosen} has gamma {gamma:.2g} and errs by up to {error:.0f} meV/Å; look for one where symmetry makes "
            "every force zero, whatever the potential"
        )
    return (
        f"{highest} is farthest away; {harmless} is outside of the training set (gamma "
        f"{graded[harmless].gamma.max():.2g}) and yet has no force error, since by symmetry there is no force at all"
    )


@checks("Exercise 3", "work out seen from the arrays gamma and error: the share, between 0 and 1")
def share_seen(answer: Any, graded: Graded, threshold: float, tolerance: float) -> str:
    """Check the share of wrong atoms that gamma sees."""
    given = as_number(answer, "seen")
    wrong, above = graded.error > tolerance, graded.gamma > threshold
    true = float(above[wrong].mean())
    if abs(given - true) < 1e-3:
        return f"gamma sees {true:.0%} of the atoms whose force is wrong by more than {tolerance:g} meV/Å"
    mistakes = {
        "this is a percentage; give the share between 0 and 1": 100 * true,
        "this is the share of all atoms that are wrong and seen; divide by the number of wrong ones": (
            wrong & above
        ).mean(),
        "this is the other way round: the share of the seen atoms that are wrong": wrong[above].mean(),
        "this is the share of wrong atoms among all": wrong.mean(),
        "this is the share of all atoms above the threshold, wrong or not": above.mean(),
        "this is a number of atoms; divide it by the number of wrong ones": (wrong & above).sum(),
        "this is the share that is not seen": 1 - true,
    }
    why = next((words for words, value in mistakes.items() if abs(given - value) < 1e-3), "")
    fallback = f"of {int(wrong.sum())} wrong atoms {int((wrong & above).sum())} are above the threshold"
    raise NotRightError(f"{given:.3g} is not the share: {why or fallback}")


def _name(answer: Any, plane: Plane) -> str:
    if answer not in plane.strangers:
        raise NotRightError(f"it should be one of {', '.join(plane.strangers)}, got {kind(answer)}")
    return str(answer)


def _shown(values: np.ndarray) -> str:
    return "(" + ", ".join(f"{value:.2g}" for value in values) + ")"

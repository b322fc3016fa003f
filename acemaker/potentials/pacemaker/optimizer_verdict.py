"""What scipy's optimisers say at the end, put in plain words."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from acemaker.errors import FitError
from acemaker.potentials.optimizer import Iteration, OptimiserVerdict

RESULT = re.compile(r"Optimization result\(success=(\w+), status=(-?\d+), message=(.*), nfev=\d+, njev=\d+\)")

RECENT = 10
"""Iterations over which the last descent is judged."""

STILL_FALLING = 0.01
"""Share of the loss by which these must have brought it down, for more of them to be worth while."""

PRECISION = "ended where rounding hides any further descent, as good as a minimum"
WORDS = (
    (r"precision loss", True, PRECISION),
    (r"ABNORMAL", False, "found no lower loss along its search direction: the loss is rough there, or badly scaled"),
    (r"NaN|not a number", False, "met a loss that is not a number"),
    (r"terminated successfully|NORM.OF.PROJECTED.GRADIENT", True, "converged: the loss is level"),
    (r"REDUCTION.OF.F|REL.*REDUCTION", True, "converged: its last step lowered the loss by almost nothing"),
    (r"EVALUATIONS EXCEEDS", False, "stopped since it may not evaluate the loss more often"),
)
"""Pattern of a message, whether that is a minimum, and what it means."""


def read_verdict(said: str, name: str, iterations: Sequence[Iteration]) -> OptimiserVerdict:
    """Find the optimiser's last message in what pacemaker said.

    Parameters
    ----------
    said
        Pacemaker's log.
    name
        The optimiser.
    iterations
        Those of its metrics file, of the last step of a ladder.

    Returns
    -------
    OptimiserVerdict

    Raises
    ------
    FitError
        If there is no message, or there were no iterations.
    """
    found = RESULT.findall(said)
    if not found or not iterations:
        raise FitError("pacemaker ended without an optimiser's result; another version of it may write other words")
    message = found[-1][2].strip()
    converged, words = put(message, iterations)
    first, last = iterations[0], iterations[-1]
    return OptimiserVerdict(
        name=name,
        converged=converged,
        words=words,
        message=message,
        iterations=last.number,
        loss=(first.loss, last.loss),
    )


def put(message: str, iterations: Sequence[Iteration]) -> tuple[bool, str]:
    """Put a message in plain words.

    Parameters
    ----------
    message
        The optimiser's.
    iterations
        At least one.

    Returns
    -------
    converged : bool
        Whether that is a minimum, up to rounding.
    words : str
        What it means, with what could be done.
    """
    losses = [iteration.loss for iteration in iterations]
    if not math.isfinite(losses[-1]):
        return False, "met a loss that is not a number"
    if re.search(r"number of iterations|ITERATIONS REACHED LIMIT", message, re.IGNORECASE):
        before = losses[max(len(losses) - 1 - RECENT, 0)]
        fall = 1 - losses[-1] / before if before else 0.0
        steps = min(RECENT, len(losses) - 1)
        more = "more iterations would help" if fall > STILL_FALLING else "more iterations would bring little"
        return False, f"used up its iterations; the last {steps} brought the loss down by {100 * fall:.2g} %: {more}"
    for pattern, converged, words in WORDS:
        if re.search(pattern, message, re.IGNORECASE):
            return converged, words
    return False, f"ended by itself, and said: {message}"

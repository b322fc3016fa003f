"""Interpret the final messages of scipy's optimizers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from acemaker.errors import FitError
from acemaker.potentials.optimizer import Iteration, OptimizerOutcome

RESULT = re.compile(r"Optimization result\(success=(\w+), status=(-?\d+), message=(.*), nfev=\d+, njev=\d+\)")

RECENT = 10
"""Number of last iterations whose decrease of the loss decides whether more iterations are recommended."""

STILL_FALLING = 0.01
"""Relative decrease of the loss over these above which more iterations are recommended."""

PRECISION = "ended where rounding hides any further descent, which is as good as a minimum"
EXPLANATIONS = (
    (r"precision loss", True, PRECISION),
    (r"ABNORMAL", False, "found no lower loss along its search direction: the loss is not smooth or badly scaled"),
    (r"NaN|not a number", False, "stopped at a loss that is not a number"),
    (r"terminated successfully|NORM.OF.PROJECTED.GRADIENT", True, "converged: the gradient of the loss is small"),
    (r"REDUCTION.OF.F|REL.*REDUCTION", True, "converged: its last step barely reduced the loss"),
    (r"EVALUATIONS EXCEEDS", False, "stopped at the maximum number of evaluations of the loss"),
)
"""Pattern of a message, whether it indicates a minimum, and its explanation."""


def read_outcome(log: str, name: str, iterations: Sequence[Iteration]) -> OptimizerOutcome:
    """Find the last message of the optimizer in the log of pacemaker.

    Parameters
    ----------
    log
        Output of pacemaker.
    name
        Name of the optimizer.
    iterations
        Iterations in the metrics file, of the last step of a ladder.

    Returns
    -------
    OptimizerOutcome

    Raises
    ------
    FitError
        If the log has no message or there are no iterations.
    """
    results = RESULT.findall(log)
    if not results or not iterations:
        raise FitError(
            "the log of pacemaker has no result of the optimizer; its format may differ in this version of pacemaker"
        )
    message = results[-1][2].strip()
    converged, words = interpret(message, iterations)
    first, last = iterations[0], iterations[-1]
    return OptimizerOutcome(
        name=name,
        converged=converged,
        words=words,
        message=message,
        iterations=last.number,
        loss=(first.loss, last.loss),
    )


def interpret(message: str, iterations: Sequence[Iteration]) -> tuple[bool, str]:
    """Explain a message of an optimizer.

    Parameters
    ----------
    message
        Message of the optimizer.
    iterations
        Its iterations, at least one.

    Returns
    -------
    converged : bool
        Whether the message indicates a minimum, up to rounding.
    explanation : str
        Explanation of the message, with a remedy.
    """
    losses = [iteration.loss for iteration in iterations]
    if not math.isfinite(losses[-1]):
        return False, "stopped at a loss that is not a number"
    if re.search(r"number of iterations|ITERATIONS REACHED LIMIT", message, re.IGNORECASE):
        before = losses[max(len(losses) - 1 - RECENT, 0)]
        fall = 1 - losses[-1] / before if before else 0.0
        steps = min(RECENT, len(losses) - 1)
        more = "more iterations would help" if fall > STILL_FALLING else "more iterations would bring little"
        return False, f"used up its iterations; the last {steps} brought the loss down by {100 * fall:.2g} %: {more}"
    for pattern, converged, explanation in EXPLANATIONS:
        if re.search(pattern, message, re.IGNORECASE):
            return converged, explanation
    return False, f"ended with the message: {message}"

"""Iterations and outcome of an optimizer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Iteration:
    """One step of an optimizer.

    Attributes
    ----------
    number : int
        Number of the iteration; 0 is the start.
    max_iterations : int
        Maximum number of iterations.
    loss : float
        Dimensionless.
    energy, forces : float
        Root mean square errors over the training set, meV/atom and meV/Å, including masked atoms.
    functions : int
        Number of basis functions in this fit, which increases along a ladder.
    """

    number: int
    max_iterations: int
    loss: float
    energy: float
    forces: float
    functions: int

    def __str__(self) -> str:
        """Return number, loss and errors in one line."""
        return (
            f"fit {self.number:>5} of {self.max_iterations}  loss {self.loss:.3e}  forces {self.forces:.3g} meV/Å  "
            f"energy {self.energy:.3g} meV/atom"
        )


@dataclass(frozen=True, kw_only=True)
class OptimizerOutcome:
    """Outcome of a fit.

    Attributes
    ----------
    name : str
        Name of the optimizer.
    converged : bool
        Whether it found a minimum, up to rounding.
    words : str
        Explanation of its message, with a remedy.
    message : str
        Message of the optimizer.
    iterations : int
        Number of iterations.
    loss : tuple of float
        Loss at the start and at the end, dimensionless.
    """

    name: str
    converged: bool
    words: str
    message: str
    iterations: int
    loss: tuple[float, float]

    def __str__(self) -> str:
        """Return optimizer, explanation, iterations and loss."""
        return f"{self.name} {self.words}; {self.iterations} iterations, loss {self.loss[0]:.3g} -> {self.loss[1]:.3g}"

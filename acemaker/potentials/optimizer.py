"""How an optimiser fared, in plain words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Iteration:
    """One step of an optimiser.

    Attributes
    ----------
    number : int
        0 for where it started.
    most : int
        Iterations that it may take.
    loss : float
        Dimensionless.
    energy, forces : float
        Root mean square errors over the training set, meV/atom and meV/Å; masks are not looked at.
    functions : int
        Basis functions in this fit, which a ladder adds to.
    """

    number: int
    most: int
    loss: float
    energy: float
    forces: float
    functions: int

    def __str__(self) -> str:
        """Say it in a line."""
        return (
            f"fit {self.number:>5} of {self.most}  loss {self.loss:.3e}  forces {self.forces:.3g} meV/Å  "
            f"energy {self.energy:.3g} meV/atom"
        )


@dataclass(frozen=True, kw_only=True)
class OptimiserVerdict:
    """How a fit ended.

    Attributes
    ----------
    name : str
        The optimiser.
    converged : bool
        Whether it found a minimum, up to rounding.
    words : str
        What its message means, and what could be done.
    message : str
        What it said itself.
    iterations : int
        Steps that it took.
    loss : tuple of float
        At the start and at the end, dimensionless.
    """

    name: str
    converged: bool
    words: str
    message: str
    iterations: int
    loss: tuple[float, float]

    def __str__(self) -> str:
        """Say it in a sentence."""
        return f"{self.name} {self.words}; {self.iterations} iterations, loss {self.loss[0]:.3g} -> {self.loss[1]:.3g}"

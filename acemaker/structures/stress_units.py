"""Signs and units in which people write stresses and virials."""

from __future__ import annotations

import math

from ase.units import GPa

FACTORS = {
    "eV/A^3": 1.0,
    "-eV/A^3": -1.0,
    "GPa": GPa,
    "-GPa": -GPa,
    "kbar": 0.1 * GPa,
    "-kbar": -0.1 * GPa,
}
"""Factors from a stress to eV/Å^3, positive under tension, by name; with a minus, it is positive under compression."""

VIRIALS = {"eV/A^3": 1.0, "-eV/A^3": -1.0}
"""The same for a virial in eV, after division by the volume."""

USUAL = {"stress": "eV/A^3", "virial": "-eV/A^3"}
"""Conventions of ASE's stress, and of the virial of QUIP and GPUMD."""

NEAR = 2.0
"""Factor up to which a measured ratio is that of a convention; two of one sign differ at least tenfold."""

CERTAIN = 0.8
"""Share of the squared stresses that a prediction must explain."""


def conventions_of(quantity: str) -> dict[str, float]:
    """Return the factors of a quantity to eV/Å^3 (after a virial was divided by the volume), by convention."""
    return VIRIALS if quantity == "virial" else FACTORS


def convention_by_ratio(quantity: str, ratio: float) -> str | None:
    """Return the convention in which values times `ratio` are a stress in eV/Å^3 under tension; None if there is none.

    Parameters
    ----------
    quantity
        ``"stress"`` or ``"virial"``, which was divided by the volume.
    ratio
        True stress divided by the value.

    Examples
    --------
    >>> convention_by_ratio("stress", 0.0061), convention_by_ratio("virial", -1.1), convention_by_ratio("stress", 30.0)
    ('GPa', '-eV/A^3', None)
    """
    near = {
        name: abs(math.log(ratio / factor))
        for name, factor in conventions_of(quantity).items()
        if ratio * factor > 0 and math.isfinite(ratio)
    }
    name = min(near, key=lambda item: near[item], default=None)
    return name if name is not None and near[name] < math.log(NEAR) else None

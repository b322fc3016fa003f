"""Checks of the settings by element: initial magnetic moments, and Hubbard parameters."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping

LEAST_MOMENT = 0.01
"""Bohr magnetons; smaller initial moments than this do not make a calculation magnetic."""

LARGEST_U = 50.0
"""eV; larger values are given in another unit."""

_MANIFOLD = re.compile(r"([1-7])([spdf])")


def check_moments(moments: object) -> dict[str, float]:
    """Check initial magnetic moments by element.

    Parameters
    ----------
    moments
        Moments in Bohr magnetons per atom, by chemical symbol.

    Returns
    -------
    dict
        The moments as floats.

    Raises
    ------
    ValueError
        For unknown elements, values that are not finite numbers, and moments that are all zero.
    """
    checked = {}
    for element, moment in _by_element(moments, "{'Fe': 2.5}").items():
        if hasattr(moment, "__len__") and not isinstance(moment, str):
            raise ValueError(
                f"the moment of {element} must be one number, got {moment!r}: noncollinear magnetism is not supported"
            )
        checked[element] = _number(moment, f"the moment of {element}", "Bohr magnetons per atom")
    if checked and all(abs(moment) < LEAST_MOMENT for moment in checked.values()):
        raise ValueError("at least one moment must be nonzero, or the result is not magnetic; omit them instead")
    return checked


def check_hubbard(parameters: object) -> dict[str, dict[str, float]]:
    """Check Hubbard parameters by element and manifold.

    Parameters
    ----------
    parameters
        U in eV by manifold, such as ``3d``, by chemical symbol.

    Returns
    -------
    dict of dict
        The same parameters, with manifolds in lower case and values as floats.

    Raises
    ------
    ValueError
        For unknown elements, manifolds that no atom has, several manifolds of an element, and values that are not
        finite, nonzero and below 50 eV.
    """
    checked = {}
    for element, manifolds in _by_element(parameters, "{'Fe': {'3d': 4.0}}").items():
        if not isinstance(manifolds, Mapping):
            raise ValueError(
                f"the parameters of {element} must have a manifold, e.g. {{'{element}': {{'3d': 4.0}}}}, got "
                f"{manifolds!r}"
            )
        if len(manifolds) != 1:
            raise ValueError(
                f"the parameters of {element} must have exactly one manifold, got {len(manifolds)}: {list(manifolds)!r}"
            )
        ((name, value),) = manifolds.items()
        manifold = name.lower() if isinstance(name, str) else ""
        matched = _MANIFOLD.fullmatch(manifold)
        if matched is None or int(matched[1]) <= "spdf".index(matched[2]):
            raise ValueError(
                f"{name!r} of {element} is not a manifold; expected its shell and letter, such as '3d', '2p'"
            )
        energy = _number(value, f"the U of {element}-{manifold}", "eV")
        if energy == 0 or abs(energy) > LARGEST_U:
            raise ValueError(
                f"the U of {element}-{manifold} must be nonzero and at most {LARGEST_U:g} eV, got {energy:g}; to "
                "compute without it, omit the element"
            )
        checked[element] = {manifold: energy}
    return checked


def _by_element(values: object, example: str) -> Mapping[str, object]:
    """Check that values are a mapping whose keys are chemical symbols."""
    from ase.data import atomic_numbers

    if not isinstance(values, Mapping):
        raise ValueError(f"must be a mapping from elements, e.g. {example}")
    for element in values:
        if not isinstance(element, str) or element == "X" or element not in atomic_numbers:
            close = difflib.get_close_matches(str(element).capitalize(), [*atomic_numbers], n=1, cutoff=0.5)
            remedy = f"; did you mean '{close[0]}'?" if close else ""
            raise ValueError(f"{element!r} is not a chemical symbol{remedy}")
    return values


def _number(value: object, what: str, unit: str) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]  # that is the check
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{what} must be a finite number in {unit}, got {value!r}")
    return number

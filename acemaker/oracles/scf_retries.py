"""Gentler settings for an SCF that does not converge, one after the other, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from acemaker.config import OracleConfig


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Settings with which a label is tried.

    Attributes
    ----------
    name : str
        What is told of them.
    config : OracleConfig
        The settings.
    """

    name: str
    config: OracleConfig


def attempts(config: OracleConfig) -> tuple[Attempt, ...]:
    """List the settings to be tried, the configured ones first.

    None of them changes what a converged result is, but how the SCF gets there.

    Parameters
    ----------
    config
        The configured settings.

    Returns
    -------
    tuple of Attempt
        Just one for programs that are not known here.
    """
    tried = [Attempt(name="as configured", config=config)]
    if config.oracle != "espresso":
        return tuple(tried)
    gentle = min(0.3, config.mixing_beta)
    rungs: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
        ("gentler mixing", {"mixing_beta": gentle}, {"mixing_mode": "local-TF"}),
        (
            "more steps",
            {"mixing_beta": gentle / 2, "electron_maxstep": 3 * config.electron_maxstep},
            {"mixing_mode": "plain", "mixing_ndim": 16},
        ),
        ("cg diagonalisation", {}, {"diagonalization": "cg"}),
    )
    for name, fields, electrons in rungs:
        last = tried[-1].config
        given = dict(last.espresso_input)
        key = next((key for key in given if key.lower() == "electrons" and isinstance(given[key], dict)), "electrons")
        flat = {name: value for name, value in given.items() if name.lower() not in electrons}
        flat[key] = {**flat.get(key, {}), **electrons}
        tried.append(Attempt(name=name, config=last.model_copy(update={**fields, "espresso_input": flat})))
    return tuple(tried)

"""More conservative settings for retries of an SCF that does not converge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from acemaker.config import OracleConfig


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Settings of one attempt to compute a label.

    Attributes
    ----------
    name : str
        Name of the settings in messages.
    config : OracleConfig
        The settings.
    """

    name: str
    config: OracleConfig


def attempts(config: OracleConfig) -> tuple[Attempt, ...]:
    """List the settings to be tried, the configured ones first.

    They change how the SCF converges, but not the converged result.

    Parameters
    ----------
    config
        The configured settings.

    Returns
    -------
    tuple of Attempt
        Only the configured settings for programs other than Quantum ESPRESSO.
    """
    retries = [Attempt(name="as configured", config=config)]
    if config.oracle != "espresso":
        return tuple(retries)
    gentle = min(0.3, config.mixing_beta)
    changes: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
        ("gentler mixing", {"mixing_beta": gentle}, {"mixing_mode": "local-TF"}),
        (
            "more steps",
            {"mixing_beta": gentle / 2, "electron_maxstep": 3 * config.electron_maxstep},
            {"mixing_mode": "plain", "mixing_ndim": 16},
        ),
        ("cg diagonalization", {}, {"diagonalization": "cg"}),
    )
    for name, fields, electrons in changes:
        last = retries[-1].config
        inputs = dict(last.espresso_input)
        key = next((key for key in inputs if key.lower() == "electrons" and isinstance(inputs[key], dict)), "electrons")
        flat = {name: value for name, value in inputs.items() if name.lower() not in electrons}
        flat[key] = {**flat.get(key, {}), **electrons}
        retries.append(Attempt(name=name, config=last.model_copy(update={**fields, "espresso_input": flat})))
    return tuple(retries)

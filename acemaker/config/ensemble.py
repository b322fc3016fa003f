"""Settings of the thermodynamic ensemble: thermostat, barostat, and the pressure of each component."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, PositiveFloat, field_validator, model_validator

from acemaker.config.base import Section

Ensemble = Literal["nve", "nvt", "npt", "csvr", "langevin", "nph"]
Component = Literal["x", "y", "z", "xy", "xz", "yz"]

BERENDSEN = re.compile(r"berendsen", re.I)


def without_berendsen(value: object) -> object:
    """Refuse Berendsen's thermostat and barostat with the reason; return other values unchanged."""
    if isinstance(value, str) and BERENDSEN.search(value):
        raise ValueError(
            "the thermostat and the barostat of Berendsen are not available: they suppress the fluctuations of energy "
            "and volume, so that the run samples no thermodynamic ensemble, and rare environments, which the potential "
            "must learn, occur too rarely. Choose 'csvr', which relaxes the temperature in the same way but samples "
            "the canonical ensemble, or 'npt' with a long barostat_time"
        )
    return value


def directions(value: object) -> object:
    """Accept a list of directions, and other separators between them."""
    words = value.replace(",", " ").replace("+", " ").split() if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        return value
    if len(words) > 1 and set(words) <= set("xyz"):
        axes = sorted(set(words))
        return "aniso" if len(axes) == 3 else " ".join(axes)
    return "".join(sorted(words[0])) if len(words) == 1 and set(words[0]) <= set("xyz") else " ".join(words)


def constant_components(value: object) -> object:
    """Accept a single number for a constant value, and both orders of two directions; xx means x."""
    if not isinstance(value, dict):
        return value
    components = {}
    for name, ramp in value.items():
        key = "".join(sorted(set(name.lower()))) if isinstance(name, str) else name
        if key in components:
            raise ValueError(f"{name!r} and another name mean the same component {key!r}; name it once")
        components[key] = (ramp, ramp) if isinstance(ramp, int | float) and not isinstance(ramp, bool) else ramp
    return components


class EnsembleFields(Section):
    """Settings of the thermodynamic ensemble; these fields are part of `EngineConfig`."""

    ensemble: Ensemble = Field(
        "npt",
        description="Thermodynamic ensemble; nvt and npt use Nosé-Hoover, csvr and langevin stochastic thermostats. "
        "nve and nph have no thermostat; nph controls the pressure as npt does.",
    )
    pressure: tuple[float, float] = Field(
        (0.0, 0.0),
        description="Pressure in GPa at the first and at the last step, linear in between; a single number is "
        "constant.",
    )
    pressure_coupling: Literal["iso", "aniso", "tri", "x", "y", "z", "xy", "xz", "yz", "x y", "x z", "y z"] = Field(
        "iso",
        description="Degrees of freedom of the cell that the barostat changes: all lengths by one factor ('iso'), "
        "independently ('aniso'), or with the angles ('tri'); the length along x, y or z alone; two lengths by one "
        "factor ('xy') or independently ('x y'). x, y and z are the directions of the first, second and third lattice "
        "vector. A slab with vacuum along z needs 'xy' or 'x y'.",
    )
    pressure_components: dict[Component, tuple[float, float]] = Field(
        default_factory=dict,
        description="Pressure in GPa of single components, at the first and at the last step, in place of pressure and "
        "pressure_coupling, e.g. {x: [0, 5], y: 0, z: 0}: only the lengths x, y, z and the tilts xy, xz, yz that are "
        "named change, independently. Positive values of x, y and z compress.",
    )
    thermostat_time: PositiveFloat = Field(100.0, description="Relaxation time of the thermostat in fs.")
    barostat_time: PositiveFloat = Field(1000.0, description="Relaxation time of the barostat in fs.")

    @property
    def has_barostat(self) -> bool:
        """Whether the ensemble has a barostat, which needs the stress."""
        return self.ensemble in ("npt", "nph")

    @property
    def has_thermostat(self) -> bool:
        """Whether the ensemble has a thermostat."""
        return self.ensemble not in ("nve", "nph")

    @property
    def pressure_ramps(self) -> dict[str, tuple[float, float]]:
        """Pressure in GPa at the first and at the last step of each component that the barostat changes.

        The component of a barostat with one pressure is its coupling; the dictionary is empty without a barostat.
        """
        if not self.has_barostat:
            return {}
        components = {str(component): ramp for component, ramp in self.pressure_components.items()}
        return components or {self.pressure_coupling: self.pressure}

    @property
    def tilts(self) -> bool:
        """Whether the barostat changes the angles of the cell."""
        return any(component in ("tri", "xy", "xz", "yz") for component in self._changed())

    @property
    def changed_lengths(self) -> str:
        """Directions of the lengths that the barostat changes, such as "xy"; empty without a barostat."""
        return "".join(axis for axis in "xyz" if axis in self._changed())

    def _changed(self) -> set[str]:
        """Return the changed components: lengths x, y, z, tilts xy, xz, yz, and "tri"."""
        if not self.has_barostat:
            return set()
        if self.pressure_components:
            return set(self.pressure_components)
        coupling = self.pressure_coupling
        whole = coupling in ("iso", "aniso", "tri")
        return set("xyz" if whole else coupling.replace(" ", "")) | ({"tri"} if coupling == "tri" else set())

    @field_validator("ensemble", mode="before")
    @classmethod
    def _without_berendsen(cls, value: object) -> object:
        return without_berendsen(value)

    @field_validator("pressure_coupling", mode="before")
    @classmethod
    def _directions(cls, value: object) -> object:
        return directions(value)

    @field_validator("pressure_components", mode="before")
    @classmethod
    def _constant_components(cls, value: object) -> object:
        return constant_components(value)

    @model_validator(mode="after")
    def _components_are_used(self) -> EnsembleFields:
        if not self.pressure_components:
            return self
        if not self.has_barostat:
            raise ValueError(
                f"pressure_components needs a barostat: expected ensemble 'npt' or 'nph', got {self.ensemble!r}"
            )
        if self.pressure != (0.0, 0.0) or self.pressure_coupling != "iso":
            raise ValueError(
                "pressure_components takes the place of pressure and pressure_coupling; omit these two, and name all "
                "components that may change"
            )
        if not set(self.pressure_components) & set("xyz"):
            raise ValueError(
                "pressure_components must contain at least one of x, y and z: with tilts alone, LAMMPS keeps all "
                "lengths, so that the volume follows no pressure; add e.g. z: 0"
            )
        return self

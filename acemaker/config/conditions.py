"""Settings of what acts on the atoms besides the potential: groups, forces, fixed directions and strain rates."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, NonNegativeInt, field_validator, model_validator

from acemaker.config.ensemble import Component, EnsembleFields
from acemaker.config.groups import GroupConfig
from acemaker.config.own_commands import check_command

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}")

EVERYTHING = "all"
"""Group of all atoms, which exists without a definition."""

MOST_GROUPS = 16
"""Maximum number of groups: LAMMPS has 32, some of which acemaker defines."""

Directions = Literal["x", "y", "z", "xy", "xz", "yz", "xyz"]
Vector = tuple[float, float, float]


class ConditionFields(EnsembleFields):
    """Settings of external conditions; these fields are part of `EngineConfig`."""

    atom_groups: dict[str, GroupConfig] = Field(
        default_factory=dict,
        description="Groups of atoms by name, each a mapping with elements, indices or regions in Å of the initial "
        "structure, e.g. {tip: {elements: [W], z: [12, null]}}. Other parameters name groups, elements, or 'all'.",
    )
    remove_momentum_every: NonNegativeInt = Field(
        0,
        description="Number of MD steps between removals of the total momentum, which noise or added forces cause; 0 "
        "for none.",
    )
    added_forces: dict[str, Vector] = Field(
        default_factory=dict,
        description="Constant force in eV/Å on each atom of a group or element, along x, y and z, added to that of the "
        "potential, e.g. {tip: [0, 0, -0.01]}.",
    )
    electric_field: Vector = Field(
        (0.0, 0.0, 0.0),
        description="Uniform electric field in V/Å along x, y and z, which acts on charges; the potential itself does "
        "not respond to it.",
    )
    field_charges: dict[str, float] = Field(
        default_factory=dict,
        description="Charge of each atom by element in elementary charges, on which electric_field acts, e.g. {Na: 1, "
        "Cl: -1}.",
    )
    fixed_directions: dict[str, Directions] = Field(
        default_factory=dict,
        description="Directions in which the atoms of a group or element do not move, e.g. {bottom: z}: forces and "
        "velocities along them are zero. Atoms that do not move at all are better frozen (frozen).",
    )
    strain_rates: dict[Component, float] = Field(
        default_factory=dict,
        description="Rate in 1/ps at which the cell is deformed, relative to its initial lengths: x, y, z stretch "
        "(negative values compress), xy, xz, yz shear x along y, x along z and y along z, e.g. {z: 0.001}. Positions "
        "follow the cell.",
    )

    lammps_commands: tuple[str, ...] = Field(
        (),
        description="Further LAMMPS commands in its metal units (Å, eV, ps), e.g. ['fix drag tip viscous 0.01']: fixes "
        "that add or change forces, and the computes, regions and variables they use. Groups are those of atom_groups. "
        "Commands that a resumed run could not repeat exactly are refused.",
    )

    @property
    def named_groups(self) -> tuple[str, ...]:
        """Names of the groups and elements that other fields use, each once."""
        words = [command.split() for command in self.lammps_commands]
        of_commands = [group for name, _, group, *_ in words if name in ("fix", "compute")]
        others = [word for _, _, _, *rest in words for word in rest if word in self.atom_groups]
        return tuple(dict.fromkeys([*self.added_forces, *self.fixed_directions, *of_commands, *others]))

    @property
    def changes_forces(self) -> bool:
        """Whether forces are added to those of the potential, or set to zero."""
        return bool(self.added_forces or self.fixed_directions or any(self.electric_field) or self.lammps_commands)

    @property
    def is_strained(self) -> bool:
        """Whether the cell is deformed at a rate."""
        return any(self.strain_rates.values())

    @field_validator("atom_groups")
    @classmethod
    def _are_names(cls, value: dict[str, GroupConfig]) -> dict[str, GroupConfig]:
        from ase.data import atomic_numbers

        for name in value:
            if not NAME.fullmatch(name):
                raise ValueError(f"names of groups must be a letter, then letters, digits or _, got {name!r}")
            if name in atomic_numbers or name == EVERYTHING:
                meaning = "all atoms" if name == EVERYTHING else f"the element {name}"
                raise ValueError(f"{name!r} cannot be the name of a group: it means {meaning}; choose another name")
        if len(value) > MOST_GROUPS:
            raise ValueError(f"expected at most {MOST_GROUPS} groups, got {len(value)}")
        return value

    @field_validator("lammps_commands", mode="before")
    @classmethod
    def _lines(cls, value: object) -> object:
        """Accept a text with one command per line."""
        return tuple(line.strip() for line in value.splitlines() if line.strip()) if isinstance(value, str) else value

    @field_validator("fixed_directions", mode="before")
    @classmethod
    def _in_order(cls, value: object) -> object:
        """Accept directions in any order, also as a list."""
        if not isinstance(value, dict):
            return value
        return {name: _sorted_letters(axes) for name, axes in value.items()}

    @field_validator("strain_rates", mode="before")
    @classmethod
    def _either_order(cls, value: object) -> object:
        return either_order(value)

    @model_validator(mode="after")
    def _commands_are_accepted(self) -> ConditionFields:
        words = [check_command(command, self.atom_groups) for command in self.lammps_commands]
        names = [(name, own) for name, own, *_ in words]
        if twice := [own for number, (name, own) in enumerate(names) if (name, own) in names[:number]]:
            raise ValueError(f"lammps_commands define {twice[0]!r} twice; choose another name")
        if words and self.is_strained:
            raise ValueError(
                "lammps_commands together with strain_rates are not available: the origin of the cell moves with a "
                "strain, and positions in the commands would be others after a halt"
            )
        return self

    @model_validator(mode="after")
    def _groups_exist(self) -> ConditionFields:
        from ase.data import atomic_numbers

        for field in ("added_forces", "fixed_directions"):
            for name in getattr(self, field):
                if name not in self.atom_groups and name != EVERYTHING and not atomic_numbers.get(name, 0):
                    known = ", ".join([*self.atom_groups, EVERYTHING]) or EVERYTHING
                    raise ValueError(
                        f"{field} names {name!r}, which is no group and no chemical symbol; define it in "
                        f"atom_groups, or use one of {known}"
                    )
        return self

    @model_validator(mode="after")
    def _field_has_charges(self) -> ConditionFields:
        from ase.data import atomic_numbers

        if unknown := [symbol for symbol in self.field_charges if not atomic_numbers.get(symbol, 0)]:
            raise ValueError(f"field_charges must be by chemical symbol, got {', '.join(unknown)}")
        if any(self.electric_field) and not any(self.field_charges.values()):
            raise ValueError(
                "electric_field acts on charges, which the potential has not: set field_charges of the elements, e.g. "
                "field_charges={'Na': 1, 'Cl': -1}"
            )
        if self.field_charges and not any(self.electric_field):
            raise ValueError("field_charges have no effect without electric_field; set it, or omit field_charges")
        return self

    @model_validator(mode="after")
    def _strain_leaves_the_barostat_alone(self) -> ConditionFields:
        strained = [component for component, rate in self.strain_rates.items() if rate]
        if not strained or not self.has_barostat:
            return self
        sheared = [component for component in strained if len(component) == 2]
        both = [axis for axis in strained if axis in self.changed_lengths]
        if sheared or self.tilts or both:
            free = " ".join(axis for axis in "xyz" if axis not in strained) or "none"
            remedy = f"choose ensemble='nvt', or pressure_coupling={free!r}" if not sheared else "choose ensemble='nvt'"
            raise ValueError(
                f"strain_rates {', '.join(strained)}: the barostat of {self.ensemble!r} would change the same lengths "
                f"or angles; {remedy}"
            )
        return self


def either_order(value: object) -> object:
    """Accept both orders of two directions; xx means x."""
    if not isinstance(value, dict):
        return value
    rates = {_sorted_letters(name): rate for name, rate in value.items()}
    if len(rates) < len(value):
        raise ValueError(f"two names mean the same component in {', '.join(map(str, value))}; name it once")
    return rates


def _sorted_letters(axes: object) -> object:
    """Return directions in alphabetical order, each once; other values unchanged."""
    if isinstance(axes, list | tuple):
        axes = "".join(map(str, axes))
    return "".join(sorted(set(axes.lower()))) if isinstance(axes, str) else axes

"""What labels the structures."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator, model_validator

from acemaker.config.base import nearest
from acemaker.config.espresso import EspressoFields

NAMES = ("emt", "lammps", "espresso", "tblite")
"""Oracles that need no path."""

PLAIN = re.compile(r"[\w.+*/:=, -]*", re.ASCII)
"""What a pair style may be written with: nothing that LAMMPS quotes, expands or continues."""

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "emt": ("asap_cutoff",),
    "lammps": (),  # LAMMPSlib's run commands of LAMMPS, which can start programs, or change units and cells
    "espresso": (),
    "tblite": (
        "accuracy",
        "charge",
        "electric_field",
        "electronic_temperature",
        "guess",
        "max_iterations",
        "method",
        "mixer_damping",
        "multiplicity",
        "solvation",
        "spin_polarization",
    ),
}
"""Arguments that oracles without a path take: settings of the calculation, never commands or files."""

FIELDS = {"lammps": "pair_style and pair_coeff", "espresso": "espresso_input and the fields of their own"}
"""Where the settings of oracles without arguments are given."""


class OracleConfig(EspressoFields):
    """The calculator that labels, by name, how it is run, and the bounds of a credible label."""

    oracle: str = Field(
        "lammps",
        description="'emt', 'lammps', 'espresso', 'tblite', or 'module:factory', a callable that returns an ASE "
        "calculator",
    )
    pair_style: str = Field("", description="LAMMPS pair style of the 'lammps' oracle")
    pair_coeff: tuple[str, ...] = Field(
        (),
        description="arguments of its pair_coeff commands, elements in alphabetical order of types; files of "
        "LAMMPS's own collection by name alone",
    )
    oracle_arguments: dict[str, Any] = Field(
        default_factory=dict,
        description="keyword arguments of the factory; of the built-in oracles only 'emt' and 'tblite' take some",
    )
    max_atoms: PositiveInt = Field(
        150, description="largest structure that is labelled; of larger ones, small cells around the worst atoms are"
    )
    label_process: Literal["auto", "own", "this"] = Field(
        "auto",
        description="'own': a process and a folder for each label, and a time limit; 'this' process; 'auto': this "
        "one for 'emt' and 'lammps', else own",
    )
    oracle_timeout: PositiveFloat = Field(
        3600.0,
        description="seconds; a label in a process of its own that takes longer is ended with all that it began",
    )
    scratch: str = Field("", description="folder for the labels' own folders; that for temporary files if empty")
    label_store: str = Field(
        "",
        description="folder of labels that campaigns share: what one has paid for, no other computes; none if empty. "
        "Not used with an oracle object of your own, whose settings nobody knows",
    )
    max_force: PositiveFloat = Field(100.0, description="eV/Å, a label with a larger force is taken to be wrong")
    max_net_force: PositiveFloat = Field(
        0.1, description="eV/Å per atom, a label whose forces add up to more is taken to be wrong"
    )
    min_label_distance: NonNegativeFloat = Field(
        0.5,
        description="smallest pair distance that is labelled, as a share of the sum of covalent radii",
    )

    @field_validator("pair_coeff", mode="before")
    @classmethod
    def _one_command(cls, value: object) -> object:
        """Take a string for a single command; a list whose members lack their quotes is a string in YAML."""
        if isinstance(value, str) and value.lstrip().startswith("["):
            inner = value.strip().strip("[]").strip(" '\"")
            raise ValueError(
                f"must be the arguments of one command, {inner!r}, or a list of them in quotes, [{inner!r}]"
            )
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _complete(self) -> OracleConfig:
        if self.oracle == "lammps" and not (self.pair_style and self.pair_coeff):
            raise ValueError(
                "the 'lammps' oracle needs pair_style and pair_coeff, e.g. pair_style='eam/alloy', "
                "pair_coeff=['* * Cu_mishin1.eam.alloy Cu']"
            )
        if not PLAIN.fullmatch(self.pair_style):
            raise ValueError(
                f"pair_style must be LAMMPS's words and numbers, without what it expands, got {self.pair_style!r}"
            )
        if self.oracle == "espresso" and self.ecutwfc is None:
            raise ValueError("the 'espresso' oracle needs ecutwfc in Ry, as its pseudopotentials ask for it")
        if self.oracle not in NAMES and ":" not in self.oracle:
            names = ", ".join(f"'{name}'" for name in NAMES)
            raise ValueError(f"oracle must be {names} or a dotted path 'module:factory', got {self.oracle!r}")
        for name in self.oracle_arguments if self.oracle in ARGUMENTS else ():
            if name not in ARGUMENTS[self.oracle]:
                raise ValueError(self._refuse(name))
        return self

    def _refuse(self, name: str) -> str:
        taken = list(ARGUMENTS[self.oracle])
        known = nearest(name, taken) if taken else f"it takes none: its settings are {FIELDS[self.oracle]}"
        own = {
            "emt": "ase.calculators.emt:EMT",
            "lammps": "ase.calculators.lammpslib:LAMMPSlib",
            "espresso": "ase.calculators.espresso:Espresso",
            "tblite": "tblite.ase:TBLite",
        }[self.oracle]
        return (
            f"oracle_arguments: the '{self.oracle}' oracle has no argument '{name}'; {known}. For all arguments of the "
            f"calculator name it by its path: oracle='{own}'"
        )

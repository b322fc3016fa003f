"""Settings of the oracle."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator, model_validator

from acemaker.config.base import nearest
from acemaker.config.espresso import EspressoFields

NAMES = (
    "emt",
    "lammps",
    "espresso",
    "tblite",
    "gpaw",
    "abinit",
    "cp2k",
    "vasp",
    "mace",
    "chgnet",
    "sevennet",
    "object",
)
"""Names of the built-in oracles, and the name of an object that is passed to the campaign."""

OPEN = ("abinit", "vasp")
"""Built-in oracles whose arguments are the variables of a program's input; they are checked with the program."""

SPINLESS = ("emt", "lammps", "mace", "chgnet", "sevennet")
"""Built-in oracles that do not read magnetic moments."""

PLAIN = re.compile(r"[\w.+*/:=, -]*", re.ASCII)
"""Characters allowed in a pair style: none that LAMMPS quotes, expands or continues."""

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "emt": ("asap_cutoff",),
    "lammps": (),  # arguments of LAMMPSlib run LAMMPS commands, which can start programs, or change units and cells
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
    "gpaw": (
        "basis",
        "charge",
        "convergence",
        "eigensolver",
        "gpts",
        "h",
        "hund",
        "kpts",
        "magmoms",
        "maxiter",
        "mixer",
        "mode",
        "nbands",
        "occupations",
        "poissonsolver",
        "random",
        "setups",
        "spinpol",
        "symmetry",
        "xc",
    ),
    "cp2k": (
        "basis_set",
        "basis_set_file",
        "charge",
        "cutoff",
        "max_scf",
        "multiplicity",
        "poisson_solver",
        "potential_file",
        "pseudo_potential",
        "uks",
        "xc",
    ),
    "mace": ("default_dtype", "head", "model", "threads"),
    "chgnet": ("model", "threads"),
    "sevennet": ("modal", "model", "threads"),
    "object": (),
}
"""Arguments that built-in oracles accept: settings of the calculation, never commands or files."""

FIELDS = {
    "lammps": "pair_style and pair_coeff",
    "espresso": "espresso_input and the other fields of pw.x",
    "object": "the arguments of the object that is passed to the campaign",
}
"""Fields with the settings of built-in oracles that accept no arguments."""


class OracleConfig(EspressoFields):
    """The calculator that labels structures, how it runs, and the limits of a plausible label.

    Examples
    --------
    >>> from acemaker import OracleConfig
    >>> OracleConfig(oracle="emt", max_atoms=64).max_atoms
    64
    """

    oracle: str = Field(
        "lammps",
        description="Oracle: 'emt', 'lammps', 'espresso', 'tblite', 'gpaw', 'abinit', 'cp2k', 'vasp', 'mace', "
        "'chgnet', 'sevennet'; 'module:factory' or './file.py:factory', a callable that returns an ASE calculator; or "
        "'object', the calculator, function or oracle that is passed to Campaign.create.",
    )
    pair_style: str = Field("", description="LAMMPS pair style of the 'lammps' oracle.")
    pair_coeff: tuple[str, ...] = Field(
        (),
        description="Arguments of its pair_coeff commands. Atom types are the elements in alphabetical order; files of "
        "LAMMPS's collection of potentials need no path.",
    )
    oracle_arguments: dict[str, Any] = Field(
        default_factory=dict,
        description="Keyword arguments of the factory. Built-in oracles accept settings of the calculation only; "
        "'lammps', 'espresso' and 'object' accept none.",
    )
    max_atoms: PositiveInt = Field(
        150,
        description="Maximum number of atoms per label. Larger structures are represented by a small periodic cell "
        "around the atoms with the largest gamma.",
    )
    label_process: Literal["auto", "own", "this"] = Field(
        "auto",
        description="Process that computes a label: 'own', one process and one folder per label, with a time limit; "
        "'this', the current process; 'auto', 'this' for 'emt', 'lammps', 'mace', 'chgnet' and 'sevennet', else 'own'.",
    )
    oracle_timeout: PositiveFloat = Field(
        3600.0,
        description="Time limit in seconds of a label in its own process, after which the process and all of its "
        "child processes are killed.",
    )
    scratch: str = Field(
        "", description="Folder that contains the folders of labels; the folder for temporary files if empty."
    )
    label_store: str = Field(
        "",
        description="Folder of labels shared by campaigns, so that no label is computed twice; no sharing if empty. It "
        "is not used with an oracle object of your own, since its settings are unknown.",
    )
    oracle_check: bool = Field(
        True,
        description="Whether an oracle whose labels take less than a second is checked before the campaign is created: "
        "energy against forces and stress, two equal labels, a doubled cell (`acemaker check-oracle`).",
    )
    max_force: PositiveFloat = Field(
        100.0, description="Maximum absolute value of a force component in eV/Å; a label with a larger one is rejected."
    )
    max_net_force: PositiveFloat = Field(
        0.1, description="Maximum sum of forces in eV/Å per atom; a label with a larger sum is rejected."
    )
    min_label_distance: NonNegativeFloat = Field(
        0.5,
        description="Minimum pair distance of a labeled structure, as a fraction of the sum of covalent radii.",
    )

    @field_validator("oracle", mode="before")
    @classmethod
    def _is_name(cls, value: object) -> object:
        """Explain where an object belongs: a configuration is written to a file."""
        if not isinstance(value, str):
            raise ValueError(
                "must be a name or a path; set oracle='object', and pass the calculator, function or oracle as "
                "Campaign.create(directory, config, oracle=...)"
            )
        return value

    @field_validator("pair_coeff", mode="before")
    @classmethod
    def _one_command(cls, value: object) -> object:
        """Accept a string for a single command; a list without quotes around its members is a string in YAML."""
        if isinstance(value, str) and value.lstrip().startswith("["):
            inner = value.strip().strip("[]").strip(" '\"")
            raise ValueError(
                f"must be the arguments of one command, {inner!r}, or a list of strings in quotes, [{inner!r}]"
            )
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_oracle(self) -> OracleConfig:
        if self.oracle == "lammps" and not (self.pair_style and self.pair_coeff):
            raise ValueError(
                "the 'lammps' oracle needs pair_style and pair_coeff, e.g. pair_style='eam/alloy', "
                "pair_coeff=['* * Cu_mishin1.eam.alloy Cu']; for an oracle object of your own set oracle='object'"
            )
        if not PLAIN.fullmatch(self.pair_style):
            raise ValueError(
                "pair_style must consist of names and numbers, without characters that LAMMPS expands, got "
                f"{self.pair_style!r}"
            )
        if self.oracle == "espresso" and self.ecutwfc is None:
            raise ValueError(
                "the 'espresso' oracle needs ecutwfc in Ry; use the cutoff recommended for its pseudopotentials"
            )
        if self.oracle not in NAMES and ":" not in self.oracle:
            names = ", ".join(f"'{name}'" for name in NAMES)
            raise ValueError(
                f"oracle must be {names}, a dotted path 'module:factory' or a file './file.py:factory', got "
                f"{self.oracle!r}; {nearest(self.oracle, list(NAMES))}"
            )
        if self.hubbard and self.oracle != "espresso":
            raise ValueError(f"hubbard is only for oracle='espresso', got {self.oracle!r}")
        if self.magnetic_moments and (self.oracle in SPINLESS or self.oracle.startswith("acemaker.oracles.universal:")):
            raise ValueError(f"magnetic_moments have no effect on oracle={self.oracle!r}; omit them")
        for name in self.oracle_arguments if self.oracle in ARGUMENTS else ():
            if name not in ARGUMENTS[self.oracle]:
                raise ValueError(self._unknown_argument(name))
        return self

    def _unknown_argument(self, name: str) -> str:
        accepted = list(ARGUMENTS[self.oracle])
        remedy = nearest(name, accepted) if accepted else f"it accepts none; use {FIELDS[self.oracle]}"
        path = {
            "emt": "ase.calculators.emt:EMT",
            "lammps": "ase.calculators.lammpslib:LAMMPSlib",
            "espresso": "ase.calculators.espresso:Espresso",
            "tblite": "tblite.ase:TBLite",
            "gpaw": "gpaw:GPAW",
            "cp2k": "ase.calculators.cp2k:CP2K",
            "mace": "mace.calculators:MACECalculator",
            "chgnet": "chgnet.model.dynamics:CHGNetCalculator",
            "sevennet": "sevenn.calculator:SevenNetCalculator",
            "object": "module:factory",
        }[self.oracle]
        return (
            f"oracle_arguments: the '{self.oracle}' oracle has no argument '{name}'; {remedy}. To use all arguments of "
            f"the calculator, pass its path: oracle='{path}'"
        )

"""Settings of the simulated system: a crystal by name, or a structure file."""

from __future__ import annotations

from math import isfinite
from pathlib import Path, PurePath
from typing import Any, Literal

from pydantic import Field, PositiveFloat, field_validator, model_validator

from acemaker.config.base import Section
from acemaker.config.cold_start import MOST_FRAMES, check_cold_start
from acemaker.config.groups import GroupConfig

HEAVY_HYDROGEN = {"D": 2.014, "T": 3.016}
"""Masses in u of the isotopes of hydrogen that have a symbol of their own."""

LengthUnit = Literal["angstrom", "nm", "bohr"]

StressConvention = Literal["auto", "eV/A^3", "-eV/A^3", "GPa", "-GPa", "kbar", "-kbar", "none"]

RESULTS = ("energy", "forces", "stress", "virial")
"""Results of a label that have a name in a file."""


def by_type(value: object) -> object:
    """Turn elements as text, or as a mapping from the numbers of types, into a tuple; return other values unchanged.

    Examples
    --------
    >>> by_type({1: "Ni", 2: "Cu"}), by_type("Ni Cu")
    (('Ni', 'Cu'), ('Ni', 'Cu'))
    """
    if isinstance(value, str):
        return tuple(value.replace(",", " ").split())
    if not isinstance(value, dict):
        return value
    symbols = {str(number): symbol for number, symbol in value.items()}
    if set(symbols) != {str(number) for number in range(1, len(value) + 1)}:
        raise ValueError("elements must be a list in the order of the types, or a mapping of types 1, 2, ...")
    return tuple(symbols[str(number)] for number in range(1, len(value) + 1))


class SystemConfig(Section):
    """The structure at the start of the trajectory, and the initial training structures generated from it.

    Examples
    --------
    >>> from acemaker import SystemConfig
    >>> SystemConfig(structure="Al", supercell=(2, 2, 2)).supercell
    (2, 2, 2)
    """

    structure: str = Field(
        "Cu",
        description="Chemical symbol or formula of a crystal (Cu, NaCl), or a structure file: a file of LAMMPS, or one "
        "that ASE can read. 'file@5' is frame 5 of a file, counted from 0, 'file@-1' the last one; 'file@0:4' are four "
        "frames, one per walker.",
    )
    crystal: str | None = Field(
        None,
        description="Crystal structure by ASE's name (fcc, bcc, hcp, diamond, ...; of compounds rocksalt, zincblende, "
        "cesiumchloride, wurtzite, fluorite). None uses ASE's reference state of the element.",
    )
    lattice_constant: PositiveFloat | None = Field(
        None, description="Lattice constant a in Å. None uses ASE's value for the element."
    )
    c_over_a: PositiveFloat | None = Field(
        None,
        description="Ratio c/a of the lattice constants of hcp, wurtzite or bct, dimensionless. None uses ASE's value "
        "for the element, else the ideal ratio.",
    )
    supercell: tuple[int, int, int] = Field(
        (3, 3, 3), description="Numbers of repeats of the cubic cell, or of the cell of a structure file."
    )
    composition: dict[str, float] = Field(
        default_factory=dict,
        description="Fractions of the elements of a random alloy, which add up to 1; empty for no alloy. Each element "
        "gets at least one atom.",
    )
    format: str | None = Field(
        None, description="Format of the structure file by ASE's name. None determines it from the file."
    )
    atom_style: str | None = Field(
        None,
        description="LAMMPS's atom style of a data file that does not state it (atomic, charge, molecular, full, ...).",
    )
    elements: tuple[str, ...] = Field(
        (),
        description="Elements of the atom types of a LAMMPS file, in the order of the types; D is deuterium. Empty if "
        "the file names them by type labels, an element column or masses.",
    )
    length_unit: LengthUnit | None = Field(
        None,
        description="Unit of lengths in the structure file (angstrom, nm or bohr). None means Å, and distances that "
        "look like another unit are an error; 'angstrom' accepts them.",
    )
    n_first: int = Field(
        2,
        ge=1,
        description="Minimum number of initial structures that are labeled for the first generation. The basis may "
        "require more, and the undistorted structure is added if the campaign would halt there at once.",
    )
    frozen_atoms: GroupConfig | None = Field(
        None,
        description="Atoms that never move: a mapping with elements, indices or regions in Å of the initial structure, "
        "all of which must apply, e.g. {z: [null, 10]} for the lower layers of a slab. None freezes those that the "
        "structure itself marks as fixed.",
    )
    first_rattle: PositiveFloat = Field(
        0.12,
        description="Standard deviation of the Gaussian displacements of initial structures in Å; 0.05 of the bond "
        "length at bonds shorter than 1.3 Å, and a quarter to three quarters if environments of an element would not "
        "span its functions.",
    )
    first_strain: float = Field(
        0.03,
        ge=0,
        lt=0.3,
        description="Maximum relative change of length of initial structures, dimensionless.",
    )
    first_weight: PositiveFloat | None = Field(
        None,
        le=1,
        description="Weight of the initial structures in the fit, relative to 1 for each later label, dimensionless. "
        "None means 0.1 if later labels are whole cells with more force components than the fit has coefficients, "
        "else 1; undistorted structures and frames of a cold start have 1.",
    )
    first_labels: tuple[str, ...] = Field(
        (),
        description="Labels that exist, with which the campaign begins: files (extended XYZ, ASE database or "
        "trajectory, OUTCAR, vasprun.xml, output of pw.x, pickled data frame of pacemaker) and directories of other "
        "campaigns. They cost nothing; rattled structures are labeled only for what they lack.",
    )
    first_labels_stress: StressConvention = Field(
        "auto",
        description="Unit of stresses in extended XYZ files and data frames of first_labels, with a minus if they are "
        "positive under compression; of virials in eV only the sign counts. 'auto' determines it from the labels, "
        "'none' uses no stress of any source.",
    )
    first_labels_names: dict[str, str] = Field(
        default_factory=dict,
        description="Names of energy, forces, stress and virial in files of first_labels, if they are not usual ones, "
        "e.g. {'energy': 'pbe0_energy'}.",
    )
    cold_start: str = Field(
        "",
        description="Cheap potential that runs the trajectory first, to yield the first structures: a LAMMPS pair "
        "style with cold_start_coeff; 'emt', 'chgnet', 'mace' or 'sevennet'; or 'module:factory', a callable that "
        "returns an ASE calculator. Empty for strained and rattled structures.",
    )
    cold_start_coeff: tuple[str, ...] = Field(
        (),
        description="Arguments of the pair_coeff commands of its pair style, as in pair_coeff of the oracle.",
    )
    cold_start_arguments: dict[str, Any] = Field(
        default_factory=dict, description="Keyword arguments of its calculator."
    )
    cold_start_frames: int = Field(
        4,
        ge=1,
        le=MOST_FRAMES,
        description="Minimum number of frames of its trajectory that are labeled for the first generation, evenly "
        "spaced in time, the last one at the last step. n_first and the basis may require more.",
    )

    @field_validator("cold_start_coeff", mode="before")
    @classmethod
    def _one_command(cls, value: object) -> object:
        """Accept a string for a single command."""
        return (value,) if isinstance(value, str) else value

    @field_validator("first_labels", mode="before")
    @classmethod
    def _paths(cls, value: object) -> object:
        """Accept a single path, and paths as objects."""
        values = value if isinstance(value, list | tuple) else (value,)
        return tuple(str(item) if isinstance(item, PurePath) else item for item in values)

    @field_validator("first_labels")
    @classmethod
    def _are_named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not path.strip() for path in value):
            raise ValueError("first_labels must be paths of files or directories, got an empty one")
        return value

    @field_validator("first_labels_names")
    @classmethod
    def _are_results(cls, value: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(set(value) - set(RESULTS)):
            raise ValueError(f"first_labels_names must name {', '.join(RESULTS)}, got {', '.join(unknown)}")
        return value

    @field_validator("cold_start")
    @classmethod
    def _without_spaces_around(cls, value: str) -> str:
        return value.strip()

    @field_validator("elements", mode="before")
    @classmethod
    def _by_type(cls, value: object) -> object:
        return by_type(value)

    @field_validator("elements")
    @classmethod
    def _are_elements(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        from ase.data import atomic_numbers

        unknown = [symbol for symbol in value if atomic_numbers.get(symbol, 0) == 0 and symbol not in HEAVY_HYDROGEN]
        if unknown:
            raise ValueError(f"elements must be chemical symbols, got {', '.join(unknown)}")
        return value

    @model_validator(mode="after")
    def _cold_start_is_complete(self) -> SystemConfig:
        check_cold_start(self.cold_start, self.cold_start_coeff, self.cold_start_arguments)
        return self

    @model_validator(mode="after")
    def _begins_in_one_way(self) -> SystemConfig:
        if self.first_labels and self.cold_start:
            raise ValueError(
                "first_labels and cold_start are two ways to the first labels; omit cold_start, whose frames would "
                "have to be labeled"
            )
        return self

    @model_validator(mode="after")
    def _composition_adds_up(self) -> SystemConfig:
        if not all(isfinite(fraction) for fraction in self.composition.values()):
            raise ValueError(f"the fractions of composition must be finite numbers, got {self.composition}")
        if self.composition and abs(sum(self.composition.values()) - 1) > 1e-6:
            total = sum(self.composition.values())
            raise ValueError(f"the fractions of composition must add up to 1, got a sum of {total:g}")
        from ase.data import atomic_numbers

        unknown = [element for element in self.composition if not atomic_numbers.get(element, 0)]
        if unknown:
            raise ValueError(f"composition must consist of chemical elements, got {', '.join(unknown)}")
        if any(fraction < 0 for fraction in self.composition.values()):
            raise ValueError(f"the fractions of composition must not be negative, got {self.composition}")
        if min(self.supercell) < 1:
            raise ValueError(f"supercell must have three positive repeats, got {self.supercell}")
        return self

    @property
    def symbols(self) -> tuple[str, ...]:
        """Chemical symbols of a crystal by name, in the order of its formula; empty for a structure file.

        A chemical symbol is never a file; a formula of several atoms is one if the file exists.
        """
        from ase.data import atomic_numbers
        from ase.symbols import string2symbols

        if self.structure in atomic_numbers:
            return (self.structure,)
        try:
            symbols = tuple(string2symbols(self.structure))
        except (ValueError, KeyError):
            return ()
        are_known = all(atomic_numbers.get(symbol, 0) for symbol in symbols)
        return symbols if len(symbols) > 1 and are_known and not Path(self.structure).is_file() else ()

    @property
    def file(self) -> Path | None:
        """The structure file without the index of a frame, or None if `structure` is a chemical symbol or formula."""
        return None if self.symbols else self._place()[0]

    @property
    def frame(self) -> int | slice | None:
        """Index of the frame, or of several frames, of the structure file; None if `structure` names none."""
        return None if self.symbols else self._place()[1]

    @property
    def reference_crystal(self) -> str | None:
        """The crystal structure that is built: `crystal`, else ASE's reference state of the element; None if neither.

        Of a structure file it is None.
        """
        from ase.data import atomic_numbers, reference_states

        if not self.symbols:
            return None
        if self.crystal is not None or len(self.symbols) > 1:
            return self.crystal
        symmetry = (reference_states[atomic_numbers[self.symbols[0]]] or {}).get("symmetry")
        return str(symmetry) if symmetry else None

    def _place(self) -> tuple[Path, int | slice | None]:
        """Split ``file@index``; a file whose name contains the @ wins."""
        name, _, text = self.structure.rpartition("@")
        if not name or Path(self.structure).is_file():
            return Path(self.structure), None
        parts = text.split(":")
        try:
            numbers = [int(part) if part.strip() else None for part in parts]
        except ValueError:
            return Path(self.structure), None
        if len(parts) == 1:
            return (Path(name), numbers[0]) if numbers[0] is not None else (Path(self.structure), None)
        return (Path(name), slice(*numbers)) if len(parts) <= 3 else (Path(self.structure), None)

"""Settings of the simulated system: a crystal by name, or a structure file."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, PositiveFloat, model_validator

from acemaker.config.base import Section


class SystemConfig(Section):
    """The structure at the start of the trajectory, and the initial training structures generated from it.

    Examples
    --------
    >>> from acemaker import SystemConfig
    >>> SystemConfig(structure="Al", supercell=(2, 2, 2)).supercell
    (2, 2, 2)
    """

    structure: str = Field("Cu", description="Chemical symbol of a crystal, or a structure file that ASE can read.")
    crystal: str = Field("fcc", description="Crystal structure by ASE's name (fcc, bcc, hcp, diamond, ...).")
    lattice_constant: PositiveFloat | None = Field(
        None, description="Lattice constant in Å. None uses ASE's value for the element."
    )
    supercell: tuple[int, int, int] = Field(
        (3, 3, 3), description="Numbers of repeats of the cubic cell, or of the cell of a structure file."
    )
    composition: dict[str, float] = Field(
        default_factory=dict,
        description="Fractions of the elements of a random alloy, which add up to 1; empty for no alloy.",
    )
    n_first: int = Field(
        2, ge=1, description="Minimum number of initial structures that are labeled for the first generation."
    )
    first_rattle: PositiveFloat = Field(
        0.12, description="Standard deviation of the Gaussian displacements of initial structures in Å."
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
        "else 1.",
    )

    @model_validator(mode="after")
    def _composition_adds_up(self) -> SystemConfig:
        if self.composition and abs(sum(self.composition.values()) - 1) > 1e-6:
            total = sum(self.composition.values())
            raise ValueError(f"the fractions of composition must add up to 1, got a sum of {total:g}")
        from ase.data import atomic_numbers

        unknown = [element for element in self.composition if element not in atomic_numbers]
        if unknown:
            raise ValueError(f"composition must consist of chemical elements, got {', '.join(unknown)}")
        if any(fraction < 0 for fraction in self.composition.values()):
            raise ValueError(f"the fractions of composition must not be negative, got {self.composition}")
        if min(self.supercell) < 1:
            raise ValueError(f"supercell must have three positive repeats, got {self.supercell}")
        return self

    @property
    def file(self) -> Path | None:
        """The structure file, or None if `structure` is a chemical symbol."""
        from ase.data import atomic_numbers

        return None if self.structure in atomic_numbers else Path(self.structure)

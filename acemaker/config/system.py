"""What is simulated: a crystal by name, or a structure file."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, PositiveFloat, model_validator

from acemaker.config.base import Section


class SystemConfig(Section):
    """The structure with which the trajectory starts, and the first structures made from it."""

    structure: str = Field("Cu", description="chemical symbol of a crystal, or a structure file that ASE reads")
    crystal: str = Field("fcc", description="crystal structure by ASE's name (fcc, bcc, hcp, diamond, ...)")
    lattice_constant: PositiveFloat | None = Field(None, description="Å; ASE's value for the element if none")
    supercell: tuple[int, int, int] = Field((3, 3, 3), description="repeats of the cubic cell, or of a file's")
    composition: dict[str, float] = Field(
        default_factory=dict,
        description="fractions of the elements of a random alloy, adding up to 1; empty for none",
    )
    n_first: int = Field(2, ge=1, description="first structures labelled for generation 0, at least")
    first_rattle: PositiveFloat = Field(0.12, description="Å, Gaussian displacement of the first structures")
    first_strain: float = Field(
        0.03,
        ge=0,
        lt=0.3,
        description="largest relative change of length of the first structures, dimensionless",
    )
    first_weight: PositiveFloat | None = Field(
        None,
        le=1,
        description="weight of the first structures in the fit, beside 1 of each later label, dimensionless; None for "
        "0.1 where later labels can do without them: whole cells, each with more force components than the fit has "
        "coefficients; else 1",
    )

    @model_validator(mode="after")
    def _composition_adds_up(self) -> SystemConfig:
        if self.composition and abs(sum(self.composition.values()) - 1) > 1e-6:
            total = sum(self.composition.values())
            raise ValueError(f"the fractions of composition must add up to 1, they add up to {total:g}")
        from ase.data import atomic_numbers

        unknown = [element for element in self.composition if element not in atomic_numbers]
        if unknown:
            raise ValueError(f"composition must name chemical elements, got {', '.join(unknown)}")
        if any(fraction < 0 for fraction in self.composition.values()):
            raise ValueError(f"the fractions of composition must not be negative, got {self.composition}")
        if min(self.supercell) < 1:
            raise ValueError(f"supercell must have three positive repeats, got {self.supercell}")
        return self

    @property
    def file(self) -> Path | None:
        """The structure file, or None where `structure` is a chemical symbol."""
        from ase.data import atomic_numbers

        return None if self.structure in atomic_numbers else Path(self.structure)

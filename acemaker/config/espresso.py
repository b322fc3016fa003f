"""Settings of Quantum ESPRESSO's pw.x."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, ValidationInfo, field_validator

from acemaker.config.base import Section
from acemaker.config.espresso_input import check_input
from acemaker.config.spin import check_hubbard, check_moments


class EspressoFields(Section):
    """Settings of the 'espresso' oracle; these fields are part of `OracleConfig`."""

    espresso_command: str = Field(
        "pw.x", min_length=1, description="Command line of pw.x, e.g. '/usr/bin/mpiexec -n 4 pw.x -nk 2'."
    )
    pseudo_dir: str = Field(
        "",
        description="Folder of the UPF files; if empty, $ESPRESSO_PSEUDO if it is set, else "
        "/usr/share/espresso/pseudo.",
    )
    pseudopotentials: dict[str, str] = Field(
        default_factory=dict,
        description="Name of the UPF file by element. An element can be omitted if the folder has only one file of it.",
    )
    magnetic_moments: dict[str, float] = Field(
        default_factory=dict,
        description="Initial magnetic moment per atom in Bohr magnetons by element, e.g. {Fe: 2.5}; other elements "
        "start without one. It makes pw.x spin-polarized, which receives it as a fraction of the valence electrons; "
        "ASE calculators receive it as initial moments. For several moments of one element (antiferromagnets), give "
        "the moments in the structure instead.",
    )
    hubbard: dict[str, dict[str, float]] = Field(
        default_factory=dict,
        description="Hubbard U in eV by element and manifold, e.g. {Fe: {3d: 4.0}}, in the syntax that the version of "
        "pw.x reads; one manifold per element.",
    )
    ecutwfc: PositiveFloat | None = Field(None, description="Cutoff of the plane waves in Ry; no default.")
    ecutrho: PositiveFloat | None = Field(
        None,
        description="Cutoff of the density in Ry. None means four times ecutwfc, which is allowed only for "
        "norm-conserving pseudopotentials.",
    )
    kspacing: PositiveFloat = Field(
        0.05,
        description="Maximum distance of k-points in 1/Å, without the factor 2 pi; the grid adapts to each cell.",
    )
    koffset: tuple[Literal[0, 1], Literal[0, 1], Literal[0, 1]] = Field(
        (0, 0, 0), description="Offset of the k-point grid along each reciprocal vector: 1 shifts it by half a step."
    )
    smearing: Literal["gauss", "fd", "mp", "mv"] = Field(
        "gauss",
        description="Smearing of the occupations; pw.x 6 can find wrong Fermi levels of cells with a gap with 'mv'.",
    )
    degauss: PositiveFloat = Field(0.01, description="Width of the smearing in Ry.")
    conv_thr: PositiveFloat = Field(1e-8, description="Energy error in Ry below which the SCF counts as converged.")
    electron_maxstep: PositiveInt = Field(100, description="Maximum number of SCF steps.")
    mixing_beta: float = Field(
        0.7, gt=0, le=1, description="Fraction of the new density in each mixing step, dimensionless."
    )
    espresso_input: dict[str, Any] = Field(
        default_factory=dict,
        description="Additional input of pw.x, by name or by namelist and name. Indices of species count the elements "
        "in alphabetical order: 'starting_magnetization(1)' is that of the first element.",
    )

    @field_validator("magnetic_moments", mode="before")
    @classmethod
    def _moments(cls, value: object) -> object:
        return check_moments(value)

    @field_validator("hubbard", mode="before")
    @classmethod
    def _hubbard(cls, value: object) -> object:
        return check_hubbard(value)

    @field_validator("espresso_input")
    @classmethod
    def _check(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        moments, hubbard = info.data.get("magnetic_moments", {}), info.data.get("hubbard", {})
        return check_input(value, moments=bool(moments), hubbard=bool(hubbard))

"""The settings of Quantum ESPRESSO's pw.x."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from acemaker.config.base import Section
from acemaker.config.espresso_input import check_input


class EspressoFields(Section):
    """What the 'espresso' oracle takes; these fields are part of `OracleConfig`."""

    espresso_command: str = Field(
        "pw.x", min_length=1, description="command line of pw.x, e.g. '/usr/bin/mpiexec -n 4 pw.x -nk 2'"
    )
    pseudo_dir: str = Field(
        "", description="folder of the UPF files; if empty $ESPRESSO_PSEUDO, else /usr/share/espresso/pseudo"
    )
    pseudopotentials: dict[str, str] = Field(
        default_factory=dict,
        description="UPF file name by element; one may be left out where the folder has just one file of it",
    )
    ecutwfc: PositiveFloat | None = Field(None, description="Ry, cutoff of the plane waves; no default")
    ecutrho: PositiveFloat | None = Field(
        None,
        description="Ry, cutoff of the density; four times ecutwfc if none, for norm-conserving files only",
    )
    kspacing: PositiveFloat = Field(0.05, description="1/Å without 2 pi, largest distance of k-points; a density")
    koffset: tuple[Literal[0, 1], Literal[0, 1], Literal[0, 1]] = Field(
        (0, 0, 0), description="1 moves the grid half a step off Gamma along a reciprocal vector"
    )
    smearing: Literal["gauss", "fd", "mp", "mv"] = Field(
        "gauss", description="of the occupations; pw.x 6 found wrong Fermi levels of gapped cells with 'mv'"
    )
    degauss: PositiveFloat = Field(0.01, description="Ry, width of the smearing")
    conv_thr: PositiveFloat = Field(1e-8, description="Ry, error of the energy at which the SCF has converged")
    electron_maxstep: PositiveInt = Field(100, description="SCF steps")
    mixing_beta: float = Field(0.7, gt=0, le=1, description="share of the new density that is mixed in, dimensionless")
    espresso_input: dict[str, Any] = Field(
        default_factory=dict,
        description="further input of pw.x, by name or by namelist and name; in 'starting_magnetization(1)' the 1 is "
        "the first of the elements in alphabetical order",
    )

    @field_validator("espresso_input")
    @classmethod
    def _understood(cls, value: dict[str, Any]) -> dict[str, Any]:
        return check_input(value)

"""Settings of small cells cut out of structures that are too large to label."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from acemaker.config.base import Section


class EmbeddingConfig(Section):
    """Size, boundary and validation of embedded cells; structures above the oracle's ``max_atoms`` are embedded.

    Examples
    --------
    >>> from acemaker import EmbeddingConfig
    >>> EmbeddingConfig(embed_tries=3).embed_tries
    3
    """

    embed_least: float = Field(
        2 / 3, gt=0, le=1, description="Minimum size of an embedded cell as a fraction of max_atoms."
    )
    core_margin: NonNegativeFloat = Field(
        2.5,
        description="Distance in Å from the edge of the core to the sphere within which the small cell contains no "
        "atom twice.",
    )
    embed_vacuum: PositiveFloat = Field(10.0, ge=8.0, description="Vacuum in Å beyond a surface of an embedded cell.")
    embed_tries: PositiveInt = Field(8, description="Number of small cells that are tried before embedding fails.")
    boundary_steps: NonNegativeInt = Field(
        60, description="Maximum number of relaxation steps of the boundary; 0 for no relaxation."
    )
    embed_force_error: PositiveFloat = Field(
        20.0,
        description="Maximum median force error of the core atoms against the parent structure in meV/Å, both by the "
        "current potential. Before a cell is rejected, the core is reduced down to the nearest neighbors of its "
        "center.",
    )

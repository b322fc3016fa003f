"""Small cells cut out of structures that the oracle cannot afford."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from acemaker.config.base import Section


class EmbeddingConfig(Section):
    """Size, seam and audit of embedded cells; from how many atoms on is the oracle's ``max_atoms``."""

    embed_least: float = Field(
        2 / 3, gt=0, le=1, description="smallest embedded cell, as a share of the oracle's max_atoms"
    )
    core_margin: NonNegativeFloat = Field(
        2.5, description="Å, from the core's rim to the sphere within which the small cell holds no atom twice"
    )
    embed_vacuum: PositiveFloat = Field(10.0, ge=8.0, description="Å, beyond a surface of an embedded cell")
    embed_tries: PositiveInt = Field(8, description="small cells that are tried before embedding is refused")
    seam_steps: NonNegativeInt = Field(60, description="steps of the seam's relaxation at most; 0 for none")
    embed_force_error: PositiveFloat = Field(
        20.0,
        description="meV/Å, largest median force error of core atoms against the parent, both by the current "
        "potential; the core is made smaller, to the nearest neighbours of its centre, before a cell is rejected",
    )

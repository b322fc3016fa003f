"""Embedding: small periodic cells that are cut from large structures and labeled in their place."""

from acemaker.structures.embedding.embed import embed
from acemaker.structures.embedding.embedded import EmbeddedCell
from acemaker.structures.embedding.size_limit import fit_to_oracle
from acemaker.structures.embedding.validation import EmbeddingValidation

__all__ = ["EmbeddedCell", "EmbeddingValidation", "embed", "fit_to_oracle"]

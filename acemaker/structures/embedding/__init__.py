"""Embedding: small periodic cells cut out of large structures, fit for the oracle."""

from acemaker.structures.embedding.embed import embed
from acemaker.structures.embedding.embedded import EmbeddedCell
from acemaker.structures.embedding.size_limit import affordable
from acemaker.structures.embedding.validation import Audit

__all__ = ["Audit", "EmbeddedCell", "affordable", "embed"]

"""Embedding: small periodic cells cut out of large structures, fit for the oracle."""

from acemaker.structures.embedding.affordable import affordable
from acemaker.structures.embedding.audit import Audit
from acemaker.structures.embedding.embed import embed
from acemaker.structures.embedding.embedded import EmbeddedCell

__all__ = ["Audit", "EmbeddedCell", "affordable", "embed"]

"""Oracles: what labels structures."""

"""Oracles, which label structures with energy, forces and stress."""

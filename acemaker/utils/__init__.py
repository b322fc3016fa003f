"""Helpers that know nothing of simulations: files, checksums, dotted paths, interrupts."""

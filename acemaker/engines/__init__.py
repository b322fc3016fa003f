"""Engines: what runs the exploration, and what they share."""

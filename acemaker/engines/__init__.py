"""Engines, which run the exploration, and the code that they share."""

"""Structures: the first ones, candidates around a halt, and their geometry."""

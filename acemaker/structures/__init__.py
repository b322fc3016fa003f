"""Structures: the first ones, candidates around a halt, small cells out of large structures, and geometry."""

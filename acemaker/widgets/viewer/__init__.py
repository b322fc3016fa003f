"""Viewer of a halt: atoms colored by gamma that can be rotated and clicked, or a static fallback."""

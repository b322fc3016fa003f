"""Formatting of values: summaries as text and HTML, the base class of records, and the registry of their figures."""

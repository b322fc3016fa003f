"""Notebooks run from the command line: checked before they start, and gone without a trace when they end."""

"""Notebooks run from the command line: their parameters are checked first, and no processes are left at the end."""

"""The self-checks, one file a notebook."""

"""Self-checks, one module per notebook."""

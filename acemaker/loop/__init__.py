"""The loop of one campaign: its journal and files, its state, and the runner of the states."""

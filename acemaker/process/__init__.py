"""Child processes: starting, supervising and ending them, and reading what they write."""

"""Child processes: start, supervise and end them, and read their output."""

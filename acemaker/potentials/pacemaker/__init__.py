"""Non-linear fits with pacemaker, in a child process with a separate Python environment."""

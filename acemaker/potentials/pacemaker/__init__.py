"""The non-linear fit: pacemaker in an environment of its own, as a child process."""

"""LAMMPS: its library, box and restart files, the text of its commands, and its executable."""

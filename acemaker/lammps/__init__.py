"""LAMMPS: library, box, restart files, command text and executable."""

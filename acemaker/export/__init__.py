"""Labels and potentials for other programs: MACE, NequIP, pacemaker, GPUMD, ASE and LAMMPS."""

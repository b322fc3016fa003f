"""ACE potentials: basis, design matrix, linear fit, active set, gamma, and their files."""

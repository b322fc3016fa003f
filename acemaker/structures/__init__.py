"""Initial structures, candidates for labels, small cells cut from large structures, geometry and structure files."""

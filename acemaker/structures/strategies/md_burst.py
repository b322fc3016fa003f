"""Candidates by short bursts of molecular dynamics."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ase import Atoms, units

from acemaker.config import OTFConfig
from acemaker.structures.computed import forces_of
from acemaker.structures.per_atom import with_per_atom
from acemaker.structures.strategies.site import Site

TIMESTEP = 1.0
"""fs; short enough for light atoms at the temperature of a melt."""


def md_burst(site: Site, config: OTFConfig, rng: np.random.Generator) -> Iterator[Atoms]:
    """Run ``burst_steps`` of molecular dynamics of the region with the current potential, with all other atoms fixed.

    Each burst starts at the halted structure with velocities from a Maxwell distribution and runs at constant energy
    (velocity Verlet). It ends early, at its last valid frame, if the next one has a gamma above ``threshold_break`` or
    a force that is not finite, since the potential is not reliable there.

    Parameters
    ----------
    site
        The halted structure, its region, the temperature and the current potential.
    config
        Number of steps, the temperature if it differs from that of the site, and the threshold.
    rng
        Random numbers.

    Yields
    ------
    Atoms
        Nothing if all atoms of the region are frozen.
    """
    from ase.constraints import FixAtoms
    from ase.md.verlet import VelocityVerlet

    calculator = site.calculator()
    thermal_energy = units.kB * (config.candidate_temperature or site.temperature)
    fixed = np.setdiff1d(np.arange(len(site.structure)), site.region)
    while len(site.region):
        atoms = site.structure.copy()
        widths = np.sqrt(thermal_energy * atoms.get_masses()[site.region])
        momenta = np.zeros((len(atoms), 3))
        momenta[site.region] = widths[:, None] * rng.normal(size=(len(site.region), 3))
        atoms.set_momenta(momenta)
        atoms.set_constraint(FixAtoms(fixed))
        atoms.calc = calculator
        positions = atoms.positions.copy()
        for _ in VelocityVerlet(atoms, TIMESTEP * units.fs).irun(config.burst_steps):
            if not _is_valid(atoms, config.threshold_break):
                break
            positions = atoms.positions.copy()
        yield with_per_atom(atoms, Atoms(atoms.symbols, positions, cell=atoms.cell, pbc=atoms.pbc))


def _is_valid(atoms: Atoms, threshold_break: float) -> bool:
    if not np.isfinite(forces_of(atoms)).all():
        return False
    gamma = atoms.calc.results.get("gamma")
    return gamma is None or not (gamma > threshold_break).any()

"""The liquid: its radial distribution and its diffusion, by molecular dynamics from one start."""

from __future__ import annotations

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator
from ase.md.analysis import DiffusionCoefficient
from ase.md.nose_hoover_chain import NoseHooverChainNVT

from acemaker.analysis.measured import LeftOut, Measured, Value
from acemaker.structures.geometry import pairs

STEPS = 1000
"""Of molecular dynamics; each is a call."""

WARM_UP = 200
"""Steps of these that are not looked at."""

EVERY = 5
"""Steps between two frames."""

SEGMENTS = 3
"""Into which frames are cut, for an uncertainty of the diffusion."""

REACH = 7.0
"""Å, of the radial distribution."""

WIDTH = 0.1
"""Å, of its bins."""


def calls(atoms: Atoms) -> tuple[int, int]:
    """Return the calls that it takes, and the atoms of each."""
    return STEPS + 1, len(atoms)


def liquid(atoms: Atoms, calculator: BaseCalculator, temperature: float, timestep: float) -> Measured:
    """Run the canonical ensemble in a fixed cell.

    Nosé and Hoover's thermostat draws no random numbers, and the first velocities are the same whatever the
    calculator: two potentials that agree begin with the same trajectory.

    Parameters
    ----------
    atoms
        A liquid.
    calculator
        Gives forces.
    temperature
        K.
    timestep
        fs.

    Returns
    -------
    Measured
        The first peak of the radial distribution, and the coefficient of diffusion with the standard error of its
        segments; ``curves`` has the distribution and the mean squared displacement.

    Raises
    ------
    LeftOut
        If atoms fly apart.
    """
    work = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True, calculator=calculator)
    masses = work.get_masses()[:, None]
    momenta = np.random.default_rng(1).normal(size=(len(work), 3)) * np.sqrt(units.kB * temperature * masses)
    work.set_momenta(momenta - masses * momenta.sum(axis=0) / masses.sum())  # Maxwell's, at rest as a whole
    dynamics = NoseHooverChainNVT(
        work, timestep=timestep * units.fs, temperature_K=temperature, tdamp=50 * timestep * units.fs
    )
    frames: list[Atoms] = []

    def note() -> None:
        if not np.isfinite(work.positions).all() or work.get_temperature() > 10 * temperature:
            raise LeftOut(f"the dynamics explode at step {dynamics.nsteps}")
        if dynamics.nsteps >= WARM_UP and dynamics.nsteps % EVERY == 0:
            frames.append(Atoms(work.symbols, work.positions, cell=work.cell, pbc=True))

    dynamics.attach(note)
    dynamics.run(STEPS)
    distance, distribution = radial_distribution(frames)
    peak = int(np.argmax(distribution))
    spacing = EVERY * timestep
    coefficient, error = diffusion(frames, spacing)
    origin = frames[0].positions
    return Measured(
        values=(
            Value(name="first peak of g(r)", unit="Å", value=_vertex(distance, distribution, peak)[0]),
            Value(name="g(r) at its first peak", unit="", value=_vertex(distance, distribution, peak)[1]),
            Value(name="diffusion", unit="Å²/ps", value=coefficient, error=error),
        ),
        curves={
            "distance": distance,
            "distribution": distribution,
            "time": [1e-3 * spacing * number for number in range(len(frames))],
            "displacement": [float(np.mean(np.sum((one.positions - origin) ** 2, axis=1))) for one in frames],
            "temperature": temperature,
        },
    )


def radial_distribution(frames: list[Atoms]) -> tuple[np.ndarray, np.ndarray]:
    """Return distances, Å, and g at them, averaged over frames of one cell."""
    edges = np.arange(0, REACH + WIDTH / 2, WIDTH)
    counts = np.zeros(len(edges) - 1)
    for atoms in frames:
        counts += np.histogram(pairs(atoms, float(edges[-1]))[2], edges)[0]
    n_atoms, volume = len(frames[0]), frames[0].get_volume()
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    return (edges[1:] + edges[:-1]) / 2, counts / len(frames) / n_atoms / (shells * n_atoms / volume)


def diffusion(frames: list[Atoms], spacing: float) -> tuple[float, float]:
    """Fit Einstein's relation to segments of a trajectory.

    Parameters
    ----------
    frames
        Unwrapped, of all elements together.
    spacing
        fs, between two frames.

    Returns
    -------
    coefficient, error : float
        Å^2/ps, and the standard error of the mean over segments and directions.
    """
    plain = [one.copy() for one in frames]
    for one in plain:
        one.set_chemical_symbols(["X"] * len(one))  # one coefficient, whatever the elements
        one.set_masses(np.ones(len(one)))
    found = DiffusionCoefficient(plain, spacing * units.fs)
    found.calculate(ignore_n_images=0, number_of_segments=SEGMENTS)
    slopes, spread = found.get_diffusion_coefficients()
    return float(slopes[0]) * 1e3 * units.fs, float(spread[0]) * 1e3 * units.fs / np.sqrt(3 * SEGMENTS)


def _vertex(x: np.ndarray, y: np.ndarray, peak: int) -> tuple[float, float]:
    """Return the top of the parabola through a peak and its neighbours."""
    if peak in (0, len(x) - 1):
        return float(x[peak]), float(y[peak])
    a, b, c = np.polyfit(x[peak - 1 : peak + 2] - x[peak], y[peak - 1 : peak + 2], 2)
    if a >= 0:
        return float(x[peak]), float(y[peak])
    return float(x[peak] - b / (2 * a)), float(c - b**2 / (4 * a))

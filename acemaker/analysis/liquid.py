"""The liquid: its radial distribution and its diffusion, from one molecular dynamics run."""

from __future__ import annotations

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator
from ase.md.analysis import DiffusionCoefficient
from ase.md.nose_hoover_chain import NoseHooverChainNVT

from acemaker.analysis.measured import Measured, NotApplicable, Value
from acemaker.structures.geometry import pairs
from acemaker.structures.per_atom import bare_copy

STEPS = 1000
"""Number of molecular dynamics steps; each is one call."""

WARM_UP = 200
"""Number of initial steps that are not evaluated."""

EVERY = 5
"""Number of steps between two frames."""

SEGMENTS = 3
"""Number of segments into which the frames are divided, for the uncertainty of the diffusion."""

REACH = 7.0
"""Å, range of the radial distribution."""

WIDTH = 0.1
"""Å, width of its bins."""


def calls(atoms: Atoms) -> tuple[int, int]:
    """Return the number of calls, and the number of atoms of each."""
    return STEPS + 1, len(atoms)


def liquid(atoms: Atoms, calculator: BaseCalculator, temperature: float, timestep: float) -> Measured:
    """Run the canonical ensemble in a fixed cell.

    The Nosé-Hoover thermostat draws no random numbers, and the initial velocities are the same for every calculator:
    the trajectories of two potentials that agree begin in the same way.

    Parameters
    ----------
    atoms
        A frame of a liquid.
    calculator
        Must provide forces.
    temperature
        K.
    timestep
        fs.

    Returns
    -------
    Measured
        The first peak of the radial distribution, and the diffusion coefficient with the standard error over its
        segments; ``curves`` has the distribution and the mean squared displacement.

    Raises
    ------
    NotApplicable
        If the dynamics explode.
    """
    work = bare_copy(atoms)
    work.calc = calculator
    masses = work.get_masses()[:, None]
    momenta = np.random.default_rng(1).normal(size=(len(work), 3)) * np.sqrt(units.kB * temperature * masses)
    work.set_momenta(momenta - masses * momenta.sum(axis=0) / masses.sum())  # Maxwell distribution, no total momentum
    dynamics = NoseHooverChainNVT(
        work, timestep=timestep * units.fs, temperature_K=temperature, tdamp=50 * timestep * units.fs
    )
    frames: list[Atoms] = []

    def take_frame() -> None:
        if not np.isfinite(work.positions).all() or work.get_temperature() > 10 * temperature:
            raise NotApplicable(f"the dynamics explode at step {dynamics.nsteps}")
        if dynamics.nsteps >= WARM_UP and dynamics.nsteps % EVERY == 0:
            frames.append(Atoms(work.symbols, work.positions, cell=work.cell, pbc=True))

    dynamics.attach(take_frame)
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
            "displacement": [float(np.mean(np.sum((frame.positions - origin) ** 2, axis=1))) for frame in frames],
            "temperature": temperature,
        },
    )


def radial_distribution(frames: list[Atoms]) -> tuple[np.ndarray, np.ndarray]:
    """Return distances, Å, and g(r) at these, averaged over frames with the same cell."""
    edges = np.arange(0, REACH + WIDTH / 2, WIDTH)
    counts = np.zeros(len(edges) - 1)
    for atoms in frames:
        counts += np.histogram(pairs(atoms, float(edges[-1]))[2], edges)[0]
    n_atoms, volume = len(frames[0]), frames[0].get_volume()
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    return (edges[1:] + edges[:-1]) / 2, counts / len(frames) / n_atoms / (shells * n_atoms / volume)


def diffusion(frames: list[Atoms], spacing: float) -> tuple[float, float]:
    """Fit the Einstein relation to segments of a trajectory.

    Parameters
    ----------
    frames
        Unwrapped; all elements are counted together.
    spacing
        fs, time between two frames.

    Returns
    -------
    coefficient, error : float
        Å^2/ps, and the standard error of the mean over segments and directions.
    """
    unlabeled = [frame.copy() for frame in frames]
    for frame in unlabeled:
        frame.set_chemical_symbols(["X"] * len(frame))  # one coefficient for all elements
        frame.set_masses(np.ones(len(frame)))
    analysis = DiffusionCoefficient(unlabeled, spacing * units.fs)
    analysis.calculate(ignore_n_images=0, number_of_segments=SEGMENTS)
    slopes, spread = analysis.get_diffusion_coefficients()
    return float(slopes[0]) * 1e3 * units.fs, float(spread[0]) * 1e3 * units.fs / np.sqrt(3 * SEGMENTS)


def _vertex(x: np.ndarray, y: np.ndarray, peak: int) -> tuple[float, float]:
    """Return the vertex of the parabola through a peak and its neighbors."""
    if peak in (0, len(x) - 1):
        return float(x[peak]), float(y[peak])
    a, b, c = np.polyfit(x[peak - 1 : peak + 2] - x[peak], y[peak - 1 : peak + 2], 2)
    if a >= 0:
        return float(x[peak]), float(y[peak])
    return float(x[peak] - b / (2 * a)), float(c - b**2 / (4 * a))

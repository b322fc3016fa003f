"""Errors along the truth, and whether gamma sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from acemaker.analysis.reference import truth_of
from acemaker.errors import StateError
from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record, read_only
from acemaker.formatting.summary import Summary, Table, number
from acemaker.loop.reader import CampaignReader
from acemaker.potentials.evaluator import evaluator_of
from acemaker.structures.computed import energy_of, forces_of
from acemaker.structures.geometry import closeness, mean_coordination

COORDINATION_REACH = 1.35
"""Neighbours are counted up to this multiple of the first structure's nearest distance: between the shells."""


@dataclass(frozen=True, kw_only=True)
class Liquid:
    """Signs of melting at the end of a trajectory, means over its last tenth.

    Attributes
    ----------
    displacement : float
        Å^2, mean squared displacement since the first frame, without the drift of the centre of mass.
    coordination : float
        Mean number of neighbours in the first shell.
    """

    displacement: float
    coordination: float


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Verdict(Record):
    """A potential against the truth.

    Attributes
    ----------
    generation : int
        The potential judged.
    steps : ndarray of int, shape (n_frames,)
        Steps of the truth's frames.
    force_rmse : ndarray, shape (n_frames,)
        meV/Å, over the components of each frame.
    energy_error : ndarray, shape (n_frames,)
        meV/atom, prediction minus truth.
    gamma_max : ndarray, shape (n_frames,)
        Largest gamma of each frame.
    atom_gamma, atom_error : ndarray, shape (n_frames n_atoms,)
        Gamma and the force error's norm, meV/Å, of every atom.
    tolerance : float
        meV/Å, above which an atom's force error counts as wrong.
    threshold : float
        ``threshold_call_dft``.
    campaign, truth : Liquid
        Signs of melting of both trajectories.
    liquid_limit : float
        Å^2, the displacement above which a trajectory counts as liquid: the square of half the nearest
        distance of the first structure.
    """

    generation: int
    steps: np.ndarray
    force_rmse: np.ndarray
    energy_error: np.ndarray
    gamma_max: np.ndarray
    atom_gamma: np.ndarray
    atom_error: np.ndarray
    tolerance: float
    threshold: float
    campaign: Liquid
    truth: Liquid
    liquid_limit: float

    @property
    def force_rmse_all(self) -> float:
        """Force RMSE over the whole trajectory, meV/Å."""
        return float(np.sqrt(np.mean(self.force_rmse**2)))

    @property
    def energy_mae(self) -> float:
        """Mean absolute energy error, meV/atom."""
        return float(np.abs(self.energy_error).mean())

    @property
    def misses(self) -> int:
        """Atoms whose error was above tolerance while gamma was below the threshold."""
        return int(((self.atom_error > self.tolerance) & (self.atom_gamma <= self.threshold)).sum())

    @property
    def is_liquid(self) -> bool:
        """Whether the campaign's trajectory ends in a liquid."""
        return self.campaign.displacement > self.liquid_limit

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        n_atoms = len(self.atom_error)
        table = Table(
            ("trajectory", "squared displacement / Å²", "coordination"),
            tuple(
                (name, number(liquid.displacement), f"{liquid.coordination:.2f}")
                for name, liquid in (("this potential", self.campaign), ("the oracle", self.truth))
            ),
        )
        items = (
            ("force RMSE", f"{number(self.force_rmse_all)} meV/Å"),
            ("energy error, mean absolute", f"{number(self.energy_mae)} meV/atom"),
            ("largest gamma on the truth", number(self.gamma_max.max())),
            (
                "misses",
                f"{self.misses} of {n_atoms} atoms ({self.misses / n_atoms:.2%}) err by more than "
                f"{self.tolerance:g} meV/Å while gamma is below {self.threshold:g}",
            ),
            ("end of the trajectory", "liquid" if self.is_liquid else "not liquid"),
        )
        title = f"Verdict on generation {self.generation} over {len(self.steps)} independent frames"
        return Summary(title, items, table)

    def figure(self) -> Picture:
        """Draw the errors along the truth, and gamma against the true error."""
        return draw(self)


def judge(
    campaign: CampaignReader,
    truth: Sequence[Atoms] | None = None,
    *,
    tolerance: float = 100.0,
    walker: int | None = None,
) -> Verdict:
    """Compare a campaign's potential with the truth.

    Parameters
    ----------
    campaign
        A campaign with a generation.
    truth
        Labelled frames that it never saw; by default the oracle twin's own trajectory over the same ramp.
    tolerance
        meV/Å, above which an atom's force counts as wrong.
    walker
        Number, from 1, of the walker whose ramp the oracle's trajectory has; None for a trajectory under each of the
        conditions under which walkers explore. Whether it melts is said of that walker, or of the first.

    Returns
    -------
    Verdict

    Raises
    ------
    StateError
        If there is no generation yet.
    ConfigError
        If there is no such walker, or no truth is given and the oracle cannot run its own dynamics.
    """
    generation = campaign.generation
    if generation is None:
        raise StateError("there is no potential to judge yet; run campaign.prepare() first")
    first = 1 if walker is None else walker
    campaign.config.walker(first)  # which knows whether there is such a one
    frames = truth or truth_of(campaign, walker)
    start = campaign.starts[first - 1]
    evaluator = evaluator_of(generation)
    force_rmse, energy_error, gamma_max, atom_gamma, atom_error = [], [], [], [], []
    for atoms in frames:
        result = evaluator.structure(atoms)
        reference = sum(generation.reference_energies[symbol] for symbol in atoms.get_chemical_symbols())
        difference = 1e3 * (result.forces - forces_of(atoms))
        assert result.gamma is not None
        force_rmse.append(np.sqrt(np.mean(difference**2)))
        energy_error.append(1e3 * (result.energy + reference - energy_of(atoms)) / len(atoms))
        gamma_max.append(result.gamma.max())
        atom_gamma.append(result.gamma)
        atom_error.append(np.linalg.norm(difference, axis=1))
    nearest = closeness(start).distance
    return Verdict(
        generation=generation.number,
        steps=read_only([atoms.info.get("step", index) for index, atoms in enumerate(frames)], int),
        force_rmse=read_only(force_rmse),
        energy_error=read_only(energy_error),
        gamma_max=read_only(gamma_max),
        atom_gamma=read_only(np.concatenate(atom_gamma)),
        atom_error=read_only(np.concatenate(atom_error)),
        tolerance=tolerance,
        threshold=campaign.config.otf.threshold_call_dft,
        campaign=signs_of_melting(start, campaign.trajectory(first), nearest),
        truth=signs_of_melting(start, truth or truth_of(campaign, first), nearest),
        liquid_limit=(nearest / 2) ** 2,
    )


def signs_of_melting(start: Atoms, frames: Sequence[Atoms], nearest: float) -> Liquid:
    """Measure displacement and coordination over the last tenth of a trajectory.

    Parameters
    ----------
    start
        The first structure; its cell may be rotated against the frames'.
    frames
        Unwrapped; the first of them is what displacements are measured from.
    nearest
        Å, nearest distance of the first structure.

    Returns
    -------
    Liquid
        NaN where there are no frames of this structure.
    """
    frames = [atoms for atoms in frames if len(atoms) == len(start)]
    if not frames:
        return Liquid(displacement=float("nan"), coordination=float("nan"))
    last = frames[-max(1, len(frames) // 10) :]
    masses = start.get_masses()[:, None] / start.get_masses().sum()

    def centred(atoms: Atoms) -> np.ndarray:
        positions: np.ndarray = atoms.positions - (masses * atoms.positions).sum(axis=0)
        return positions

    origin = centred(frames[0])
    squares = [np.mean(np.sum((centred(atoms) - origin) ** 2, axis=1)) for atoms in last]
    counts = [mean_coordination(atoms, COORDINATION_REACH * nearest) for atoms in last]
    return Liquid(displacement=float(np.mean(squares)), coordination=float(np.mean(counts)))

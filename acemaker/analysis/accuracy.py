"""Errors of a potential along a reference trajectory, and whether gamma detects them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms

from acemaker.analysis.force_errors import ForceErrors, evenly, predict_force_errors
from acemaker.analysis.reference import reference_trajectory_of
from acemaker.errors import NoPredictionError, StateError
from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record, read_only
from acemaker.formatting.summary import Summary, Table, force_error, number
from acemaker.loop.label_files import read_label
from acemaker.loop.reader import CampaignReader
from acemaker.loop.store import contained
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import Generation
from acemaker.structures.computed import energy_of, forces_of
from acemaker.structures.geometry import closeness, mean_coordination
from acemaker.structures.per_atom import frozen_atoms

N_PREDICTED, N_ATOMS = 25, 4000
"""Maximum numbers of frames and of all their atoms for which force errors are predicted, evenly spaced: a prediction
takes 20 evaluations."""

COORDINATION_REACH = 1.35
"""Neighbors are counted up to this multiple of the initial structure's nearest distance: between the shells."""


@dataclass(frozen=True, kw_only=True)
class Liquid:
    """Signs of melting at the end of a trajectory, averaged over its last tenth.

    Attributes
    ----------
    displacement : float
        Å^2, mean squared displacement since the first frame, without the drift of the center of mass.
    coordination : float
        Mean number of neighbors in the first shell.

    Examples
    --------
    >>> from acemaker.analysis import Liquid
    >>> Liquid(displacement=12.5, coordination=11.2).displacement
    12.5
    """

    displacement: float
    coordination: float


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Accuracy(Record):
    """Errors of a potential on a reference trajectory.

    Attributes
    ----------
    generation : int
        Number of the generation that was evaluated.
    steps : ndarray of int, shape (n_frames,)
        Steps of the reference trajectory's frames.
    force_rmse : ndarray, shape (n_frames,)
        meV/Å, over the components of each frame.
    energy_error : ndarray, shape (n_frames,)
        meV/atom, prediction minus reference.
    gamma_max : ndarray, shape (n_frames,)
        Largest gamma of each frame.
    atom_gamma, atom_error : ndarray, shape (n_frames n_atoms,)
        Gamma and the norm of the force error, meV/Å, of each atom.
    tolerance : float
        meV/Å, above which an atom's force error counts as wrong.
    threshold : float
        ``threshold_call_dft``.
    campaign, reference : Liquid
        Signs of melting of both trajectories.
    liquid_limit : float
        Å^2, the displacement above which a trajectory counts as liquid: the square of half the nearest
        distance of the initial structure.
    isolated_error : dict of str to float
        Energy of an isolated atom by the potential minus that by the oracle, eV, by element; without elements whose
        isolated atom was not labeled. It is the error of the cohesive energy of an element.
    predicted : ForceErrors or None
        Force errors that the potential predicts from its labels alone on some of the frames, with the true ones; None
        if it predicts none.
    force_rms : float
        Root mean square of the reference's force components, meV/Å; NaN if it is unknown.

    Examples
    --------
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> accuracy = campaign.evaluate_accuracy(campaign.labeled_structures())
    >>> accuracy.generation, accuracy.misses
    (2, 4)
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
    reference: Liquid
    liquid_limit: float
    isolated_error: Mapping[str, float] = field(default_factory=dict)
    predicted: ForceErrors | None = None
    force_rms: float = math.nan

    @property
    def force_rmse_all(self) -> float:
        """Force RMSE over all components of the whole trajectory, meV/Å."""
        return float(np.sqrt(np.mean(self.force_rmse**2)))

    @property
    def energy_mae(self) -> float:
        """Mean absolute energy error, meV/atom."""
        return float(np.abs(self.energy_error).mean())

    @property
    def misses(self) -> int:
        """Number of atoms whose error is above the tolerance while gamma is not above the threshold."""
        return int(((self.atom_error > self.tolerance) & (self.atom_gamma <= self.threshold)).sum())

    @property
    def is_liquid(self) -> bool:
        """Whether the campaign's trajectory ends in a liquid."""
        return self.campaign.displacement > self.liquid_limit

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        n_atoms = len(self.atom_error)
        table = Table(
            ("trajectory", "squared displacement / Å²", "coordination"),
            tuple(
                (name, number(liquid.displacement), f"{liquid.coordination:.2f}")
                for name, liquid in (("this potential", self.campaign), ("the oracle", self.reference))
            ),
        )
        items = [
            ("force RMSE", f"{force_error(self.force_rmse_all, self.force_rms)}, per component"),
            ("energy error, mean absolute", f"{number(self.energy_mae)} meV/atom"),
            ("energy error of isolated atoms", self._isolated_errors()),
            ("largest gamma on the reference trajectory", number(self.gamma_max.max())),
            (
                "misses",
                f"{self.misses} of {n_atoms} atoms ({self.misses / n_atoms:.2%}) have force errors with a norm "
                f"above {self.tolerance:g} meV/Å while gamma is not above {self.threshold:g}",
            ),
            ("end of the trajectory", "liquid" if self.is_liquid else "not liquid"),
        ]
        if self.predicted is not None:
            items[-1:-1] = self._prediction(self.predicted)
        title = f"Accuracy of generation {self.generation} over {len(self.steps)} independent frames"
        return Summary(title, tuple(items), table)

    def _prediction(self, predicted: ForceErrors) -> list[tuple[str, str]]:
        wrong, by_radius, by_gamma = predicted.missed_structures(self.tolerance, self.threshold)
        items = [("predicted force error", f"{predicted.brief()} ({len(predicted.largest)} frames)")]
        if wrong:
            text = f"by gamma {by_gamma}, by a predicted radius above {self.tolerance:g} meV/Å {by_radius}"
            items.append(("frames with a wrong atom, missed", f"{text}, of {wrong}"))
        return items

    def _isolated_errors(self) -> str:
        if not self.isolated_error:
            return "unknown: they were not labeled"
        return ", ".join(
            f"{element} {round(1e3 * error, 3) + 0.0:g} meV" for element, error in self.isolated_error.items()
        )

    def figure(self) -> Picture:
        """Draw the errors along the reference trajectory, and gamma against the true error."""
        return draw(self)


def evaluate_accuracy(
    campaign: CampaignReader,
    reference: Sequence[Atoms] | None = None,
    *,
    tolerance: float = 100.0,
    walker: int | None = None,
) -> Accuracy:
    """Compare a campaign's potential with the reference trajectory.

    Parameters
    ----------
    campaign
        A campaign with a generation.
    reference
        Labeled frames that were not used for training; by default the analytic oracle's own trajectory over the same
        ramp.
    tolerance
        Norm of an atom's force error in meV/Å, above which its force counts as wrong.
    walker
        Number, from 1, of the walker whose ramp the oracle's trajectory follows; None for one trajectory per set of
        conditions under which walkers explore. Melting is reported for that walker, or for the first.

    Returns
    -------
    Accuracy

    Raises
    ------
    StateError
        If there is no generation yet.
    ConfigError
        If there is no such walker, or no reference is passed and the oracle cannot run its own dynamics.

    Examples
    --------
    >>> from acemaker.analysis import evaluate_accuracy
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> accuracy = evaluate_accuracy(campaign, campaign.labeled_structures())
    >>> print(f"{accuracy.force_rmse_all:.0f} meV/Å")
    23 meV/Å
    """
    generation = campaign.generation
    if generation is None:
        raise StateError("there is no potential to evaluate yet; run campaign.prepare() first")
    first = 1 if walker is None else walker
    campaign.config.walker(first)  # raises if there is no such walker
    frames = reference or reference_trajectory_of(campaign, walker)
    start = campaign.initial_structures()[first - 1]
    evaluator = evaluator_of(generation)
    force_rmse, energy_error, gamma_max, atom_gamma, atom_error = [], [], [], [], []
    for atoms in frames:
        result = evaluator.structure(atoms)
        offset = sum(generation.reference_energies[symbol] for symbol in atoms.get_chemical_symbols())
        difference = 1e3 * (result.forces - forces_of(atoms))
        assert result.gamma is not None
        force_rmse.append(np.sqrt(np.mean(difference**2)))
        energy_error.append(1e3 * (result.energy + offset - energy_of(atoms)) / len(atoms))
        gamma = generation.few_neighbors.finite(atoms, result.gamma)
        gamma_max.append(gamma.max())
        atom_gamma.append(gamma)
        atom_error.append(np.linalg.norm(difference, axis=1))
    nearest = closeness(start).distance
    return Accuracy(
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
        reference=signs_of_melting(start, reference or reference_trajectory_of(campaign, first), nearest),
        liquid_limit=(nearest / 2) ** 2,
        isolated_error=isolated_errors(campaign),
        predicted=_predicted(generation, frames),
        force_rms=1e3 * float(np.sqrt(np.mean(np.concatenate([forces_of(atoms) for atoms in frames]) ** 2))),
    )


def _predicted(generation: Generation, frames: Sequence[Atoms]) -> ForceErrors | None:
    """Predict the force errors of frames that are evenly spaced; None if the potential predicts none."""
    try:
        return predict_force_errors(generation, evenly(frames, N_PREDICTED, N_ATOMS))
    except NoPredictionError:
        return None


def isolated_errors(campaign: CampaignReader) -> dict[str, float]:
    """Return the energy of an isolated atom by the potential minus that by the oracle, eV, by labeled element."""
    assert campaign.generation is not None
    calculator = campaign.generation.calculator()
    errors = {}
    for element, event in sorted(campaign.progress.isolated.items()):
        labeled = read_label(contained(campaign.directory, event["file"]), event.get("sum", ""))
        predicted = labeled.copy()
        predicted.calc = calculator
        errors[element] = energy_of(predicted) - energy_of(labeled)
    return errors


def signs_of_melting(start: Atoms, frames: Sequence[Atoms], nearest: float) -> Liquid:
    """Measure displacement and coordination over the last tenth of a trajectory.

    Parameters
    ----------
    start
        The initial structure; its cell may be rotated against that of the frames.
    frames
        Unwrapped; displacements are measured from the first of them. The motion of the center of mass is subtracted,
        unless there are frozen atoms, which do not count.
    nearest
        Å, nearest distance of the initial structure.

    Returns
    -------
    Liquid
        NaN if no frame has as many atoms as the initial structure.
    """
    frames = [atoms for atoms in frames if len(atoms) == len(start)]
    if not frames:
        return Liquid(displacement=float("nan"), coordination=float("nan"))
    last = frames[-max(1, len(frames) // 10) :]
    masses = start.get_masses()[:, None] / start.get_masses().sum()
    mobile = ~frozen_atoms(start)

    def centered(atoms: Atoms) -> np.ndarray:
        if not mobile.all():
            return np.asarray(atoms.positions[mobile])
        positions: np.ndarray = atoms.positions - (masses * atoms.positions).sum(axis=0)
        return positions

    origin = centered(frames[0])
    squares = [np.mean(np.sum((centered(atoms) - origin) ** 2, axis=1)) for atoms in last]
    counts = [mean_coordination(atoms, COORDINATION_REACH * nearest) for atoms in last]
    return Liquid(displacement=float(np.mean(squares)), coordination=float(np.mean(counts)))

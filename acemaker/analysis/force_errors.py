"""Predicted force errors of a potential on structures, and whether the true errors are within them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from acemaker.analysis.detection import Rate, rate
from acemaker.errors import ConfigError, StateError
from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record, read_only
from acemaker.formatting.summary import Summary, counted, number
from acemaker.loop.reader import CampaignReader
from acemaker.potentials.environment import environment
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.force_error import FEWEST, RADIUS
from acemaker.potentials.generation import Generation
from acemaker.structures.computed import forces_of
from acemaker.structures.mask import mask_of

N_FRAMES, N_ATOMS = 10, 2000
"""Maximum numbers of frames of the campaign's own trajectory and of all their atoms; a prediction takes 20 evaluations
of the potential."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ForceErrors(Record):
    """Predicted force errors of the atoms of some structures.

    Attributes
    ----------
    generation : int
        Number of the generation.
    structure : ndarray of int, shape (n_atoms,)
        Number of the structure of each atom, from 0.
    predicted : ndarray, shape (n_atoms,)
        Predicted root mean square of the norm of the force error of each atom, meV/Å; infinite for environments about
        which the labels say nothing.
    gamma : ndarray, shape (n_atoms,)
        Extrapolation grade of each atom, dimensionless.
    actual : ndarray, shape (n_atoms,)
        Norm of the true force error of each atom, meV/Å; NaN for structures without forces, and for masked atoms.
    floor : float
        Smallest predicted error, meV/Å: that of environments for which more labels do not help.
    n_labels : int
        Number of labels on which the prediction was calibrated.
    unit : str
        Unit of all errors.

    Examples
    --------
    >>> from acemaker.analysis import predict_force_errors
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> errors = predict_force_errors(campaign, campaign.trajectory()[-2:])
    >>> len(errors.largest), errors.unit
    (2, 'meV/Å')
    """

    unit: ClassVar[str] = "meV/Å"

    generation: int
    structure: np.ndarray
    predicted: np.ndarray
    gamma: np.ndarray
    actual: np.ndarray
    floor: float
    n_labels: int

    @property
    def radius(self) -> np.ndarray:
        """Radius around the predicted force that contains the true one with a probability of 95 %, meV/Å."""
        radius: np.ndarray = RADIUS * self.predicted
        return radius

    @property
    def largest(self) -> np.ndarray:
        """Largest predicted error of each structure, meV/Å, shape (n_structures,)."""
        return np.array([self.predicted[self.structure == index].max() for index in np.unique(self.structure)])

    @property
    def rms(self) -> float:
        """Root mean square of the predicted errors of all atoms, meV/Å."""
        return float(np.sqrt(np.mean(self.predicted**2)))

    @property
    def coverage(self) -> Rate:
        """Share of the atoms with a true error that is inside of the radius."""
        return rate(self.actual <= self.radius, self._compared, self.structure)

    def misses(self, tolerance: float) -> Rate:
        """Return the share of wrong atoms whose radius does not exceed the tolerance.

        Parameters
        ----------
        tolerance
            meV/Å, above which an error is wrong.
        """
        return rate(self.radius <= tolerance, self.actual > tolerance, self.structure)

    def gamma_misses(self, tolerance: float, threshold: float) -> Rate:
        """Return the share of wrong atoms whose gamma is not above a threshold, to compare with `misses`.

        Parameters
        ----------
        tolerance
            meV/Å, above which an error is wrong.
        threshold
            Of gamma.
        """
        return rate(self.gamma <= threshold, self.actual > tolerance, self.structure)

    def missed_structures(self, tolerance: float, threshold: float) -> tuple[int, int, int]:
        """Count the structures with a wrong atom, and those of them in which nothing raises an alarm.

        Parameters
        ----------
        tolerance
            meV/Å, above which an error is wrong, and a radius raises an alarm.
        threshold
            Of gamma.

        Returns
        -------
        wrong, missed_by_radius, missed_by_gamma : int
        """
        parts = [self.structure == index for index in np.unique(self.structure)]
        wrong = [part for part in parts if (self.actual[part] > tolerance).any()]
        by_radius = sum(not (self.radius[part] > tolerance).any() for part in wrong)
        return len(wrong), by_radius, sum(not (self.gamma[part] > threshold).any() for part in wrong)

    @property
    def _compared(self) -> np.ndarray:
        compared: np.ndarray = ~np.isnan(self.actual)
        return compared

    def brief(self) -> str:
        """Return the size of the predicted errors, with the true ones where they are known, in one line."""
        text = f"{number(self.rms)} {self.unit} rms"
        compared = self._compared
        if not compared.any():
            return text
        actual = float(np.sqrt(np.mean(self.actual[compared] ** 2)))
        return f"{text}, true {number(actual)}; {self.coverage.value:.0%} of the atoms are inside of the radius of 95 %"

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        left_out = "labels" if self.n_labels >= FEWEST else "blocks of atoms"
        unknown = int(np.isinf(self.predicted).sum())
        items = [
            ("structures", f"{len(np.unique(self.structure))}, {counted(len(self.predicted), 'atom')}"),
            ("predicted force error", f"{number(self.rms)} {self.unit} rms per atom"),
            ("largest", f"{number(self.predicted.max())} {self.unit}, radius of 95 %: {number(self.radius.max())}"),
            ("floor", f"{number(self.floor)} {self.unit}, which more labels do not lower"),
            ("calibrated by", f"leaving out {left_out} of {counted(self.n_labels, 'label')}"),
        ]
        if unknown:
            items.append(("unknown", f"{counted(unknown, 'atom')} in environments about which the labels say nothing"))
        compared = self._compared
        if compared.any():
            actual = float(np.sqrt(np.mean(self.actual[compared] ** 2)))
            items.append(("true force error", f"{number(actual)} {self.unit} rms per atom"))
            items.append(("inside of the radius of 95 %", str(self.coverage)))
        return Summary(f"Predicted force errors of generation {self.generation}", tuple(items))

    def figure(self) -> Picture:
        """Draw predicted against true errors, or the predicted errors of each structure if no forces are known."""
        return draw(self)


def predict_force_errors(
    source: CampaignReader | Generation,
    structures: Sequence[Atoms] | Atoms | None = None,
    *,
    sampled: bool = False,
) -> ForceErrors:
    """Predict the force error of each atom from the labels of a potential alone.

    The squared error is predicted as the sum of the square of a floor and of a multiple of the posterior variance of
    the force. Both numbers are chosen such that labels are predicted with the right errors by fits without them, see
    the page on validation. Structures with forces of the oracle also get their true errors.

    Parameters
    ----------
    source
        A campaign, whose potential in use predicts, or a generation of its directory.
    structures
        One or more structures of the elements of the potential, fully periodic or not at all. If None, some frames of
        the campaign's own trajectory, evenly spaced.
    sampled
        Whether to estimate the posterior variance from four samples of the coefficients, which takes four evaluations
        instead of twenty. The errors of single atoms then scatter by 20 % and are more often too small than too large.

    Returns
    -------
    ForceErrors

    Raises
    ------
    NoPredictionError
        If the potential is of an older version, or of a trainer other than ``"linear"``.
    StateError
        If there is no potential yet.
    ConfigError
        If there is no structure.
    StructureError
        If a structure is not suitable.

    Examples
    --------
    >>> from acemaker.analysis import predict_force_errors
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> errors = predict_force_errors(campaign, campaign.trajectory()[-1])
    >>> bool((errors.radius > errors.predicted).all())
    True
    """
    generation = source if isinstance(source, Generation) else source.generation
    if generation is None:
        raise StateError("there is no potential that could predict errors yet; run campaign.prepare() first")
    if structures is None:
        frames = [] if isinstance(source, Generation) else evenly(source.trajectory(), N_FRAMES, N_ATOMS)
    else:
        frames = [structures] if isinstance(structures, Atoms) else list(structures)
    if not frames:
        raise ConfigError("structures: expected at least one structure to predict the force errors of, got none")
    model, evaluator = generation.force_error_model(), evaluator_of(generation)
    predicted, gamma, actual = [], [], []
    for atoms in frames:
        result = evaluator.structure(atoms)
        assert result.gamma is not None
        if sampled:
            environment_ = environment(atoms, evaluator.elements, evaluator.cutoff)
            errors = model.sampled(evaluator.sampled_forces(environment_, model.samples))
        else:
            errors = model.exact(evaluator.force_rows(atoms))
        usable = np.isfinite(result.forces).all(axis=1) & ~np.isnan(errors) & ~_within(atoms, generation.core_radii)
        errors = np.where(usable, errors, np.inf)
        predicted.append(generation.few_neighbors.applied(atoms, errors))
        gamma.append(generation.few_neighbors.finite(atoms, result.gamma))
        actual.append(_true_errors(atoms, result.forces))
    sizes = [len(atoms) for atoms in frames]
    return ForceErrors(
        generation=generation.number,
        structure=read_only(np.repeat(np.arange(len(frames)), sizes)),
        predicted=read_only(np.concatenate(predicted)),
        gamma=read_only(np.concatenate(gamma)),
        actual=read_only(np.concatenate(actual)),
        floor=1e3 * model.floor,
        n_labels=model.n_labels,
    )


def evenly(frames: Sequence[Atoms], n_frames: int, n_atoms: int) -> list[Atoms]:
    """Choose frames that are evenly spaced, the last one among them.

    Parameters
    ----------
    frames
        All frames.
    n_frames, n_atoms
        Maximum numbers of frames and of all their atoms; at least one frame is chosen.
    """
    if not frames:
        return []
    number_of_frames = min(n_frames, max(1, n_atoms // max(len(atoms) for atoms in frames)))
    chosen = np.linspace(len(frames) - 1, 0, number_of_frames).round().astype(int)
    return [frames[index] for index in np.unique(chosen)]


def _within(atoms: Atoms, radii: Mapping[str, float]) -> np.ndarray:
    """Return which atoms have a neighbor within the core radius of the pair, where the potential is not fitted."""
    within = np.zeros(len(atoms), dtype=bool)
    if radii:
        lengths = {tuple(pair.split("-")): radius for pair, radius in radii.items()}
        within[neighbor_list("i", atoms, lengths)] = True
    return within


def _true_errors(atoms: Atoms, forces: np.ndarray) -> np.ndarray:
    """Return the norm of the force error of each atom, meV/Å; NaN where it is unknown."""
    if atoms.calc is None or "forces" not in atoms.calc.results:
        return np.full(len(atoms), np.nan)
    errors: np.ndarray = 1e3 * np.linalg.norm(forces - forces_of(atoms), axis=1)
    mask = mask_of(atoms)
    return errors if mask is None else np.where(mask, errors, np.nan)

"""The predicted error of the forces of a linear potential, calibrated on its own labels.

The error of the force vector of an atom is predicted as ``sigma^2 = floor^2 + scale^2 u^2``, where u^2 is the variance
of the force under the posterior of the coefficients. The basis cannot describe the labels exactly, so that the
posterior alone is too narrow; both numbers are therefore chosen such that predictions of labels by fits without them
have the errors that they predict. No additional label is necessary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from scipy.optimize import nnls

from acemaker.errors import AcemakerError, DamagedFileError
from acemaker.potentials.linear import Rows
from acemaker.potentials.posterior import Posterior
from acemaker.potentials.ridge import ForceBlock
from acemaker.utils.array_file import read_arrays, write_arrays

N_SAMPLES = 4
"""Number of posterior samples in the file of a generation: the sampled error of an atom scatters by 20 %."""

MAX_LABELS = 24
"""Maximum number of labels that are left out: the latest ones."""

MAX_BYTES = 2**28
"""Maximum memory for their rows, bytes; at least `FEWEST` labels are stored."""

MAX_WORK = 3e9
"""Maximum sum over these labels of the cube of their numbers of rows or of coefficients, whichever is smaller, to which
the time of a calibration is proportional: some ten seconds. At least `FEWEST` labels are used."""

FEWEST = 4
"""Minimum number of labels to be left out as whole structures; with fewer, blocks of atoms are left out."""

N_BLOCKS = 8
"""Number of blocks of atoms per structure."""

RADIUS = 1.61397314137619
"""Radius that contains 95 % of the force errors, in units of the predicted error: the square root of a third of the
95 % quantile of chi-squared with three degrees of freedom, for three Gaussian components of equal variance."""

NOMINAL = 0.95
"""Share of atoms whose error is inside of `RADIUS`."""

N_ITERATIONS = 12
"""Iterations of the reweighted fit, which converges in a few."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ForceErrorModel:
    """Predicts the norm of the force error of an atom.

    Attributes
    ----------
    floor : float
        eV/Å, the error that remains where the posterior is narrow.
    scale : float
        Factor of the standard deviation under the posterior, dimensionless.
    n_labels : int
        Number of labels that were left out for the calibration.
    blocks : bool
        Whether blocks of atoms were left out, since there were fewer than `FEWEST` labels.
    posterior : Posterior
        Posterior of the coefficients.
    samples : ndarray, shape (N_SAMPLES, n_coefficients)
        Coefficients drawn from the posterior around zero, eV.
    """

    floor: float
    scale: float
    n_labels: int
    blocks: bool
    posterior: Posterior
    samples: np.ndarray

    def error(self, variances: np.ndarray) -> np.ndarray:
        """Return the predicted root mean square of the norm of the force error of each atom.

        Parameters
        ----------
        variances : ndarray, shape (n_atoms,)
            As of `Posterior.force_variances`, or the mean over samples of the squared norm of their forces.

        Returns
        -------
        ndarray, shape (n_atoms,)
            meV/Å.
        """
        return 1e3 * np.sqrt(self.floor**2 + self.scale**2 * variances)

    def exact(self, rows: np.ndarray) -> np.ndarray:
        """Return the predicted error of each atom, meV/Å, from force rows of shape (3 n_atoms, n_coefficients)."""
        return self.error(self.posterior.force_variances(rows))

    def sampled(self, forces: np.ndarray) -> np.ndarray:
        """Return the predicted error of each atom from the forces of the samples.

        Parameters
        ----------
        forces : ndarray, shape (n_samples, n_atoms, 3)
            eV/Å. Contributions of several processes to the force of an atom must be summed before.

        Returns
        -------
        ndarray, shape (n_atoms,)
            meV/Å.
        """
        return self.error(np.mean(np.sum(forces**2, axis=2), axis=0))

    def save(self, file: Path) -> None:
        """Write the model as named arrays with a checksum."""
        factor = self.posterior.factor
        write_arrays(
            file,
            {
                "floor": np.array(self.floor),
                "scale": np.array(self.scale),
                "n_labels": np.array(self.n_labels),
                "blocks": np.array(self.blocks),
                "factor": factor[np.triu_indices(len(factor))],
                "absent": self.posterior.absent,
                "excluded": self.posterior.excluded,
                "samples": self.samples,
            },
        )

    @classmethod
    def load(cls, file: Path) -> ForceErrorModel:
        """Read what `save` has written.

        Raises
        ------
        DamagedFileError
            If the file is missing, damaged or of another kind.
        """
        arrays = read_arrays(file)
        try:
            if arrays is None:
                raise ValueError("it is missing, or does not match its checksum")
            return cls._from_arrays(arrays)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            if isinstance(error, AcemakerError):
                raise
            raise DamagedFileError(file, str(error), "restore it from a copy") from error

    @classmethod
    def _from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> ForceErrorModel:
        absent, excluded, samples = arrays["absent"], arrays["excluded"], arrays["samples"]
        size = len(absent)
        factor = np.zeros((size, size))
        factor[np.triu_indices(size)] = arrays["factor"]
        numbers = [float(arrays["floor"]), float(arrays["scale"])]
        if samples.shape[1:] != (size,) or excluded.shape != (size,) or not np.isfinite(numbers).all():
            raise ValueError("its arrays do not fit together")
        return cls(
            floor=numbers[0],
            scale=numbers[1],
            n_labels=int(arrays["n_labels"]),
            blocks=bool(arrays["blocks"]),
            posterior=Posterior(factor=factor, absent=absent.astype(bool), excluded=excluded.astype(bool)),
            samples=samples,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class LatestLabel:
    """A label whose rows are stored for the calibration.

    Attributes
    ----------
    rows : Rows
        Its rows in the fit.
    block : ndarray of int, shape (n_counted,)
        Block of each atom whose force counts.
    """

    rows: Rows
    block: np.ndarray


class LatestLabels:
    """The rows of the latest labels of a fit, within limits of number and memory."""

    def __init__(self) -> None:
        self._labels: list[LatestLabel] = []

    def __len__(self) -> int:
        return len(self._labels)

    def force_blocks(self, weight: float) -> list[ForceBlock]:
        """Return the force rows of all blocks of atoms, for fits without them.

        Parameters
        ----------
        weight
            Weight of forces in the fit.
        """
        blocks = []
        for label in self._labels:
            forces = label.rows.matrices["forces"]
            factor = float(np.sqrt(label.rows.weight / len(forces)))
            owner = np.repeat(label.block, 3)
            for number in np.unique(label.block):
                blocks.append(ForceBlock(rows=forces[owner == number] / factor, factor=weight * factor))
        return blocks

    def add(self, atoms: Atoms, rows: Rows, mask: np.ndarray | None) -> None:
        """Add a label with its rows and mask, and drop the oldest ones beyond the limits."""
        block = blocks_of(atoms)
        self._labels.append(LatestLabel(rows=rows, block=block if mask is None else block[mask]))
        while len(self._labels) > FEWEST and self._exceed_limits():
            del self._labels[0]

    def _exceed_limits(self) -> bool:
        shapes = [[matrix.shape for matrix in label.rows.matrices.values()] for label in self._labels]
        n_bytes = sum(8 * rows * columns for parts in shapes for rows, columns in parts)
        work = sum(float(min(sum(rows for rows, _ in parts), parts[0][1])) ** 3 for parts in shapes)
        return len(self._labels) > MAX_LABELS or n_bytes > MAX_BYTES or work > MAX_WORK

    def calibrate(
        self, posterior: Posterior, coefficients: np.ndarray, weights: Mapping[str, float], seed: int
    ) -> ForceErrorModel | None:
        """Calibrate a model on the stored labels.

        Parameters
        ----------
        posterior
            Posterior of the fit to all labels.
        coefficients : ndarray, shape (n_coefficients,)
            Solution of the fit, eV.
        weights
            Weights of the fit by kind of row.
        seed
            Seed of the samples.

        Returns
        -------
        ForceErrorModel or None
            None without labels.
        """
        if not self._labels:
            return None
        blocks = len(self._labels) < FEWEST
        leave_out = _without_blocks if blocks else _without_structure
        pairs = [leave_out(label, posterior, coefficients, weights) for label in self._labels]
        floor, scale = calibration(pairs, widest=not blocks)
        return ForceErrorModel(
            floor=floor,
            scale=scale,
            n_labels=len(self._labels),
            blocks=blocks,
            posterior=posterior,
            samples=posterior.samples(N_SAMPLES, seed),
        )

    def state(self) -> dict[str, np.ndarray]:
        """Return the labels as arrays by name."""
        arrays = {}
        for number, label in enumerate(self._labels):
            arrays[f"latest {number} weight"] = np.array(label.rows.weight)
            arrays[f"latest {number} block"] = label.block
            for kind, matrix in label.rows.matrices.items():
                arrays[f"latest {number} {kind}"] = matrix
        return arrays

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned.

        Raises
        ------
        KeyError
            If an array is missing; nothing is changed in this case.
        """
        labels: list[LatestLabel] = []
        while (start := f"latest {len(labels)} ") + "weight" in state:
            kinds = ("energy", "forces", "virial")
            matrices = {kind: state[start + kind] for kind in kinds if start + kind in state}
            rows = Rows(matrices=matrices, weight=float(state[start + "weight"]))
            labels.append(LatestLabel(rows=rows, block=state[start + "block"]))
        self._labels = labels


Pair = tuple[np.ndarray, np.ndarray]
"""Squared force errors of the atoms of a label by a fit without them, (eV/Å)², and their posterior variances."""


def calibration(pairs: Sequence[Pair], *, widest: bool) -> tuple[float, float]:
    """Fit floor and scale of the predicted error.

    Structures have equal weights. Squared errors are fitted by least squares with weights of the inverse of the
    prediction, so that neither the smallest nor the largest errors dominate. Since errors differ more between
    structures than the model describes, the predictions are then widened.

    Parameters
    ----------
    pairs : sequence of pairs of ndarray, shape (n_atoms,)
        Squared errors, (eV/Å)², and variances under the posterior, of each label that was left out.
    widest
        Whether to widen by the mean plus one standard deviation over the labels of the ratio of squared errors to
        predictions, which predicts a label that is harder than the average; otherwise such that `NOMINAL` of the atoms
        are inside of the radius.

    Returns
    -------
    floor : float
        eV/Å.
    scale : float
        Dimensionless.
    """
    squares = np.concatenate([errors for errors, _ in pairs])
    variances = np.concatenate([variance for _, variance in pairs])
    weights = np.concatenate([np.full(len(errors), 1.0 / len(errors)) for errors, _ in pairs])
    unit = float(np.average(variances, weights=weights)) or 1.0
    columns = np.column_stack([np.ones(len(squares)), variances / unit])
    sizes = weights.copy()
    solution = np.zeros(2)
    for _ in range(N_ITERATIONS):
        root = np.sqrt(sizes)
        solution = nnls(root[:, None] * columns, root * squares)[0]
        predicted = columns @ solution
        sizes = weights / np.maximum(predicted, 1e-12 * predicted.max(initial=0.0) + 1e-300)
    predicted = np.maximum(columns @ solution, 1e-300)
    ratios = squares / predicted
    if widest:
        of_label = [
            float(part.mean()) for part in np.split(ratios, np.cumsum([len(errors) for errors, _ in pairs])[:-1])
        ]
        factor = float(np.mean(of_label) + np.std(of_label, ddof=1))
    else:
        order = np.argsort(ratios)
        share = np.cumsum(weights[order])
        factor = float(ratios[order][min(int(np.searchsorted(share, NOMINAL * share[-1])), len(order) - 1)]) / RADIUS**2
    floor, slope = np.sqrt(solution * max(factor, 1.0))
    return float(floor), float(slope / np.sqrt(unit))


def blocks_of(atoms: Atoms) -> np.ndarray:
    """Divide the atoms of a structure into blocks of equal size by repeated bisection along the longest extent.

    Returns
    -------
    ndarray of int, shape (n_atoms,)
        Number of the block of each atom; at most `N_BLOCKS` blocks, none of them empty.
    """
    positions = atoms.positions if not atoms.pbc.any() else atoms.get_positions(wrap=True)
    parts = [np.arange(len(atoms))]
    while len(parts) < N_BLOCKS and max(map(len, parts)) > 1:
        halves = []
        for part in parts:
            axis = int(np.ptp(positions[part], axis=0).argmax())
            order = part[np.argsort(positions[part, axis], kind="stable")]
            halves += [half for half in (order[: len(order) // 2], order[len(order) // 2 :]) if len(half)]
        parts = halves
    block = np.zeros(len(atoms), dtype=int)
    for number, part in enumerate(parts):
        block[part] = number
    return block


def _without_structure(
    label: LatestLabel, posterior: Posterior, coefficients: np.ndarray, weights: Mapping[str, float]
) -> Pair:
    parts = [weights[kind] * matrix for kind, matrix in label.rows.matrices.items()]
    kinds = list(label.rows.matrices)
    first = sum(len(part) for part in parts[: kinds.index("forces")])
    residuals, variances = posterior.left_out(np.vstack(parts), coefficients)
    forces = slice(first, first + len(label.rows.matrices["forces"]))
    return _squares(residuals[forces], variances[forces], label, weights)


def _without_blocks(
    label: LatestLabel, posterior: Posterior, coefficients: np.ndarray, weights: Mapping[str, float]
) -> Pair:
    rows = weights["forces"] * label.rows.matrices["forces"]
    residuals, variances = np.zeros(len(rows)), np.zeros(len(rows))
    components = np.repeat(label.block, 3)
    for number in np.unique(label.block):
        chosen = components == number
        residuals[chosen], variances[chosen] = posterior.left_out(rows[chosen], coefficients)
    return _squares(residuals, variances, label, weights)


def _squares(residuals: np.ndarray, variances: np.ndarray, label: LatestLabel, weights: Mapping[str, float]) -> Pair:
    """Convert weighted residuals and variances of force components into sums over the components of each atom."""
    unit = len(residuals) / (weights["forces"] ** 2 * label.rows.weight)  # rows are divided by the root of their number
    return unit * (residuals.reshape(-1, 3) ** 2).sum(axis=1), unit * variances.reshape(-1, 3).sum(axis=1)

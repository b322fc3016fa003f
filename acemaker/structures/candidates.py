"""Candidates around a halted structure: a mixture of strategies, and filters for structures not worth a label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from ase import Atoms

from acemaker.config import OTFConfig
from acemaker.errors import ConfigError
from acemaker.structures.files import as_written
from acemaker.structures.geometry import closeness
from acemaker.structures.grading import Grading
from acemaker.structures.mask import mask_of, with_mask_of
from acemaker.structures.per_atom import PER_ATOM, frozen_atoms
from acemaker.structures.strategies import Site, strategy_of
from acemaker.utils.dotted_path import import_callable

Grader = Callable[[Sequence[Atoms]], Grading]

TRIES = 20
"""Number of consecutive rejected candidates after which a strategy is stopped."""

SAME_STRUCTURE = 1e-4
"""Å; structures whose positions and cells differ by less are treated as the same."""


@dataclass(frozen=True, kw_only=True)
class CandidateSet:
    """Candidates of a halt.

    Attributes
    ----------
    structures : list of Atoms
        Candidates, the halted structure first. ``info`` contains the ``origin`` and the smallest pair distance,
        ``distance_A``.
    grading : Grading
        Gamma and features of the candidates.
    dropped : mapping of str to int
        Number of rejected candidates, by reason.
    """

    structures: list[Atoms]
    grading: Grading
    dropped: Mapping[str, int]


def make_candidates(site: Site, config: OTFConfig, rng: np.random.Generator, grade: Grader) -> CandidateSet:
    """Generate the candidates of a halt.

    Parameters
    ----------
    site
        The halted structure and its surroundings; the halted structure is candidate 0 and never filtered out.
    config
        Number, strategies with their shares, and the bounds of distance and gamma.
    rng
        Random numbers.
    grade
        Returns gamma and features of structures; called once for each candidate, in batches.

    Returns
    -------
    CandidateSet
        At most ``n_candidates`` distinct structures without atoms that are too close. Their largest gamma is at least 1
        (or ``threshold_add_train`` if that is lower) and at most ``threshold_break`` (or the gamma of the halted
        structure if that is larger, since another candidate must replace it if it cannot be labeled). There are fewer
        candidates if `TRIES` consecutive structures of a strategy were rejected.

    Raises
    ------
    ConfigError
        For an unknown strategy.
    """
    accepted = _Collection(site.structure, config, grade)
    for name, missing in _shares(config).items():
        stream = iter(strategy_of(name)(site, config, rng))  # a strategy may return a list, to be read only once
        failures = 0
        while missing and failures < TRIES:
            batch = list(islice(stream, missing))
            if not batch:
                accepted.dropped["not generated"] += missing
                break
            n_added = accepted.add(name, batch)
            missing -= n_added
            failures = 0 if n_added else failures + len(batch)
    grading = Grading(
        gamma_max=np.array(accepted.gamma_max),
        features=np.array(accepted.features),
        gamma=tuple(accepted.gamma),
    )
    return CandidateSet(structures=accepted.structures, grading=grading, dropped=dict(accepted.dropped))


def check_strategies(config: OTFConfig, structure: Atoms) -> None:
    """Check that all strategies exist and can be used for a structure.

    Parameters
    ----------
    config
        Names of the strategies.
    structure
        Initial structure of the campaign.

    Raises
    ------
    ConfigError
        For an unknown name, a dotted path that cannot be imported, or strain of a structure that is not periodic.
    """
    for name in config.strategies:
        strategy_of(name)
    if "strain" in config.strategies and not structure.pbc.all():
        raise ConfigError(
            f"OTFConfig.strategies: 'strain' needs a periodic structure, got pbc={structure.pbc.tolist()}; remove it"
        )
    if config.mode_calculator:
        import_callable(config.mode_calculator, "OTFConfig.mode_calculator", "returns an ASE calculator")


class _Collection:
    """Accepted candidates, and numbers of rejected ones by reason."""

    def __init__(self, halted: Atoms, config: OTFConfig, grade: Grader) -> None:
        self._config = config
        self._grade = grade
        self._gamma_low = min(1.0, config.threshold_add_train)  # uncertainty measures other than gamma may be below 1
        self.structures: list[Atoms] = []
        self.gamma_max: list[float] = []
        self.features: list[np.ndarray] = []
        self.gamma: list[np.ndarray] = []  # of all structures, or empty
        self.dropped: Counter[str] = Counter()
        structure = as_written(halted)
        structure.info |= {"origin": "halted structure", "distance_A": closeness(structure).distance}
        grading = grade([structure])
        self._gamma_high = max(config.threshold_break, grading.gamma_max[0])  # the threshold, if gamma is NaN
        self._append(structure, grading, 0)

    def add(self, name: str, batch: Sequence[Atoms]) -> int:
        """Add the structures that pass the filters, and return their number."""
        before = len(self.structures)
        sound: list[Atoms] = []
        halted = self.structures[0]
        for atoms in batch:
            if mask_of(halted) is not None and len(atoms) != len(halted):
                self.dropped["more or fewer atoms than the embedded cell"] += 1
                continue
            structure = with_mask_of(halted, as_written(atoms))
            if len(structure) == len(halted):  # a strategy may build structures of its own
                for name in {*PER_ATOM} & {*halted.arrays} - {*structure.arrays}:
                    structure.arrays[name] = halted.arrays[name].copy()
            if _moves_frozen_atoms(structure, halted):
                self.dropped["frozen atoms moved"] += 1
                continue
            close = closeness(structure)
            if close.share < self._config.min_distance_fraction:
                self.dropped["too close"] += 1
            elif any(_are_same(structure, other) for other in (*self.structures, *sound)):
                self.dropped["duplicate"] += 1
            else:
                structure.info |= {"origin": name, "distance_A": close.distance}
                sound.append(structure)
        grading = self._grade(sound) if sound else Grading(gamma_max=np.zeros(0), features=np.zeros((0, 0)))
        for index, (structure, gamma) in enumerate(zip(sound, grading.gamma_max, strict=True)):
            # both are false for NaN: without an active set gamma does not filter
            if gamma < self._gamma_low:
                self.dropped[f"gamma below {self._gamma_low:g}"] += 1
            elif gamma > self._gamma_high:
                self.dropped[f"gamma above {self._gamma_high:.3g}"] += 1
            else:
                self._append(structure, grading, index)
        return len(self.structures) - before

    def _append(self, structure: Atoms, grading: Grading, index: int) -> None:
        self.structures.append(structure)
        self.gamma_max.append(grading.gamma_max[index])
        self.features.append(grading.features[index])
        if grading.gamma:
            self.gamma.append(grading.gamma[index])


def _moves_frozen_atoms(structure: Atoms, halted: Atoms) -> bool:
    """Return whether frozen atoms are missing, or have other places in the cell than in the halted structure."""
    frozen, before = frozen_atoms(structure), frozen_atoms(halted)
    if not before.any():
        return False
    if frozen.sum() != before.sum():
        return True
    if not halted.pbc.all():
        moves = structure.positions[frozen] - halted.positions[before]
    else:
        scaled = structure.get_scaled_positions(wrap=False)[frozen] - halted.get_scaled_positions(wrap=False)[before]
        moves = (scaled - np.round(scaled)) @ halted.cell.array
    return bool(np.abs(moves).max() > SAME_STRUCTURE)


def _are_same(first: Atoms, second: Atoms) -> bool:
    """Return whether two structures differ only by a translation and by lattice vectors."""
    if len(first) != len(second) or (first.numbers != second.numbers).any() or (first.pbc != second.pbc).any():
        return False
    if np.abs(first.cell.array - second.cell.array).max() > SAME_STRUCTURE:
        return False
    difference = first.positions - second.positions
    difference -= difference[0]
    if first.pbc.all():
        scaled = difference @ np.linalg.inv(second.cell.array)
        difference = (scaled - np.round(scaled)) @ second.cell.array
    return bool(np.abs(difference).max() < SAME_STRUCTURE)


def _shares(config: OTFConfig) -> dict[str, int]:
    """Divide the candidates among the strategies by their shares, with the largest-remainder method."""
    n = config.n_candidates - 1
    total = sum(config.strategies.values())
    exact = {name: n * share / total for name, share in config.strategies.items()}
    counts = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in by_remainder[: n - sum(counts.values())]:
        counts[name] += 1
    return counts

"""Candidates around a halted structure: strategies mixed by share, and filters for what is not worth a label."""

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
from acemaker.structures.strategies import Site, strategy_of
from acemaker.utils.dotted_path import imported

Grader = Callable[[Sequence[Atoms]], Grading]

TRIES = 20
"""After how many candidates in a row that came to nothing a strategy is not asked for more."""

SAME = 1e-4
"""Å; structures that differ by less are the same."""


@dataclass(frozen=True, kw_only=True)
class CandidateSet:
    """The candidates of a halt.

    Attributes
    ----------
    structures : list of Atoms
        The anchor first. ``info`` has the ``origin`` and the smallest pair ``distance_A``.
    grading : Grading
        Of each.
    dropped : mapping of str to int
        How many more were made and dropped, by reason.
    """

    structures: list[Atoms]
    grading: Grading
    dropped: Mapping[str, int]


def make_candidates(site: Site, config: OTFConfig, rng: np.random.Generator, grade: Grader) -> CandidateSet:
    """Make the candidates of a halt.

    Parameters
    ----------
    site
        The anchor and its surroundings; the anchor is candidate 0 and never filtered out.
    config
        Number, strategies with their shares, and the bounds of distance and gamma.
    rng
        Random numbers.
    grade
        Gives gamma and features of structures; asked once for each candidate, several at a time.

    Returns
    -------
    CandidateSet
        At most ``n_candidates``, distinct, no pair too close, the largest gamma between 1 (or
        ``threshold_add_train``, where that is lower) and ``threshold_break`` (or the anchor's own, where that is
        beyond: somebody must take its place if it cannot be labelled). Fewer where a strategy gave nothing of the
        kind `TRIES` times in a row.

    Raises
    ------
    ConfigError
        For an unknown strategy.
    """
    made = _Collection(site.structure, config, grade)
    for name, missing in _shares(config).items():
        stream = iter(strategy_of(name)(site, config, rng))  # a list would start over at every batch
        failures = 0
        while missing and failures < TRIES:
            batch = list(islice(stream, missing))
            if not batch:
                made.dropped["not made"] += missing
                break
            kept = made.take_in(name, batch)
            missing -= kept
            failures = 0 if kept else failures + len(batch)
    grading = Grading(gamma_max=np.array(made.gamma_max), features=np.array(made.features), gamma=tuple(made.gamma))
    return CandidateSet(structures=made.structures, grading=grading, dropped=dict(made.dropped))


def check_strategies(config: OTFConfig, structure: Atoms) -> None:
    """Refuse strategies that do not exist or cannot work.

    Parameters
    ----------
    config
        Their names.
    structure
        What the campaign starts with.

    Raises
    ------
    ConfigError
        For an unknown name, a dotted path that leads nowhere, or strain of a structure without a cell.
    """
    for name in config.strategies:
        strategy_of(name)
    if "strain" in config.strategies and not structure.pbc.all():
        raise ConfigError(
            f"OTFConfig.strategies: strain needs a periodic structure, got pbc={structure.pbc.tolist()}; leave it out"
        )
    if config.mode_calculator:
        imported(config.mode_calculator, "OTFConfig.mode_calculator", "returns an ASE calculator")


class _Collection:
    """What has been kept, and what has not."""

    def __init__(self, anchor: Atoms, config: OTFConfig, grade: Grader) -> None:
        self._config = config
        self._grade = grade
        self._gamma_low = min(1.0, config.threshold_add_train)  # other measures than gamma may have no edge at 1
        self.structures: list[Atoms] = []
        self.gamma_max: list[float] = []
        self.features: list[np.ndarray] = []
        self.gamma: list[np.ndarray] = []  # of each, or of none
        self.dropped: Counter[str] = Counter()
        structure = as_written(anchor)
        structure.info |= {"origin": "anchor", "distance_A": closeness(structure).distance}
        grading = grade([structure])
        self._gamma_high = max(config.threshold_break, grading.gamma_max[0])  # the threshold, where that is NaN
        self._keep(structure, grading, 0)

    def take_in(self, name: str, batch: Sequence[Atoms]) -> int:
        """Keep what is sound, and return how many these are."""
        before = len(self.structures)
        sound: list[Atoms] = []
        anchor = self.structures[0]
        for made in batch:
            if mask_of(anchor) is not None and len(made) != len(anchor):
                self.dropped["more or fewer atoms than the embedded cell"] += 1
                continue
            structure = with_mask_of(anchor, as_written(made))
            close = closeness(structure)
            if close.share < self._config.min_distance_fraction:
                self.dropped["too close"] += 1
            elif any(_are_same(structure, other) for other in (*self.structures, *sound)):
                self.dropped["known already"] += 1
            else:
                structure.info |= {"origin": name, "distance_A": close.distance}
                sound.append(structure)
        grading = self._grade(sound) if sound else Grading(gamma_max=np.zeros(0), features=np.zeros((0, 0)))
        for place, (structure, gamma) in enumerate(zip(sound, grading.gamma_max, strict=True)):
            # neither holds for NaN: without an active set there is nothing to go by
            if gamma < self._gamma_low:
                self.dropped[f"gamma below {self._gamma_low:g}"] += 1
            elif gamma > self._gamma_high:
                self.dropped[f"gamma above {self._gamma_high:.3g}"] += 1
            else:
                self._keep(structure, grading, place)
        return len(self.structures) - before

    def _keep(self, structure: Atoms, grading: Grading, place: int) -> None:
        self.structures.append(structure)
        self.gamma_max.append(grading.gamma_max[place])
        self.features.append(grading.features[place])
        if grading.gamma:
            self.gamma.append(grading.gamma[place])


def _are_same(one: Atoms, other: Atoms) -> bool:
    """Tell whether two structures differ by no more than a shift of the whole and by lattice vectors."""
    if len(one) != len(other) or (one.numbers != other.numbers).any() or (one.pbc != other.pbc).any():
        return False
    if np.abs(one.cell.array - other.cell.array).max() > SAME:
        return False
    difference = one.positions - other.positions
    difference -= difference[0]
    if one.pbc.all():
        in_cells = difference @ np.linalg.inv(other.cell.array)
        difference = (in_cells - np.round(in_cells)) @ other.cell.array
    return bool(np.abs(difference).max() < SAME)


def _shares(config: OTFConfig) -> dict[str, int]:
    """Divide the candidates among the strategies by their shares, largest remainder first."""
    n = config.n_candidates - 1
    total = sum(config.strategies.values())
    exact = {name: n * share / total for name, share in config.strategies.items()}
    counts = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in by_remainder[: n - sum(counts.values())]:
        counts[name] += 1
    return counts

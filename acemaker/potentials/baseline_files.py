"""Resolve the baseline of a configuration and the files that it needs."""

from __future__ import annotations

import re
from pathlib import Path

from acemaker.config import PotentialConfig
from acemaker.errors import ConfigError
from acemaker.lammps.pair_coeff import check_order, find_file, split_coeff
from acemaker.potentials.baseline import Baseline
from acemaker.potentials.calculator_baseline import CalculatorBaseline
from acemaker.potentials.pair_baseline import PairBaseline

FIELD = "PotentialConfig.baseline_coeff"

WORD = re.compile(r"[\w.+*/-]+", re.ASCII)
"""Characters allowed in an argument: none that LAMMPS expands, quotes or takes for a line continuation."""


def find_baseline(config: PotentialConfig, elements: tuple[str, ...], directory: Path | None = None) -> Baseline | None:
    """Create the baseline of a configuration and find its files.

    Parameters
    ----------
    config
        ``baseline_style`` and ``baseline_coeff``, or ``baseline_calculator``.
    elements
        Chemical symbols in the order of the LAMMPS types.
    directory
        Directory of an existing campaign's potentials. Copies of the files there take precedence over the originals,
        so that a campaign continues with the files that it started with.

    Returns
    -------
    Baseline or None
        None if the configuration has no baseline.

    Raises
    ------
    ConfigError
        If a coefficient is not a plain command, lists the elements in another order than the types, or names a file
        that exists neither at the path nor in the potential collection of LAMMPS.
    """
    if config.baseline_calculator:
        return CalculatorBaseline(path=config.baseline_calculator, arguments=config.baseline_arguments)
    if not config.baseline_style:
        return None
    files: dict[str, Path] = {}
    coeff = []
    for arguments in config.baseline_coeff:
        words = _split(arguments)
        check_order(words, elements, FIELD)
        coeff.append(" ".join(_resolve(word, files, directory) for word in words))
    _check_pairs(coeff, elements)
    return PairBaseline(style=config.baseline_style, coeff=tuple(coeff), files=files, elements=elements)


def _check_pairs(coeff: list[str], elements: tuple[str, ...]) -> None:
    """Check that every pair of elements has coefficients: LAMMPS does not mix in an overlay and omits the others."""
    types = range(1, len(elements) + 1)
    defined = set()
    for line in coeff:
        first, second = (_types(word, len(elements)) for word in line.split()[:2])
        defined |= {(min(i, j), max(i, j)) for i in first for j in second}
    missing = [(i, j) for i in types for j in types if i <= j and (i, j) not in defined]
    if missing:
        names = ", ".join(f"{elements[i - 1]}-{elements[j - 1]} ('{i} {j} ...')" for i, j in missing)
        raise ConfigError(f"{FIELD}: no coefficients for {names}; the types are {', '.join(elements)} in this order")


def _types(word: str, n: int) -> range:
    """Parse a range of types as LAMMPS does: ``2``, ``*``, ``*2``, ``2*``, ``1*2``."""
    low, star, high = word.partition("*")
    try:
        start = int(low or 1)
        end = int(high or n) if star else start
    except ValueError:
        start, end = 0, 0
    if not 1 <= start <= end <= n:
        raise ConfigError(f"{FIELD}: expected a type from 1 to {n} or a range of types, got {word!r}")
    return range(start, end + 1)


def _split(arguments: str) -> list[str]:
    words = split_coeff(arguments, FIELD)
    if len(words) < 2:
        raise ConfigError(f"{FIELD}: expected at least two types, e.g. '* * 29 29', got {arguments!r}")
    return words


def _resolve(word: str, files: dict[str, Path], directory: Path | None) -> str:
    """Replace a file by a plain name and add it to `files`; return other arguments unchanged."""
    name = "baseline_" + re.sub(r"[^\w.-]", "_", Path(word).name, flags=re.ASCII)
    if directory is not None and (directory / name).is_file():
        files[name] = directory / name
        return name
    path = find_file(word, FIELD)
    if path is not None:
        if files.setdefault(name, path) != path:
            raise ConfigError(f"{FIELD}: {files[name]} and {path} would both be stored as {name}; rename one of them")
        return name
    if not WORD.fullmatch(word):
        raise ConfigError(f"{FIELD}: expected plain keywords, numbers and file names, got {word!r}")
    return word

"""The baseline that a configuration names, with the files that it needs."""

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
"""What a word of a command may be made of: nothing that LAMMPS expands, quotes or continues."""


def find_baseline(config: PotentialConfig, elements: tuple[str, ...], kept: Path | None = None) -> Baseline | None:
    """Find the files of a configuration's baseline.

    Parameters
    ----------
    config
        ``baseline_style`` and ``baseline_coeff``, or ``baseline_calculator``.
    elements
        In the order of LAMMPS's types.
    kept
        A directory with copies of them, which count more than the originals: a campaign goes on with
        what it was begun with.

    Returns
    -------
    Baseline or None
        None where there is to be none.

    Raises
    ------
    ConfigError
        If a coefficient is no plain command, names elements in another order than that of the types, or a
        file that is neither here nor in LAMMPS's collection.
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
        coeff.append(" ".join(_keep(word, files, kept) for word in words))
    _check_pairs(coeff, elements)
    return PairBaseline(style=config.baseline_style, coeff=tuple(coeff), files=files, elements=elements)


def _check_pairs(coeff: list[str], elements: tuple[str, ...]) -> None:
    """Make sure that every pair of elements has coefficients: LAMMPS mixes none in an overlay, and leaves them out."""
    types = range(1, len(elements) + 1)
    given = set()
    for line in coeff:
        first, second = (_types(word, len(elements)) for word in line.split()[:2])
        given |= {(min(i, j), max(i, j)) for i in first for j in second}
    missing = [(i, j) for i in types for j in types if i <= j and (i, j) not in given]
    if missing:
        names = ", ".join(f"{elements[i - 1]}-{elements[j - 1]} ('{i} {j} ...')" for i, j in missing)
        raise ConfigError(f"{FIELD}: no coefficients for {names}; the types are {', '.join(elements)}")


def _types(word: str, n: int) -> range:
    """Read a range of types as LAMMPS does: ``2``, ``*``, ``*2``, ``2*``, ``1*2``."""
    low, star, high = word.partition("*")
    try:
        start = int(low or 1)
        end = int(high or n) if star else start
    except ValueError:
        start, end = 0, 0
    if not 1 <= start <= end <= n:
        raise ConfigError(f"{FIELD}: expected a type from 1 to {n} or a range of them, got {word!r}")
    return range(start, end + 1)


def _split(arguments: str) -> list[str]:
    words = split_coeff(arguments, FIELD)
    if len(words) < 2:
        raise ConfigError(f"{FIELD}: expected at least two types, e.g. '* * 29 29', got {arguments!r}")
    return words


def _keep(word: str, files: dict[str, Path], kept: Path | None) -> str:
    """Give a file a plain name; leave other words as they are."""
    name = "baseline_" + re.sub(r"[^\w.-]", "_", Path(word).name, flags=re.ASCII)
    if kept is not None and (kept / name).is_file():
        files[name] = kept / name
        return name
    path = find_file(word, FIELD)
    if path is not None:
        if files.setdefault(name, path) != path:
            raise ConfigError(f"{FIELD}: two files would be kept as {name}, {files[name]} and {path}; rename one")
        return name
    if not WORD.fullmatch(word):
        raise ConfigError(f"{FIELD}: expected plain words, numbers and file names, got {word!r}")
    return word

"""The words of a ``pair_coeff`` command, as users write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ase.data import atomic_numbers

from acemaker.errors import ConfigError


def check_order(words: Sequence[str], elements: tuple[str, ...], field: str) -> None:
    """Refuse ``* *`` coefficients that name the elements in another order than that of LAMMPS's types.

    Parameters
    ----------
    words
        The command's arguments.
    elements
        In the order of the types; nothing is checked without them.
    field
        The configuration's, for the message.

    Raises
    ------
    ConfigError
        Such a command would put every atom's forces on another element.
    """
    named = words[-len(elements) :] if elements and list(words[:2]) == ["*", "*"] else []
    if named and all(word in atomic_numbers for word in named) and tuple(named) != elements:
        raise ConfigError(
            f"{field}: LAMMPS's types are the elements in alphabetical order, {' '.join(elements)}, "
            f"but the coefficients name {' '.join(named)}; write '{' '.join([*words[: -len(elements)], *elements])}'"
        )


def find_file(word: str, field: str) -> Path | None:
    """Find the potential file that a word names, here or in LAMMPS's own collection.

    Parameters
    ----------
    word
        Anything.
    field
        The configuration's, for the message.

    Returns
    -------
    Path or None
        None for a word that does not look like a file.

    Raises
    ------
    ConfigError
        If there is no such file.
    """
    from acemaker.engines.lammps_library import potentials_directory

    if "." not in word or _is_number(word):
        return None
    folder = potentials_directory()
    if Path(word).is_file():
        return Path(word).resolve()
    if folder is not None and (folder / word).is_file():
        return folder / word
    raise ConfigError(
        f"{field}: there is no file {word!r} here or among LAMMPS's own potentials ({folder}); give its path"
    )


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True

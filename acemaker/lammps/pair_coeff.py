"""The words of a ``pair_coeff`` command, as users write them."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from ase.data import atomic_numbers

from acemaker.errors import ConfigError
from acemaker.lammps.setfl import elements_of, files_with, style_of


def split_coeff(arguments: str, field: str) -> list[str]:
    """Split the arguments of a ``pair_coeff`` command, in which paths with spaces are quoted as for a shell.

    Parameters
    ----------
    arguments
        As the user writes them.
    field
        The configuration's, for the message.

    Raises
    ------
    ConfigError
        If quotation marks do not match.
    """
    try:
        return shlex.split(arguments)
    except ValueError as error:
        raise ConfigError(f"{field}: quotation marks do not match in {arguments!r}") from error


def check_order(words: Sequence[str], elements: tuple[str, ...], field: str) -> None:
    """Refuse ``* *`` coefficients that name other elements than LAMMPS's types have, or these in another order.

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
    if not elements or list(words[:2]) != ["*", "*"]:
        return
    head, named = _named(words, len(elements))
    files = [file for word in head if (file := _found(word)) is not None]
    held = {symbol for file in files for symbol in elements_of(file)}
    if named and set(named) != set(elements):
        raise ConfigError(
            f"{field}: these coefficients are for {' '.join(named)}, but the structure holds {' '.join(elements)}; "
            + _instead(head, elements, held)
        )
    if named and tuple(named) != elements:
        raise ConfigError(
            f"{field}: LAMMPS's types are the elements in alphabetical order, {' '.join(elements)}, "
            f"but the coefficients name {' '.join(named)}; write '{' '.join([*head, *elements])}'"
        )
    if named and held and not set(elements) <= held:
        raise ConfigError(
            f"{field}: {files[0].name} holds {' '.join(sorted(held))}, but the structure holds {' '.join(elements)}; "
            + _instead(head, elements, held)
        )


def _named(words: Sequence[str], n: int) -> tuple[list[str], list[str]]:
    """Part the elements at the end of a command from the rest; none where NULL leaves types to another style."""
    if all(word in atomic_numbers for word in words[-n:]) and "NULL" in words:
        return list(words[:-n]), list(words[-n:])  # a NULL before them stands for a file that is not there
    start = len(words)
    while start and words[start - 1] in atomic_numbers:
        start -= 1
    return ([*words], []) if "NULL" in words else (list(words[:start]), list(words[start:]))


def _instead(head: list[str], elements: tuple[str, ...], held: Collection[str]) -> str:
    """Say what to give for a structure's elements."""
    from acemaker.lammps.library import potentials_directory

    if set(elements) <= set(held):
        return f"the file holds {' '.join(sorted(held))}: write '{' '.join([*head, *elements])}'"
    told = f"give pair_style and pair_coeff of a potential for {' '.join(elements)}"
    files = files_with(elements, potentials_directory())
    if not files:
        return told
    example = f"pair_style={style_of(files[0])} and pair_coeff='* * {files[0].name} {' '.join(elements)}'"
    others = f"; LAMMPS also comes with {', '.join(file.name for file in files[1:])}" if files[1:] else ""
    return f"{told}, e.g. {example}{others}"


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
    from acemaker.lammps.library import potentials_directory

    if (file := _found(word)) is not None:
        return file
    if "." not in word or _is_number(word):
        return None
    folder = potentials_directory()
    names = [file.name for file in folder.iterdir()] if folder is not None else []
    close = difflib.get_close_matches(Path(word).name, names, n=1)
    raise ConfigError(
        f"{field}: there is no file {word!r} here or among LAMMPS's own potentials ({folder}); "
        + (f"did you mean {close[0]!r}?" if close else "give its path")
    )


def _found(word: str) -> Path | None:
    """Look for a file here, and in LAMMPS's own collection."""
    from acemaker.lammps.library import potentials_directory

    if not {".", "/"} & set(word) or _is_number(word):
        return None
    if Path(word).is_file():
        return Path(word).resolve()
    folder = potentials_directory()
    return folder / word if folder is not None and (folder / word).is_file() else None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True

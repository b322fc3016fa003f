"""Arguments of ``pair_coeff`` commands: splitting, checks and potential files."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from ase.data import atomic_numbers

from acemaker.errors import ConfigError
from acemaker.lammps.setfl import elements_of, files_with, style_of

QUOTED = " \t'\"\\"
"""Characters with which a path would have to be quoted in a shell."""


def split_coeff(arguments: str, field: str) -> list[str]:
    """Split the arguments of a ``pair_coeff`` command, in which paths with spaces may be quoted as in a shell.

    The path of an existing file need not be quoted.

    Parameters
    ----------
    arguments
        Arguments as the user writes them.
    field
        Configuration field, for the error message.

    Raises
    ------
    ConfigError
        If quotation marks do not match.
    """
    words = _split_around_files(arguments)
    if words is not None:
        return words
    try:
        return shlex.split(arguments)
    except ValueError as error:
        raise ConfigError(f"{field}: quotation marks do not match in {arguments!r}") from error


def _split_around_files(arguments: str) -> list[str] | None:
    """Split arguments of which some together are an unquoted path of an existing file; None if there is no such path.

    Examples
    --------
    >>> _split_around_files("* * Cu_u3.eam") is None
    True
    """
    parts = re.split(r"(\s+)", arguments)  # words at even positions, spaces between them
    words: list[str] = []
    first, has_path = 0, False
    while first < len(parts):
        for last in range(len(parts) - 1, first - 1, -2):
            path = "".join(parts[first : last + 1])
            if "/" in path and any(character in path for character in QUOTED) and _is_file(path):
                words.append(path)
                first, has_path = last + 2, True
                break
        else:
            words.append(parts[first])
            first += 2
    return [word for word in words if word] if has_path else None


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # too long, or with a null character
        return False


def check_order(words: Sequence[str], elements: tuple[str, ...], field: str) -> None:
    """Check that ``* *`` coefficients name the elements of LAMMPS's types, in their order.

    Parameters
    ----------
    words
        Arguments of the command.
    elements
        Chemical symbols in the order of the types; if empty, nothing is checked.
    field
        Configuration field, for the error message.

    Raises
    ------
    ConfigError
        If the elements or their order differ, since atoms would then have the forces of other elements.
    """
    if not elements or list(words[:2]) != ["*", "*"]:
        return
    head, symbols = _split_symbols(words, len(elements))
    files = [file for word in head if (file := _existing_file(word)) is not None]
    in_files = {symbol for file in files for symbol in elements_of(file)}
    if symbols and set(symbols) != set(elements):
        raise ConfigError(
            f"{field}: these coefficients are for {' '.join(symbols)}, but the structure contains "
            f"{' '.join(elements)}; {_suggestion(head, elements, in_files)}"
        )
    if symbols and tuple(symbols) != elements:
        raise ConfigError(
            f"{field}: LAMMPS's types are the elements in alphabetical order, {' '.join(elements)}, "
            f"but the coefficients name {' '.join(symbols)}; write '{' '.join([*head, *elements])}'"
        )
    if symbols and in_files and not set(elements) <= in_files:
        raise ConfigError(
            f"{field}: {files[0].name} contains {' '.join(sorted(in_files))}, but the structure contains "
            f"{' '.join(elements)}; {_suggestion(head, elements, in_files)}"
        )


def _split_symbols(words: Sequence[str], n: int) -> tuple[list[str], list[str]]:
    """Separate the elements at the end of a command from the rest; none if NULL leaves types to another style."""
    if all(word in atomic_numbers for word in words[-n:]) and "NULL" in words:
        return list(words[:-n]), list(words[-n:])  # a NULL before the elements stands for a missing file
    start = len(words)
    while start and words[start - 1] in atomic_numbers:
        start -= 1
    return ([*words], []) if "NULL" in words else (list(words[:start]), list(words[start:]))


def _suggestion(head: list[str], elements: tuple[str, ...], in_files: Collection[str]) -> str:
    """Suggest coefficients for the elements of a structure."""
    from acemaker.lammps.library import potentials_directory

    if set(elements) <= set(in_files):
        return f"the file contains {' '.join(sorted(in_files))}: write '{' '.join([*head, *elements])}'"
    advice = f"set pair_style and pair_coeff of a potential for {' '.join(elements)}"
    files = files_with(elements, potentials_directory())
    if not files:
        return advice
    example = f"pair_style={style_of(files[0])} and pair_coeff='* * {files[0].name} {' '.join(elements)}'"
    others = f"; LAMMPS also comes with {', '.join(file.name for file in files[1:])}" if files[1:] else ""
    return f"{advice}, e.g. {example}{others}"


def find_file(word: str, field: str) -> Path | None:
    """Find the potential file that a word names, relative to the working directory or in LAMMPS's own collection.

    Parameters
    ----------
    word
        Any argument of the command.
    field
        Configuration field, for the error message.

    Returns
    -------
    Path or None
        None if the word does not look like a file.

    Raises
    ------
    ConfigError
        If there is no such file.
    """
    from acemaker.lammps.library import potentials_directory

    if (file := _existing_file(word)) is not None:
        return file
    if "." not in word or _is_number(word):
        return None
    folder = potentials_directory()
    names = [file.name for file in folder.iterdir()] if folder is not None else []
    close = difflib.get_close_matches(Path(word).name, names, n=1)
    raise ConfigError(
        f"{field}: there is no file {word!r} here or among LAMMPS's own potentials ({folder}); "
        + (f"did you mean {close[0]!r}?" if close else "write its path")
    )


def _existing_file(word: str) -> Path | None:
    """Return the file that a word names in the working directory or in LAMMPS's own collection, or None."""
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

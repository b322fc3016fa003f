"""Structures from files: their format, their frames, and atoms whose elements are not what ASE reads."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.units import Bohr

from acemaker.config import SystemConfig
from acemaker.config.system import HEAVY_HYDROGEN
from acemaker.errors import ConfigError
from acemaker.structures.frames import check_declared_size
from acemaker.structures.lammps_data import read_data
from acemaker.structures.lammps_dump import read_dump
from acemaker.structures.lammps_files import DATA, DUMP, lammps_format
from acemaker.structures.lammps_types import check_masses, set_isotopes

logger = logging.getLogger("acemaker")

HEAD = 100_000
"""Number of bytes in which the header of a LAMMPS file is searched."""

FACTORS = {"angstrom": 1.0, "nm": 10.0, "bohr": Bohr}
"""Å per unit of length."""

EXAMPLE = ("Pd", "H", "O", "Cu")
"""Elements in the message about a file that names none."""

XYZ = ("xyz", "extxyz")

_HEAVY = re.compile(r"^\s*[DT](?:[_/]\S*)?\s|\s[DT](?:[_/]\S*)?(?:\s|$)", re.M)


def read_structures_of(config: SystemConfig) -> list[Atoms]:
    """Read the frame, or the frames, that a configuration names.

    Parameters
    ----------
    config
        File, index and format, and elements and atom style of a LAMMPS file.

    Returns
    -------
    list of Atoms
        Structures in Å, as they are in the file. Deuterium and tritium are hydrogen with its mass.

    Raises
    ------
    ConfigError
        If there is no such file or frame, or it cannot be read, or its elements are not named.
    """
    path, where = config.file, f"SystemConfig.structure: {config.structure!r}"
    assert path is not None
    if not path.is_file():
        if path.exists():
            raise ConfigError(f"{where} is a folder; set structure to a file in it")
        name, _, index = config.structure.rpartition("@")
        if name and Path(name).is_file():
            raise ConfigError(
                f"{where}: expected a number or a range like 0:4 as the index of a frame in '{name}', got '{index}'"
            )
        meant = _formula_meant(config.structure)
        question = f"did you mean {meant!r}? Otherwise, " if meant else ""
        raise ConfigError(
            f"{where} is neither a chemical symbol nor a file; {question}"
            "set it to a symbol like 'Cu', a formula like 'NaCl', or the path of a structure file that ASE can read"
        )
    kind = _format(config, path)
    if config.atom_style is not None and kind != DATA:
        raise ConfigError(f"SystemConfig.atom_style: {config.structure!r} is no LAMMPS data file; omit atom_style")
    if config.elements and kind not in (DATA, DUMP, *XYZ):
        raise ConfigError(f"SystemConfig.elements: {config.structure!r} names its elements itself; omit elements")
    if kind == "lammps-dump-binary":
        raise ConfigError(
            f"{where}: a binary dump of LAMMPS does not name the elements; convert it to text by LAMMPS's tool "
            "binary2txt"
        )
    frames = _frames(config, kind, path, where)
    for atoms in frames:
        if atoms.has("masses"):
            check_masses(atoms, where)
    if config.length_unit is not None:
        for atoms in frames:
            _convert(atoms, FACTORS[config.length_unit], where)
    return frames


def _formula_meant(name: str) -> str | None:
    """Return the chemical symbol, or the formula of two elements, that was written in other letters."""
    if not re.fullmatch(r"[A-Za-z]{1,8}", name):
        return None
    if atomic_numbers.get(name.capitalize(), 0):
        return name.capitalize()

    def splits(rest: str) -> list[list[str]]:
        if not rest:
            return [[]]
        heads = [rest[:size].capitalize() for size in (2, 1) if len(rest) >= size]
        return [[head, *tail] for head in heads if atomic_numbers.get(head, 0) for tail in splits(rest[len(head) :])]

    # of more elements almost any word would consist
    compounds = [parts for parts in splits(name.lower()) if len(parts) == 2]
    return "".join(compounds[0]) if compounds else None


def _format(config: SystemConfig, path: Path) -> str | None:
    """Return the format by ASE's name; None if ASE cannot tell."""
    from ase.io.formats import UnknownFileTypeError, filetype, ioformats

    if config.format is not None:
        if config.format not in ioformats:
            close = get_close_matches(config.format, ioformats, n=1)
            known = f"did you mean '{close[0]}'?" if close else "the command 'ase info --formats' lists all"
            raise ConfigError(f"SystemConfig.format: ASE has no format '{config.format}'; {known}")
        return config.format
    try:
        with _open(path) as stream:
            head = stream.read(HEAD).decode(errors="replace")
        return lammps_format(head) or str(filetype(str(path), guess=True))
    except UnknownFileTypeError:
        return None
    except Exception as error:  # of the file system and of decompression
        raise ConfigError(f"SystemConfig.structure: cannot read {config.structure!r}: {error}") from error


def _frames(config: SystemConfig, kind: str | None, path: Path, where: str) -> list[Atoms]:
    """Read the frames; without an index the last one, as ASE does."""
    index = config.frame if config.frame is not None else slice(-2, None)
    try:
        read = _reader(config, kind, path, where)
        frames = read(index if isinstance(index, slice) else slice(None))
        if isinstance(index, int):
            if not -len(frames) <= index < len(frames):
                raise ConfigError(f"{where}: there is no frame {index}, the file has {len(frames)}, counted from 0")
            frames = [frames[index]]
        elif not frames:
            raise ConfigError(f"{where}: there are no such frames, the file has {len(read(slice(None)))}")
    except ConfigError:
        raise
    except Exception as error:  # ASE's readers may raise anything
        message = f"SystemConfig.structure: ASE cannot read {config.structure!r}: {error}"
        if str(error).strip("'") in HEAVY_HYDROGEN:
            message += "; name the atoms H, and write the file as extended XYZ with a column of masses:R:1 in u"
        elif kind is None or kind not in _known_formats():
            message += "; if ASE can read it, set format to ASE's name of the format"
        raise ConfigError(message) from error
    if config.frame is None and len(frames) > 1:
        logger.warning(
            f"{config.structure} has several frames; the last one is used. '{config.structure}@0' is the first one"
        )
        frames = frames[-1:]
    return frames


def _known_formats() -> Sequence[str]:
    from ase.io.formats import ioformats

    return [*ioformats]


def _reader(config: SystemConfig, kind: str | None, path: Path, where: str) -> Callable[[slice], list[Atoms]]:
    """Return a function that reads frames."""
    from ase.io import read
    from ase.io.formats import ioformats

    if kind == DATA:
        text = _text(path)
        atoms = read_data(text, where, atom_style=config.atom_style, elements=config.elements)
        return lambda frames: [atoms][frames]
    if kind == DUMP:
        text = _text(path)
        return lambda frames: read_dump(text, where, elements=config.elements, frames=frames)
    if kind in XYZ:
        check_declared_size(path)
        translated = _translate_xyz(_text(path), config.elements, where)
    elif kind == "vasp":
        _check_poscar(_text(path), where)
        translated = _translate_poscar(_text(path))
    else:
        translated = None
    if translated is not None:
        return partial(translated.read, kind)

    is_single = kind not in ioformats or ioformats[kind].single  # these formats accept no other index

    def by_ase(frames: slice) -> list[Atoms]:
        index = -1 if is_single else frames
        images = read(path, index=index, format=config.format, do_not_split_by_at_sign=True)
        return [images][frames] if isinstance(images, Atoms) else list(images)

    return by_ase


@dataclass(frozen=True, kw_only=True)
class _Translated:
    """A file with other names of elements that ASE reads, and the symbols that it means, by frame."""

    text: str
    symbols: tuple[tuple[str, ...], ...]

    def read(self, kind: str | None, frames: slice) -> list[Atoms]:
        from ase.io import read

        images = read(io.StringIO(self.text), index=slice(None), format=kind)
        for atoms, symbols in zip(images, self.symbols, strict=True):
            set_isotopes(atoms, symbols)
        return list(images[frames])


def _translate_xyz(text: str, elements: Sequence[str], where: str) -> _Translated | None:
    """Translate isotopes of hydrogen and the numbers of LAMMPS's types; None if there are none."""
    lines, frames, start = text.split("\n"), [], 0
    is_translated = False
    while start < len(lines) and lines[start].strip().isdigit():
        end = start + 2 + int(lines[start])
        column = _species_column(lines[start + 1])
        if column is None:
            return None  # the elements are atomic numbers, for example
        names = [line.split()[column] for line in lines[start + 2 : end]]
        symbols = _xyz_symbols(names, elements, where)
        if symbols != names:
            is_translated = True
            for number, symbol in enumerate(symbols, start=start + 2):
                fields = lines[number].split()
                fields[column] = "H" if symbol in HEAVY_HYDROGEN else symbol
                lines[number] = " ".join(fields)
        if any(symbol in HEAVY_HYDROGEN for symbol in symbols):
            is_translated = True
            for number in range(start + 2, end):
                fields = lines[number].split()
                fields[column] = "H" if fields[column] in HEAVY_HYDROGEN else fields[column]
                lines[number] = " ".join(fields)
        frames.append(tuple(symbols))
        start = end
    return _Translated(text="\n".join(lines), symbols=tuple(frames)) if is_translated else None


def _species_column(comment: str) -> int | None:
    """Return the column of the elements: the first one without a declaration; None if only others are declared."""
    declared = re.search(r"\bProperties=\"?([^\s\"]+)", comment)
    column = 0
    parts = declared[1].split(":") if declared else []
    for name, count in zip(parts[::3], parts[2::3], strict=False):
        if name.lower() in ("species", "element", "symbols"):
            return column
        column += int(count)
    return None if declared else 0


def _xyz_symbols(names: list[str], elements: Sequence[str], where: str) -> list[str]:
    """Return the symbols of a frame's atoms; numbers, as LAMMPS writes its types, need `elements`."""
    numbers = {int(name) for name in names if name.isdigit()}
    if elements:
        if len(numbers) == 0 or any(not name.isdigit() for name in names):
            raise ConfigError(f"{where}: the file names its elements itself; omit elements")
        if max(numbers) > len(elements) or min(numbers) < 1:
            raise ConfigError(
                f"{where}: expected elements for the types {', '.join(map(str, sorted(numbers)))}, got "
                f"{', '.join(elements)}; list one element per type"
            )
        return [elements[int(name) - 1] for name in names]
    if numbers:
        raise ConfigError(
            f"{where}: the file has the numbers {', '.join(map(str, sorted(numbers)))} instead of elements, like "
            "LAMMPS's atom types; set elements to the elements in the order of the types, e.g. elements=['Cu', 'Ni']"
        )
    return names


def _check_poscar(text: str, where: str) -> None:
    """Check that a POSCAR names its elements: without a line of symbols, as of VASP 4, ASE searches the comment."""
    lines = text.split("\n")
    counts = lines[5].split("!")[0].split() if len(lines) > 5 else []
    if not counts or not all(count.isdigit() for count in counts):
        return
    comment = lines[0].split()
    if len(comment) == len(counts) and all(atomic_numbers.get(name, 0) for name in comment):
        logger.info(f"{where} has no line of elements; they are those of its first line: {' '.join(comment)}")
        return
    raise ConfigError(
        f"{where}: expected a line of elements before the numbers of atoms in line 6 of the POSCAR, got "
        f"{' '.join(counts)!r} as VASP 4 writes it; insert a line with {len(counts)} element"
        f"{'s' if len(counts) > 1 else ''} before it, e.g. {' '.join(EXAMPLE[: len(counts)])!r}"
    )


def _translate_poscar(text: str) -> _Translated | None:
    """Translate isotopes of hydrogen in the line of the symbols; None if there are none."""
    lines = text.split("\n")
    if len(lines) < 7:
        return None
    names = [re.split(r"[_/]", name)[0] for name in lines[5].split()]
    counts = lines[6].split()
    if not set(names) & set(HEAVY_HYDROGEN) or len(counts) < len(names) or not all(n.isdigit() for n in counts):
        return None
    if any(int(count[:12]) > len(lines) for count in counts):
        raise ValueError(f"line 7 declares {' '.join(counts)} atoms, but the file has only {len(lines)} lines")
    symbols = tuple(name for name, count in zip(names, counts, strict=False) for _ in range(int(count)))
    lines[5] = " ".join("H" if name in HEAVY_HYDROGEN else name for name in names)
    return _Translated(text="\n".join(lines), symbols=(symbols,))


def _convert(atoms: Atoms, factor: float, where: str) -> None:
    """Convert lengths to Å."""
    if factor != 1 and atoms.has("momenta") and np.any(atoms.get_momenta()):
        raise ConfigError(
            f"{where}: the file has velocities, whose unit is not that of length_unit; convert the file to Å, or "
            "remove them"
        )
    atoms.set_cell(atoms.cell.array * factor)
    atoms.positions *= factor


def _open(path: Path) -> Any:
    from ase.io.formats import open_with_compression

    return open_with_compression(str(path), "rb")


def _text(path: Path) -> str:
    with _open(path) as stream:
        text: str = stream.read().decode(errors="replace")
    return text.replace("\r\n", "\n")

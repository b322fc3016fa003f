"""Pseudopotential files of Quantum ESPRESSO: found, and checked before anything is computed with them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from acemaker.errors import ConfigError

DEBIAN = "/usr/share/espresso/pseudo"
"""Where Debian's ``quantum-espresso-data`` puts its files."""

HEADER = 60_000
"""Bytes at the beginning of a file in which the header is looked for; some files list their input before it."""

SHORT = {
    "PZ": ("SLA PZ NOGX NOGC",),
    "PBE": ("SLA PW PBE PBE", "SLA PW PBX PBC"),
    "PBESOL": ("SLA PW PSX PSC",),
    "BLYP": ("B88 LYP BLYP BLYP", "SLA LYP B88 BLYP", "SLA LYP BE88 BLYP"),
    "BP": ("B88 P86", "SLA PW B88 P86"),
    "PW91": ("SLA PW GGX GGC",),
}
"""Quantum ESPRESSO's long names of functionals, by short name."""


@dataclass(frozen=True, kw_only=True)
class Pseudopotential:
    """What the header of a UPF file says.

    Attributes
    ----------
    path : Path
        The file.
    element : str
        Chemical symbol.
    functional : str
        Short name where it is known, else as the file has it, in capitals.
    norm_conserving : bool
        Whether four times the cutoff of the waves is enough for the density.
    relativistic : bool
        Whether it is for spin-orbit coupling.
    """

    path: Path
    element: str
    functional: str
    norm_conserving: bool
    relativistic: bool


def find_folder(named: str) -> Path:
    """Find the folder of the pseudopotentials.

    Parameters
    ----------
    named
        In the configuration; empty for ``$ESPRESSO_PSEUDO``, else Debian's.

    Returns
    -------
    Path

    Raises
    ------
    ConfigError
        If it is not there. pw.x 6 would silently take the system's.
    """
    where, name = next(
        (where, name)
        for where, name in (
            ("OracleConfig.pseudo_dir", named),
            ("ESPRESSO_PSEUDO", os.environ.get("ESPRESSO_PSEUDO", "")),
            ("the default", DEBIAN),
        )
        if name
    )
    folder = Path(name).expanduser().resolve()
    if not folder.is_dir():
        raise ConfigError(
            f"{where}: there is no folder {name}; give pseudo_dir, a folder with UPF files (Debian has some in the "
            "package quantum-espresso-data)"
        )
    return folder


def find_pseudopotentials(folder: Path, names: Mapping[str, str], elements: tuple[str, ...]) -> list[Pseudopotential]:
    """Find one file for each element, and make sure that they fit together.

    Parameters
    ----------
    folder
        Where they lie.
    names
        File names by element; where one is left out, the folder must have just one file of the element.
    elements
        Chemical symbols.

    Returns
    -------
    list of Pseudopotential
        In the order of the elements.

    Raises
    ------
    ConfigError
        If a file is missing, is of another element, or there are several; and if functionals differ.
    """
    unknown = sorted(set(names) - set(elements))
    if unknown:
        raise ConfigError(
            f"OracleConfig.pseudopotentials: {', '.join(unknown)} is not in the structure, which has "
            f"{', '.join(elements)}"
        )
    found = [_named(folder, names[e], e) if e in names else _only(folder, e) for e in elements]
    functionals = {pseudo.functional for pseudo in found}
    if len(functionals) > 1:
        listed = ", ".join(f"{pseudo.path.name}: {pseudo.functional}" for pseudo in found)
        raise ConfigError(f"OracleConfig.pseudopotentials must all be for one functional, got {listed}")
    return found


def read_header(path: Path) -> Pseudopotential:
    """Read the header of a UPF file, of version 1 or 2.

    Raises
    ------
    ConfigError
        If the file cannot be read or has no such header.
    """
    try:
        with path.open("rb") as stream:
            text = stream.read(HEADER).decode(errors="replace")
    except OSError as error:
        raise ConfigError(f"cannot read the pseudopotential {path}: {error}") from error
    start = text.find("<PP_HEADER")
    header = text[start:]
    fields = {name: value.strip() for name, _, value in re.findall(r"(\w+)\s*=\s*(['\"])(.*?)\2", header, re.DOTALL)}
    if start >= 0 and {"element", "functional"} <= set(fields):
        kind = fields.get("pseudo_type", "")
        relativistic = fields.get("has_so", "").upper().startswith(("T", ".T"))
        return _make(path, fields["element"], fields["functional"], kind, relativistic)
    lines = header.splitlines()
    if start >= 0 and len(lines) > 5 and "Element" in lines[2]:  # version 1
        functional = re.sub(r"\s*Exchange-Corr.*", "", lines[5])
        return _make(path, lines[2].split()[0], functional, lines[3].split()[0], "<PP_ADDINFO" in text)
    raise ConfigError(f"{path} is no pseudopotential in the UPF format: it has no readable <PP_HEADER>")


def _make(path: Path, element: str, functional: str, kind: str, relativistic: bool) -> Pseudopotential:
    words = " ".join(functional.upper().replace("-", " ").split())
    short = next((name for name, long in SHORT.items() if words == name or words in long), words)
    return Pseudopotential(
        path=path,
        element=element.strip().capitalize(),
        functional=short,
        norm_conserving=kind.strip().upper() in ("NC", "SL"),
        relativistic=relativistic,
    )


def _named(folder: Path, name: str, element: str) -> Pseudopotential:
    path = folder / name
    if not path.is_file():
        raise ConfigError(f"OracleConfig.pseudopotentials: there is no {name} in {folder}; {_offer(folder, element)}")
    pseudo = read_header(path)
    if pseudo.element != element:
        raise ConfigError(f"OracleConfig.pseudopotentials: {name} is of {pseudo.element}, not of {element}")
    return pseudo


def _only(folder: Path, element: str) -> Pseudopotential:
    files = _files(folder, element)
    if len(files) == 1:
        return _named(folder, files[0].name, element)
    many = "several files" if files else "no file"
    raise ConfigError(
        f"OracleConfig.pseudopotentials: {folder} has {many} of {element}; {_offer(folder, element)}; name one, e.g. "
        f"pseudopotentials={{'{element}': '{files[0].name if files else element + '.upf'}'}}"
    )


def _files(folder: Path, element: str) -> list[Path]:
    """List the UPF files whose names begin with an element."""
    pattern = re.compile(rf"{element}(?![A-Za-z]).*\.upf", re.IGNORECASE)
    return sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name))


def _offer(folder: Path, element: str) -> str:
    """Say which files of an element there are."""
    found = []
    for path in _files(folder, element):
        try:
            found.append(f"{path.name} ({read_header(path).functional})")
        except ConfigError:
            continue
    return f"it has {', '.join(found)}" if found else f"it has none of {element}"

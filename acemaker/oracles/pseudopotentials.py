"""Search and checks of pseudopotential files of Quantum ESPRESSO."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from acemaker.errors import ConfigError

DEBIAN = "/usr/share/espresso/pseudo"
"""Folder of Debian's package ``quantum-espresso-data``."""

HEADER = 60_000
"""Bytes at the beginning of a file that are searched for the header; some files contain their input before it."""

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
    """The header of a UPF file.

    Attributes
    ----------
    path : Path
        The file.
    element : str
        Chemical symbol.
    functional : str
        Short name if it is known, else the name in the file in capitals.
    norm_conserving : bool
        Whether four times the cutoff of the plane waves is sufficient for the density.
    relativistic : bool
        Whether it includes spin-orbit coupling.
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
        Folder in the configuration; empty for ``$ESPRESSO_PSEUDO`` if it is set, else Debian's.

    Returns
    -------
    Path

    Raises
    ------
    ConfigError
        If it does not exist; pw.x 6 would silently use the files of the system.
    """
    source, name = next(
        (source, name)
        for source, name in (
            ("OracleConfig.pseudo_dir", named),
            ("ESPRESSO_PSEUDO", os.environ.get("ESPRESSO_PSEUDO", "")),
            ("the default", DEBIAN),
        )
        if name
    )
    folder = Path(name).expanduser().resolve()
    if not folder.is_dir():
        raise ConfigError(
            f"{source}: there is no folder {name}; set pseudo_dir to a folder with UPF files (Debian's package "
            "quantum-espresso-data contains some)"
        )
    return folder


def find_pseudopotentials(folder: Path, names: Mapping[str, str], elements: tuple[str, ...]) -> list[Pseudopotential]:
    """Find one file for each element, and check that they are consistent.

    Parameters
    ----------
    folder
        Folder of the files.
    names
        File names by element; for an omitted element, the folder must contain exactly one file.
    elements
        Chemical symbols.

    Returns
    -------
    list of Pseudopotential
        In the order of the elements.

    Raises
    ------
    ConfigError
        If a file is missing, ambiguous or for another element, or if functionals differ.
    """
    unknown = sorted(set(names) - set(elements))
    if unknown:
        raise ConfigError(
            f"OracleConfig.pseudopotentials: {', '.join(unknown)} is not in the structure, which has "
            f"{', '.join(elements)}"
        )
    pseudos = [_named(folder, names[e], e) if e in names else _only(folder, e) for e in elements]
    functionals = {pseudo.functional for pseudo in pseudos}
    if len(functionals) > 1:
        listed = ", ".join(f"{pseudo.path.name}: {pseudo.functional}" for pseudo in pseudos)
        raise ConfigError(f"OracleConfig.pseudopotentials must all be for one functional, got {listed}")
    return pseudos


def read_header(path: Path) -> Pseudopotential:
    """Read the header of a UPF file, of version 1 or 2.

    Raises
    ------
    ConfigError
        If the file cannot be read or has no valid header.
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
        return _pseudopotential(path, fields["element"], fields["functional"], kind, relativistic)
    lines = header.splitlines()
    if start >= 0 and len(lines) > 5 and "Element" in lines[2]:  # version 1
        functional = re.sub(r"\s*Exchange-Corr.*", "", lines[5])
        return _pseudopotential(path, lines[2].split()[0], functional, lines[3].split()[0], "<PP_ADDINFO" in text)
    raise ConfigError(f"{path} is not a pseudopotential in UPF format: it has no readable <PP_HEADER>")


def _pseudopotential(path: Path, element: str, functional: str, kind: str, relativistic: bool) -> Pseudopotential:
    normalized = " ".join(functional.upper().replace("-", " ").split())
    short = next((name for name, long in SHORT.items() if normalized == name or normalized in long), normalized)
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
        raise ConfigError(f"OracleConfig.pseudopotentials: there is no {name} in {folder}; {_listing(folder, element)}")
    pseudo = read_header(path)
    if pseudo.element != element:
        raise ConfigError(f"OracleConfig.pseudopotentials: {name} is for {pseudo.element}, not for {element}")
    return pseudo


def _only(folder: Path, element: str) -> Pseudopotential:
    files = _files(folder, element)
    if len(files) == 1:
        return _named(folder, files[0].name, element)
    count = "several files" if files else "no file"
    raise ConfigError(
        f"OracleConfig.pseudopotentials: {folder} has {count} for {element}; {_listing(folder, element)}; specify one, "
        f"e.g. pseudopotentials={{'{element}': '{files[0].name if files else element + '.upf'}'}}"
    )


def _files(folder: Path, element: str) -> list[Path]:
    """List the UPF files whose names begin with an element."""
    pattern = re.compile(rf"{element}(?![A-Za-z]).*\.upf", re.IGNORECASE)
    return sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name))


def _listing(folder: Path, element: str) -> str:
    """List the files of an element for an error message."""
    files = []
    for path in _files(folder, element):
        try:
            files.append(f"{path.name} ({read_header(path).functional})")
        except ConfigError:
            continue
    return f"it has {', '.join(files)}" if files else f"it has none for {element}"

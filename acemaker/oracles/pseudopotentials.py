"""Search and checks of pseudopotential files of Quantum ESPRESSO."""

from __future__ import annotations

import math
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

LONGEST_NAME, LONGEST_FOLDER = 75, 250
"""Bytes; pw.x cuts longer names off, and rejects longer paths of the folder."""

SHORT = {
    "PZ": ("SLA PZ NOGX NOGC", "SLA PZ", "LDA"),
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
    valence : float
        Number of valence electrons; NaN if the header does not contain it.
    """

    path: Path
    element: str
    functional: str
    norm_conserving: bool
    relativistic: bool
    valence: float


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
        If files are missing, ambiguous or for other elements, or if functionals differ; the message contains the
        problems of all elements, and files of one functional if the folder has some for all of them.
    """
    unknown = sorted(set(names) - set(elements))
    if unknown:
        raise ConfigError(
            f"OracleConfig.pseudopotentials: {', '.join(unknown)} is not in the structure, which has "
            f"{', '.join(elements)}"
        )
    pseudos: list[Pseudopotential] = []
    problems: list[str] = []
    for element in elements:
        try:
            pseudos.append(_named(folder, names[element], element) if element in names else _only(folder, element))
        except ConfigError as error:
            problems.append(str(error).removeprefix("OracleConfig.pseudopotentials: "))
    if problems:
        raise ConfigError(f"OracleConfig.pseudopotentials: {'. '.join(problems)}{_offer(folder, elements)}")
    functionals = {pseudo.functional for pseudo in pseudos}
    if len(functionals) > 1:
        listed = ", ".join(f"{pseudo.path.name}: {pseudo.functional}" for pseudo in pseudos)
        raise ConfigError(
            f"OracleConfig.pseudopotentials must all be for one functional, got {listed}{_offer(folder, elements)}"
        )
    return pseudos


def _offer(folder: Path, elements: tuple[str, ...]) -> str:
    """Return a sentence with one file of each element for each functional of which all elements have a file."""
    by_functional: dict[str, dict[str, str]] = {}
    for element in elements:
        readable = [pseudo for path in _files(folder, element) if (pseudo := _readable(path)) is not None]
        # scalar relativistic files first: without spin-orbit coupling pw.x only averages the others
        for pseudo in sorted(readable, key=lambda pseudo: pseudo.relativistic):
            if pseudo.element == element:
                by_functional.setdefault(pseudo.functional, {}).setdefault(element, pseudo.path.name)
    shared = {name: files for name, files in by_functional.items() if len(files) == len(elements)}
    if len(elements) < 2 or not shared:
        return ""
    offers = [f"{functional}: pseudopotentials={files}" for functional, files in sorted(shared.items())]
    return f". All elements have files of {'; '.join(offers)}"


def read_orbitals(path: Path) -> set[str]:
    """Read the names of the atomic wavefunctions of a UPF file, to which Hubbard parameters can be applied.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    set of str
        For example ``{"3d", "4s"}``; names in the file that are not of this form are omitted.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    """
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        raise ConfigError(f"cannot read the pseudopotential {path}: {error}") from error
    labels = re.findall(r"<PP_CHI\.\d+[^>]*?\blabel\s*=\s*['\"]\s*(\w+)", text, re.DOTALL)
    if not labels:  # version 1
        section = text.partition("<PP_PSWFC>")[2].partition("</PP_PSWFC>")[0]
        labels = re.findall(r"^\s*(\d[A-Z])\s+\d\s+[-\d.]+\s+Wavefunction", section, re.MULTILINE | re.IGNORECASE)
    return {label.lower() for label in labels if re.fullmatch(r"\d[spdf]", label.lower())}


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
        valence = _float(fields.get("z_valence", ""))
        return _pseudopotential(path, fields["element"], fields["functional"], kind, relativistic, valence)
    lines = header.splitlines()
    if start >= 0 and len(lines) > 5 and "Element" in lines[2]:  # version 1
        functional = re.sub(r"\s*Exchange-Corr.*", "", lines[5])
        valence = next((_float(line.split()[0]) for line in lines if "Z valence" in line), math.nan)
        return _pseudopotential(
            path, lines[2].split()[0], functional, lines[3].split()[0], "<PP_ADDINFO" in text, valence
        )
    raise ConfigError(f"{path} is not a pseudopotential in UPF format: it has no readable <PP_HEADER>")


def _float(text: str) -> float:
    """Convert a number as Fortran writes it; NaN if it is none."""
    try:
        return float(text.lower().replace("d", "e"))
    except ValueError:
        return math.nan


def _pseudopotential(
    path: Path, element: str, functional: str, kind: str, relativistic: bool, valence: float
) -> Pseudopotential:
    normalized = " ".join(functional.upper().replace("-", " ").split())
    if (parts := normalized.rpartition(" "))[2] in SHORT and parts[0] in SHORT[parts[2]]:
        normalized = parts[2]  # some files contain both names
    short = next((name for name, long in SHORT.items() if normalized == name or normalized in long), normalized)
    return Pseudopotential(
        path=path,
        element=element.strip().capitalize(),
        functional=short,
        norm_conserving=kind.strip().upper() in ("NC", "SL"),
        relativistic=relativistic,
        valence=valence,
    )


def _named(folder: Path, name: str, element: str) -> Pseudopotential:
    path = folder / name
    if not path.is_file():
        raise ConfigError(f"OracleConfig.pseudopotentials: there is no {name} in {folder}; {_listing(folder, element)}")
    pseudo = read_header(path)
    if pseudo.element != element:
        raise ConfigError(f"OracleConfig.pseudopotentials: {name} is for {pseudo.element}, not for {element}")
    check_name(name)
    if len(os.fsencode(folder)) > LONGEST_FOLDER:
        raise ConfigError(
            f"OracleConfig.pseudopotentials: pw.x reads at most {LONGEST_FOLDER} bytes of the path of a folder, but "
            f"that of {name} has {len(os.fsencode(folder))}: {folder}; copy the files to a folder with a shorter path"
        )
    return pseudo


def check_name(name: str) -> None:
    """Check that pw.x reads the whole name of a pseudopotential.

    With a part of it, pw.x searches the folder of the system, too, and may take another file there.

    Parameters
    ----------
    name
        Name of the file.

    Raises
    ------
    ConfigError
        If the name is too long, or contains a character at which pw.x stops to read.
    """
    if re.search(r"[\s,;]", name) or len(os.fsencode(name)) > LONGEST_NAME:
        raise ConfigError(
            f"OracleConfig.pseudopotentials: pw.x would read only a part of the name {name!r}; rename or copy the "
            f"file to a name without spaces, commas and semicolons, and of at most {LONGEST_NAME} bytes"
        )


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
    readable = [pseudo for path in _files(folder, element) if (pseudo := _readable(path)) is not None]
    files = [f"{pseudo.path.name} ({pseudo.functional})" for pseudo in readable]
    return f"it has {', '.join(files)}" if files else f"it has none for {element}"


def _readable(path: Path) -> Pseudopotential | None:
    try:
        return read_header(path)
    except ConfigError:
        return None

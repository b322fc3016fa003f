"""What may be among the further input of pw.x: names that reach it, and settings that labels can have."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

OURS = {
    "calculation", "tprnfor", "tstress", "outdir", "wfcdir", "prefix", "pseudo_dir", "disk_io", "restart_mode",
    "max_seconds", "ecutwfc", "ecutrho", "occupations", "smearing", "degauss", "ibrav", "nat", "ntyp",
    "conv_thr", "electron_maxstep", "mixing_beta", "scf_must_converge",
}  # fmt: skip
"""Names of pw.x's input that have a field here, or that a label depends on."""

FIELDS = {
    "kpts": "kspacing",
    "k_points": "kspacing",
    "kpoints": "kspacing",
    "koffset": "koffset",
    "kspacing": "kspacing",
    "pseudopotentials": "pseudopotentials",
    "command": "espresso_command",
}
"""Names that people look for here, and the fields that they are."""

SPECIES_INDEX = {
    "starting_magnetization": 0, "starting_charge": 0, "hubbard_u": 0, "hubbard_u2": 0, "hubbard_u_back": 0,
    "hubbard_alpha": 0, "hubbard_alpha_back": 0, "hubbard_beta": 0, "hubbard_j0": 0, "hubbard_j": 1,
    "hubbard_occ": 0, "hubbard_n": 0, "hubbard_l": 0, "starting_ns_eigenvalue": 2, "london_c6": 0, "london_rvdw": 0,
}  # fmt: skip
"""Names with an index that is the number of an element, and which of their indices it is."""

HUBBARD = {"lda_plus_u", "lda_plus_u_kind", "u_projection_type", "hubbard_parameters"} | {
    name for name in SPECIES_INDEX if name.startswith("hubbard_")
}
"""Names of pw.x before 7.1, which ASE passes on within their namelist only."""

UNSUPPORTED = {
    "noncolin": "noncollinear magnetism is not supported",
    "lspinorb": "spin-orbit coupling needs noncollinear magnetism, which is not supported",
    "angle1": "noncollinear magnetism is not supported",
    "angle2": "noncollinear magnetism is not supported",
    "hubbard_v": "it numbers atoms, which differ from label to label",
    "additional_cards": "cards of pw.x's input are not supported",
}
"""Names that would be read, but not as they are meant."""

SINGLE_POINT = {"ions": "moves of atoms", "cell": "changes of the cell"}
"""Namelists that pw.x does not read for a label."""

_NAME = re.compile(r"([a-z]\w*)(?:\(([^()]*)\))?")


def indexed(name: str) -> tuple[str, tuple[int, ...]]:
    """Take a name of pw.x's input apart.

    Parameters
    ----------
    name
        As ``Hubbard_U(2)``.

    Returns
    -------
    str
        In lower case, without indices.
    tuple of int
        The indices, from 1; empty if there are none.

    Raises
    ------
    ValueError
        If it is no such name.
    """
    matched = _NAME.fullmatch(name.lower())
    if matched is None:
        raise ValueError(f"{name!r} is no name of pw.x's input, such as 'nspin' or 'starting_magnetization(1)'")
    try:
        return matched[1], tuple(int(word) for word in matched[2].split(",")) if matched[2] is not None else ()
    except ValueError:
        raise ValueError(f"the index of {name!r} must be a whole number") from None


def items(given: Mapping[str, Any]) -> Iterator[tuple[str | None, str, Any]]:
    """Go over further input, by name or by namelist and name: namelist in lower case or None, name, value."""
    for key, value in given.items():
        if isinstance(value, Mapping):
            yield from ((key.lower(), name, inner) for name, inner in value.items())
        else:
            yield None, key, value


def check_input(given: Mapping[str, Any]) -> None:
    """Refuse what would not reach pw.x, or not as it is meant.

    Parameters
    ----------
    given
        By name, or by namelist and name.

    Raises
    ------
    ValueError
        For a name that ASE would drop, with the nearest known one; one that has a field, or that labels depend on; and
        settings of spin that would leave a calculation without magnetization.
    """
    if not given:
        return
    from ase.io.espresso_namelist.keys import ALL_KEYS  # late: ase.io takes half a second

    known = {name: section for section, names in ALL_KEYS["pw"].items() for name in names}
    for key, value in given.items():
        if isinstance(value, Mapping):
            _check_namelist(key, list(ALL_KEYS["pw"]))
    values: dict[str, Any] = {}
    for section, written, value in items(given):
        name, indices = indexed(written)
        if name in OURS:
            raise ValueError(f"{name} must not be among it: a field of its own, or fixed for labels")
        if name in FIELDS:
            raise ValueError(f"'{name}' is no name of pw.x's namelists; the field for it is {FIELDS[name]}")
        if name in UNSUPPORTED:
            raise ValueError(f"{name} must not be among it: {UNSUPPORTED[name]}")
        _check_home(written, name, section, known)
        if name in SPECIES_INDEX and len(indices) <= SPECIES_INDEX[name]:
            raise ValueError(f"'{written}' needs the number of an element, e.g. '{written}(1)'")
        if written.lower() in values:
            raise ValueError(f"'{written}' is given twice")
        values[written.lower()] = value
    _check_spin(values)


def _check_namelist(key: str, known: list[str]) -> None:
    if changes := SINGLE_POINT.get(key.lower()):
        raise ValueError(f"pw.x does not read the namelist '{key}' for labels, which have no {changes}")
    if key.lower() not in known:
        raise ValueError(f"pw.x has no namelist '{key}'; {_nearest(key, known)}")


def _check_home(written: str, name: str, section: str | None, known: Mapping[str, str]) -> None:
    """Refuse a name that does not belong where it stands."""
    home = "system" if name in HUBBARD else known.get(name)
    if home in SINGLE_POINT:
        raise ValueError(f"pw.x does not read {name} for labels, which have no {SINGLE_POINT[home]}")
    if section is None:
        if name in HUBBARD and name not in known:
            raise ValueError(f"'{written}' is known within its namelist only: {{'system': {{{written!r}: ...}}}}")
        if home is None:
            raise ValueError(f"pw.x has no '{written}'; {_nearest(name, [*known, *HUBBARD])}")
    elif home is None:
        # newer ones than ASE knows reach pw.x, which knows its own, unless one of them is probably meant
        if close := difflib.get_close_matches(name, [*known, *HUBBARD], n=1, cutoff=0.8):
            raise ValueError(f"pw.x has no '{written}'; did you mean '{close[0]}'?")
    elif section != home:
        raise ValueError(f"'{written}' belongs to the namelist '{home}', not to '{section}'")


def _check_spin(values: Mapping[str, Any]) -> None:
    moments = {name: value for name, value in values.items() if name.startswith("starting_magnetization(")}
    for name, value in moments.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not -1 <= value <= 1:
            raise ValueError(f"'{name}' must be a share of the valence electrons from -1 to 1, got {value!r}")
    nspin = values.get("nspin", 1)
    if nspin not in (1, 2) or isinstance(nspin, bool):
        raise ValueError(f"nspin must be 1 or 2, got {nspin!r}: noncollinear magnetism is not supported")
    if nspin == 1 and (moments or "tot_magnetization" in values):
        name = next(iter(moments), "tot_magnetization")
        raise ValueError(f"'{name}' needs 'nspin': 2, without which pw.x does not look at it")
    if nspin == 2 and not any(moments.values()) and not values.get("tot_magnetization"):
        raise ValueError(
            "'nspin': 2 needs a magnetization to begin with, or the result is not magnetic: e.g. "
            "'starting_magnetization(1)': 0.5 for the first of the elements in alphabetical order"
        )


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else "the names are those of its input description"

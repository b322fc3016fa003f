"""What may be among the further input of pw.x: names that reach it, and settings that labels can have."""

from __future__ import annotations

import difflib
import math
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

GEOMETRY = {
    *("celldm", "a", "b", "c", "cosab", "cosac", "cosbc", "space_group", "uniqueb", "origin_choice", "rhombohedral"),
}
"""Names that describe a structure."""

NOT_READ = {"dt", "nstep", "forc_conv_thr", "etot_conv_thr"}
"""Names that count where atoms move."""

STARTING = {"startingpot", "startingwfc"}
"""Names by which a calculation may start from files of an earlier one, of which a label has none."""

ARRAYS = {"efield_cart", "fixed_magnetization", "solute_lj", "solute_epsilon", "solute_sigma"}
"""Names with an index that is not the number of an element, or counts for none of the supported settings."""

LEAST_MOMENT = 1e-3
"""Smallest starting magnetization that is one."""

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
    matched = _NAME.fullmatch(name.lower()) if isinstance(name, str) else None
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


def nested(given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Bring further input into the form of namelists: names in lower case, each in the namelist to which it belongs."""
    sections: dict[str, dict[str, Any]] = {}
    homes = _homes() if given else {}
    for section, written, value in items(given):
        name = written.lower()
        sections.setdefault(section or homes[indexed(name)[0]], {})[name] = value
    return sections


def check_input(given: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse what would not reach pw.x, or not as it is meant.

    Parameters
    ----------
    given
        By name, or by namelist and name.

    Returns
    -------
    dict
        The same, with NumPy's scalars as Python's.

    Raises
    ------
    ValueError
        For a name that ASE would drop, with the nearest known one; one that has a field, or that labels depend on; a
        value that pw.x cannot read; and settings of spin or Hubbard parameters that would have no effect.
    """
    if not given:
        return {}
    known = _homes()
    _check_namelists(given, sorted(set(known.values())))
    values: dict[tuple[str, tuple[int, ...]], Any] = {}
    for section, written, value in items(given):
        name, indices = indexed(written)
        _check_name(name, written, value)
        _check_home(written, name, section, known)
        _check_index(written, name, indices, known)
        if (name, indices) in values:
            raise ValueError(f"'{written}' is given twice")
        values[name, indices] = _checked(written, value)
    _check_spin(values)
    _check_hubbard(values)
    return {
        key: {name: _plain(inner) for name, inner in value.items()} if isinstance(value, Mapping) else _plain(value)
        for key, value in given.items()
    }


def _homes() -> dict[str, str]:
    """Return the namelist of each name that ASE knows, and of those of older versions that it does not."""
    from ase.io.espresso_namelist.keys import ALL_KEYS  # late: ase.io takes half a second

    known = {name: section for section, names in ALL_KEYS["pw"].items() for name in names}
    return known | dict.fromkeys(HUBBARD, "system")


def _check_namelists(given: Mapping[str, Any], known: list[str]) -> None:
    seen = set()
    for key, value in given.items():
        if not isinstance(key, str):
            raise ValueError(f"names must be text, got {key!r}")
        if not isinstance(value, Mapping):
            if key.lower() in known:
                raise ValueError(f"the namelist '{key}' must be a mapping of names to values, got {value!r}")
            continue
        if value and (changes := SINGLE_POINT.get(key.lower())):
            raise ValueError(f"pw.x does not read the namelist '{key}' for labels, which have no {changes}")
        if key.lower() not in known:
            raise ValueError(f"pw.x has no namelist '{key}'; {_nearest(key, known)}")
        if key.lower() in seen:
            raise ValueError(f"the namelist '{key}' is given twice")
        seen.add(key.lower())


def _check_name(name: str, written: str, value: Any) -> None:
    if name in OURS:
        raise ValueError(f"{name} must not be among it: a field of its own, or fixed for labels")
    if name in FIELDS:
        raise ValueError(f"'{name}' is no name of pw.x's namelists; the field for it is {FIELDS[name]}")
    if name in UNSUPPORTED and value is not False:
        raise ValueError(f"{name} must not be among it: {UNSUPPORTED[name]}")
    if name in GEOMETRY:
        raise ValueError(f"{name} must not be among it: cell and positions are those of each label")
    if name in NOT_READ or (name in STARTING and "file" in str(value)):
        raise ValueError(f"pw.x does not read {written} for labels, which are single points from scratch")


def _check_home(written: str, name: str, section: str | None, known: Mapping[str, str]) -> None:
    """Refuse a name that does not belong where it stands."""
    home = known.get(name)
    if home in SINGLE_POINT:
        raise ValueError(f"pw.x does not read {name} for labels, which have no {SINGLE_POINT[home]}")
    if section is None:
        if name in HUBBARD:
            raise ValueError(f"'{written}' is known within its namelist only: {{'system': {{{written!r}: ...}}}}")
        if home is None:
            raise ValueError(f"pw.x has no '{written}'; {_nearest(name, [*known])}")
    elif home is None:
        # newer ones than ASE knows reach pw.x, which knows its own, unless one of them is probably meant
        if close := difflib.get_close_matches(name, [*known], n=1, cutoff=0.8):
            raise ValueError(f"pw.x has no '{written}'; did you mean '{close[0]}'?")
    elif section != home:
        raise ValueError(f"'{written}' belongs to the namelist '{home}', not to '{section}'")


def _check_index(written: str, name: str, indices: tuple[int, ...], known: Mapping[str, str]) -> None:
    if name in SPECIES_INDEX and len(indices) <= SPECIES_INDEX[name]:
        raise ValueError(f"'{written}' needs the number of an element, e.g. '{written}(1)'")
    if indices and name in known and name not in {*SPECIES_INDEX, *ARRAYS}:
        raise ValueError(f"'{written}' takes no index: write '{name}'")


def _checked(written: str, value: Any) -> bool | int | float | str:
    """Return a value that pw.x can read."""
    value = _plain(value)
    if isinstance(value, str):
        if set("'\"!\n\r") & set(value):
            raise ValueError(f"the text of '{written}' must hold no quotes, exclamation marks or line breaks")
        if value.strip(".").lower() in ("t", "f", "true", "false"):
            raise ValueError(f"'{written}' must be True or False, not text, got {value!r}")
        return value
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError(f"'{written}' must be a number, text, True or False, got {value!r}")


def _plain(value: Any) -> Any:
    """Make Python's own number of one of NumPy's, which would be written with its type."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value


def _check_spin(values: Mapping[tuple[str, tuple[int, ...]], Any]) -> None:
    moments = {indices: value for (name, indices), value in values.items() if name == "starting_magnetization"}
    for indices, value in moments.items():
        if isinstance(value, bool | str) or not -1 <= value <= 1:
            raise ValueError(
                f"'starting_magnetization({indices[0]})' must be a share of the valence electrons from -1 to 1, got "
                f"{value!r}"
            )
    nspin, total = values.get(("nspin", ()), 1), values.get(("tot_magnetization", ()))
    if type(nspin) is not int or nspin not in (1, 2):
        raise ValueError(
            f"'nspin' must be the whole number 1 or 2, got {nspin!r}: noncollinear magnetism is not supported"
        )
    if nspin == 1 and (moments or total is not None):
        name = f"starting_magnetization({next(iter(moments))[0]})" if moments else "tot_magnetization"
        raise ValueError(f"'{name}' needs 'nspin': 2, without which pw.x does not look at it")
    if total == -1:
        raise ValueError("'tot_magnetization': -1 is none at all to pw.x before 7: leave it out, or turn all signs")
    if nspin == 2 and not total and not any(abs(moment) >= LEAST_MOMENT for moment in moments.values()):
        raise ValueError(
            "'nspin': 2 needs a magnetization to begin with, or the result is not magnetic: e.g. "
            "'starting_magnetization(1)': 0.5 for the first of the elements in alphabetical order"
        )


def _check_hubbard(values: Mapping[tuple[str, tuple[int, ...]], Any]) -> None:
    numbered = [(name, indices) for name, indices in values if name in SPECIES_INDEX and name in HUBBARD]
    on = values.get(("lda_plus_u", ())) is True
    if numbered and not on:
        name, indices = numbered[0]
        written = f"{name}({','.join(map(str, indices))})"
        raise ValueError(f"'{written}' needs 'lda_plus_u': True, without which pw.x before 7.1 does not look at it")
    if on and not numbered:
        raise ValueError("'lda_plus_u': True needs parameters, e.g. 'Hubbard_U(1)': 4.0, in eV")


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else "the names are those of its input description"

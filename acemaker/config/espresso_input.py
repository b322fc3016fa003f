"""Checks of additional input of pw.x: that each name reaches pw.x, and that each setting is possible for labels."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

RESERVED = {
    "calculation", "tprnfor", "tstress", "outdir", "wfcdir", "prefix", "pseudo_dir", "disk_io", "restart_mode",
    "max_seconds", "ecutwfc", "ecutrho", "occupations", "smearing", "degauss", "ibrav", "nat", "ntyp",
    "conv_thr", "electron_maxstep", "mixing_beta", "scf_must_converge",
}  # fmt: skip
"""Names of pw.x's input that have a field in the configuration, or on which labels depend."""

FIELDS = {
    "kpts": "kspacing",
    "k_points": "kspacing",
    "kpoints": "kspacing",
    "koffset": "koffset",
    "kspacing": "kspacing",
    "pseudopotentials": "pseudopotentials",
    "command": "espresso_command",
    "magnetic_moments": "magnetic_moments",
    "magmoms": "magnetic_moments",
    "initial_magmoms": "magnetic_moments",
    "hubbard": "hubbard",
}
"""Names that users expect here, and the fields that replace them."""

SPECIES_INDEX = {
    "starting_magnetization": 0, "starting_charge": 0, "hubbard_u": 0, "hubbard_u2": 0, "hubbard_u_back": 0,
    "hubbard_alpha": 0, "hubbard_alpha_back": 0, "hubbard_beta": 0, "hubbard_j0": 0, "hubbard_j": 1,
    "hubbard_occ": 0, "hubbard_n": 0, "hubbard_l": 0, "starting_ns_eigenvalue": 2, "london_c6": 0, "london_rvdw": 0,
}  # fmt: skip
"""Names with an element number among their indices, and the position of that index."""

HUBBARD = {"lda_plus_u", "lda_plus_u_kind", "u_projection_type", "hubbard_parameters"} | {
    name for name in SPECIES_INDEX if name.startswith("hubbard_")
}
"""Names of pw.x before 7.1, which ASE passes on only within their namelist."""

UNSUPPORTED = {
    "noncolin": "noncollinear magnetism is not supported",
    "lspinorb": "spin-orbit coupling needs noncollinear magnetism, which is not supported",
    "angle1": "noncollinear magnetism is not supported",
    "angle2": "noncollinear magnetism is not supported",
    "hubbard_v": "its indices are atoms, which differ from label to label",
    "additional_cards": "cards of pw.x's input are not supported",
}
"""Names that pw.x would read, but not as intended."""

SINGLE_POINT = {"ions": "moves of atoms", "cell": "changes of the cell"}
"""Namelists that pw.x does not read for a label."""

GEOMETRY = {
    *("celldm", "a", "b", "c", "cosab", "cosac", "cosbc", "space_group", "uniqueb", "origin_choice", "rhombohedral"),
}
"""Names that describe a structure."""

NOT_READ = {"dt", "nstep", "forc_conv_thr", "etot_conv_thr"}
"""Names that have an effect only if atoms move."""

STARTING = {"startingpot", "startingwfc"}
"""Names by which a calculation can start from files of an earlier one, which labels do not have."""

ARRAYS = {"efield_cart", "fixed_magnetization", "solute_lj", "solute_epsilon", "solute_sigma"}
"""Names with an index that is not an element number, or that has no effect with any supported setting."""

PROJECTION, PROJECTIONS = "u_projection_type", ("atomic", "ortho-atomic")
"""Name of the projectors of Hubbard parameters, and its values that both syntaxes have and that give forces."""

LEAST_MOMENT = 1e-3
"""Minimum starting magnetization that counts as nonzero."""

_NAME = re.compile(r"([a-z]\w*)(?:\(([^()]*)\))?")


def indexed(name: str) -> tuple[str, tuple[int, ...]]:
    """Split a name of pw.x's input into name and indices.

    Parameters
    ----------
    name
        For example ``Hubbard_U(2)``.

    Returns
    -------
    str
        The name in lower case, without indices.
    tuple of int
        The indices, from 1; empty if there are none.

    Raises
    ------
    ValueError
        If it is not a valid name.
    """
    matched = _NAME.fullmatch(name.lower()) if isinstance(name, str) else None
    if matched is None:
        raise ValueError(f"{name!r} is not a name of pw.x's input, such as 'nspin' or 'starting_magnetization(1)'")
    try:
        return matched[1], tuple(int(index) for index in matched[2].split(",")) if matched[2] is not None else ()
    except ValueError:
        raise ValueError(f"the index of {name!r} must be a whole number") from None


def items(inputs: Mapping[str, Any]) -> Iterator[tuple[str | None, str, Any]]:
    """Iterate over additional input as tuples of namelist (in lower case, or None), name and value."""
    for key, value in inputs.items():
        if isinstance(value, Mapping):
            yield from ((key.lower(), name, inner) for name, inner in value.items())
        else:
            yield None, key, value


def nested(inputs: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Convert additional input to namelists: names in lower case, each in the namelist to which it belongs."""
    sections: dict[str, dict[str, Any]] = {}
    namelists = _namelists() if inputs else {}
    for section, written, value in items(inputs):
        name = written.lower()
        sections.setdefault(section or namelists[indexed(name)[0]], {})[name] = value
    return sections


def check_input(inputs: Mapping[str, Any], *, moments: bool = False, hubbard: bool = False) -> dict[str, Any]:
    """Check that additional input reaches pw.x, and as intended.

    Parameters
    ----------
    inputs
        Values by name, or by namelist and name.
    moments
        Whether magnetic moments are set by element, in `magnetic_moments`.
    hubbard
        Whether Hubbard parameters are set by element, in `hubbard`.

    Returns
    -------
    dict
        The same input, with NumPy scalars converted to Python's types.

    Raises
    ------
    ValueError
        For a name that ASE would drop (with the nearest known one), a name that has a field or on which labels depend,
        a value that pw.x cannot read, settings of spin or Hubbard parameters that would have no effect, and those that
        are also set by element.
    """
    if not inputs:
        return {}
    namelists = _namelists()
    _check_namelists(inputs, sorted(set(namelists.values())))
    values: dict[tuple[str, tuple[int, ...]], Any] = {}
    for section, written, value in items(inputs):
        name, indices = indexed(written)
        _check_name(name, written, value)
        _check_namelist(written, name, section, namelists)
        _check_index(written, name, indices, namelists)
        if (name, indices) in values:
            raise ValueError(f"'{written}' is specified twice")
        values[name, indices] = _checked(written, value)
    _check_spin(values, moments=moments)
    _check_hubbard(values, by_element=hubbard)
    return {
        key: {name: _plain(inner) for name, inner in value.items()} if isinstance(value, Mapping) else _plain(value)
        for key, value in inputs.items()
    }


def _namelists() -> dict[str, str]:
    """Return the namelist of each name that ASE knows, and of the names of older pw.x that ASE does not know."""
    from ase.io.espresso_namelist.keys import ALL_KEYS  # late: ase.io takes half a second

    namelists = {name: section for section, names in ALL_KEYS["pw"].items() for name in names}
    return namelists | dict.fromkeys(HUBBARD, "system")


def _check_namelists(inputs: Mapping[str, Any], namelists: list[str]) -> None:
    seen = set()
    for key, value in inputs.items():
        if not isinstance(key, str):
            raise ValueError(f"names must be text, got {key!r}")
        if not isinstance(value, Mapping):
            if key.lower() in namelists:
                raise ValueError(f"the namelist '{key}' must be a mapping of names to values, got {value!r}")
            continue
        if value and (changes := SINGLE_POINT.get(key.lower())):
            raise ValueError(f"pw.x does not read the namelist '{key}' for labels, which have no {changes}")
        if key.lower() not in namelists:
            raise ValueError(f"pw.x has no namelist '{key}'; {_nearest(key, namelists)}")
        if key.lower() in seen:
            raise ValueError(f"the namelist '{key}' is specified twice")
        seen.add(key.lower())


def _check_name(name: str, written: str, value: Any) -> None:
    if name in RESERVED:
        raise ValueError(f"{name} cannot be set here: it has its own field, or is fixed for labels")
    if name in FIELDS:
        raise ValueError(f"'{name}' is not a name of pw.x's namelists; use the field {FIELDS[name]}")
    if name in UNSUPPORTED and value is not False:
        raise ValueError(f"{name} cannot be set here: {UNSUPPORTED[name]}")
    if name in GEOMETRY:
        raise ValueError(f"{name} cannot be set here: cell and positions are those of each label")
    if name in NOT_READ or (name in STARTING and "file" in str(value)):
        raise ValueError(f"pw.x does not read {written} for labels, which are single points from scratch")


def _check_namelist(written: str, name: str, section: str | None, namelists: Mapping[str, str]) -> None:
    """Check that a name is in the namelist to which it belongs."""
    namelist = namelists.get(name)
    if namelist in SINGLE_POINT:
        raise ValueError(f"pw.x does not read {name} for labels, which have no {SINGLE_POINT[namelist]}")
    if section is None:
        if name in HUBBARD:
            raise ValueError(
                f"'{written}' must be within its namelist: {{'system': {{{written!r}: ...}}}}; the field hubbard sets "
                "U by element, for any version of pw.x"
            )
        if namelist is None:
            raise ValueError(f"pw.x has no '{written}'; {_nearest(name, [*namelists])}")
    elif namelist is None:
        # names of pw.x that are newer than ASE's list pass, unless they are similar to a known name
        if close := difflib.get_close_matches(name, [*namelists], n=1, cutoff=0.8):
            raise ValueError(f"pw.x has no '{written}'; did you mean '{close[0]}'?")
    elif section != namelist:
        raise ValueError(f"'{written}' belongs to the namelist '{namelist}', not to '{section}'")


def _check_index(written: str, name: str, indices: tuple[int, ...], namelists: Mapping[str, str]) -> None:
    if name in SPECIES_INDEX and len(indices) <= SPECIES_INDEX[name]:
        raise ValueError(f"'{written}' needs the number of an element, e.g. '{written}(1)'")
    if indices and name in namelists and name not in {*SPECIES_INDEX, *ARRAYS}:
        raise ValueError(f"'{written}' takes no index: write '{name}'")


def _checked(written: str, value: Any) -> bool | int | float | str:
    """Return a value that pw.x can read."""
    value = _plain(value)
    if isinstance(value, str):
        if set("'\"!\n\r") & set(value):
            raise ValueError(f"the text of '{written}' must not contain quotes, exclamation marks or line breaks")
        if value.strip(".").lower() in ("t", "f", "true", "false"):
            raise ValueError(f"'{written}' must be True or False, not text, got {value!r}")
        return value
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError(f"'{written}' must be a number, text, True or False, got {value!r}")


def _plain(value: Any) -> Any:
    """Convert a NumPy scalar to Python's type, since it would be written with its type."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value


def _check_spin(values: Mapping[tuple[str, tuple[int, ...]], Any], *, moments: bool) -> None:
    fractions = {indices: value for (name, indices), value in values.items() if name == "starting_magnetization"}
    if moments and fractions:
        raise ValueError(
            f"'starting_magnetization({next(iter(fractions))[0]})' is also set by magnetic_moments; omit one of them"
        )
    for indices, value in fractions.items():
        if isinstance(value, bool | str) or not -1 <= value <= 1:
            raise ValueError(
                f"'starting_magnetization({indices[0]})' must be a fraction of the valence electrons from -1 to 1, got "
                f"{value!r}"
            )
    nspin, total = values.get(("nspin", ()), 2 if moments else 1), values.get(("tot_magnetization", ()))
    if type(nspin) is not int or nspin not in (1, 2):
        raise ValueError(
            f"'nspin' must be the whole number 1 or 2, got {nspin!r}: noncollinear magnetism is not supported"
        )
    if nspin == 1 and moments:
        raise ValueError("'nspin': 1 contradicts magnetic_moments, which need 'nspin': 2; omit one of them")
    if nspin == 1 and (fractions or total is not None):
        name = f"starting_magnetization({next(iter(fractions))[0]})" if fractions else "tot_magnetization"
        raise ValueError(f"'{name}' needs 'nspin': 2; pw.x ignores it otherwise")
    if total == -1:
        raise ValueError(
            "'tot_magnetization': -1 means unconstrained to pw.x before 7; omit it, or reverse all signs of the moments"
        )
    magnetic = moments or any(abs(fraction) >= LEAST_MOMENT for fraction in fractions.values())
    if nspin == 2 and not total and not magnetic:
        raise ValueError(
            "'nspin': 2 needs an initial magnetization, or the result is not magnetic: e.g. magnetic_moments="
            "{'Fe': 2.5}, in Bohr magnetons per atom. If the structure has magnetic moments, omit 'nspin'"
        )


def _check_hubbard(values: Mapping[tuple[str, tuple[int, ...]], Any], *, by_element: bool) -> None:
    numbered = [(name, indices) for name, indices in values if name in SPECIES_INDEX and name in HUBBARD]
    enabled = values.get(("lda_plus_u", ())) is True
    if by_element:
        clashing = [name for name, _ in values if name in HUBBARD and name != PROJECTION]
        if clashing:
            raise ValueError(
                f"'{clashing[0]}' cannot be combined with hubbard, which sets U by element; omit one of them"
            )
        if values.get((PROJECTION, ()), "atomic") not in PROJECTIONS:
            raise ValueError(f"'{PROJECTION}' must be one of {', '.join(PROJECTIONS)}")
    if numbered and not enabled:
        name, indices = numbered[0]
        written = f"{name}({','.join(map(str, indices))})"
        raise ValueError(f"'{written}' needs 'lda_plus_u': True; pw.x before 7.1 ignores it otherwise")
    if enabled and not numbered:
        raise ValueError("'lda_plus_u': True needs parameters, e.g. 'Hubbard_U(1)': 4.0, in eV")


def _nearest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else "see the input description of pw.x"

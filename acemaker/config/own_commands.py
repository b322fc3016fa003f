"""LAMMPS commands of the user: which are accepted, and why others are not."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

FIXES = (
    "addforce",
    "aveforce",
    "heat",
    "indent",
    "lineforce",
    "planeforce",
    "restrain",
    "setforce",
    "spring",
    "viscous",
    "wall/region",
)
"""Fixes of every LAMMPS whose effect depends on the step and on the atoms alone, so that a run can be resumed."""

COMPUTES = (
    "com",
    "gyration",
    "ke",
    "ke/atom",
    "property/atom",
    "reduce",
    "reduce/region",
    "temp",
    "temp/com",
    "temp/partial",
    "temp/region",
)
"""Computes of every LAMMPS that follow from the atoms alone; others have a memory, such as msd, or read files."""

COMMANDS = ("fix", "compute", "region", "variable")

VARIABLES = ("equal", "atom")

PLACES = {
    "group": "define the group in atom_groups and use its name",
    "timestep": "set timestep",
    "velocity": "set temperature, or momenta of the structure",
    "mass": "set masses of the structure",
    "pair_style": "the potential is that of the campaign; set baseline_style for one that is added",
    "pair_coeff": "the potential is that of the campaign; set baseline_coeff for one that is added",
    "thermo": "observables are recorded at every check",
    "dump": "set trajectory_every",
    "restart": "set restart_every",
    "run": "set steps, or stages",
    "minimize": "acemaker runs molecular dynamics only",
    "create_atoms": "put the atoms into the structure: their number does not change",
    "delete_atoms": "remove the atoms from the structure: their number does not change",
}
"""What to do instead of commands that acemaker gives itself."""

CODE = ("shell", "python", "include", "jump", "label", "next", "if", "plugin", "quit", "clear", "print", "log", "mdi")
"""Commands that run other programs or files, or another course of the script."""

REASONS: tuple[tuple[str, str], ...] = (
    (
        r"deposit|evaporate|pour|gcmc|widom|append/atoms|bond/.*|charge/regulation|rx",
        "changes the number of atoms or their bonds, but a campaign has the same atoms from its first step to its "
        "last: forces, frames and labels are compared atom by atom. Start a walker with the other atoms",
    ),
    (
        r"(atom|mol|neighbor)/swap|sgcmc|alchemy|property/atom",
        "changes elements or properties of atoms, which keep theirs for the whole campaign. Start walkers with other "
        "arrangements (composition)",
    ),
    (r"momentum.*|recenter", "moves the center of mass; set remove_momentum_every"),
    (r"deform.*|box/relax", "changes the cell; set strain_rates, or a barostat"),
    (
        r"nv[etk].*|np[th].*|msst|langevin.*|temp/.*|press/.*|rigid.*|shake|rattle|move|gj?f?|gl[de].*|ffl|brownian.*"
        r"|bocs|hmc|tfmc|pimd.*|ti/spring|tgn.*|csvr|adapt.*|dt/reset|halt",
        "moves the atoms, or controls their temperature or pressure, besides the ensemble; choose ensemble",
    ),
    (
        r"plumed|colvars|ipi|imd|mdi.*|external|python/.*|smd.*|store/.*|spring/self|spring/rg|tmd|efield.*|ave/.*|print"
        r"|vector|controller|ttm.*|phonon|neb.*",
        "has a memory, charges, or files or programs of its own, which a run that is resumed would not restore",
    ),
)
"""Reasons against fixes, by patterns of their styles."""

RESERVED = re.compile(r"(ace|ensemble|thermostat|strain|own_|gamma|soft|atom_masses|mobile|thermo_|bath_|begin)", re.I)
"""Beginnings of names that acemaker uses itself."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}")
MARKS = "\"'`$&;#{}\\%!|<>"
"""Characters that LAMMPS would interpret, or that could begin another command."""

FORGETFUL = re.compile(
    r"\b(random|normal|elapsed|elaplong|cpu|spcpu|tpcpu|timeremain|part|next|is_file|extract_setting)\b"
)
"""Functions and keywords of formulas whose values depend on where a run was started."""


def check_command(command: str, groups: Collection[str]) -> list[str]:
    """Check one LAMMPS command, and return its words.

    Parameters
    ----------
    command
        A ``fix``, ``compute``, ``region`` or ``variable`` command.
    groups
        Names of the groups that exist, besides elements.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        With the reason, if the command is not accepted.

    Examples
    --------
    >>> check_command("fix pull tip addforce 0 0 v_f", ["tip"])
    ['fix', 'pull', 'tip', 'addforce', '0', '0', 'v_f']
    >>> check_command("shell rm -r data", [])
    Traceback (most recent call last):
    ValueError: lammps_commands: 'shell rm -r data' runs code, other files or other commands, which is not allowed here
    """
    shown = f"lammps_commands: {command!r}"
    words = command.split()
    if not words:
        raise ValueError("lammps_commands: expected a command, got an empty text")
    name = words[0].lower()
    if name in CODE:
        raise ValueError(f"{shown} runs code, other files or other commands, which is not allowed here")
    if name in PLACES:
        raise ValueError(f"{shown}: not available; {PLACES[name]}")
    if name not in COMMANDS:
        raise ValueError(f"{shown}: expected one of {', '.join(COMMANDS)}, got {words[0]!r}")
    if not command.isascii() or not command.isprintable():
        raise ValueError(
            f"{shown} contains a line break or characters other than plain ASCII; write one command per item"
        )
    if command.rstrip().endswith("&") or (marks := [mark for mark in MARKS if mark in _outside_formula(words)]):
        what = "&" if command.rstrip().endswith("&") else " ".join(marks)
        raise ValueError(f"{shown} contains {what}, which LAMMPS would interpret; write plain words")
    if len(words) < 4:
        raise ValueError(f"{shown}: expected a name, a style and arguments after {name!r}")
    if not NAME.fullmatch(words[1]) or RESERVED.match(words[1]):
        raise ValueError(f"{shown}: expected a name of letters, digits and _ that acemaker does not use itself")
    if name == "variable":
        _check_variable(shown, words)
    if name in ("fix", "compute"):
        _check_group(shown, words[2], groups)
    if name == "fix":
        _check_fix(shown, words[3])
    if name == "compute" and words[3] not in COMPUTES:
        raise ValueError(
            f"{shown}: compute {words[3]} is not among those that follow from the atoms alone: {', '.join(COMPUTES)}"
        )
    return words


def _outside_formula(words: list[str]) -> str:
    """Return the words in which no marks may occur; formulas contain comparisons."""
    return (
        " ".join(words[:3]) + re.sub(r"[<>|&!%]", "", " ".join(words[3:]))
        if words[0] == "variable"
        else " ".join(words)
    )


def _check_variable(shown: str, words: list[str]) -> None:
    if words[2] not in VARIABLES:
        raise ValueError(f"{shown}: expected a variable of style equal or atom, got {words[2]!r}")
    if match := FORGETFUL.search(" ".join(words[3:])):
        raise ValueError(
            f"{shown}: {match[0]!r} depends on where a run was started or on random numbers, so that a resumed run "
            "would differ; use step"
        )


def _check_group(shown: str, group: str, groups: Collection[str]) -> None:
    from ase.data import atomic_numbers

    if group not in ("all", *groups) and not atomic_numbers.get(group, 0):
        raise ValueError(f"{shown}: {group!r} is no group of atom_groups, no chemical symbol and not 'all'")


def _check_fix(shown: str, style: str) -> None:
    if style in FIXES:
        return
    for pattern, reason in REASONS:
        if re.fullmatch(pattern, style):
            raise ValueError(f"{shown}: fix {style} {reason}")
    close = difflib.get_close_matches(style, FIXES, n=1)
    question = f"; did you mean {close[0]!r}?" if close else ""
    raise ValueError(
        f"{shown}: fix {style} is not among those that a restart file or their definition restores exactly: "
        f"{', '.join(FIXES)}{question}"
    )

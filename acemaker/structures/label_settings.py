"""Settings in the outputs of pw.x and VASP that decide whether labels belong together, and unconverged labels."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

NOT_CONVERGED = "the electronic iterations did not converge"

SPIN = "spin polarization"
"""Name of the setting that isolated atoms may have differently."""

PATTERNS: dict[str, dict[str, str]] = {
    "espresso-out": {
        "plane-wave cutoff": r"kinetic-energy cutoff\s*=\s*([\d.]+)\s*Ry",
        "density cutoff": r"charge density cutoff\s*=\s*([\d.]+)\s*Ry",
        "functional": r"Exchange-correlation\s*=\s*(.+?)\s*(?:\(|\n)",
        "Hubbard U": r"(?:Simplified LDA\+U calculation|Hubbard parameters of).*?\n((?:.*\n){1,2})",
        SPIN: r"total magnetization\s*=\s*()",
    },
    "vasp-out": {
        "plane-wave cutoff": r"^\s*ENCUT\s*=\s*([\d.]+)\s*eV",
        "functional": r"^\s*GGA\s*=\s*(\S+)",
        "meta-GGA": r"^\s*METAGGA\s*=\s*(\S+)",
        "Hubbard U": r"^\s*LDAU\s*=\s*(\S+)",
        "dispersion": r"^\s*IVDW\s*=\s*(\d+)",
        SPIN: r"^\s*ISPIN\s*=\s*(\d)",
    },
    "vasp-xml": {
        "plane-wave cutoff": r'<i name="(?:ENMAX|ENCUT)">\s*([\d.]+)',
        "functional": r'<i type="string" name="GGA">\s*(\S+?)\s*</i>',
        "meta-GGA": r'<i type="string" name="METAGGA">\s*(\S+?)\s*</i>',
        "Hubbard U": r'<i type="logical" name="LDAU">\s*(\S+?)\s*</i>',
        "dispersion": r'<i type="int" name="IVDW">\s*(\d+)',
        SPIN: r'<i type="int" name="ISPIN">\s*(\d)',
    },
}
"""Regular expressions of settings, by ASE's name of the format."""

PSEUDOPOTENTIALS = {
    "espresso-out": r"PseudoPot\. #\s*\d+ for (\w+)\s+read from file:\s*(\S+)",
    "vasp-out": r"TITEL\s*=\s*((?:PAW|US|NC)\S*\s+([A-Z][a-z]?)\S*(?:[ \t]+\S+)?)",
    "vasp-xml": r"<c>\s*((?:PAW|US|NC)\S*\s+([A-Z][a-z]?)\S*(?:[ \t]+\S+)?)\s*</c>",
}
"""Regular expressions of an element and the name of its pseudopotential, in either order."""


def settings_of(kind: str, text: str) -> dict[str, str]:
    """Return the settings of an output.

    Parameters
    ----------
    kind
        ASE's name of the format: ``espresso-out``, ``vasp-out`` or ``vasp-xml``.
    text
        The output.

    Returns
    -------
    dict
        Values by name, including ``"pseudopotential of Cu"``.

    Examples
    --------
    >>> settings_of("vasp-out", "   ENCUT  =  400.0 eV  29.40 Ry")
    {'plane-wave cutoff': '400.0'}
    """
    found = {"Hubbard U": "none", SPIN: "none"} if kind == "espresso-out" else {}
    for name, pattern in PATTERNS[kind].items():
        if (match := re.search(pattern, text, re.M)) is not None:
            value = " ".join(match[1].split())
            if value != "--":  # that of the pseudopotentials
                found[name] = value or "yes"
    for match in re.finditer(PSEUDOPOTENTIALS[kind], text):
        if kind == "espresso-out":
            element, name = match[1], match[2].rpartition("/")[2]
        else:
            element, name = match[2], match[1]
        found[f"pseudopotential of {element}"] = " ".join(name.split())
    return found


def different_settings(first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    """List the settings of two outputs that both contain with different values.

    Examples
    --------
    >>> different_settings({"plane-wave cutoff": "30.0000"}, {"plane-wave cutoff": "30", "functional": "PBE"})
    []
    >>> different_settings({"plane-wave cutoff": "30.0"}, {"plane-wave cutoff": "45.0"})
    ['plane-wave cutoff 30.0 and 45.0']
    """
    return [
        f"{name} {value} and {second[name]}"
        for name, value in first.items()
        if name in second and not _same(value, second[name])
    ]


def unconverged(kind: str, text: str, n_frames: int) -> dict[int, str]:
    """Return which structures of an output have an electronic structure that is not converged.

    Parameters
    ----------
    kind
        ASE's name of the format.
    text
        The output.
    n_frames
        Number of structures that were read from it.

    Returns
    -------
    dict
        The reason by index of the structure. If the parts of the output cannot be assigned to structures, none counts
        as converged as soon as one is not.
    """
    if kind == "espresso-out":
        # pw.x then writes no line by which ASE assigns energies to structures
        failed = [True] if "convergence NOT achieved" in text else [False] * n_frames
    elif kind == "vasp-out":
        blocks = re.split(r"FREE ENERGIE OF THE ION-ELECTRON SYSTEM", text)[:-1]
        most = _limit(r"^\s*NELM\s*=\s*(\d+)", text)
        # VASP writes that EDIFF is reached also if it stops after NELM iterations
        failed = ["EDIFF is reached" not in block or _iterations(block) >= most for block in blocks]
    else:
        most = _limit(r'<i type="int" name="NELM">\s*(\d+)', text)
        blocks = re.findall(r"<calculation>.*?</calculation>", text, flags=re.S)
        failed = [block.count("<scstep>") >= most for block in blocks]
    if len(failed) == n_frames:
        return {index: NOT_CONVERGED for index, bad in enumerate(failed) if bad}
    return dict.fromkeys(range(n_frames), f"{NOT_CONVERGED} for all of the file") if any(failed) else {}


def _limit(pattern: str, text: str) -> float:
    """Return the largest number of electronic iterations; infinity if it is not stated."""
    match = re.search(pattern, text, re.M)
    return int(match[1]) if match else math.inf


def _iterations(block: str) -> int:
    """Return the number of electronic iterations of a part of an OUTCAR."""
    iterations = re.findall(r"Iteration\s+\d+\(\s*(\d+)\)", block)
    return int(iterations[-1]) if iterations else 0


def _same(first: str, second: str) -> bool:
    try:
        return abs(float(first) - float(second)) < 1e-6
    except ValueError:
        return first == second

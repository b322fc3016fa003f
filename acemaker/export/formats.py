"""Content of the files: extended XYZ, ASE databases and pacemaker's data frames.

Numbers are read again from the content, and compared to the bit, before it is written.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.errors import StructureError


def extxyz(frames: Sequence[Atoms]) -> bytes:
    """Return the content of an extended XYZ file.

    Parameters
    ----------
    frames
        Structures.

    Returns
    -------
    bytes

    Raises
    ------
    StructureError
        If ASE reads another number from the file than was written.

    Examples
    --------
    >>> atoms = Atoms("Cu", cell=[3.6, 3.6, 3.6], pbc=True, info={"REF_energy": -3.5})
    >>> print(extxyz([atoms]).decode(), end="")
    1
    Lattice="3.6 0.0 0.0 0.0 3.6 0.0 0.0 0.0 3.6" Properties=species:S:1:pos:R:3 REF_energy=-3.5 pbc="T T T"
    Cu       0.00000000       0.00000000       0.00000000
    """
    from ase.io import write
    from ase.io.extxyz import read_xyz

    stream = io.StringIO()
    for atoms in frames:
        write(stream, atoms, format="extxyz")
    text = stream.getvalue()
    _compare(frames, list(read_xyz(io.StringIO(text), index=slice(None))))
    return text.encode()


def database(frames: Sequence[Atoms], pairs: Sequence[Mapping[str, Any]], metadata: Mapping[str, Any]) -> bytes:
    """Return the content of an ASE database.

    Parameters
    ----------
    frames
        Structures with results.
    pairs
        Entries of each row, by which rows can be selected.
    metadata
        Description of the whole database.

    Returns
    -------
    bytes

    Raises
    ------
    StructureError
        If ASE reads another number from the database than was written.
    """
    from ase.db import connect

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.db"
        rows = connect(str(path), type="db", append=False, use_lock_file=False)
        with rows:
            for atoms, entries in zip(frames, pairs, strict=True):
                rows.write(_without_info(atoms), key_value_pairs=dict(entries))
        rows.metadata = dict(metadata)
        again = [row.toatoms() for row in connect(str(path), use_lock_file=False).select()]
        _compare([_without_info(atoms) for atoms in frames], again)
        return path.read_bytes()


def data_frame(table: Mapping[str, Sequence[Any]]) -> bytes:
    """Return the content of a pickled pandas data frame, compressed by gzip.

    Parameters
    ----------
    table
        Columns by name.

    Returns
    -------
    bytes
        The same for the same table: there is no time stamp.
    """
    import pandas as pd

    # names as objects: older versions of pandas cannot read the strings of pandas 3
    columns = {name: pd.Series(list(values), dtype=_dtype(values)) for name, values in table.items()}
    frame = pd.DataFrame(columns)
    frame.columns = pd.Index(list(columns), dtype=object)
    stream = io.BytesIO()
    frame.to_pickle(stream, compression={"method": "gzip", "mtime": 0}, protocol=4)
    return stream.getvalue()


def _dtype(values: Sequence[Any]) -> Any:
    return float if all(isinstance(value, float) for value in values) else object


def _without_info(atoms: Atoms) -> Atoms:
    """Return a structure without what a database has no place for."""
    copy = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    for name in ("initial_magmoms", "initial_charges", "tags", "masses"):
        if name in atoms.arrays:
            copy.arrays[name] = atoms.arrays[name].copy()
    copy.calc = atoms.calc
    return copy


def _compare(written: Sequence[Atoms], read: Sequence[Atoms]) -> None:
    """Check that all numbers of structures were read again to the bit."""
    if len(written) != len(read):
        raise StructureError(
            f"expected {len(written)} structures in the file, ASE reads {len(read)}; nothing was written"
        )
    for number, (old, new) in enumerate(zip(written, read, strict=True)):
        for name, expected, get in _values(old):
            try:
                is_same = np.array_equal(np.ravel(expected), np.ravel(get(new)))
            except (KeyError, AttributeError, TypeError):
                is_same = False
            if not is_same:
                raise StructureError(
                    f"{name} of structure {number + 1} would not be read again as it is: expected "
                    f"{np.asarray(expected).ravel()[:3]}..., whose digits the format does not hold; nothing was written"
                )


def _values(atoms: Atoms) -> list[tuple[str, Any, Callable[[Atoms], Any]]]:
    """Return name, value and access of everything that a structure contains."""
    values: list[tuple[str, Any, Callable[[Atoms], Any]]] = [
        ("cell", atoms.cell.array, lambda new: new.cell.array),
        ("pbc", atoms.pbc, lambda new: new.pbc),
    ]
    results = {} if atoms.calc is None else atoms.calc.results
    values += [(key, array, partial(_array, key)) for key, array in atoms.arrays.items()]
    values += [(key, value, partial(_entry, key)) for key, value in atoms.info.items()]
    values += [(key, results[key], partial(_result, key)) for key in _COMPARED if key in results]
    return values


_COMPARED = ("energy", "forces", "stress")


def _array(key: str, atoms: Atoms) -> Any:
    return atoms.arrays[key]


def _result(key: str, atoms: Atoms) -> Any:
    return atoms.calc.results[key]


def _entry(key: str, atoms: Atoms) -> Any:
    """Return an entry of the comment line; ASE takes energy, forces and stress for results of a calculator."""
    return atoms.info[key] if key in atoms.info else _result(key, atoms)

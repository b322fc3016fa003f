"""Files with labels that exist: extended XYZ, ASE's databases and trajectories, outputs of programs, data frames."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.errors import AcemakerError, ConfigError, StructureError
from acemaker.structures.frames import NAME as CHECKSUM
from acemaker.structures.frames import check_declared_size
from acemaker.structures.label_keys import LabelRecord, record_of
from acemaker.structures.label_settings import SPIN, settings_of, unconverged
from acemaker.structures.mask import ENERGY_COUNTS, LABEL_WEIGHT, MASK, STRESS_COUNTS, with_mask_of
from acemaker.structures.per_atom import bare_copy

FIELD = "SystemConfig.first_labels"

HEAD = 200_000
"""Bytes in which the marks of a format are searched."""

DATA_FRAME, DATABASE, TRAJECTORY, XYZ = "data frame", "ASE database", "ASE trajectory", "extended XYZ"
PW, OUTCAR, VASPRUN, OTHER = "output of pw.x", "OUTCAR", "vasprun.xml", "file that ASE reads"
"""Kinds of files, as they are listed."""

OUTPUTS = {PW: "espresso-out", OUTCAR: "vasp-out", VASPRUN: "vasp-xml"}
"""Outputs of programs, and ASE's names of their formats."""

WEIGHTS = (LABEL_WEIGHT, "config_weight", "weight", "w_factor")
"""Names of the weight of a structure: acemaker's, MACE's, GPUMD's and pacemaker's."""

FORCE_WEIGHTS, ENERGY_WEIGHT = "w_forces", "w_energy"
"""Columns of pacemaker with the weights of single forces, and of the energy."""

_OWN = "acemaker_"
_RENAMED = re.compile(r"(?<!\S)(stress|virials?|energy|free_energy)(\s*=)", re.I)
"""Entries for which ASE expects certain numbers of values."""


@dataclass(frozen=True, kw_only=True)
class LabelFile:
    """Contents of a file with labels.

    Attributes
    ----------
    kind : str
        Kind of the file.
    digest : str
        SHA-256 of its bytes.
    records : tuple of LabelRecord
        Its structures, in order.
    settings : mapping of str to str
        Settings of the program that wrote it, as far as they decide whether labels belong together.
    """

    kind: str
    digest: str
    records: tuple[LabelRecord, ...]
    settings: Mapping[str, str] = field(default_factory=dict)


def read_label_file(path: Path, names: Mapping[str, str], permit: Callable[[str], None]) -> LabelFile:
    """Read the structures of a file with their results.

    Parameters
    ----------
    path
        The file, which is not changed.
    names
        The user's names of the results, see `record_of`.
    permit
        Called with the digest of a file that would be unpickled, which can run code; raises an error to refuse it.

    Returns
    -------
    LabelFile

    Raises
    ------
    ConfigError
        If the file cannot be read, or contains no structure.
    UntrustedError
        From `permit`.
    """
    where = f"{FIELD}: {str(path)!r}"
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"{where} is no file; name files with labels, or directories of campaigns")
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{where} cannot be read ({error.strerror or error}); name files that exist") from error
    digest = hashlib.sha256(content).hexdigest()
    plain = _decompressed(content)
    kind = _kind_of(path, plain)
    if kind == DATA_FRAME:
        permit(digest)
    try:
        records = tuple(_READERS.get(kind, _by_ase)(path, plain, names))
    except StructureError as error:
        raise ConfigError(f"{where}: {error}") from error
    except AcemakerError:
        raise
    except Exception as error:  # readers of ASE and pandas may raise anything
        instead = ". Name its vasprun.xml instead" if kind == OUTCAR else ""
        raise ConfigError(
            f"{where} cannot be read as {kind}: {type(error).__name__}: {error}{instead}; first_labels takes "
            "extended XYZ, ASE's databases and trajectories, OUTCAR, vasprun.xml, outputs of pw.x, pacemaker's pickled "
            "data frames and directories of campaigns"
        ) from error
    if not records:
        raise ConfigError(f"{where} ({kind}) contains no structure")
    settings: Mapping[str, str] = {}
    if kind in OUTPUTS:
        text = plain.decode(errors="replace")
        settings = settings_of(OUTPUTS[kind], text)
        if all(len(record.atoms) == 1 for record in records):
            settings = {name: value for name, value in settings.items() if name != SPIN}
        failed = unconverged(OUTPUTS[kind], text, len(records))
        records = tuple(replace(record, problem=record.problem or failed.get(record.index, "")) for record in records)
    return LabelFile(kind=kind, digest=digest, records=records, settings=settings)


def _decompressed(content: bytes) -> bytes:
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError):
        return content


def _kind_of(path: Path, content: bytes) -> str:
    """Determine the kind of a file from its content."""
    head = content[:HEAD]
    if head[:1] == b"\x80" and content.rstrip()[-1:] == b".":
        return DATA_FRAME
    if head.startswith(b"SQLite format 3") or (path.suffix == ".json" and b'"ids"' in content):
        return DATABASE
    if head.startswith(b"- of Ulm"):
        return TRAJECTORY
    if b"Program PWSCF" in head:
        return PW
    if b"<modeling>" in head:
        return VASPRUN
    if b"POTCAR:" in head or b"TITEL" in head:
        return OUTCAR
    first = head.partition(b"\n")[0].strip()
    return XYZ if first.isdigit() else OTHER


def _bare(atoms: Atoms) -> Atoms:
    """Copy what belongs to a label: the structure, its mask and weight."""
    has_mask = MASK in atoms.arrays and atoms.arrays[MASK].dtype == bool
    if MASK in atoms.arrays and not has_mask:  # another program's array of this name
        atoms = atoms.copy()
        for name in (ENERGY_COUNTS, STRESS_COUNTS):
            atoms.info.pop(name, None)
        del atoms.arrays[MASK]
    return with_mask_of(atoms, bare_copy(atoms))


def _weighted(atoms: Atoms, entries: Mapping[str, Any]) -> Atoms:
    """Return a structure with its weight and mask as other programs write them.

    Raises
    ------
    StructureError
        If the weight is zero: the label is not to be used.
    """
    copy = atoms.copy()
    for name in WEIGHTS:
        value = entries.get(name)
        if LABEL_WEIGHT not in copy.info and value is not None and np.size(value) == 1:
            if float(np.ravel(value)[0]) == 0:
                raise StructureError(f"its weight, {name}, is zero")
            copy.info[LABEL_WEIGHT] = float(np.ravel(value)[0])
    forces = entries.get(FORCE_WEIGHTS)
    weights = np.zeros(0) if forces is None or MASK in copy.arrays else np.asarray(forces)
    # other numbers are pacemaker's weighting of many labels, which is not that of this campaign
    if weights.shape == (len(atoms),) and np.isin(weights, (0, 1)).all() and not weights.all():
        copy.arrays[MASK] = weights == 1
        copy.info[ENERGY_COUNTS] = bool(entries.get(ENERGY_WEIGHT, 0))
        copy.info[STRESS_COUNTS] = False
    return copy


def _record(
    index: int, atoms: Atoms, names: Mapping[str, str], more: Mapping[str, Any], *, by_ase: bool
) -> LabelRecord:
    results = getattr(atoms.calc, "results", None) or {}
    arrays = {name: array for name, array in atoms.arrays.items() if name not in ("numbers", "positions")}
    entries = {**atoms.info, **arrays, **more, **results}
    try:
        bare, problem = _bare(_weighted(atoms, entries)), ""
    except StructureError as error:
        bare, problem = bare_copy(atoms), str(error)
    record = record_of(index, bare, entries, names, by_ase=by_ase)
    return replace(record, problem=problem or record.problem)


def _read_xyz(path: Path, content: bytes, names: Mapping[str, str]) -> Iterable[LabelRecord]:
    from ase.io.extxyz import key_val_str_to_dict, read_xyz

    def parse(line: str) -> dict[str, Any]:
        entries: dict[str, Any] = key_val_str_to_dict(_RENAMED.sub(rf"{_OWN}\1\2", line))
        return entries

    if path.read_bytes()[:2] != b"\x1f\x8b":
        check_declared_size(path)
    text = content.decode(errors="replace").replace("\r\n", "\n").rstrip() + "\n"
    for index, atoms in enumerate(read_xyz(io.StringIO(text), index=slice(None), properties_parser=parse)):
        own = {name.removeprefix(_OWN): atoms.info.pop(name) for name in list(atoms.info) if name.startswith(_OWN)}
        atoms.info.pop(CHECKSUM, None)
        yield _record(index, atoms, names, own, by_ase=False)


def _read_database(path: Path, content: bytes, names: Mapping[str, str]) -> Iterable[LabelRecord]:
    from ase.db import connect

    with tempfile.TemporaryDirectory() as folder:  # opening a database may change its file
        copy = Path(folder) / f"labels{path.suffix if path.suffix == '.json' else '.db'}"
        copy.write_bytes(content)
        for index, row in enumerate(connect(copy, use_lock_file=False).select(sort="id")):
            more = {**dict(row.key_value_pairs), **dict(row.data)}
            yield _record(index, row.toatoms(), names, more, by_ase=True)


def _read_data_frame(_path: Path, content: bytes, names: Mapping[str, str]) -> Iterable[LabelRecord]:
    import pandas

    frame = pandas.read_pickle(io.BytesIO(content), compression=None)
    if not isinstance(frame, pandas.DataFrame) or "ase_atoms" not in frame.columns:
        raise StructureError(
            "expected a pickled data frame of pacemaker, with a column ase_atoms of structures, got "
            + (
                f"the columns {', '.join(map(str, frame.columns))}"
                if isinstance(frame, pandas.DataFrame)
                else type(frame).__name__
            )
        )
    columns = [str(name) for name in frame.columns if name != "ase_atoms"]
    for index, row in enumerate(frame.to_dict("records")):
        atoms = row.pop("ase_atoms")
        if not isinstance(atoms, Atoms):
            raise StructureError(f"expected Atoms in row {index} of the column ase_atoms, got {type(atoms).__name__}")
        entries = {name: row[name] for name in columns if row[name] is not None}
        atoms = atoms.copy()  # without results, which pacemaker does not read either
        yield _record(index, atoms, names, entries, by_ase=False)


def _by_ase(path: Path, _content: bytes, names: Mapping[str, str]) -> Iterable[LabelRecord]:
    from ase.io import read

    images = read(path, index=slice(None), do_not_split_by_at_sign=True)
    for index, atoms in enumerate([images] if isinstance(images, Atoms) else images):
        yield _record(index, atoms, names, {}, by_ase=True)


def _read_output(kind: str) -> Callable[[Path, bytes, Mapping[str, str]], Iterable[LabelRecord]]:
    def read_output(_path: Path, content: bytes, names: Mapping[str, str]) -> Iterable[LabelRecord]:
        from ase.io import read

        text = content.decode(errors="replace")
        with tempfile.TemporaryDirectory() as folder:  # ASE reads files beside an output, which need not belong to it
            copy = Path(folder) / {PW: "espresso.pwo", OUTCAR: "OUTCAR", VASPRUN: "vasprun.xml"}[kind]
            copy.write_text(text)
            images = read(copy, index=slice(None), format=OUTPUTS[kind], do_not_split_by_at_sign=True)
        for index, atoms in enumerate([images] if isinstance(images, Atoms) else images):
            yield _record(index, atoms, names, {}, by_ase=True)

    return read_output


_READERS: dict[str, Callable[[Path, bytes, Mapping[str, str]], Iterable[LabelRecord]]] = {
    XYZ: _read_xyz,
    DATABASE: _read_database,
    DATA_FRAME: _read_data_frame,
    **{kind: _read_output(kind) for kind in OUTPUTS},
}

"""Fingerprint of the files on which an oracle's labels depend."""

from __future__ import annotations

import dis
import functools
import hashlib
import importlib
import inspect
import sys
from enum import Enum
from pathlib import Path
from types import CellType, CodeType, FunctionType
from typing import Any

import numpy as np

from acemaker.config import OracleConfig
from acemaker.errors import ConfigError
from acemaker.lammps.pair_coeff import find_file, split_coeff
from acemaker.oracles.factory import model_of, script_of
from acemaker.oracles.oracle import Oracle

CREATING = ("__init__", "__new__", "__post_init__", "__setstate__")
"""Methods whose assignments are settings."""

CHANGING = ("append", "appendleft", "extend", "insert", "pop", "popleft", "remove", "clear", "add", "update")
"""Methods that change a sequence or a set."""

RECORDS = (int, list, tuple, set, frozenset, np.ndarray, type(None))
"""Types of attributes that count or record calls if methods change them."""

DEEPEST = 5
"""Number of levels of settings within settings that are compared."""


def fingerprint(config: OracleConfig, elements: tuple[str, ...]) -> str:
    """Hash the elements, in the order of their types, and the potential or pseudopotential files in use.

    A script and a model file are included, the code of a module is not.

    Parameters
    ----------
    config
        The oracle.
    elements
        Elements of the system.

    Raises
    ------
    ConfigError
        If a file is missing.
    """
    digest = hashlib.sha256(" ".join(elements).encode())
    for file in _files(config, elements):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:20]


def file_digests(config: OracleConfig, elements: tuple[str, ...]) -> dict[str, str]:
    """Return the digest of each file of an oracle: potentials, pseudopotentials, a script, or a model.

    Parameters
    ----------
    config
        The oracle.
    elements
        Elements of the system.

    Returns
    -------
    dict
        Hexadecimal digests by the name of the file, in the order of use.

    Raises
    ------
    ConfigError
        If a file is missing.
    """
    digests: dict[str, str] = {}
    for file in _files(config, elements):
        name, number = file.name, 2
        while name in digests:  # files of one name in several folders
            name, number = f"{file.name} ({number})", number + 1
        digests[name] = hashlib.sha256(file.read_bytes()).hexdigest()[:20]
    return digests


def oracle_source(config: OracleConfig, elements: tuple[str, ...], oracle: Oracle | None) -> str:
    """Hash what determines the labels of an oracle, but is not in its settings.

    Parameters
    ----------
    config
        The oracle of the configuration.
    elements
        Elements of the system.
    oracle
        The user's oracle object, or None.

    Returns
    -------
    str
        Hash of elements and potential files, of the source file of an oracle that is named by its path, or of the
        class of an oracle object and of the functions, calculators, texts, numbers, arrays, sequences and mappings that
        it holds. Counters and records of its calls, i.e. attributes that its methods assign or append to after its
        creation, are ignored.
    """
    digest = hashlib.sha256(" ".join(elements).encode())
    if oracle is not None:
        _add_class(digest, type(oracle))
        recorded = _changed_by_methods(type(oracle))
        for name, value in sorted(getattr(oracle, "__dict__", {}).items()):
            is_record = name in recorded and isinstance(value, RECORDS)
            digest.update(f"{name} {'' if is_record else _describe(value)}".encode())
        return digest.hexdigest()[:20]
    try:
        digest.update(fingerprint(config, elements).encode())
    except ConfigError:  # labels that are computed elsewhere need no files here
        digest.update(b"no files")
    if ":" in config.oracle and script_of(config.oracle) is None:
        module, _, name = config.oracle.partition(":")
        _add_source(digest, module, name)
    return digest.hexdigest()[:20]


def _files(config: OracleConfig, elements: tuple[str, ...]) -> list[Path]:
    if config.oracle == "lammps":
        field = "OracleConfig.pair_coeff"
        words = [word for arguments in config.pair_coeff for word in split_coeff(arguments, field)]
        files = [find_file(word, field) for word in words]
        return [file for file in files if file is not None]
    if config.oracle == "espresso":
        from acemaker.oracles.pseudopotentials import find_folder, find_pseudopotentials

        folder = find_folder(config.pseudo_dir)
        return [pseudo.path for pseudo in find_pseudopotentials(folder, config.pseudopotentials, elements)]
    if (script := script_of(config.oracle)) is not None:
        if not script.is_file():
            raise ConfigError(f"OracleConfig.oracle: there is no file {script}")
        return [script]
    if (model := model_of(config)) is not None:
        return [model]
    return []


def _add_class(digest: hashlib._Hash, kind: type) -> None:
    """Add name, source file and methods of a class; a class of a notebook has no source file."""
    digest.update(f"{kind.__module__}:{kind.__qualname__}".encode())
    _add_source(digest, kind.__module__)
    recorded = _changed_by_methods(kind)
    for name, value in sorted(vars(kind).items()):
        # Python's own entries, such as line numbers, are no settings
        ignored = recorded if not name.startswith("__") else {name}
        is_record = name in ignored and isinstance(value, RECORDS)
        digest.update(f"{name} {'' if is_record else _describe(value)}".encode())


def _add_source(digest: hashlib._Hash, module: str, name: str = "") -> None:
    """Add the source file of a module, or a function of it if there is no file, such as in a notebook."""
    try:
        imported = importlib.import_module(module)
        file = inspect.getsourcefile(imported)
        digest.update(Path(file).read_bytes() if file else b"")
    except (ImportError, OSError, TypeError, ValueError):
        digest.update(_describe(getattr(sys.modules.get(module), name, None)).encode())


def _describe(value: Any, depth: int = 0) -> str:
    """Describe settings, functions by their code and the values that they hold, and calculators by their parameters.

    Anything else has no description.
    """
    if isinstance(value, str | bytes | int | float | complex | np.generic | Path | Enum | None):
        return repr(value)
    if isinstance(value, np.ndarray):
        content = value.tobytes() if value.dtype.kind != "O" else repr(value.tolist()).encode()
        return f"{value.dtype} {value.shape} {hashlib.sha256(content).hexdigest()}"
    if depth > DEEPEST:
        return ""
    if isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return str([(str(name), _describe(item, depth + 1)) for name, item in items])
    if isinstance(value, set | frozenset):
        return str(sorted(_describe(item, depth + 1) for item in value))
    if isinstance(value, functools.partial):
        return _describe({"func": value.func, "args": value.args, "keywords": value.keywords}, depth)
    if isinstance(parameters := getattr(value, "parameters", None), dict):
        return f"{type(value).__module__}:{type(value).__qualname__} {_describe(dict(parameters), depth + 1)}"
    if isinstance(value, type):
        return f"{value.__module__}:{value.__qualname__}"
    function = getattr(value, "__func__", value)  # of a method
    if not isinstance(function, FunctionType):
        return ""
    recorded = _changed_names(function.__code__)
    names = function.__code__.co_freevars
    cells = zip(names, function.__closure__ or (), strict=False)
    captured = [_contents(cell) for name, cell in cells if name not in recorded]
    values = (*captured, *(function.__defaults__ or ()), function.__kwdefaults__ or {})
    return _describe_code(function.__code__) + _describe(values, depth + 1)


def _changed_by_methods(kind: type) -> set[str]:
    """Return the attributes that the methods of a class change after its creation: counters, records and caches."""
    functions = [
        getattr(value, "__func__", getattr(value, "fget", value))
        for base in kind.__mro__
        for name, value in vars(base).items()
        if name not in CREATING
    ]
    return {name for item in functions if isinstance(item, FunctionType) for name in _changed_names(item.__code__)}


def _changed_names(code: CodeType) -> set[str]:
    """Return the attributes and captured variables that code assigns, or whose methods change a sequence."""
    changed: set[str] = set()
    previous = None
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("STORE_ATTR", "DELETE_ATTR", "STORE_DEREF", "DELETE_DEREF"):
            changed.add(str(instruction.argval))
        elif previous is not None and instruction.argval in CHANGING and "LOAD" in instruction.opname:
            changed.add(str(previous.argval))
        previous = instruction
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            changed |= _changed_names(constant)
    return changed


def _describe_code(code: CodeType) -> str:
    """Describe code with that of the functions within it."""
    constants = [
        _describe_code(value)
        if isinstance(value, CodeType)
        else repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)  # the order of a set is random
        for value in code.co_consts
    ]
    return f"{code.co_code.hex()} {code.co_names} {constants}"


def _contents(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None

"""Fingerprint of the files on which an oracle's labels depend."""

from __future__ import annotations

import hashlib
from pathlib import Path

from acemaker.config import OracleConfig
from acemaker.lammps.pair_coeff import find_file, split_coeff


def fingerprint(config: OracleConfig, elements: tuple[str, ...]) -> str:
    """Hash the elements, in the order of their types, and the potential or pseudopotential files in use.

    Code behind a dotted path is not included.

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
    return []

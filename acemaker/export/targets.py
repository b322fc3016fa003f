"""The files that an export writes: none is replaced by accident, and each is written whole."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from acemaker.errors import ConfigError
from acemaker.loop.reader import CampaignReader
from acemaker.utils.atomic_write import whole_file

PROVENANCE = ".provenance.json"
"""Ending of the file that describes exported labels, after the name of their file."""

EXPORTS = "exports"
"""Folder of a campaign's directory in which exported files may be."""


def check_targets(campaign: CampaignReader, paths: Sequence[Path], *, overwrite: bool) -> None:
    """Check that files can be written without replacing any other.

    Parameters
    ----------
    campaign
        The campaign, of whose own files none is replaced in any case.
    paths
        The files.
    overwrite
        Whether existing files may be replaced.

    Raises
    ------
    ConfigError
        If a file exists, its folder does not, or it would be among the files of the campaign.
    """
    for path in paths:
        check_outside(campaign, path)
        if path.is_dir():
            raise ConfigError(f"expected the name of a file, got the folder {path}; name a file in it")
        if os.path.lexists(path) and not overwrite:
            raise ConfigError(
                f"{path} exists already; choose another name, or replace it with overwrite=True (--overwrite)"
            )


def check_outside(campaign: CampaignReader, path: Path) -> None:
    """Raise ConfigError if a path is in the campaign's directory, except for its folder ``exports``."""
    inside = path.resolve()
    home = campaign.directory.resolve()
    if inside == home or (inside.is_relative_to(home) and inside.relative_to(home).parts[0] != EXPORTS):
        raise ConfigError(
            f"{path} is among the files of the campaign, which are not touched; choose a path outside of "
            f"{campaign.directory}, or in its folder {EXPORTS}"
        )


def check_earlier(paths: Sequence[Path]) -> None:
    """Check that no file of an earlier export of the same name remains beside the new ones.

    A test set of the earlier export would contain labels on which the new training set trains.

    Parameters
    ----------
    paths
        The files that will be written; the last one is the provenance, which an earlier export may have left.

    Raises
    ------
    ConfigError
        If a file remains.
    """
    provenance = paths[-1]
    names: list[Any] = []
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, RecursionError):
        names = list(json.loads(provenance.read_bytes())["files"])
    for name in names:
        remains = provenance.parent / str(name)
        if remains.is_file() and remains.resolve() not in {path.resolve() for path in paths}:
            raise ConfigError(
                f"{remains} belongs to the earlier export that {paths[0]} would replace, and its labels would be in "
                "the new training set, too; remove it first"
            )


def relative(path: Path, provenance: Path) -> str:
    """Return the path of a file relative to the folder of its provenance."""
    return Path(os.path.relpath(path.resolve(), provenance.parent.resolve())).as_posix()


def write_files(files: Mapping[Path, bytes]) -> None:
    """Write files, each whole or not at all; if one cannot be written, new ones are removed again.

    Parameters
    ----------
    files
        Content by path; folders are created.

    Raises
    ------
    ConfigError
        If a file cannot be written.
    """
    new = [path for path in files if not os.path.lexists(path)]
    done: list[Path] = []
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as stream:
                stream.write(content)
            done.append(path)
    except BaseException as error:
        for path in set(done) & set(new):
            with contextlib.suppress(OSError):
                path.unlink()
        if isinstance(error, OSError):
            raise ConfigError(f"cannot write {error.filename or path}: {error.strerror or error}") from error
        raise

"""Parameters as they come from a command line: words and YAML files."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from acemaker.config.described import choices_of, field_of
from acemaker.errors import ConfigError
from acemaker.headless.notebook import Described


def gather(notebook: Described, files: Sequence[str | Path], words: Sequence[str]) -> dict[str, Any]:
    """Put together the parameters of files and words.

    Parameters
    ----------
    notebook
        Says which of them are text.
    files
        YAML files with a mapping each; later ones win.
    words
        ``name=value``, the value in YAML; they win over the files.

    Returns
    -------
    dict
        Values by name, unchecked.

    Raises
    ------
    ConfigError
        If a file or a word cannot be read.
    """
    given: dict[str, Any] = {}
    for file in files:
        given |= _read(Path(file))
    for word in words:
        name, sign, text = word.partition("=")
        if not sign or not name.strip().isidentifier():
            raise ConfigError(f"a parameter must be given as name=value, got {word!r}")
        given[name.strip()] = read_value(text, _kind(notebook, name.strip()))
    return given


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, RecursionError, ValueError, yaml.YAMLError) as error:  # ValueError: more digits than Python reads
        raise ConfigError(f"cannot read the parameters in {path}: {error}") from error
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(isinstance(name, str) for name in data):
        raise ConfigError(f"{path} must hold a mapping of parameters by name, got {data!r:.60}")
    return data


def read_value(text: str, kind: str) -> Any:
    """Read a value as YAML, which alone would take the symbol No for false, and 1e-3 for text.

    Parameters
    ----------
    text
        As a person has written it.
    kind
        Type of the parameter, as the notebook has it.

    Returns
    -------
    Any
    """
    try:
        value = yaml.safe_load(text)
    except (RecursionError, ValueError, yaml.YAMLError):
        return text  # '* * Cu.eam' begins like an alias of YAML; if it is no text, the checks will refuse it
    if kind == "str":
        return value if isinstance(value, str) else text
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return float(value)
    return value


def _kind(notebook: Described, name: str) -> str:
    """Name a parameter's type: as the notebook has it, else as the configuration has it."""
    kind, field = notebook.types.get(name, ""), field_of(name)
    if kind or field is None:
        return kind
    return "str" if field.annotation is str or choices_of(field) else ""

"""Parameters of a notebook: descriptions of the fields, and values from the command line and YAML files."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from acemaker.config.described import choices_of, field_of
from acemaker.errors import ConfigError
from acemaker.headless.notebook import NotebookDescription, assignments, without_magics
from acemaker.headless.shipped import find_parameters

_LITERAL = re.compile(r"(?:typing\.)?Literal(\[.*\])")


@dataclass(frozen=True, kw_only=True)
class Field:
    """A parameter of a notebook.

    Attributes
    ----------
    name : str
        Name in the cell.
    kind : str
        Annotation, or the type of the default; empty if neither is available.
    known : bool
        Whether the default is a literal, including lists and mappings of literals.
    default : Any
        Default in types of YAML; None if it is not known.
    source : str
        Source of the default in the cell.
    section : str
        Comment line above the group of the parameter; empty if there is none.
    help : str
        Comment behind the parameter, or else the description in the configuration.
    choices : tuple
        Allowed values if they form a list, else empty.
    """

    name: str
    kind: str
    known: bool
    default: Any
    source: str
    section: str
    help: str
    choices: tuple[Any, ...] = ()


def fields_of(notebook: NotebookDescription) -> tuple[Field, ...]:
    """Read the parameters of a notebook in the order of its cell, without running it.

    Parameters
    ----------
    notebook
        The notebook, as `acemaker.headless.notebook.describe` returns it.

    Returns
    -------
    tuple of Field

    Raises
    ------
    ConfigError
        If the notebook has no parameters.
    """
    lines = without_magics(notebook.source).splitlines()
    comments = _comments(lines)
    fields = {}
    for statement in ast.parse("\n".join(lines)).body:
        for name, (kind, literal, value) in assignments(statement).items():
            known, default = _plain(value) if literal else (False, None)
            value_of = getattr(statement, "value", None)
            fields[name] = Field(
                name=name,
                kind=kind,
                known=known,
                default=default,
                source=ast.unparse(value_of) if value_of is not None else "",
                section=_section(lines, statement.lineno),
                help=comments.get(statement.end_lineno or statement.lineno, "") or _description(name),
                choices=_choices(name, kind),
            )
    if not fields:
        raise ConfigError(
            f"{notebook.path} has no parameters: its cell tagged 'parameters' assigns nothing; write them there, e.g. "
            "steps: int = 100  # MD steps"
        )
    return tuple(fields.values())


def _comments(lines: list[str]) -> dict[int, str]:
    """Find the comments behind code, by line."""
    tokens = tokenize.generate_tokens(io.StringIO("\n".join(lines) + "\n").readline)
    behind = (token for token in tokens if token.type == tokenize.COMMENT and token.line[: token.start[1]].strip())
    return {token.start[0]: token.string.lstrip("# ").rstrip() for token in behind}


def _section(lines: list[str], number: int) -> str:
    """Find the comment that heads the group of a line; groups end at blank lines."""
    heading: list[str] = []
    for line in reversed(lines[: number - 1]):
        text = line.strip()
        if not text or (heading and not text.startswith("#")):
            break
        if text.startswith("#"):
            heading.insert(0, text.lstrip("# ").rstrip())
    return " ".join(heading)


def _plain(value: Any) -> tuple[bool, Any]:
    """Convert a value to the types of YAML, and return whether this is possible."""
    if isinstance(value, list | tuple):
        members = [_plain(member) for member in value]
        return all(known for known, _ in members), [member for _, member in members]
    if isinstance(value, dict):
        members = [_plain(member) for member in value.values()]
        known = all(known for known, _ in members) and all(isinstance(name, str | int | float) for name in value)
        return known, dict(zip(value, (member for _, member in members), strict=True))
    return isinstance(value, str | int | float | None), value


def _description(name: str) -> str:
    field = field_of(name)
    return (field.description or "") if field is not None else ""


def _choices(name: str, kind: str) -> tuple[Any, ...]:
    field = field_of(name)
    if field is not None and (choices := choices_of(field)):
        return choices
    if match := _LITERAL.fullmatch(kind):
        return tuple(ast.literal_eval(match[1]))
    return ()


def gather(notebook: NotebookDescription | None, files: Sequence[str | Path], words: Sequence[str]) -> dict[str, Any]:
    """Read parameters from files and from the command line.

    Parameters
    ----------
    notebook
        The notebook, whose types determine which values are text; None for the types of the configuration.
    files
        YAML files, each with a mapping, or names of files included in acemaker; later files take precedence.
    words
        ``name=value``, with the value in YAML; they take precedence over files.

    Returns
    -------
    dict
        Values by name, unchecked.

    Raises
    ------
    ConfigError
        If a file or a word cannot be read.
    """
    values: dict[str, Any] = {}
    for file in files:
        values |= _read(find_parameters(file))
    for word in words:
        name, sign, text = word.partition("=")
        if not sign or not name.strip().isidentifier():
            raise ConfigError(f"a parameter must have the form name=value, got {word!r}")
        values[name.strip()] = read_value(text, _kind(notebook, name.strip()))
    return values


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, RecursionError, ValueError, yaml.YAMLError) as error:  # ValueError: a number with too many digits
        raise ConfigError(f"cannot read the parameters in {path}: {error}") from error
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(isinstance(name, str) for name in data):
        raise ConfigError(f"{path} must contain a mapping of parameters by name, got {data!r:.60}")
    return data


def read_value(text: str, kind: str) -> Any:
    """Read a value as YAML, except that the symbol No is text for a text parameter, and 1e-3 is a number.

    Parameters
    ----------
    text
        Text as the user has written it.
    kind
        Type of the parameter in the notebook.

    Returns
    -------
    Any
    """
    try:
        value = yaml.safe_load(text)
    except (RecursionError, ValueError, yaml.YAMLError):
        return text  # e.g. '* * Cu.eam', which begins like an alias; the later checks refuse it if it must not be text
    if kind == "str":
        return value if isinstance(value, str) else text
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return float(value)
    return value


def _kind(notebook: NotebookDescription | None, name: str) -> str:
    """Return the type of a parameter in the notebook, or else in the configuration."""
    kind, field = (notebook.types.get(name, "") if notebook is not None else ""), field_of(name)
    if kind or field is None:
        return kind
    return "str" if field.annotation is str or choices_of(field) else ""

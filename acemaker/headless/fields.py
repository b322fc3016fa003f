"""What a person has to know of a notebook's parameters: their sections and comments, besides types and defaults."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass
from typing import Any

from acemaker.config.described import choices_of, field_of
from acemaker.errors import ConfigError
from acemaker.headless.notebook import Described, assignments, without_magics

_LITERAL = re.compile(r"(?:typing\.)?Literal(\[.*\])")


@dataclass(frozen=True, kw_only=True)
class Field:
    """A parameter.

    Attributes
    ----------
    name : str
        As the cell has it.
    kind : str
        Its annotation, or the type of its default; empty if neither says.
    known : bool
        Whether the default is a literal, lists and mappings of literals included.
    default : Any
        In the types that YAML has; None where it is not known.
    source : str
        The default as the cell has it.
    section : str
        The comment line above its group; empty where there is none.
    help : str
        The comment behind it, else what the configuration says of it.
    choices : tuple
        All that it may be, where these are few; else empty.
    """

    name: str
    kind: str
    known: bool
    default: Any
    source: str
    section: str
    help: str
    choices: tuple[Any, ...] = ()


def fields_of(notebook: Described) -> tuple[Field, ...]:
    """Read the parameters of a notebook in the order of its cell; nothing of it is run.

    Parameters
    ----------
    notebook
        As `acemaker.headless.notebook.describe` sees it.

    Returns
    -------
    tuple of Field

    Raises
    ------
    ConfigError
        If it has none.
    """
    lines = without_magics(notebook.source).splitlines()
    comments = _comments(lines)
    found = {}
    for statement in ast.parse("\n".join(lines)).body:
        for name, (kind, literal, value) in assignments(statement).items():
            known, default = _plain(value) if literal else (False, None)
            value_of = getattr(statement, "value", None)
            found[name] = Field(
                name=name,
                kind=kind,
                known=known,
                default=default,
                source=ast.unparse(value_of) if value_of is not None else "",
                section=_section(lines, statement.lineno),
                help=comments.get(statement.end_lineno or statement.lineno, "") or _described(name),
                choices=_choices(name, kind),
            )
    if not found:
        raise ConfigError(
            f"{notebook.path} has no parameters: its cell tagged 'parameters' assigns nothing; write them there, as in "
            "steps: int = 100  # MD steps"
        )
    return tuple(found.values())


def _comments(lines: list[str]) -> dict[int, str]:
    """Find the comments behind code, by line."""
    tokens = tokenize.generate_tokens(io.StringIO("\n".join(lines) + "\n").readline)
    behind = (token for token in tokens if token.type == tokenize.COMMENT and token.line[: token.start[1]].strip())
    return {token.start[0]: token.string.lstrip("# ").rstrip() for token in behind}


def _section(lines: list[str], number: int) -> str:
    """Go up from a line to the comment that heads its group; a blank line ends it."""
    heading: list[str] = []
    for line in reversed(lines[: number - 1]):
        text = line.strip()
        if not text or (heading and not text.startswith("#")):
            break
        if text.startswith("#"):
            heading.insert(0, text.lstrip("# ").rstrip())
    return " ".join(heading)


def _plain(value: Any) -> tuple[bool, Any]:
    """Bring a value to the types of YAML, and tell whether there are such."""
    if isinstance(value, list | tuple):
        members = [_plain(member) for member in value]
        return all(known for known, _ in members), [member for _, member in members]
    if isinstance(value, dict):
        members = [_plain(member) for member in value.values()]
        known = all(known for known, _ in members) and all(isinstance(name, str | int | float) for name in value)
        return known, dict(zip(value, (member for _, member in members), strict=True))
    return isinstance(value, str | int | float | None), value


def _described(name: str) -> str:
    field = field_of(name)
    return (field.description or "") if field is not None else ""


def _choices(name: str, kind: str) -> tuple[Any, ...]:
    field = field_of(name)
    if field is not None and (choices := choices_of(field)):
        return choices
    if match := _LITERAL.fullmatch(kind):
        return tuple(ast.literal_eval(match[1]))
    return ()

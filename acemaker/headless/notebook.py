"""What a notebook takes: the literals of its parameters cell, with their types."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acemaker.config.campaign import parameter_homes
from acemaker.errors import ConfigError
from acemaker.headless.library import load_papermill
from acemaker.headless.parts import own_parts


@dataclass(frozen=True)
class Described:
    """A notebook as seen from outside.

    Attributes
    ----------
    path : Path
        Where it is.
    types : dict
        Name of each parameter, and its annotation or the type of its default; empty if neither says.
    defaults : dict
        The defaults that are literals; others are known only once the cell has run.
    takes_all : bool
        Whether it makes its configuration from its namespace, so that campaign parameters that it does not
        list are legal, too.
    complete : bool
        Whether the configuration that it will make is known beforehand: no campaign parameter is an
        expression, or is assigned in another cell.
    source : str
        The cell with the parameters.
    own : frozenset of str or None
        What it makes of its campaign besides the configuration, as `acemaker.headless.parts.own_parts` has it.
    """

    path: Path
    types: Mapping[str, str]
    defaults: Mapping[str, Any]
    takes_all: bool
    complete: bool
    source: str = ""
    own: frozenset[str] | None = None

    @property
    def is_campaign(self) -> bool:
        """Whether it has any parameter of a campaign."""
        return not set(parameter_homes()).isdisjoint(self.types)


def describe(notebook: str | Path) -> Described:
    """Read what a notebook takes; nothing of it is run.

    Parameters
    ----------
    notebook
        Its path.

    Returns
    -------
    Described

    Raises
    ------
    ConfigError
        If it is no notebook of Python, or does not have one cell tagged ``parameters``.
    MissingLibraryError
        If papermill is not installed.
    """
    path = Path(notebook)
    cells = _code_cells(path)
    tagged = [source for source, tags in cells if "parameters" in tags]
    if len(tagged) != 1:
        raise ConfigError(
            f"{path} must have one code cell tagged 'parameters', it has {len(tagged)}; tag the cell that assigns them "
            "(JupyterLab: the property inspector, at the upper right)"
        )
    try:
        assigned = _assignments(tagged[0])
    except SyntaxError as error:
        raise ConfigError(f"the parameters cell of {path} is not Python, line {error.lineno}: {error.msg}") from error
    defaults = {name: value for name, (_, known, value) in assigned.items() if known}
    others = {name for source, tags in cells if "parameters" not in tags for name in _names(source)}
    homes = set(parameter_homes())
    takes_all = any("from_namespace" in source for source, _ in cells)
    unknown = (set(assigned) - set(defaults) | others) & homes
    return Described(
        path,
        {name: kind for name, (kind, _, _) in assigned.items()},
        defaults,
        takes_all,
        complete=takes_all and not unknown,
        source=tagged[0],
        own=own_parts([without_magics(source) for source, _ in cells]),
    )


def _code_cells(path: Path) -> list[tuple[str, list[str]]]:
    """Read source and tags of the cells with code."""
    load_papermill()
    import nbformat

    if not path.is_file():
        raise ConfigError(f"there is no notebook {path}")
    try:
        notebook: Any = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]
    except Exception as error:  # whatever its parsers raise
        raise ConfigError(f"{path} cannot be read as a notebook: {error}") from error
    metadata = notebook.metadata
    language = metadata.get("language_info", {}).get("name") or metadata.get("kernelspec", {}).get("language")
    if language not in (None, "python"):
        raise ConfigError(f"{path} must be a notebook of Python, it is one of {language}")
    return [
        (str(cell.source), list(cell.metadata.get("tags", [])))
        for cell in notebook.cells
        # an earlier run's parameters are replaced by this one's
        if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", [])
    ]


def _assignments(source: str) -> dict[str, tuple[str, bool, Any]]:
    found: dict[str, tuple[str, bool, Any]] = {}
    for statement in ast.parse(without_magics(source)).body:
        found |= assignments(statement)
    return found


def assignments(statement: ast.stmt) -> dict[str, tuple[str, bool, Any]]:
    """Find what a statement assigns.

    Parameters
    ----------
    statement
        Any.

    Returns
    -------
    dict
        Type, whether the value is a literal, and the value, by name.
    """
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets: list[ast.expr] = [statement.target]
        kind = ast.unparse(statement.annotation).strip("'\"")
    elif isinstance(statement, ast.Assign):
        targets, kind = statement.targets, ""
    else:
        return {}
    assert statement.value is not None
    try:
        known, value = True, ast.literal_eval(statement.value)
    except (ValueError, TypeError):
        known, value = False, None
    if known and not kind and value is not None:
        kind = type(value).__name__
    return {target.id: (kind, known, value) for target in targets if isinstance(target, ast.Name)}


def _names(source: str) -> list[str]:
    try:
        return list(_assignments(source))
    except SyntaxError:
        return []  # the kernel will say so


def without_magics(source: str) -> str:
    """Blank out the lines that are no Python; the others keep their numbers."""
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines())

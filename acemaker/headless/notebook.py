"""Description of a notebook's parameters, read from its source without running it."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acemaker.config.campaign import parameter_homes
from acemaker.errors import ConfigError
from acemaker.headless.library import load_papermill
from acemaker.headless.shipped import find_notebook

ELSEWHERE = ("sys.path", "chdir", "pip install")
"""Text in a notebook after which files or modules may exist that cannot be found now."""


@dataclass(frozen=True)
class NotebookDescription:
    """Parameters of a notebook and its use of the configuration.

    Attributes
    ----------
    path : Path
        The notebook.
    types : dict
        Annotation of each parameter, or the type of its default, by name; empty if neither is available.
    defaults : dict
        Defaults that are literals; other defaults are known only when the cell has run.
    takes_all : bool
        Whether the notebook creates its configuration from its namespace, so that it accepts campaign parameters that
        its cell does not list.
    complete : bool
        Whether the configuration is known in advance, i.e. no campaign parameter is an expression or is assigned in
        another cell.
    source : str
        Source of the cell with the parameters.
    own : frozenset of str or None
        Parts of the campaign that the notebook creates itself, as returned by `own_parts`.
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
        """Whether the notebook has any parameter of a campaign."""
        return not set(parameter_homes()).isdisjoint(self.types)


def describe(notebook: str | Path) -> NotebookDescription:
    """Read the parameters of a notebook without running it.

    Parameters
    ----------
    notebook
        Path of the notebook, or the name of a notebook included in acemaker.

    Returns
    -------
    NotebookDescription

    Raises
    ------
    ConfigError
        If the notebook does not exist, is not a Python notebook, or does not have exactly one cell tagged
        ``parameters``.
    MissingLibraryError
        If papermill is not installed.
    """
    path = find_notebook(notebook)
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
    return NotebookDescription(
        path,
        {name: kind for name, (kind, _, _) in assigned.items()},
        defaults,
        takes_all,
        complete=takes_all and not unknown,
        source=tagged[0],
        own=own_parts([without_magics(source) for source, _ in cells]),
    )


def _code_cells(path: Path) -> list[tuple[str, list[str]]]:
    """Read source and tags of the code cells."""
    load_papermill()
    import nbformat

    try:
        notebook: Any = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]
    except Exception as error:  # nbformat's parsers can raise anything
        raise ConfigError(f"cannot read {path} as a notebook: {error}") from error
    metadata = notebook.metadata
    language = metadata.get("language_info", {}).get("name") or metadata.get("kernelspec", {}).get("language")
    if language not in (None, "python"):
        raise ConfigError(f"{path} must be a Python notebook, its language is {language}")
    return [
        (str(cell.source), list(cell.metadata.get("tags", [])))
        for cell in notebook.cells
        # parameters of an earlier run are replaced
        if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", [])
    ]


def _assignments(source: str) -> dict[str, tuple[str, bool, Any]]:
    assigned: dict[str, tuple[str, bool, Any]] = {}
    for statement in ast.parse(without_magics(source)).body:
        assigned |= assignments(statement)
    return assigned


def assignments(statement: ast.stmt) -> dict[str, tuple[str, bool, Any]]:
    """Return the names that a statement assigns.

    Parameters
    ----------
    statement
        Any statement.

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
        return []  # the kernel will report it


def without_magics(source: str) -> str:
    """Replace lines that are not Python by blank lines, so that line numbers do not change."""
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines())


def own_parts(sources: Sequence[str]) -> frozenset[str] | None:
    """Find the parts of its campaign that a notebook creates itself rather than by the configuration.

    Parameters
    ----------
    sources
        Cells of the notebook, as Python.

    Returns
    -------
    frozenset of str
        Objects that it passes to ``Campaign.create``, and those of the fields ``structure`` and ``pair_coeff`` that it
        uses as variables, e.g. to write their files. None if this is not known, since it creates no campaign or
        several, or changes where modules are found.
    """
    creations, used = [], set()
    for source in sources:
        try:
            nodes = list(ast.walk(ast.parse(source)))
        except SyntaxError:
            return None  # the kernel will report it
        used |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        creations += [call for call in calls if ast.unparse(call.func).endswith("Campaign.create")]
    if len(creations) != 1 or any(text in source for source in sources for text in ELSEWHERE):
        return None
    names = {keyword.arg for keyword in creations[0].keywords}
    return None if None in names else frozenset({str(name) for name in names} | used & {"structure", "pair_coeff"})

"""The directive ``parameters``: a section of the configuration as a table of names, types, defaults and units.

To be used in reStructuredText, within ``eval-rst``.
"""

from __future__ import annotations

import inspect
from typing import Any, get_args, get_origin

from docutils import nodes
from docutils.statemachine import StringList
from pydantic_core import PydanticUndefined
from sphinx.util.docutils import SphinxDirective

import acemaker.config
from acemaker.config.base import Section


class Parameters(SphinxDirective):
    """Describe a section of `acemaker.config`; what the directive contains comes below its table."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Write the class and its table as reStructuredText, and parse that."""
        section = getattr(acemaker.config, self.arguments[0])
        lines = [f".. py:class:: acemaker.config.{section.__name__}", "", f"   {inspect.getdoc(section)}", ""]
        lines += ["   .. list-table::", "      :header-rows: 1", "      :widths: 22 14 14 50", ""]
        rows = [("name", "type", "default", "meaning and unit")]
        for name, field in section.model_fields.items():
            if inspect.isclass(field.annotation) and issubclass(field.annotation, Section):
                continue  # has a table of its own
            rows.append((f"``{name}``", _kind(field.annotation), _default(field), field.description or ""))
        for row in rows:
            for number, cell in enumerate(row):
                lines.append(f"      {'*' if number == 0 else ' '} - {cell}")
        lines += ["", *(f"   {line}" for line in self.content)]
        node = nodes.container()
        self.state.nested_parse(StringList(lines, source=section.__module__), self.content_offset, node)
        return node.children


def _kind(annotation: Any) -> str:
    """Name a type as a reader would."""
    arguments = get_args(annotation)
    if get_origin(annotation) is not None and getattr(get_origin(annotation), "__name__", "") == "Literal":
        return " or ".join(f"``{value!r}``" for value in arguments)
    if hasattr(annotation, "__metadata__"):  # a number with bounds
        return _kind(arguments[0])
    if arguments and getattr(annotation, "__origin__", None) is None:  # a union
        return " or ".join(_kind(part) for part in arguments if part is not type(None))
    origin = get_origin(annotation)
    return getattr(origin or annotation, "__name__", str(annotation))


def _default(field: Any) -> str:
    if field.default_factory is not None:
        return f"``{field.default_factory()!r}``"
    return "" if field.default is PydanticUndefined else f"``{field.default!r}``"


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("parameters", Parameters)
    return {"parallel_read_safe": True}

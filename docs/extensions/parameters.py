"""The directive ``parameters``: a section of the configuration as a table of names, types, defaults and units.

It is used in reStructuredText, within ``eval-rst``.
"""

from __future__ import annotations

import inspect
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from pydantic.fields import FieldInfo
from sphinx.util.docutils import SphinxDirective

import acemaker.config
from acemaker.config.base import Section
from acemaker.config.campaign import CHANGEABLE, HALFWAY
from acemaker.config.described import default_of, kind_of

CHANGEABLE_REMARK = " *Changeable.*"
"""Remark on parameters that `Campaign.open` can change."""

HALFWAY_REMARK = " *Changeable from then on.*"
"""Remark on parameters that apply to the rest of the run when `Campaign.open` changes them."""


class Parameters(SphinxDirective):
    """Describe a section of `acemaker.config`; the content of the directive is placed below the table."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Write the class and its table as reStructuredText, and parse it."""
        section = getattr(acemaker.config, self.arguments[0])
        lines = [f".. py:class:: acemaker.config.{section.__name__}", "", f"   {inspect.getdoc(section)}", ""]
        lines += ["   .. list-table::", "      :header-rows: 1", "      :widths: 22 14 14 50", ""]
        changeable = {field for fields in CHANGEABLE.values() for field in fields}  # names are unique across sections
        rows = [("name", "type", "default", "meaning and unit")]
        for name, field in section.model_fields.items():
            if inspect.isclass(field.annotation) and issubclass(field.annotation, Section):
                continue  # has a table of its own
            halfway = {field for fields in HALFWAY.values() for field in fields}
            remark = CHANGEABLE_REMARK if name in changeable else HALFWAY_REMARK if name in halfway else ""
            meaning = f"{field.description or ''}{remark}"
            rows.append((f"``{name}``", kind_of(field.annotation, "``"), _default(field), meaning))
        for row in rows:
            for number, cell in enumerate(row):
                lines.append(f"      {'*' if number == 0 else ' '} - {cell}")
        lines += ["", *(f"   {line}" for line in self.content)]
        node = nodes.container()
        self.state.nested_parse(StringList(lines, source=section.__module__), self.content_offset, node)
        return node.children


def _default(field: FieldInfo) -> str:
    default = default_of(field)
    return f"``{default}``" if default else ""


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("parameters", Parameters)
    return {"parallel_read_safe": True}

"""Base class of the configuration's sections: frozen, strict, and with readable errors."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError
from pydantic.fields import FieldInfo

from acemaker.errors import ConfigError

if TYPE_CHECKING:
    from acemaker.formatting.summary import Summary


def nearest(name: str, names: list[str]) -> str:
    """Suggest the known name that is most similar to an unknown one, as the end of an error message.

    Parameters
    ----------
    name
        The unknown name.
    names
        The names that exist.

    Returns
    -------
    str
        A sentence with the nearest name, or with all names if none is similar.
    """
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else f"known names: {', '.join(sorted(names))}"


class Section(BaseModel):
    """A frozen section of the configuration.

    Raises
    ------
    ConfigError
        For unknown names and values out of range; the message states the field, the value and the remedy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    _refusal: str = PrivateAttr("")

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise self._explain(error) from None

    def check_accepted(self) -> None:
        """Check that this section may be used, and not only read (`acemaker.config.recorded`).

        Raises
        ------
        ConfigError
            If it was recorded by an earlier campaign, and would be refused today.
        """
        if self._refusal:
            raise ConfigError(f"the configuration was recorded earlier and is refused today: {self._refusal}")

    def parameters(self) -> list[tuple[str, Any, Any, str]]:
        """List all parameters of this section, including those of nested sections.

        Returns
        -------
        list of tuples
            Name, value, default, and meaning with unit.
        """
        rows = []
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, Section) and _is_section(field):
                rows += value.parameters()
            else:
                default = None if field.is_required() else field.get_default(call_default_factory=True)
                rows.append((name, value, default, field.description or ""))
        return rows

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms, with parameters that differ from their defaults first."""
        from acemaker.formatting.summary import Summary, Table

        parameters = self.parameters()
        changed = [row for row in parameters if row[1] != row[2]]
        nested = any(map(_is_section, type(self).model_fields.values()))
        shown = changed if nested else [*changed, *(row for row in parameters if row[1] == row[2])]
        rows = [
            (
                name,
                _shown(value),
                "" if value == default else "none" if default in (None, "") else repr(default),
                meaning,
            )
            for name, value, default, meaning in shown
        ]
        items = (("parameters", f"{len(parameters)}, {len(changed)} changed from the default"),)
        table = Table(("parameter", "value", "default", "meaning and unit"), tuple(rows), words=True)
        return Summary(type(self).__name__, items, table if rows else None)

    def __repr__(self) -> str:
        from acemaker.formatting import text

        return text.render(self.summary())

    __str__ = __repr__

    def _repr_html_(self) -> str:
        from acemaker.formatting import html

        return html.render(self.summary())

    @classmethod
    def _explain(cls, error: ValidationError) -> ConfigError:
        """Return the error to raise, with one line per problem."""
        lines: list[str] = []
        fields: list[str] = []
        for item in error.errors():
            nested = item.get("ctx", {}).get("error")
            if isinstance(nested, ConfigError):  # a nested section has already written its message
                lines.append(str(nested))
                fields += nested.fields
                continue
            where = ".".join([cls.__name__, *(str(part) for part in item["loc"])])
            field = cls.model_fields.get(str(item["loc"][0])) if item["loc"] else None
            members = _members(field)
            if members:
                where = f"{cls.__name__}.{item['loc'][0]}"  # users do not know names for its members
            if item["loc"]:
                fields.append(where)
            if item["type"] == "extra_forbidden":
                lines.append(f"{where}: unknown name; {nearest(str(item['loc'][-1]), list(cls.model_fields))}")
                continue
            message = item["msg"].removeprefix("Value error, ")
            message = message[0].lower() + message[1:]
            if members and any(word in item["type"] for word in ("tuple", "missing", "too_long", "type", "parsing")):
                message = f"must be {members}"
            if not item["loc"]:
                lines.append(f"{where}: {message}")
                continue
            help_text = f" ({field.description})" if field is not None and field.description else ""
            lines.append(f"{where}: {message}, got {item['input']!r}{help_text}")
        # both ends of a ramp can cause the same message
        return ConfigError("\n".join(dict.fromkeys(lines)), fields=[*dict.fromkeys(fields)])


def _is_section(field: FieldInfo) -> bool:
    """Return whether a field is a section of the configuration, and not a parameter that is a mapping."""
    return isinstance(field.annotation, type) and issubclass(field.annotation, Section)


def _shown(value: Any) -> str:
    """Return a value for a table; sections within it are mappings of what they set."""
    if isinstance(value, Section):
        return repr(value.model_dump(exclude_unset=True))
    if isinstance(value, tuple) and any(isinstance(item, Section) for item in value):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict) and any(isinstance(item, Section) for item in value.values()):
        return f"{{{', '.join(f'{name!r}: {_shown(item)}' for name, item in value.items())}}}"
    return repr(value)


def _members(field: FieldInfo | None) -> str:
    """Describe the members of a field with a fixed number of them; return an empty string for other fields."""
    kinds = get_args(field.annotation) if field is not None and get_origin(field.annotation) is tuple else ()
    if field is None or not 2 <= len(kinds) <= 3 or Ellipsis in kinds:
        return ""
    number = {2: "two", 3: "three"}[len(kinds)]
    return f"{number} {'whole ' if kinds[0] is int else ''}numbers, e.g. {list(field.get_default())}"

"""What the sections of a configuration have in common: frozen, strict, and with readable errors."""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from acemaker.errors import ConfigError


def nearest(name: str, known: list[str]) -> str:
    """Say which known name was probably meant, as the end of an error message.

    Parameters
    ----------
    name
        The unknown name.
    known
        The names that exist.

    Returns
    -------
    str
        A sentence: the nearest name if there is one, else all of them.
    """
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else f"known names: {', '.join(sorted(known))}"


class Section(BaseModel):
    """A frozen section of the configuration.

    Raises
    ------
    ConfigError
        For unknown names and values out of range: names the field, the value and the remedy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise ConfigError(self._explain(error)) from None

    @classmethod
    def _explain(cls, error: ValidationError) -> str:
        lines = []
        for item in error.errors():
            nested = item.get("ctx", {}).get("error")
            if isinstance(nested, ConfigError):  # a section within this one has explained itself already
                lines.append(str(nested))
                continue
            where = ".".join([cls.__name__, *(str(part) for part in item["loc"])])
            if item["type"] == "extra_forbidden":
                lines.append(f"{where}: unknown name; {nearest(str(item['loc'][-1]), list(cls.model_fields))}")
                continue
            message = item["msg"].removeprefix("Value error, ")
            message = message[0].lower() + message[1:]
            if not item["loc"]:
                lines.append(f"{where}: {message}")
                continue
            field = cls.model_fields.get(str(item["loc"][0]))
            help_text = f" ({field.description})" if field is not None and field.description else ""
            lines.append(f"{where}: {message}, got {item['input']!r}{help_text}")
        return "\n".join(lines)

"""The parameters of a campaign as a user reads of them: section, name, default, meaning and unit."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from acemaker.config.base import Section
from acemaker.config.campaign import CampaignConfig, parameter_homes


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One of them.

    Attributes
    ----------
    section : str
        Its section's name; empty for the campaign's own.
    heading : str
        What the section is about.
    name : str
        Unique over all sections.
    default : Any
        In types that JSON and YAML have; None where there is none.
    meaning : str
        With the unit.
    choices : tuple
        All that it may be, where these are few.
    """

    section: str
    heading: str
    name: str
    default: Any
    meaning: str
    choices: tuple[Any, ...]


def parameters(word: str = "") -> tuple[Parameter, ...]:
    """List the parameters, section by section.

    Parameters
    ----------
    word
        Only those in whose name, meaning or choices it occurs; upper and lower case are one.

    Returns
    -------
    tuple of Parameter
    """
    found = []
    for name, home in parameter_homes().items():
        field, section = field_of(name), section_of(home)
        assert field is not None
        default = to_jsonable_python(field.get_default(call_default_factory=True))
        one = Parameter(
            section=home or "",
            heading=(inspect.getdoc(section) or "").splitlines()[0],
            name=name,
            default=None if field.is_required() else default,
            meaning=field.description or "",
            choices=choices_of(field),
        )
        if word.lower() in " ".join([name, one.meaning, *map(str, one.choices)]).lower():
            found.append(one)
    return tuple(found)


def section_of(home: str | None) -> type[Section]:
    """Return the class of a section by its name; that of the whole configuration for None."""
    section: Any = CampaignConfig if home is None else CampaignConfig.model_fields[home].annotation
    return section  # type: ignore[no-any-return]


def field_of(name: str) -> FieldInfo | None:
    """Return what the configuration says of a parameter; None for a name that it does not have."""
    homes = parameter_homes()
    return section_of(homes[name]).model_fields[name] if name in homes else None


def choices_of(field: FieldInfo) -> tuple[Any, ...]:
    """Return all that a parameter may be, where that is a list; else nothing."""
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else ()


def kind_of(annotation: Any, quote: str = "") -> str:
    """Name a type as a reader would.

    Parameters
    ----------
    annotation
        Of a field.
    quote
        What is put around values.

    Returns
    -------
    str
    """
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return " or ".join(f"{quote}{value!r}{quote}" for value in arguments)
    if hasattr(annotation, "__metadata__"):  # a number with bounds
        return kind_of(arguments[0], quote)
    if arguments and getattr(annotation, "__origin__", None) is None:  # a union
        return " or ".join(kind_of(part, quote) for part in arguments if part is not type(None))
    origin = get_origin(annotation)
    return getattr(origin or annotation, "__name__", str(annotation))


def default_of(field: FieldInfo) -> str:
    """Write a default as Python has it; nothing where there is none."""
    default = field.get_default(call_default_factory=True)
    return "" if default is PydanticUndefined else repr(default)

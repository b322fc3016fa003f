"""Descriptions of a campaign's parameters: section, name, default, meaning and unit."""

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
    """A parameter of a campaign.

    Attributes
    ----------
    section : str
        Name of the section; empty for the fields of `CampaignConfig` itself.
    heading : str
        Short description of the section.
    name : str
        Unique across all sections.
    default : Any
        Default in types of JSON and YAML; None for a required parameter.
    meaning : str
        Description with the unit.
    choices : tuple
        Allowed values if they form a list, else empty.
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
        Text that must occur in the name, the meaning or the choices of a parameter, regardless of case.

    Returns
    -------
    tuple of Parameter
    """
    matches = []
    for name, section_name in parameter_homes().items():
        field, section = field_of(name), section_of(section_name)
        assert field is not None
        default = to_jsonable_python(field.get_default(call_default_factory=True))
        parameter = Parameter(
            section=section_name or "",
            heading=(inspect.getdoc(section) or "").splitlines()[0],
            name=name,
            default=None if field.is_required() else default,
            meaning=field.description or "",
            choices=choices_of(field),
        )
        if word.lower() in " ".join([name, parameter.meaning, *map(str, parameter.choices)]).lower():
            matches.append(parameter)
    return tuple(matches)


def section_of(home: str | None) -> type[Section]:
    """Return the class of a section by its name, and `CampaignConfig` for None."""
    section: Any = CampaignConfig if home is None else CampaignConfig.model_fields[home].annotation
    return section  # type: ignore[no-any-return]


def field_of(name: str) -> FieldInfo | None:
    """Return the field of a parameter; None for a name that is not a parameter."""
    homes = parameter_homes()
    return section_of(homes[name]).model_fields[name] if name in homes else None


def choices_of(field: FieldInfo) -> tuple[Any, ...]:
    """Return the allowed values of a parameter if they form a list, else an empty tuple."""
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else ()


def kind_of(annotation: Any, quote: str = "") -> str:
    """Return the name of a type for tables of parameters.

    Parameters
    ----------
    annotation
        Annotation of a field.
    quote
        Text put around values.

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
    """Return a default as Python source, or an empty string for a required field."""
    default = field.get_default(call_default_factory=True)
    return "" if default is PydanticUndefined else repr(default)

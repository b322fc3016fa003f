"""Configurations of earlier campaigns, which can be read even if they would be refused today."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Annotated, Any, cast

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from acemaker.config.base import Section
from acemaker.config.campaign import CampaignConfig
from acemaker.config.stages import StageConfig
from acemaker.config.walkers import WalkerConfig
from acemaker.errors import ConfigError

MEMBERS: dict[str, type[Section]] = {"walkers": WalkerConfig, "stages": StageConfig}
"""Fields that are lists of sections."""


class RecordedConfig(CampaignConfig):
    """A configuration some of whose values are refused today; it is only read."""

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> CampaignConfig:
        """Return a configuration as it was recorded.

        Parameters
        ----------
        values
            Values by name, by section, as from ``model_dump``.

        Returns
        -------
        CampaignConfig
            The validated configuration if it is accepted; otherwise one with all values that have the right type, and
            the default in place of missing ones. Names that do not exist any more are left out.

        Examples
        --------
        >>> from acemaker.config.recorded import RecordedConfig
        >>> RecordedConfig.read({"engine": {"steps": -5, "no_longer_a_field": 1}}).engine.steps
        -5
        """
        loop = values.get("otf")
        if isinstance(loop, Mapping):  # recorded before there was another measure than gamma
            values = {**values, "otf": {"uncertainty": "gamma", **loop}}
        try:
            return CampaignConfig(**values)
        except ConfigError as error:
            return cast(CampaignConfig, _read(cls, values, str(error)))

    def walker(self, number: int) -> CampaignConfig:
        """Return the configuration of one walker, without validating it."""
        try:
            return super().walker(number)
        except ConfigError:
            if not 1 <= number <= self.n_walkers:
                raise
            overrides = self.walkers[number - 1].model_dump(exclude_none=True) if self.walkers else {}
            sections: dict[str, Any] = {"walkers": (), "seed": overrides.get("seed", self.seed)}
            for name in ("system", "engine"):
                section = getattr(self, name)
                fields = {field: value for field, value in overrides.items() if field in type(section).model_fields}
                sections[name] = section.model_copy(update=fields)
            return self.model_copy(update=sections)


def _read(kind: type[Section], values: Mapping[str, Any], refusal: str) -> Section:
    """Create a section without validation, field by field."""
    fields: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        kind_of_field = field.annotation
        if name in MEMBERS:
            fields[name] = tuple(_read_section(MEMBERS[name], member) for member in values.get(name) or ())
        elif isinstance(kind_of_field, type) and issubclass(kind_of_field, Section):
            fields[name] = _read_section(kind_of_field, values.get(name) or {})
        else:
            fields[name] = (
                _value(field, values[name]) if name in values else field.get_default(call_default_factory=True)
            )
    section = kind.model_construct(**fields)
    section._refusal = refusal
    return section


def _read_section(kind: type[Section], values: Mapping[str, Any]) -> Section:
    try:
        return kind(**values)
    except ConfigError as error:
        return _read(kind, values, str(error))


def _value(field: FieldInfo, value: Any) -> Any:
    """Convert a value to the type of a field, without its bounds if it is outside of them."""
    bounded: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    bare: Any = field.annotation
    for annotation in (bounded, bare):
        with contextlib.suppress(ValidationError, ConfigError):
            return TypeAdapter(annotation).validate_python(value)
    return tuple(value) if isinstance(value, list) else value

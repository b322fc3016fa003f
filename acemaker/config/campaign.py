"""The whole configuration of a campaign, from Python, YAML or a notebook's parameters."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, model_validator

from acemaker.config.base import Section, nearest
from acemaker.config.convergence import ConvergenceConfig
from acemaker.config.embedding import EmbeddingConfig
from acemaker.config.engine import EngineConfig
from acemaker.config.labelling import LabellingConfig
from acemaker.config.oracle import OracleConfig
from acemaker.config.otf import OTFConfig
from acemaker.config.pacemaker import PacemakerConfig
from acemaker.config.potential import PotentialConfig
from acemaker.config.system import SystemConfig
from acemaker.errors import ConfigError

BOUNDS = {
    "otf": ("max_otf_iterations", "max_labels", "max_retries", "resume_from"),
    "engine": ("hang_after", "lammps"),
    "pacemaker": ("pacemaker_environment",),
    "embedding": ("embed_tries", "embed_force_error"),
    "labelling": ("n_workers", "executor", "executor_arguments"),
    "oracle": ("max_atoms", "oracle_timeout", "scratch", "espresso_command", "label_store"),
    "convergence": ("quiet_steps", "plateau_generations", "plateau_tolerance"),
}
"""Fields that may change when a campaign is reopened: they bound the loop and what may be labelled, or say what can be
run or read here, where labels are made, and what is asked for at the end."""


class CampaignConfig(Section):
    """All that defines a campaign; two runs of one configuration give the same potential."""

    seed: int = Field(1, ge=0, description="of every random number in the campaign")
    system: SystemConfig = Field(default_factory=SystemConfig)
    otf: OTFConfig = Field(default_factory=OTFConfig)
    engine: EngineConfig = Field(default_factory=EngineConfig)
    potential: PotentialConfig = Field(default_factory=PotentialConfig)
    pacemaker: PacemakerConfig = Field(default_factory=PacemakerConfig)
    embedding: EmbeddingConfig = Field(default_factory=EmbeddingConfig)
    oracle: OracleConfig = Field(default_factory=OracleConfig)  # which asks for what it needs
    labelling: LabellingConfig = Field(default_factory=LabellingConfig)
    convergence: ConvergenceConfig = Field(default_factory=ConvergenceConfig)

    @model_validator(mode="after")
    def _intervals_match(self) -> CampaignConfig:
        for name in ("restart_every", "trajectory_every"):
            value = getattr(self.engine, name)
            if value % self.otf.check_every:
                raise ValueError(
                    f"engine.{name} must be a multiple of otf.check_every, got {value} and {self.otf.check_every}"
                )
        return self

    @classmethod
    def from_yaml(cls, path: str | Path) -> CampaignConfig:
        """Read a configuration with the sections of this class.

        Parameters
        ----------
        path
            A YAML file.

        Raises
        ------
        ConfigError
            If the file is missing, is not a mapping, or holds a wrong value.
        """
        try:
            data = yaml.safe_load(Path(path).read_text())
        except (OSError, RecursionError, ValueError, yaml.YAMLError) as error:
            raise ConfigError(f"cannot read the configuration {path}: {error}") from error
        if not isinstance(data, dict) or not all(isinstance(name, str) for name in data):
            raise ConfigError(f"{path} must hold a mapping of sections by name, got {data!r:.60}")
        try:
            return cls(**data)
        except TypeError as error:  # a section with a number for a name
            raise ConfigError(f"{path} must hold a mapping of parameters by name in each section ({error})") from error

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> CampaignConfig:
        """Sort flat parameters, as a papermill notebook has them, into their sections.

        Parameters
        ----------
        parameters
            Values by field name; field names are unique across sections.

        Raises
        ------
        ConfigError
            For an unknown name (with the nearest known one) or a wrong value.
        """
        sections: dict[str, Any] = {}
        homes = parameter_homes()
        for name, value in parameters.items():
            if name not in homes:
                raise ConfigError(f"unknown parameter '{name}'; {nearest(name, list(homes))}")
            home = homes[name]
            if home is None:
                sections[name] = value
            else:
                sections.setdefault(home, {})[name] = value
        return cls(**sections)

    @classmethod
    def from_namespace(cls, namespace: Mapping[str, Any]) -> CampaignConfig:
        """Pick the parameters out of a notebook's variables, whatever else there is.

        Parameters
        ----------
        namespace
            ``globals()`` of the notebook.

        Raises
        ------
        ConfigError
            For a wrong value, and for a plain variable whose name is all but that of a parameter: a typing
            error would otherwise leave the default in force.
        """
        homes = parameter_homes()
        for name, value in namespace.items():
            plain = isinstance(value, str | int | float | list | tuple | dict) and not name.startswith("_")
            close = difflib.get_close_matches(name, homes, n=1, cutoff=0.9)
            if plain and name not in homes and close:
                raise ConfigError(f"unknown parameter '{name}'; did you mean '{close[0]}'?")
        return cls.from_parameters({name: namespace[name] for name in homes if name in namespace})

    def differences(self, other: CampaignConfig) -> list[str]:
        """List the fields, bounds excepted, in which two configurations differ.

        Returns
        -------
        list of str
            One ``section.field: mine -> theirs`` each.
        """
        mine, theirs = self.model_dump(mode="json"), other.model_dump(mode="json")
        found = [] if mine["seed"] == theirs["seed"] else [f"seed: {mine['seed']} -> {theirs['seed']}"]
        for section in (name for name in mine if isinstance(mine[name], dict)):
            for field, value in mine[section].items():
                if field not in BOUNDS.get(section, ()) and value != theirs[section][field]:
                    found.append(f"{section}.{field}: {value!r} -> {theirs[section][field]!r}")
        return found


def parameter_homes() -> dict[str, str | None]:
    """Name the section in which each flat parameter lives; None for the campaign's own fields.

    Returns
    -------
    dict
        Section name, or None, by field name.
    """
    homes: dict[str, str | None] = {}
    for name, field in CampaignConfig.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            homes |= dict.fromkeys(section.model_fields, name)
        else:
            homes[name] = None
    return homes

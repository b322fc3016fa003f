"""The whole configuration of a campaign, from Python, YAML or a notebook's parameters."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, field_validator, model_validator

from acemaker.config.base import Section, nearest
from acemaker.config.convergence import ConvergenceConfig
from acemaker.config.embedding import EmbeddingConfig
from acemaker.config.engine import EngineConfig
from acemaker.config.labeling import LabellingConfig
from acemaker.config.oracle import OracleConfig
from acemaker.config.otf import OTFConfig
from acemaker.config.pacemaker import PacemakerConfig
from acemaker.config.potential import PotentialConfig
from acemaker.config.system import SystemConfig
from acemaker.config.walkers import WalkerConfig
from acemaker.errors import ConfigError

MOST_WALKERS = 10_000
"""More are a typing error."""

CLOSE = ("walker",)
"""Names that are no typing errors: somebody looks at one walker after the other."""

BOUNDS = {
    "otf": ("max_otf_iterations", "max_labels", "max_stalled_halts", "max_retries", "resume_from"),
    "engine": ("hang_after", "lammps", "launcher", "explore_workers", "steps"),
    "pacemaker": ("pacemaker_environment",),
    "embedding": ("embed_tries", "embed_force_error"),
    "labelling": ("n_workers", "executor", "executor_arguments"),
    "oracle": ("max_atoms", "oracle_timeout", "scratch", "espresso_command", "label_store"),
    "convergence": ("quiet_steps", "quiet_walkers", "plateau_generations", "plateau_tolerance"),
}
"""Fields that may change when a campaign is reopened: they bound the loop and what may be labelled, or say what can be
run or read here, where labels are made, and what is asked for at the end. Steps may become more (`extension`)."""


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
    walkers: tuple[WalkerConfig, ...] = Field(
        (),
        description="trajectories that explore together, share potential and labels, and differ in what is given here: "
        "a list of mappings (seed, structure, temperature, ...), or a number for walkers that differ in their random "
        "numbers alone; empty for one",
    )

    @field_validator("walkers", mode="before")
    @classmethod
    def _number_of_walkers(cls, value: object) -> object:
        if isinstance(value, list | tuple):
            return () if list(value) in ([{}], [WalkerConfig()]) else value
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_WALKERS:
            raise ValueError(f"walkers must be a list of mappings, or a number from 1 to {MOST_WALKERS}")
        return () if value == 1 else ({},) * value

    @model_validator(mode="after")
    def _walkers_are_sound(self) -> CampaignConfig:
        seen: dict[str, int] = {}
        for number in range(1, len(self.walkers) + 1):
            try:
                alone = self.walker(number)
            except ConfigError as error:
                raise ConfigError(f"CampaignConfig.walkers, the {number}. of them: {error}") from error
            described = f"{alone.seed} {alone.system.model_dump_json()} {alone.engine.model_dump_json()}"
            if (other := seen.setdefault(described, number)) != number:
                raise ConfigError(
                    f"CampaignConfig.walkers: numbers {other} and {number} are the same trajectory twice, with seed "
                    f"{alone.seed}; give one of them another seed, or none"
                )
        return self

    @property
    def n_walkers(self) -> int:
        """How many trajectories explore."""
        return max(1, len(self.walkers))

    def walker(self, number: int) -> CampaignConfig:
        """Return the configuration of one walker, as if it were alone.

        Parameters
        ----------
        number
            From 1.

        Raises
        ------
        ConfigError
            If there is no such walker, or what it differs in does not fit together.
        """
        if not 1 <= number <= self.n_walkers:
            raise ConfigError(f"there are {self.n_walkers} walkers, numbered from 1; got {number}")
        given = self.walkers[number - 1].model_dump(exclude_none=True) if self.walkers else {}
        seed = given.pop("seed", self.seed if number == 1 else _derived(self.seed, number))
        parts: dict[str, Any] = {"seed": seed, "walkers": ()}
        fresh: dict[str, Any] = {}
        if {"structure", "crystal"} & set(given):  # what described the campaign's crystal does not describe this one
            fresh = {"lattice_constant": None, "composition": {}}
            if self.system.model_copy(update=given).file is not None:
                fresh["supercell"] = (1, 1, 1)
        for name, changes in (("system", {**fresh, **given}), ("engine", given)):
            section = getattr(self, name)
            own = {field: value for field, value in changes.items() if field in type(section).model_fields}
            parts[name] = type(section)(**{**section.model_dump(), **own}) if own else section
        return self.model_copy(update=parts)

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
            close = [] if name in CLOSE else difflib.get_close_matches(name, homes, n=1, cutoff=0.9)
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
        found = [f"seed: {mine['seed']} -> {theirs['seed']}"] if mine["seed"] != theirs["seed"] else []
        if self.walkers != other.walkers:
            found.append(f"walkers: {_given(self.walkers)} -> {_given(other.walkers)}")
        for section in (name for name in mine if isinstance(mine[name], dict)):
            for field, value in mine[section].items():
                if field not in BOUNDS.get(section, ()) and value != theirs[section][field]:
                    found.append(f"{section}.{field}: {value!r} -> {theirs[section][field]!r}")
        return found


def _given(walkers: Sequence[WalkerConfig]) -> list[dict[str, Any]] | None:
    """List what walkers differ in; None where there is only one."""
    return [walker.model_dump(mode="json", exclude_none=True) for walker in walkers] or None


def _derived(seed: int, number: int) -> int:
    """Derive the seed of a walker, independent of those of the others and of the neighbouring campaigns'."""
    import numpy as np  # a configuration alone needs none of it

    return int(np.random.SeedSequence([seed, 4, number]).generate_state(1)[0])


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

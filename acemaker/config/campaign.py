"""The complete configuration of a campaign, from Python, YAML or a notebook's parameters."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, field_validator, model_validator

from acemaker.config.base import Section, nearest
from acemaker.config.committee import CommitteeConfig
from acemaker.config.convergence import ConvergenceConfig
from acemaker.config.embedding import EmbeddingConfig
from acemaker.config.engine import EngineConfig
from acemaker.config.labeling import LabelingConfig
from acemaker.config.oracle import OracleConfig
from acemaker.config.otf import OTFConfig
from acemaker.config.pacemaker import PacemakerConfig
from acemaker.config.potential import PotentialConfig
from acemaker.config.stages import set_by_all
from acemaker.config.system import SystemConfig
from acemaker.config.walkers import WalkerConfig
from acemaker.errors import ConfigError

MOST_WALKERS = 10_000
"""Maximum number of walkers; a larger number is treated as a typing error."""

CLOSE = ("walker", "element")
"""Variable names that resemble parameters but are common in notebooks, e.g. in a loop over walkers."""

CHANGEABLE = {
    "otf": ("max_otf_iterations", "max_labels", "max_stalled_halts", "max_retries", "n_probes", "resume_from"),
    "engine": ("hang_after", "lammps", "launcher", "n_parallel_walkers", "steps", "check_course"),
    "pacemaker": ("pacemaker_environment",),
    "committee": ("committee_environment", "committee_timeout"),
    "embedding": ("embed_tries", "embed_force_error"),
    "labeling": ("n_parallel_labels", "executor", "executor_arguments"),
    "oracle": ("max_atoms", "oracle_timeout", "scratch", "espresso_command", "label_store", "oracle_check"),
    "convergence": (
        "quiet_steps",
        "quiet_walkers",
        "plateau_generations",
        "plateau_tolerance",
        "target_force_error",
        "max_error_share",
    ),
}
"""Fields that may change when a campaign is reopened: limits of the loop and of labels, programs and files of this
machine, where labels are computed, probes, the check of the course, and convergence criteria. The number of steps may
only increase (`acemaker.loop.compatibility`)."""

HALFWAY = {
    "otf": (
        "threshold_add_train",
        "threshold_call_dft",
        "threshold_break",
        "check_every",
        "smooth_steps",
        "force_error_tolerance",
        "uncertainty_every",
        "n_candidates",
        "n_select",
        "strategies",
        "candidate_radius",
        "candidate_temperature",
        "perturbation_scale",
        "mode_atoms",
        "mode_calculator",
        "burst_steps",
        "strain_scale",
        "min_distance_fraction",
    ),
    "engine": ("trajectory_every", "n_force_processes"),
    "committee": ("committee_size", "committee_options", "committee_retrain"),
    "oracle": tuple(name for name in OracleConfig.model_fields if name not in CHANGEABLE["oracle"]),
}
"""Fields that decide about the course of a campaign or the values of its labels, and that `Campaign.open` can change
from now on: `Campaign.create` refuses other values than those in force."""

CUTTING = (
    "threshold_add_train",
    "threshold_call_dft",
    "threshold_break",
    "check_every",
    "smooth_steps",
    "force_error_tolerance",
    "uncertainty_every",
    "trajectory_every",
    "n_force_processes",
)
"""Fields of `HALFWAY` on which a running segment depends, which ends at its last checkpoint when they change."""


class CampaignConfig(Section):
    """Everything that defines a campaign; two runs of the same configuration yield the same potential.

    Examples
    --------
    >>> from acemaker import CampaignConfig
    >>> config = CampaignConfig.from_parameters({"oracle": "emt", "structure": "Cu", "steps": 1000, "max_labels": 20})
    >>> config.engine.steps, config.otf.max_labels
    (1000, 20)
    """

    seed: int = Field(1, ge=0, description="Seed of all random numbers of the campaign.")
    system: SystemConfig = Field(default_factory=SystemConfig)
    otf: OTFConfig = Field(default_factory=OTFConfig)
    engine: EngineConfig = Field(default_factory=EngineConfig)
    potential: PotentialConfig = Field(default_factory=PotentialConfig)
    pacemaker: PacemakerConfig = Field(default_factory=PacemakerConfig)
    embedding: EmbeddingConfig = Field(default_factory=EmbeddingConfig)
    oracle: OracleConfig = Field(default_factory=OracleConfig)  # its validator reports required fields
    labeling: LabelingConfig = Field(default_factory=LabelingConfig)
    convergence: ConvergenceConfig = Field(default_factory=ConvergenceConfig)
    committee: CommitteeConfig = Field(default_factory=CommitteeConfig)
    walkers: tuple[WalkerConfig, ...] = Field(
        (),
        description="Trajectories that explore together and share the potential and its labels: a list of mappings "
        "with the values in which each walker differs (seed, structure, temperature, ...), or a number of walkers "
        "that differ only in their random numbers. Empty for a single walker.",
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
                walker = self.walker(number)
            except ConfigError as error:
                raise ConfigError(
                    f"CampaignConfig.walkers, walker {number}: {error}", fields=["CampaignConfig.walkers"]
                ) from error
            trajectory = f"{walker.seed} {walker.system.model_dump_json()} {walker.engine.model_dump_json()}"
            if (other := seen.setdefault(trajectory, number)) != number:
                raise ConfigError(
                    f"CampaignConfig.walkers: walkers {other} and {number} are the same trajectory, with seed "
                    f"{walker.seed}; set another seed for one of them, or omit its seed",
                    fields=["CampaignConfig.walkers"],
                )
        return self

    @property
    def n_walkers(self) -> int:
        """Number of trajectories that explore."""
        return max(1, len(self.walkers))

    def walker(self, number: int) -> CampaignConfig:
        """Return the configuration of one walker, as a campaign with this walker alone.

        Parameters
        ----------
        number
            From 1.

        Raises
        ------
        ConfigError
            If there is no such walker, or its values are inconsistent.
        """
        if not 1 <= number <= self.n_walkers:
            raise ConfigError(f"there are {self.n_walkers} walkers, numbered from 1; got {number}")
        overrides = self.walkers[number - 1].model_dump(exclude_none=True) if self.walkers else {}
        seed = overrides.pop("seed", self.seed if number == 1 else _derived_seed(self.seed, number))
        sections: dict[str, Any] = {"seed": seed, "walkers": ()}
        reset: dict[str, Any] = {}
        if {"structure", "crystal"} & set(overrides):  # these fields of the campaign describe another crystal
            reset = {"lattice_constant": None, "c_over_a": None, "composition": {}}
            if overrides.get("structure", self.system.structure) != self.system.structure:
                reset |= {"crystal": None, "format": None, "atom_style": None, "elements": (), "length_unit": None}
            if self.system.model_copy(update=overrides).file is not None:
                reset["supercell"] = (1, 1, 1)
        if not overrides.get("stages") and (useless := set_by_all(self.engine.stages, overrides)):
            raise ConfigError(
                f"WalkerConfig.{useless[0]}: all stages set {' and '.join(useless)}, so that the value of the walker "
                "would have no effect; set stages of the walker instead"
            )
        for name, changes in (("system", {**reset, **overrides}), ("engine", overrides)):
            section = getattr(self, name)
            updates = {field: value for field, value in changes.items() if field in type(section).model_fields}
            sections[name] = type(section)(**{**section.model_dump(), **updates}) if updates else section
        return self.model_copy(update=sections)

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
        """Read a configuration from a YAML file with one mapping per section.

        Parameters
        ----------
        path
            A YAML file.

        Raises
        ------
        ConfigError
            If the file is missing, is not a mapping, or contains an invalid value.
        """
        try:
            data = yaml.safe_load(Path(path).read_text())
        except (OSError, RecursionError, ValueError, yaml.YAMLError) as error:
            raise ConfigError(f"cannot read the configuration {path}: {error}") from error
        if not isinstance(data, dict) or not all(isinstance(name, str) for name in data):
            raise ConfigError(f"{path} must contain a mapping of sections by name, got {data!r:.60}")
        try:
            return cls(**data)
        except TypeError as error:  # a parameter whose name is a number
            raise ConfigError(
                f"{path} must contain a mapping of parameters by name in each section ({error})"
            ) from error

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> CampaignConfig:
        """Create a configuration from flat parameters, as in a papermill notebook.

        Parameters
        ----------
        parameters
            Values by field name; field names are unique across sections.

        Raises
        ------
        ConfigError
            For an unknown name (with the nearest known one) or an invalid value.
        """
        sections: dict[str, Any] = {}
        homes = parameter_homes()
        for name, value in parameters.items():
            if name not in homes:
                raise ConfigError(f"unknown parameter '{name}'; {nearest(name, list(homes))}")
            section = homes[name]
            if section is None:
                sections[name] = value
            else:
                sections.setdefault(section, {})[name] = value
        return cls(**sections)

    @classmethod
    def from_namespace(cls, namespace: Mapping[str, Any]) -> CampaignConfig:
        """Create a configuration from those variables of a notebook that are parameters.

        Parameters
        ----------
        namespace
            ``globals()`` of the notebook.

        Raises
        ------
        ConfigError
            For an invalid value, and for a plain variable whose name is almost that of a parameter, since a typing
            error would otherwise silently select the default.
        """
        homes = parameter_homes()
        for name, value in namespace.items():
            plain = isinstance(value, str | int | float | list | tuple | dict) and not name.startswith("_")
            close = [] if name in CLOSE else difflib.get_close_matches(name, homes, n=1, cutoff=0.9)
            if plain and name not in homes and close:
                raise ConfigError(f"unknown parameter '{name}'; did you mean '{close[0]}'?")
        return cls.from_parameters({name: namespace[name] for name in homes if name in namespace})

    def differences(self, other: CampaignConfig) -> list[str]:
        """List the fields, except those of `CHANGEABLE`, in which two configurations differ.

        Returns
        -------
        list of str
            One ``section.field: value here -> value of other`` per field.
        """
        old, new = self.model_dump(mode="json"), other.model_dump(mode="json")
        if self.system.reference_crystal == other.system.reference_crystal:  # once, the default was a name
            old["system"]["crystal"] = new["system"]["crystal"]
        changes = [f"seed: {old['seed']} -> {new['seed']}"] if old["seed"] != new["seed"] else []
        if self.walkers != other.walkers:
            changes.append(f"walkers: {_overrides(self.walkers)} -> {_overrides(other.walkers)}")
        for section in (name for name in old if isinstance(old[name], dict)):
            for field, value in old[section].items():
                if field not in CHANGEABLE.get(section, ()) and value != new[section][field]:
                    changes.append(f"{section}.{field}: {value!r} -> {new[section][field]!r}")
        return changes


def _overrides(walkers: Sequence[WalkerConfig]) -> list[dict[str, Any]] | None:
    """List the values in which each walker differs from the campaign; None for a single walker."""
    return [walker.model_dump(mode="json", exclude_none=True) for walker in walkers] or None


def _derived_seed(seed: int, number: int) -> int:
    """Derive the seed of a walker, independent of other walkers and of campaigns with neighboring seeds."""
    import numpy as np  # late: a configuration alone does not need numpy

    return int(np.random.SeedSequence([seed, 4, number]).generate_state(1)[0])


def parameter_homes() -> dict[str, str | None]:
    """Return the section of each flat parameter; None for the fields of `CampaignConfig` itself.

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

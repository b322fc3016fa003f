"""Where labels are made, and how many at a time; not what they are."""

from __future__ import annotations

from typing import Any

from pydantic import Field, PositiveInt, model_validator

from acemaker.config.base import Section

EXECUTORS = ("threads", "processes", "slurm", "dask", "files")
"""Executors that need no path."""


class LabellingConfig(Section):
    """What the selected structures of one halt are handed to."""

    n_workers: PositiveInt = Field(
        1,
        description="labels made at a time; SLURM and people decide for themselves, and 'emt' and 'lammps' are "
        "labelled one by one in this thread unless executor or label_process say otherwise",
    )
    executor: str = Field(
        "threads",
        description="'threads' that each wait for a process of its own, 'processes' that stay, 'slurm' (a job a "
        "label), 'dask', 'files' (a folder a label, for calculations made by hand), or 'module:factory', a callable "
        "that returns a concurrent.futures.Executor",
    )
    executor_arguments: dict[str, Any] = Field(
        default_factory=dict,
        description="of 'slurm' options of sbatch by their long names, and setup, a list of shell commands; of 'dask' "
        "arguments of LocalCluster, or the address of a scheduler; of 'processes' and a factory keyword arguments",
    )

    @model_validator(mode="after")
    def _known(self) -> LabellingConfig:
        if self.executor not in EXECUTORS and ":" not in self.executor:
            names = ", ".join(f"'{name}'" for name in EXECUTORS)
            raise ValueError(f"executor must be {names} or a dotted path 'module:factory', got {self.executor!r}")
        if self.executor in ("threads", "files") and self.executor_arguments:
            raise ValueError(f"executor '{self.executor}' takes no executor_arguments, got {self.executor_arguments}")
        return self

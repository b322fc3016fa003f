"""Where labels are computed, and how many at a time; the settings do not influence the labels."""

from __future__ import annotations

from typing import Any

from pydantic import Field, PositiveInt, model_validator

from acemaker.config.base import Section

EXECUTORS = ("threads", "processes", "slurm", "dask", "files")
"""Names of the built-in executors."""


class LabelingConfig(Section):
    """Settings of the executor that computes the labels of each halt.

    Examples
    --------
    >>> from acemaker import LabelingConfig
    >>> LabelingConfig(n_parallel_labels=4).executor
    'threads'
    """

    n_parallel_labels: PositiveInt = Field(
        1,
        description="Number of labels computed at the same time. It has no effect on 'slurm' and 'files'. The oracles "
        "'emt' and 'lammps' label one structure at a time in this thread unless executor or label_process change it.",
    )
    executor: str = Field(
        "threads",
        description="Executor of labels: 'threads' (each waits for one child process per label), 'processes' "
        "(persistent worker processes), 'slurm' (one job per label), 'dask', 'files' (one folder per label, for "
        "calculations run by hand), or 'module:factory', a callable that returns a concurrent.futures.Executor.",
    )
    executor_arguments: dict[str, Any] = Field(
        default_factory=dict,
        description="Arguments of the executor. For 'slurm': options of sbatch by their long names, and setup, a list "
        "of shell commands. For 'dask': arguments of LocalCluster, or the address of a scheduler. For 'processes' and "
        "a factory: keyword arguments.",
    )

    @model_validator(mode="after")
    def _check_executor(self) -> LabelingConfig:
        if self.executor not in EXECUTORS and ":" not in self.executor:
            names = ", ".join(f"'{name}'" for name in EXECUTORS)
            raise ValueError(f"executor must be {names} or a dotted path 'module:factory', got {self.executor!r}")
        if self.executor in ("threads", "files") and self.executor_arguments:
            raise ValueError(f"executor '{self.executor}' takes no executor_arguments, got {self.executor_arguments}")
        return self

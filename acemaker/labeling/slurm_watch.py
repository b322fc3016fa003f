"""executorlib's watch over jobs: what asks SLURM about them must not end with one question that fails."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Callable
from typing import Any

QUESTIONS = {"pysqa_job_output_validation": False, "pysqa_terminate": None}
"""What of executorlib asks ``squeue``, and what counts as its answer where that fails: a job is not known to be dead,
and one that cannot be looked for is not cancelled."""


def keep_watching() -> None:
    """Have a question that fails asked again later.

    Notes
    -----
    A controller that is restarted, or too busy to answer in time, makes ``squeue`` fail. In executorlib 1.11 that ends
    the thread which watches all jobs: none of their answers would be seen any more, and whoever ends the executor would
    wait for ever.
    """
    import executorlib.task_scheduler.file.task_scheduler as watched

    for name, otherwise in QUESTIONS.items():
        ask = getattr(watched, name, None)
        if ask is not None and not hasattr(ask, "__wrapped__"):
            setattr(watched, name, _patient(ask, otherwise))


def _patient(ask: Callable[..., Any], otherwise: object) -> Callable[..., Any]:
    @functools.wraps(ask)
    def asked(*arguments: Any, **more: Any) -> Any:
        try:
            return ask(*arguments, **more)
        except (subprocess.CalledProcessError, OSError):
            return otherwise

    return asked

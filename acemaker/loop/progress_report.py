"""The progress of a campaign: lines of the logger ``acemaker``, and a bar in a terminal or a notebook.

The lines of every run of one configuration are equal, except for the seconds of labels.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from acemaker.formatting.interactive import is_interactive
from acemaker.formatting.record import Record
from acemaker.formatting.summary import number, observable
from acemaker.loop.callbacks import Callback

if TYPE_CHECKING:
    from acemaker.engines.protocol import Check
    from acemaker.labeling.request import CollectedLabel
    from acemaker.potentials.optimizer import Iteration

logger = logging.getLogger("acemaker")

_SHOWN_BY_BAR = "shown_by_bar"
"""Attribute of log records that are not written above a bar, since it shows the same."""


class ProgressLines(Callback):
    """Logs a line for each tenth of the trajectory and of a fit, for each label, and for the result of each state.

    The lines have level INFO.

    Parameters
    ----------
    n_steps
        MD steps of the whole trajectory.
    walker
        Returns the number of the walker that explores; None if there is only one.
    """

    def __init__(self, n_steps: int, walker: Callable[[], int] | None = None) -> None:
        super().__init__()
        self._n_steps, self._walker = n_steps, walker
        self._tenths: dict[int, int] = {}

    def on_check(self, check: Check) -> None:
        """Log a check, if it is the first in its tenth of the trajectory."""
        if not logger.isEnabledFor(logging.INFO):
            return
        tenth, walker = 10 * check.step // self._n_steps, self._walker() if self._walker else 0
        if tenth > self._tenths.get(walker, -1):
            self._tenths[walker] = tenth
            values = [f"gamma {number(check.gamma_max)}"]
            for name, value in list(check.observables.items())[:1]:
                quantity, unit = observable(name)
                values.append(f"{quantity} {number(value)} {unit}".rstrip())
            of_walker = f"walker {walker}  " if walker else ""
            line = f"{of_walker}step {check.step:>7} of {self._n_steps}  {'  '.join(values)}"
            logger.info(line, extra={_SHOWN_BY_BAR: True})

    def on_iteration(self, iteration: Iteration) -> None:
        """Log an optimizer's iteration: the first, and each tenth of them."""
        if iteration.number % max(iteration.max_iterations // 10, 1) == 0:
            logger.info(str(iteration))

    def on_label(self, label: CollectedLabel) -> None:
        """Log a label, unless it is the only one: the result of the state reports that."""
        if label.total > 1:
            seconds = f", {label.seconds:.0f} s" if label.seconds >= 1 else ""
            logger.info(f"label {label.number} of {label.total}: candidate {label.candidate}{seconds}")

    def on_result(self, record: Record) -> None:
        """Log the result of a state."""
        if logger.isEnabledFor(logging.INFO):
            logger.info(record.headline())


class ProgressBar(Callback):
    """A tqdm bar over the MD steps of all walkers, with gamma beside it.

    Parameters
    ----------
    n_steps
        MD steps of each walker.
    steps
        Returns the MD step at which the next segment of each walker starts.
    walker
        Returns the number of the walker that explores.
    """

    def __init__(self, n_steps: int, steps: Callable[[], tuple[int, ...]], walker: Callable[[], int]) -> None:
        from tqdm.auto import tqdm

        super().__init__()
        self._steps, self._walker = steps, walker
        self._bar: Any = tqdm(total=n_steps * len(steps()), initial=sum(steps()), unit="step", dynamic_ncols=True)

    def on_check(self, check: Check) -> None:
        """Move the bar, possibly back to the step from which a trajectory resumed."""
        steps = list(self._steps())
        steps[self._walker() - 1] = check.step
        self._bar.set_postfix_str(f"gamma {number(check.gamma_max)}", refresh=False)
        self._bar.update(sum(steps) - self._bar.n)

    def on_result(self, record: Record) -> None:
        """Move the bar to the current steps of the walkers."""
        del record
        self._bar.update(sum(self._steps()) - self._bar.n)

    def close(self) -> None:
        """Close the bar, which remains visible."""
        self._bar.close()


class _ToStdout(logging.Handler):
    """Writes lines to the current standard output, above a bar if there is one."""

    def __init__(self, *, bar: bool) -> None:
        super().__init__(logging.INFO)
        self._bar = bar

    def emit(self, record: logging.LogRecord) -> None:
        if self._bar:
            if getattr(record, _SHOWN_BY_BAR, False):
                return
            from tqdm import tqdm

            tqdm.write(self.format(record), file=sys.stdout)
        else:
            sys.stdout.write(self.format(record) + "\n")
            sys.stdout.flush()


@contextmanager
def progress_shown(
    n_steps: int, steps: Callable[[], tuple[int, ...]], walker: Callable[[], int]
) -> Iterator[ProgressBar | None]:
    """Write the lines of the logger ``acemaker`` to standard output within a block, with a bar if it can be seen.

    There is a bar in a terminal, and in a notebook that is open in a browser.

    Parameters
    ----------
    n_steps, steps, walker
        As for `ProgressBar`.

    Yields
    ------
    ProgressBar or None
        The bar, which the campaign must call.
    """
    bar = ProgressBar(n_steps, steps, walker) if sys.stderr.isatty() or is_interactive() else None
    handler, level = _ToStdout(bar=bar is not None), logger.level
    logger.addHandler(handler)
    if logger.getEffectiveLevel() > logging.INFO:
        logger.setLevel(logging.INFO)
    try:
        yield bar
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        if bar is not None:
            bar.close()

"""Read the table of iterations while pacemaker writes it."""

from __future__ import annotations

from pathlib import Path

from acemaker.potentials.optimizer import Iteration
from acemaker.process.tail import Tail

METRICS = "metrics.txt"


class MetricsReader:
    """Incremental reader of the table of a fit.

    Parameters
    ----------
    path
        Path of the table, which need not exist yet.
    max_iterations
        Maximum number of iterations of the fit.

    Attributes
    ----------
    last : list of Iteration
        Iterations of the last step of a ladder, or of the whole fit.
    """

    def __init__(self, path: Path, max_iterations: int) -> None:
        self._tail = Tail(path)
        self._max_iterations = max_iterations
        self._rest = b""
        self._columns: list[str] = []
        self.last: list[Iteration] = []

    def read(self) -> list[Iteration]:
        """Return the iterations since the last call."""
        iterations = []
        while piece := self._tail.read():
            *lines, self._rest = (self._rest + piece).split(b"\n")
            for fields in (line.decode(errors="replace").split() for line in lines):
                if "iter_num" in fields:
                    self._columns = fields
                elif self._columns and len(fields) == len(self._columns):
                    iterations.append(self._iteration(dict(zip(self._columns, fields, strict=True))))
        return iterations

    def _iteration(self, row: dict[str, str]) -> Iteration:
        iteration = Iteration(
            number=int(row["iter_num"]),
            max_iterations=self._max_iterations,
            loss=float(row["loss"]),
            energy=1e3 * float(row["rmse_epa"]),
            forces=1e3 * float(row["rmse_f_comp"]),
            functions=int(row["nfuncs"]),
        )
        if self.last and iteration.functions != self.last[-1].functions:
            self.last = []
        self.last.append(iteration)
        return iteration

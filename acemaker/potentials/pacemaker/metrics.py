"""Reads the table of iterations that pacemaker writes, as it grows."""

from __future__ import annotations

from pathlib import Path

from acemaker.potentials.optimizer import Iteration
from acemaker.process.tail import Tail

METRICS = "metrics.txt"


class MetricsReader:
    """Follows a fit's table.

    Parameters
    ----------
    path
        The table; it need not be there yet.
    most
        Iterations that the fit may take.

    Attributes
    ----------
    last : list of Iteration
        Those of the last step of a ladder, or of the whole fit.
    """

    def __init__(self, path: Path, most: int) -> None:
        self._tail = Tail(path)
        self._most = most
        self._rest = b""
        self._columns: list[str] = []
        self.last: list[Iteration] = []

    def read(self) -> list[Iteration]:
        """Return the iterations since the last look."""
        found = []
        while piece := self._tail.read():
            *whole, self._rest = (self._rest + piece).split(b"\n")
            for words in (line.decode(errors="replace").split() for line in whole):
                if "iter_num" in words:
                    self._columns = words
                elif self._columns and len(words) == len(self._columns):
                    found.append(self._iteration(dict(zip(self._columns, words, strict=True))))
        return found

    def _iteration(self, row: dict[str, str]) -> Iteration:
        iteration = Iteration(
            number=int(row["iter_num"]),
            most=self._most,
            loss=float(row["loss"]),
            energy=1e3 * float(row["rmse_epa"]),
            forces=1e3 * float(row["rmse_f_comp"]),
            functions=int(row["nfuncs"]),
        )
        if self.last and iteration.functions != self.last[-1].functions:
            self.last = []
        self.last.append(iteration)
        return iteration

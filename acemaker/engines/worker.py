"""Evaluates a share of the atoms for another process: python -m acemaker.engines.worker FILE_DESCRIPTOR."""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from acemaker.potentials.evaluator import Evaluator


def main(pipe: Connection[Any, Any]) -> None:
    """Serve until the other end closes."""
    evaluator: Evaluator | None = None
    environment: Any = None
    trouble = ""
    while True:
        try:
            kind, *message = pipe.recv()
        except (EOFError, OSError):
            return
        answer: Any = None
        try:
            if kind == "load":
                yaml, asi, elements, cutoff = message
                evaluator, trouble = Evaluator(yaml, Path(asi), elements, cutoff), ""
            elif kind == "lists":
                environment = message[0].environment()
            else:
                positions, graded = message
                if evaluator is not None and not trouble:
                    environment.x = positions.tolist()
                    answer = evaluator.graded(environment) if graded else evaluator.fast(environment)
        except Exception as error:  # to be raised on the other side, which waits for evaluations alone
            trouble = f"{type(error).__name__}: {error}"
        if kind == "evaluate":
            try:
                pipe.send(answer or trouble)
            except OSError:
                return


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])))

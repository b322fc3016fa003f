"""Force process that evaluates a share of the atoms: python -m acemaker.engines.worker FILE_DESCRIPTOR."""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from acemaker.potentials.evaluator import Evaluator


def main(pipe: Connection[Any, Any]) -> None:
    """Answer requests until the other end of the pipe closes."""
    evaluator: Evaluator | None = None
    environment: Any = None
    failure = ""
    while True:
        try:
            kind, *message = pipe.recv()
        except (EOFError, OSError):
            return
        answer: Any = None
        try:
            if kind == "load":
                yaml, asi, elements, cutoff = message
                evaluator, failure = Evaluator(yaml, Path(asi), elements, cutoff), ""
            elif kind == "lists":
                environment = message[0].environment()
            else:
                positions, graded = message
                if evaluator is not None and not failure:
                    environment.x = positions.tolist()
                    answer = evaluator.graded(environment) if graded else evaluator.fast(environment)
        except Exception as error:  # raised at the other end, which only waits for answers to "evaluate"
            failure = f"{type(error).__name__}: {error}"
        if kind == "evaluate":
            try:
                pipe.send(answer or failure)
            except OSError:
                return


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])))

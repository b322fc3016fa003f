"""EXPLORE: run the engine until the requested steps or a halt."""

from __future__ import annotations

from pathlib import Path

from acemaker.engines.protocol import Engine, Request
from acemaker.results import Halt, Segment
from acemaker.states import State
from acemaker.structures.files import write_structures


def explore(request: Request, engine: Engine, *, halt_number: int, halt_file: Path) -> Segment:
    """Run one segment.

    Parameters
    ----------
    request
        Start, potential, and halting rule.
    engine
        The engine that runs it.
    halt_number
        Number of the halt, if there is one.
    halt_file
        File to which the frames before a halt are written.

    Returns
    -------
    Segment
        Its ``halt`` is None if the requested steps were reached.

    Raises
    ------
    EngineError
        If the engine cannot continue.
    """
    outcome = engine.explore(request)
    halt, rule = None, request.rule
    if outcome.decision is not None:
        halt = Halt(
            number=halt_number,
            step=outcome.decision.step,
            tier=outcome.decision.tier,
            first_step=outcome.decision.first_step,
            frames=write_structures(halt_file, outcome.frames),
            safe_step=outcome.safe_step,
            safe_checkpoint=outcome.safe_checkpoint,
            halt_checkpoint=outcome.halt_checkpoint,
            thresholds=(rule.threshold_add_train, rule.threshold_call_dft, rule.threshold_break),
        )
    return Segment(
        number=request.number,
        generation=request.generation.number,
        start_step=request.start_step,
        end_step=outcome.end_step,
        timeline=outcome.timeline,
        halt=halt,
        soft_start=outcome.soft_start,
        next=State.DONE if halt is None else State.HALT,
    )

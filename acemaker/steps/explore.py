"""EXPLORE: run the engine until the requested steps or a halt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.engines.protocol import Engine, Request
from acemaker.errors import EngineError
from acemaker.results import Halt, Segment
from acemaker.states import State
from acemaker.structures.files import write_structures
from acemaker.structures.per_atom import FROZEN, PER_ATOM, frozen_atoms

MOTION = 1e-6
"""Å, motion of frozen atoms in a segment that is due to rounding."""


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
        If the engine cannot continue, or ignores frozen atoms or masses.
    """
    outcome = engine.explore(request)
    _check_per_atom(request.structure, outcome.frames)
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
            measure="" if request.measure is None else request.measure.name,
            tolerance=request.tolerance if request.measure is not None else None,
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


def _check_per_atom(start: Atoms, frames: Sequence[Atoms]) -> None:
    """Check that an engine, which may be the user's, has used masses and frozen atoms of the structure."""
    frozen = frozen_atoms(start)
    for atoms in frames:
        lost = [name for name in PER_ATOM if name in start.arrays and name not in atoms.arrays]
        if lost:
            raise EngineError(
                f"the structure has {' and '.join(lost)}, which the frames of the engine do not have, so that it seems "
                "to ignore them; start it with acemaker.structures.per_atom.bare_copy(request.structure), fix the "
                "frozen atoms, and return frames that are copies"
            )
        if frozen.any() and start.pbc.all():
            moves = atoms.get_scaled_positions(wrap=False)[frozen] - frames[0].get_scaled_positions(wrap=False)[frozen]
            motion = (moves - np.round(moves)) @ atoms.cell.array
        else:
            motion = atoms.positions[frozen] - frames[0].positions[frozen]
            if frozen.any():  # the box of a cluster may have been enlarged in a later frame, and all atoms shifted
                motion = motion - motion.mean(axis=0)
        if np.abs(motion).max(initial=0.0) > MOTION:
            raise EngineError(
                f"the engine has moved frozen atoms by {np.abs(motion).max():.3g} Å; it must not move the atoms in "
                f"arrays['{FROZEN}'] of the structure, or refuse it with a StructureError"
            )

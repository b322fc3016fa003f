"""RESUME: decide from where the trajectory goes on."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from acemaker.config import OTFConfig
from acemaker.potentials.environment import environment
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import Generation
from acemaker.results import Halt, Resumption


def resume(halt: Halt, anchor: Atoms, rule: OTFConfig, *, old: Generation, new: Generation) -> Resumption:
    """Choose where the next segment starts.

    After a halt of the break tier that is always a state before it: what a potential did far outside its region
    must not go into the trajectory. Where a structure alone is asked for, and there is no such frame with
    velocities, it is the last safe state after all.

    Parameters
    ----------
    halt
        The halt that was healed.
    anchor
        The structure on which old and new potential are compared.
    rule
        ``resume_from``.
    old, new
        The generation that halted, and the one that goes on.

    Returns
    -------
    Resumption
    """
    frame = _frame(halt, rule) if rule.resume_from == "structure" else None
    env = environment(anchor, new.elements, new.cutoff)
    before, after = (evaluator_of(generation).graded(env) for generation in (old, new))
    from_halt = rule.resume_from == "halt" and halt.tier == "smooth" and halt.halt_checkpoint is not None
    step = halt.step if from_halt else halt.safe_step
    checkpoint = halt.halt_checkpoint if from_halt else halt.safe_checkpoint
    if frame is not None:
        step, checkpoint = int(frame.info["step"]), None
    return Resumption(
        mode="structure" if frame is not None else "halt" if from_halt else "safe",
        step=step,
        checkpoint=checkpoint,
        discarded_steps=halt.step - step,
        generation=new.number,
        energy_jump=1e3 * (after.energy - before.energy) / len(anchor),
        force_change=float(np.abs(after.forces - before.forces).max()),
    )


def _frame(halt: Halt, rule: OTFConfig) -> Atoms | None:
    """Choose the frame to go on from: the halted one or, after a break, the last one that was not above threshold."""
    moving = [atoms for atoms in halt.frames if atoms.has("momenta")]  # not every engine knows velocities
    if halt.tier == "smooth":
        return moving[-1] if moving and moving[-1] is halt.structure else None
    sound = [
        atoms
        for atoms in moving
        if atoms.info["step"] < halt.first_step and atoms.arrays["gamma"].max() <= rule.threshold_call_dft
    ]
    return sound[-1] if sound else None

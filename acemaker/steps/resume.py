"""RESUME: choose the state from which the trajectory continues."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from acemaker.config import OTFConfig
from acemaker.potentials.environment import environment
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import Generation
from acemaker.results import Halt, Resumption


def resume(halt: Halt, halted: Atoms, rule: OTFConfig, *, old: Generation, new: Generation) -> Resumption:
    """Choose where the next segment starts.

    After a halt of the break tier, this is always a state before the halt: steps of a potential far outside its domain
    must not be part of the trajectory. With ``resume_from="structure"``, it is the last safe state if there is no
    suitable frame with velocities.

    Parameters
    ----------
    halt
        The halt that was healed.
    halted
        The structure on which old and new potential are compared.
    rule
        Settings with ``resume_from``.
    old, new
        The generation that halted, and the one that continues.

    Returns
    -------
    Resumption
    """
    frame = _frame(halt, rule) if rule.resume_from == "structure" else None
    env = environment(halted, new.elements, new.cutoff)
    before, after = (evaluator_of(generation).graded(env) for generation in (old, new))
    from_halt = rule.resume_from == "halt" and halt.tier != "break" and halt.halt_checkpoint is not None
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
        energy_jump=1e3 * (after.energy - before.energy) / len(halted),
        force_change=float(np.linalg.norm(after.forces - before.forces, axis=1).max()),
    )


def _frame(halt: Halt, rule: OTFConfig) -> Atoms | None:
    """Return the frame to continue from: the halted one or, after a break, the last one below the threshold."""
    moving = [atoms for atoms in halt.frames if atoms.has("momenta")]  # not every engine provides velocities
    if halt.tier != "break":
        return moving[-1] if moving and moving[-1] is halt.structure else None
    sound = [
        atoms
        for atoms in moving
        if atoms.info["step"] < halt.first_step and atoms.arrays["gamma"].max() <= rule.threshold_call_dft
    ]
    return sound[-1] if sound else None

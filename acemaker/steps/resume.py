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

    After a halt of the break tier that is always the last safe state: what a potential did far outside
    its region must not go into the trajectory.

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
    env = environment(anchor, new.elements, new.cutoff)
    before, after = (evaluator_of(generation).graded(env) for generation in (old, new))
    from_halt = rule.resume_from == "halt" and halt.tier == "smooth" and halt.halt_checkpoint is not None
    return Resumption(
        mode="halt" if from_halt else "safe",
        step=halt.step if from_halt else halt.safe_step,
        checkpoint=halt.halt_checkpoint if from_halt else halt.safe_checkpoint,
        discarded_steps=0 if from_halt else halt.step - halt.safe_step,
        generation=new.number,
        energy_jump=1e3 * (after.energy - before.energy) / len(anchor),
        force_change=float(np.abs(after.forces - before.forces).max()),
    )

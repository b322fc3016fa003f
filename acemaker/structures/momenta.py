"""Momenta of an initial structure: they are used as they are, or refused."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from ase import Atoms, units

from acemaker.config import CampaignConfig
from acemaker.errors import StructureError
from acemaker.lammps.box import has_momenta
from acemaker.lammps.script import STOCHASTIC
from acemaker.structures.per_atom import frozen_atoms

logger = logging.getLogger("acemaker")

VELOCITY_COLUMNS = {"vel", "velo", "velocity", "velocities", "v", "momentum"}
"""Names in lower case of columns that ASE does not interpret, and whose units are not known."""

SPREAD, MIN_DIFFERENCE = 4.0, 0.2
"""Largest deviation of the temperature of the momenta from that of the configuration: standard deviations of the
temperature of a canonical ensemble, or a share of the temperature if that is larger."""

DRIFT = 1e-6
"""Share of the kinetic energy in the motion of the center of mass below which momenta are used without a change."""


def with_usable_momenta(atoms: Atoms, temperature: float, where: str) -> Atoms:
    """Check that the momenta of a structure agree with the temperature at which a trajectory starts.

    The total momentum is removed, since LAMMPS would count the motion of the center of mass as temperature; with frozen
    atoms it is left, since it is not conserved.

    Parameters
    ----------
    atoms
        Structure after `acemaker.structures.supported.as_initial`; it is not changed.
    temperature
        Temperature of the configuration at the first step, K.
    where
        Origin of the structure, for messages.

    Returns
    -------
    Atoms
        `atoms` itself, also without momenta, so that velocities are drawn; or a copy with a total momentum of zero.

    Raises
    ------
    StructureError
        If the momenta are not finite, if frozen atoms have momenta, or if the temperature of the momenta is another
        one. The message contains both temperatures and the remedy.

    Examples
    --------
    >>> from ase.build import bulk
    >>> atoms = bulk("Cu", cubic=True).repeat(2)
    >>> atoms.set_velocities(np.ones((32, 3)))
    >>> with_usable_momenta(atoms, 300.0, "the structure")
    Traceback (most recent call last):
    ...
    acemaker.errors.StructureError: the structure has momenta of 0 K, after the total momentum is removed, but ...
    """
    for name in atoms.arrays:
        if name.lower() in VELOCITY_COLUMNS:
            logger.warning(
                "%s has a column '%s', which is not used, since its unit is not known: velocities are set by a column "
                "'momenta' in ASE's units, or else drawn",
                where,
                name,
            )
    if not atoms.has("momenta") or not atoms.get_momenta().any():
        return atoms
    momenta, masses, frozen = atoms.get_momenta(), atoms.get_masses()[:, None], frozen_atoms(atoms)
    remedy = 'or remove them, so that velocities are drawn: atoms.arrays.pop("momenta")'
    if not np.isfinite(momenta).all():
        raise StructureError(f"{where} has momenta that are not finite; correct them, {remedy}")
    if momenta[frozen].any():
        raise StructureError(
            f"{where} has momenta on {int(momenta[frozen].any(axis=1).sum())} frozen atoms, which never move; set them "
            f"to zero, {remedy}"
        )
    kinetic = float((momenta**2 / masses).sum()) / 2
    total = momenta.sum(axis=0)
    if not frozen.any() and total @ total / (2 * masses.sum()) > DRIFT * kinetic:
        velocity = total / masses.sum()
        logger.info(
            "%s has a total momentum, which is removed: its center of mass moves at %.4g Å/ps",
            where,
            np.linalg.norm(velocity) * 1000 * units.fs,
        )
        momenta = momenta - masses * velocity
        kinetic = float((momenta**2 / masses).sum()) / 2
        atoms = atoms.copy()
        atoms.set_momenta(momenta)
    dof = 3 * int((~frozen).sum()) - (0 if frozen.any() else 3)
    measured = 2 * kinetic / (max(dof, 1) * units.kB)
    tolerance = max(SPREAD * np.sqrt(2 / max(dof, 1)), MIN_DIFFERENCE) * temperature
    if not abs(measured - temperature) <= tolerance:
        removed = "" if frozen.any() else ", after the total momentum is removed"
        raise StructureError(
            f"{where} has momenta of {measured:.0f} K{removed}, but EngineConfig.temperature starts at {temperature:g} "
            f"K; set it to the temperature of the momenta, {remedy}"
        )
    return atoms


def check_trajectories_differ(config: CampaignConfig, structures: Sequence[Atoms]) -> None:
    """Check that no two walkers have the same trajectory: the same momenta in an ensemble without random forces.

    Parameters
    ----------
    config
        The campaign's configuration.
    structures
        The structure of each walker.

    Raises
    ------
    StructureError
        The message contains the walkers and the remedy.
    """
    starts: dict[tuple[bytes, bytes, str], list[int]] = {}
    for number, atoms in enumerate(structures, start=1):
        engine = config.walker(number).engine
        if has_momenta(atoms) and engine.ensembles[0] not in STOCHASTIC:
            key = atoms.positions.tobytes(), atoms.get_momenta().tobytes(), engine.model_dump_json()
            starts.setdefault(key, []).append(number)
    for numbers in starts.values():
        if len(numbers) > 1:
            ensemble = config.walker(numbers[0]).engine.ensembles[0]
            raise StructureError(
                f"CampaignConfig.walkers: walkers {', '.join(map(str, numbers))} start from the same momenta with the "
                f"ensemble {ensemble!r}, so that their trajectories would be the same; remove the momenta "
                '(atoms.arrays.pop("momenta")), so that each walker draws its own velocities, or choose the ensemble '
                "'csvr' or 'langevin'"
            )

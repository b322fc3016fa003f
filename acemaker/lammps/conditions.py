"""What acts on the atoms besides the potential, as LAMMPS commands: groups, forces, fixed directions, strain.

No state of these commands has to be restored from a restart file. Forces do not depend on the past. The strain begins
again at each checkpoint, from the box there, under a name that contains its step: LAMMPS would restore the state of a
fix with the same name, and with it the box of the beginning.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from acemaker.config import EngineConfig
from acemaker.config.conditions import EVERYTHING, MOST_GROUPS
from acemaker.errors import StructureError
from acemaker.lammps import script
from acemaker.lammps.box import atom_commands, group_of, standard_form
from acemaker.lammps.groups import members

OWN = "own_"
"""Prefix of the names of users' groups in LAMMPS."""

ROTATED = 1e-6
"""Largest element of a rotation into LAMMPS's orientation, apart from the unit matrix, that is due to rounding."""

BALANCE = 1e-6
"""Largest total force, eV/Å, that is due to rounding."""

STRAINS = {"x": (0, 0), "y": (1, 1), "z": (2, 2), "xy": (1, 0), "xz": (2, 0), "yz": (2, 1)}
"""Row and column of each component of the strain in a lower triangular cell."""

LARGEST_STRAIN, MOST_TILT = 1.0, 0.6
"""Largest relative change of a length, and largest tilt in units of the length along which it is: LAMMPS stops runs of
more tilted boxes."""

SMALLEST_LENGTH = 0.5
"""Smallest length of a cell in units of the initial one."""


@dataclass(frozen=True)
class Conditions:
    """Commands for the settings of a run, resolved for its structure.

    Attributes
    ----------
    group : str
        Group of the atoms that move, `script.ALL` or `script.MOBILE`.
    groups : tuple of str
        Definitions of groups, after those of the atoms.
    forces : tuple of str
        Definitions of forces, before the integrator.
    momentum : tuple of str
        Removal of the total momentum, before the integrator.
    holds : tuple of (str, str, tuple of str)
        Name, group and directions ("0" or "NULL") of forces that are set to zero, after all others.
    conserved : bool
        Whether the total momentum along some direction is conserved although directions of atoms are fixed.
    strain : tuple of (str, float, float)
        Component, change in Å per step, and in Å/ps.
    restart_every : int
        MD steps between checkpoints.
    """

    group: str = script.ALL
    groups: tuple[str, ...] = ()
    forces: tuple[str, ...] = ()
    momentum: tuple[str, ...] = ()
    holds: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    conserved: bool = False
    strain: tuple[tuple[str, float, float], ...] = ()
    restart_every: int = 1

    def velocities(self, temperature: float, seed: int) -> list[str]:
        """Draw velocities at a temperature, K, without components along fixed directions."""
        commands = script.velocity_commands(temperature, seed, self.group)
        if not self.holds:
            return commands
        if self.conserved:
            commands.append(f"velocity {self.group} zero linear")
        scale = f"velocity {self.group} scale {temperature:.17g} temp {script.MOBILE_TEMPERATURE}"
        return [*commands, *self.stop(), scale]

    def stop(self) -> list[str]:
        """Remove velocities along fixed directions, which the frame of a halt may contain."""
        return [f"velocity {group} set {' '.join(axes)} units box" for _, group, axes in self.holds]

    def before(self, *, soft: bool = False) -> list[str]:
        """Define what precedes the integrator; in a soft start only the forces."""
        return [*self.forces, *(() if soft else self.momentum)]

    def after(self, step: int | str, name: str = "", *, soft: bool = False) -> list[str]:
        """Define what follows the thermostat; in a soft start only the fixed directions.

        Parameters
        ----------
        step
            Step at which the run, or a stretch of it, starts.
        name
            Name of the strain in this stretch, from `strain_name`.
        soft
            Whether a soft start follows.
        """
        strain = [] if soft else self._strain(step, name)
        return [*strain, *(f"fix {fix} {group} setforce {' '.join(axes)}" for fix, group, axes in self.holds)]

    def renew(self, step: int | str, before: str, name: str) -> list[str]:
        """Define again what follows the thermostat, for the stretch that starts at a step.

        Parameters
        ----------
        step
            Step at which the stretch starts.
        before, name
            Names of the strain in the stretch that ends, and in the one that starts.
        """
        removed = [f"unfix {before}"] if self.strain else []
        return [*removed, *(f"unfix {fix}" for fix, _, _ in self.holds), *self.after(step, name)]

    def strain_name(self, step: int) -> str:
        """Return the name of the strain in the stretch that contains a step."""
        return f"{script.STRAIN}_{step // self.restart_every * self.restart_every}"

    def _strain(self, step: int | str, name: str) -> list[str]:
        if not self.strain:
            return []
        commands, arguments = [], []
        for component, per_step, per_ps in self.strain:
            change, rate = f"{script.STRAIN}_{component}", f"{script.STRAIN}_rate_{component}"
            commands += [f"variable {change} equal {per_step:.17g}*(step-{step})"]
            commands += [f"variable {rate} equal {per_ps:.17g}"]
            arguments.append(f"{component} variable v_{change} v_{rate}")
        return [*commands, f"fix {name} all deform 1 {' '.join(arguments)} remap x flip no"]


def conditions_of(config: EngineConfig, structure: Atoms) -> Conditions:
    """Return the commands for the external conditions of a run.

    Parameters
    ----------
    config
        Settings of the engine.
    structure
        Initial structure of the trajectory, which defines groups, directions and lengths.

    Returns
    -------
    Conditions

    Raises
    ------
    StructureError
        If a setting does not suit the structure.

    Examples
    --------
    >>> from ase.build import bulk
    >>> copper = bulk("Cu", cubic=True)
    >>> conditions = conditions_of(EngineConfig(ensemble="nvt", strain_rates={"z": 0.001}), copper)
    >>> conditions.after(0, conditions.strain_name(0))[-1]
    'fix strain_0 all deform 1 z variable v_strain_z v_strain_rate_z remap x flip no'
    """
    free = ~np.asarray(structure.arrays.get("frozen", np.zeros(len(structure), dtype=bool)))
    charged = [symbol for symbol in config.field_charges if symbol in structure.get_chemical_symbols()]
    names = list(dict.fromkeys([*config.named_groups, *charged]))
    masks = {name: atoms_of(config, structure, name) for name in [*names, *config.atom_groups]}
    if len(names) > MOST_GROUPS:
        raise StructureError(f"EngineConfig: expected at most {MOST_GROUPS} groups and elements, got {len(names)}")
    _check_orientation(config, structure)
    fixed = _fixed(config, masks, free)
    groups = [command for name in names if name != EVERYTHING for command in _group(name, masks[name])]
    momentum = []
    if fixed.any():
        group = script.MOBILE
        if group_of(structure) != script.MOBILE:
            groups += [f"group {script.MOBILE} union all", f"compute {script.MOBILE_TEMPERATURE} {script.MOBILE} temp"]
        # in a direction in which no atom is held, the total momentum is conserved and zero
        lost = int(fixed.sum()) + (int((~fixed.any(axis=0)).sum()) if free.all() else 0)
        groups.append(f"compute_modify {script.MOBILE_TEMPERATURE} extra/dof {lost}")
    else:
        group = group_of(structure)
    forces = [*_own_commands(config, structure), *_forces(config, masks, free, fixed)]
    if config.remove_momentum_every:
        if not free.all() or fixed.any():
            raise StructureError(
                "EngineConfig.remove_momentum_every: the structure has frozen atoms or fixed directions, which take up "
                "momentum, so that the total momentum is not conserved and must not be removed; omit it"
            )
        momentum.append(f"fix {OWN}momentum all momentum {config.remove_momentum_every} linear 1 1 1")
    holds = tuple(
        (f"{OWN}hold_{name}", lammps_group(name), tuple("0" if axis in axes else "NULL" for axis in "xyz"))
        for name, axes in config.fixed_directions.items()
    )
    return Conditions(
        group=group,
        groups=tuple(groups),
        forces=tuple(forces),
        momentum=tuple(momentum),
        holds=holds,
        conserved=bool(free.all() and not fixed.any(axis=0).all()),
        strain=_strain(config, structure),
        restart_every=config.restart_every,
    )


def definitions(conditions: Conditions, structure: Atoms, *, restored: bool) -> list[str]:
    """Return the commands for masses, frozen atoms and groups, after the atoms have been created or read.

    Parameters
    ----------
    conditions
        Conditions of the run.
    structure
        Initial structure of the trajectory.
    restored
        Whether LAMMPS has read its atoms from a restart file.
    """
    return [*atom_commands(structure, restored=restored), *conditions.groups]


def lammps_group(name: str) -> str:
    """Return the name of a group in LAMMPS."""
    return EVERYTHING if name == EVERYTHING else f"{OWN}{name}"


def atoms_of(config: EngineConfig, structure: Atoms, name: str) -> np.ndarray:
    """Return which atoms of a structure a group, an element or 'all' contains.

    Raises
    ------
    StructureError
        If it contains none.
    """
    if name == EVERYTHING:
        return np.ones(len(structure), dtype=bool)
    if name in config.atom_groups:
        return members(config.atom_groups[name], structure, f"EngineConfig.atom_groups: group {name!r}")
    chosen: np.ndarray = np.array(structure.get_chemical_symbols()) == name
    if not chosen.any():
        elements = ", ".join(sorted(set(structure.get_chemical_symbols())))
        raise StructureError(f"EngineConfig: the settings name {name}, but the structure contains {elements}")
    return chosen


def _group(name: str, chosen: np.ndarray) -> list[str]:
    numbers = script.id_ranges(chosen)
    return [f"group {OWN}{name} id {' '.join(numbers[start : start + 50])}" for start in range(0, len(numbers), 50)]


def _fixed(config: EngineConfig, masks: dict[str, np.ndarray], free: np.ndarray) -> np.ndarray:
    """Return which components of each atom that is not frozen are fixed, shape (n_atoms, 3)."""
    fixed = np.zeros((len(free), 3), dtype=bool)
    for name, axes in config.fixed_directions.items():
        fixed |= masks[name][:, None] & np.isin(list("xyz"), list(axes))
    fixed &= free[:, None]
    if not config.fixed_directions:
        return fixed
    if config.has_barostat or config.is_strained:
        cause = f"ensemble {config.ensemble!r}" if config.has_barostat else "strain_rates"
        raise StructureError(
            f"EngineConfig.fixed_directions: {cause} moves all atoms with the cell, also in these directions; choose "
            "'nvt', 'csvr' or 'langevin' without strain_rates, or omit fixed_directions"
        )
    if fixed[free].all():
        raise StructureError(
            "EngineConfig.fixed_directions: all atoms are fixed in all directions, so that nothing would move; leave "
            "some of them free"
        )
    return fixed


def _forces(config: EngineConfig, masks: dict[str, np.ndarray], free: np.ndarray, fixed: np.ndarray) -> list[str]:
    """Return the commands for added forces and the electric field, which must not accelerate the whole system."""
    added = {f"{OWN}force_{name}": (name, np.array(force)) for name, force in config.added_forces.items()}
    if any(config.electric_field):
        field = np.array(config.electric_field)
        charges = {symbol: charge for symbol, charge in config.field_charges.items() if symbol in masks}
        added |= {f"{OWN}field_{symbol}": (symbol, charge * field) for symbol, charge in charges.items()}
    added = {fix: (name, force) for fix, (name, force) in added.items() if force.any()}
    total = np.zeros(3)
    for name, force in added.values():
        total += (masks[name] & free).sum() * force
    held = ~free.all() | fixed.any(axis=0)
    if (np.abs(total) > BALANCE)[~held].any() and not config.remove_momentum_every:
        raise StructureError(
            f"EngineConfig: added_forces and electric_field add up to ({', '.join(f'{value:.3g}' for value in total)}) "
            "eV/Å, which would accelerate the whole system without limit. Balance them with forces on other atoms or "
            "charges that add up to zero, freeze some atoms (frozen_atoms), or set remove_momentum_every"
        )
    return [
        f"fix {fix} {lammps_group(name)} addforce {' '.join(f'{value:.17g}' for value in force)}"
        for fix, (name, force) in added.items()
    ]


def _own_commands(config: EngineConfig, structure: Atoms) -> list[str]:
    """Return the user's commands, with the names of groups in LAMMPS."""
    if config.lammps_commands and not structure.pbc.all():
        raise StructureError(
            "EngineConfig.lammps_commands: not available for a cluster, whose coordinates in LAMMPS are others; put it "
            "into a periodic box with vacuum: atoms.center(vacuum=6); atoms.pbc = True"
        )
    commands = []
    for command in config.lammps_commands:
        words = command.split()
        if words[0] in ("fix", "compute"):
            words[2] = lammps_group(words[2])
        words[3:] = [lammps_group(word) if word in config.atom_groups else word for word in words[3:]]
        commands.append(" ".join(words))
    return commands


def _check_orientation(config: EngineConfig, structure: Atoms) -> None:
    """Refuse directions in a cell that LAMMPS would rotate."""
    fields = [
        name
        for name in ("added_forces", "electric_field", "fixed_directions", "strain_rates", "lammps_commands")
        if (any(config.electric_field) if name == "electric_field" else getattr(config, name))
    ]
    if not fields or not structure.pbc.all():
        return
    rotation = standard_form(structure)[2]
    if np.abs(rotation - np.eye(3)).max() > ROTATED:
        raise StructureError(
            f"EngineConfig.{fields[0]}: LAMMPS would rotate this cell, and x, y and z would be other directions. The "
            "first lattice vector must be along x, the second in the plane of x and y, and z of the third positive: "
            "atoms.set_cell(atoms.cell.standard_form()[0], scale_atoms=True)"
        )


def _strain(config: EngineConfig, structure: Atoms) -> tuple[tuple[str, float, float], ...]:
    """Return the rates of the components of the strain."""
    rates = {component: rate for component, rate in config.strain_rates.items() if rate}
    if not rates:
        return ()
    if not structure.pbc.all():
        raise StructureError(
            "EngineConfig.strain_rates: a cluster has no cell that could be deformed; omit it, or set a cell and "
            "periodic boundary conditions"
        )
    if "frozen" in structure.arrays:
        raise StructureError(
            f"EngineConfig.strain_rates: the deformation of the cell would move the "
            f"{int(structure.arrays['frozen'].sum())} frozen atoms of {len(structure)} with it; omit one of the two"
        )
    cell = standard_form(structure)[0]
    lengths = {component: float(np.diag(cell)[STRAINS[component][0]]) for component in rates}
    per_ps = {component: rate * lengths[component] for component, rate in rates.items()}
    return tuple((component, value * config.timestep / 1000, value) for component, value in per_ps.items())


def check_strain(config: EngineConfig, structure: Atoms) -> None:
    """Check that a cell can be deformed as far as the strain rates of all stages lead.

    Parameters
    ----------
    config
        Settings of the engine.
    structure
        Initial structure of the trajectory.

    Raises
    ------
    StructureError
        If the lengths or angles of the cell at the end of a stage are out of range.
    """
    if not config.is_strained:
        return
    cell = standard_form(structure)[0]
    end = cell.copy()
    for stage in config.protocol:
        picoseconds = (stage.end - stage.begin) * config.timestep / 1000
        for component, rate in stage.settings.strain_rates.items():
            row, column = STRAINS[component]
            end[row, column] += rate * cell[row, row] * picoseconds
        _check_cell(cell, end, f"after {stage.end} steps of {config.timestep:g} fs, the")


def _check_cell(cell: np.ndarray, end: np.ndarray, after: str) -> None:
    """Refuse a cell that is deformed too far from the initial one."""
    lengths = np.diag(end) / np.diag(cell)
    if lengths.min() < SMALLEST_LENGTH or lengths.max() > 1 + LARGEST_STRAIN:
        raise StructureError(
            f"EngineConfig.strain_rates: {after} lengths of the cell would be "
            f"{', '.join(f'{value:.3g}' for value in lengths)} of the initial ones; expected {SMALLEST_LENGTH:g} to "
            f"{1 + LARGEST_STRAIN:g}. Lower the rates (1/ps; 0.001 is one percent in 10 ps), or the number of steps"
        )
    tilts = [abs(end[1, 0] / end[0, 0]), abs(end[2, 0] / end[0, 0]), abs(end[2, 1] / end[1, 1])]
    if max(tilts) > MOST_TILT:
        raise StructureError(
            f"EngineConfig.strain_rates: {after} cell would be tilted by {max(tilts):.3g} of its length; expected at "
            f"most {MOST_TILT:g}. Lower the rates (1/ps) or the number of steps"
        )

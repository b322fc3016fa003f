"""Samples that properties are measured on: the crystal behind a campaign's initial structure, or its liquid."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms

from acemaker.analysis.accuracy import signs_of_melting
from acemaker.analysis.measured import NotApplicable
from acemaker.config.oracle import SPINLESS
from acemaker.errors import MissingLibraryError, StructureError
from acemaker.loop.reader import CampaignReader
from acemaker.oracles.isolated import LARGE_BOX, isolated_atoms_of, obstacle_to_isolated_atoms
from acemaker.structures.geometry import closeness
from acemaker.structures.isolated import isolated_atom
from acemaker.structures.per_atom import MASSES, MOMENTS, frozen_atoms

SYMPREC = 0.01
"""Å, by which atoms may be off their sites."""

LARGEST = 24
"""Maximum number of atoms of a primitive cell; a handful of labels does not determine a larger lattice."""

VACUUM = 6.0
"""Å without atoms along a lattice vector, above which a structure counts as a surface, wire or cluster."""


@dataclass(frozen=True, kw_only=True)
class Crystal:
    """A crystal in its standard orientation.

    Attributes
    ----------
    primitive : Atoms
        Its primitive cell.
    repeats : ndarray of int, shape (3, 3)
        The conventional cell's vectors in those of the primitive one, in rows.
    space_group : int
        Number in the International Tables.
    symbol : str
        Its symbol.
    kinds : int
        Number of kinds of sites that symmetry does not map on each other.
    isolated : tuple of Atoms
        An isolated atom of each element; of a campaign's crystal, as its oracle labels it.
    """

    primitive: Atoms
    repeats: np.ndarray
    space_group: int
    symbol: str
    kinds: int
    isolated: tuple[Atoms, ...] = ()

    @property
    def n_atoms(self) -> int:
        """Number of atoms of the primitive cell."""
        return len(self.primitive)

    def supercell(self, shortest: float) -> np.ndarray:
        """Repeat the conventional cell until its faces are far enough apart.

        Parameters
        ----------
        shortest
            Å, minimum distance between opposite faces.

        Returns
        -------
        ndarray of int, shape (3, 3)
            The supercell's vectors in the primitive ones, in rows.
        """
        cell = self.repeats @ self.primitive.cell.array
        heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
        repeats: np.ndarray = np.diag(np.maximum(np.ceil(shortest / heights - 1e-3), 1).astype(int)) @ self.repeats
        return repeats


@dataclass(frozen=True, kw_only=True)
class LiquidSample:
    """A liquid, and the conditions of its molecular dynamics.

    Attributes
    ----------
    atoms : Atoms
        A frame of the liquid.
    temperature : float
        K.
    timestep : float
        fs.
    """

    atoms: Atoms
    temperature: float
    timestep: float


ISOLATED = ("cohesion", "surface")
"""Properties that are differences from the energies of isolated atoms."""

Sample = Crystal | LiquidSample
"""A sample that a property is measured on."""


def sample_of(name: str, campaign: CampaignReader) -> Sample:
    """Choose the sample that a property is measured on.

    Parameters
    ----------
    name
        The property.
    campaign
        The campaign whose initial structure or last frame is used.

    Raises
    ------
    StructureError, NotApplicable
        If there is no such sample; the message states the reason.
    MissingLibraryError
        If spglib is not installed.
    """
    if name != "liquid":
        if campaign.config.oracle.oracle not in SPINLESS and MOMENTS in campaign.initial_structure().arrays:
            raise NotApplicable(
                "the initial structure has magnetic moments, which the cells of this property would not have; to "
                "compare it, set magnetic_moments by element instead"
            )
        own = getattr(campaign, "own_oracle", None) is not None
        if name in ISOLATED and not own and (obstacle := obstacle_to_isolated_atoms(campaign.config.oracle)):
            raise NotApplicable(f"it needs isolated atoms, and {obstacle}")
        isolated = isolated_atoms_of(campaign.config, campaign.initial_structure(), own_oracle=own)
        return replace(find_crystal(campaign.initial_structure()), isolated=isolated)
    start, frames = campaign.initial_structure(), campaign.trajectory()
    if not start.pbc.all():
        raise NotApplicable("the structure is not periodic")
    if frozen_atoms(start).any():
        raise NotApplicable("the structure has frozen atoms")
    if not frames:
        raise NotApplicable("the campaign has no trajectory yet")
    nearest = closeness(start).distance
    if not signs_of_melting(start, frames, nearest).displacement > (nearest / 2) ** 2:
        raise NotApplicable("the campaign's trajectory does not end in a liquid")
    engine = campaign.config.walker(1).engine
    return LiquidSample(atoms=frames[-1], temperature=engine.temperatures[-1], timestep=engine.timestep)


def find_crystal(atoms: Atoms) -> Crystal:
    """Find the crystal of which a structure consists.

    Parameters
    ----------
    atoms
        The initial structure of a trajectory.

    Returns
    -------
    Crystal

    Raises
    ------
    StructureError
        If the structure is no crystal; the message states the reason.
    MissingLibraryError
        If spglib is not installed.
    """
    if not atoms.pbc.all():
        raise StructureError("the structure is not periodic: there is no crystal")
    gap = _gap(atoms)
    if gap > VACUUM:
        raise StructureError(f"the structure has {gap:.1f} Å of vacuum: a surface, wire or cluster is no crystal")
    try:
        import spglib
    except ImportError as error:
        raise MissingLibraryError(
            f"finding the primitive cell requires spglib ({error}): pip install 'acemaker[physics]'"
        ) from error
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    with warnings.catch_warnings():  # 2.8 deprecates that failures are None, which they still are by default
        warnings.simplefilter("ignore", DeprecationWarning)
        dataset = spglib.get_symmetry_dataset(cell, symprec=SYMPREC)
        cells = [spglib.standardize_cell(cell, to_primitive=primitive, symprec=SYMPREC) for primitive in (True, False)]
        smallest = None if cells[0] is None else spglib.get_symmetry_dataset(cells[0], symprec=SYMPREC)
    if dataset is None or smallest is None or cells[1] is None:
        raise StructureError("spglib finds no symmetry in the structure: there is no crystal")
    (vectors, sites, numbers), (conventional, _, _) = cells
    if len(numbers) > LARGEST:
        raise StructureError(
            f"the smallest cell that repeats has {len(numbers)} atoms, expected at most {LARGEST}: a random alloy, a "
            "liquid or a rattled crystal has no primitive cell"
        )
    repeats = np.round(conventional @ np.linalg.inv(vectors)).astype(int)
    primitive = Atoms(numbers, scaled_positions=sites, cell=vectors, pbc=True)
    if MASSES in atoms.arrays:  # several isotopes of an element count with their mean
        primitive.set_masses([atoms.get_masses()[atoms.numbers == number].mean() for number in numbers])
    return Crystal(
        primitive=primitive,
        repeats=repeats,
        space_group=int(dataset.number),
        symbol=str(dataset.international),
        kinds=len(set(smallest.equivalent_atoms)),
        isolated=tuple(
            isolated_atom(symbol, LARGE_BOX, periodic=True) for symbol in sorted(set(primitive.get_chemical_symbols()))
        ),
    )


def _gap(atoms: Atoms) -> float:
    """Return the widest stretch without atoms along a lattice vector, Å."""
    heights = 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
    scaled = np.sort(atoms.get_scaled_positions(wrap=True), axis=0)
    gaps = np.diff(np.vstack([scaled, scaled[:1] + 1]), axis=0).max(axis=0)
    return float((gaps * heights).max())

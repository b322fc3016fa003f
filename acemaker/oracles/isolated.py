"""Which oracles can label an isolated atom of a campaign, and how."""

from __future__ import annotations

from collections.abc import Sequence

from ase import Atoms

from acemaker.config import CampaignConfig, OracleConfig
from acemaker.config.espresso_input import indexed, items
from acemaker.config.oracle import SPINLESS
from acemaker.oracles.pw_input import is_magnetic
from acemaker.oracles.start_moments import moments_of
from acemaker.structures.files import as_written
from acemaker.structures.isolated import isolated_atom

LARGE_BOX, BOX = 30.0, 12.0
"""Å, default edge of the box of an isolated atom with classical oracles, for which it costs little, and with others."""

OF_THE_CELL = {
    *("tot_magnetization", "tot_charge", "nbnd", "nr1", "nr2", "nr3", "nr1s", "nr2s", "nr3s"),
    *("constrained_magnetization", "tefield", "lelfield", "gate", "charge", "multiplicity"),
}
"""Settings that belong to the campaign's structure as a whole, and are wrong for one atom."""


def default_box(config: OracleConfig) -> float:
    """Return the default edge of the box of an isolated atom, Å."""
    return LARGE_BOX if config.oracle in SPINLESS else BOX


def obstacle_to_isolated_atoms(config: OracleConfig) -> str:
    """Return why an oracle would label an isolated atom wrongly; empty if nothing is known.

    Parameters
    ----------
    config
        Settings of the oracle.

    Examples
    --------
    >>> from acemaker import OracleConfig
    >>> from acemaker.oracles.isolated import obstacle_to_isolated_atoms
    >>> obstacle_to_isolated_atoms(OracleConfig(oracle="tblite", oracle_arguments={"charge": 1}))
    'charge is a setting of the whole structure'
    >>> obstacle_to_isolated_atoms(OracleConfig(oracle="emt"))
    ''
    """
    names = {indexed(name)[0] for _, name, value in items(config.espresso_input) if value not in (False, None)}
    names |= {name for name, value in config.oracle_arguments.items() if value}
    wrong = sorted(names & OF_THE_CELL)
    if not wrong:
        return ""
    return f"{', '.join(wrong)} {'is a setting' if len(wrong) == 1 else 'are settings'} of the whole structure"


def isolated_atoms_of(config: CampaignConfig, start: Atoms, *, own_oracle: bool = False) -> tuple[Atoms, ...]:
    """Return the isolated atom of each element of a campaign, as its oracle labels it.

    Parameters
    ----------
    config
        The campaign's configuration.
    start
        Its initial structure, whose periodicity the boxes of the atoms have.
    own_oracle
        Whether the oracle is the user's object, whose settings are unknown.

    Returns
    -------
    tuple of Atoms
        In alphabetical order.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from acemaker import CampaignConfig
    >>> from acemaker.oracles.isolated import isolated_atoms_of
    >>> config = CampaignConfig.from_parameters({"oracle": "emt"})
    >>> [str(atoms.symbols) for atoms in isolated_atoms_of(config, bulk("NiCu", "cesiumchloride", a=3.0))]
    ['Cu', 'Ni']
    """
    elements = tuple(sorted(set(start.get_chemical_symbols())))
    edge = config.potential.isolated_box or default_box(config.oracle)
    polarized = set() if own_oracle else with_moment_of_atom(config.oracle, elements, start)
    return tuple(
        as_written(isolated_atom(element, edge, periodic=bool(start.pbc.all()), polarized=element in polarized))
        for element in elements
    )


def with_moment_of_atom(config: OracleConfig, elements: Sequence[str], start: Atoms) -> set[str]:
    """Return the elements whose isolated atoms start with the moment of their ground state.

    Parameters
    ----------
    config
        Settings of the oracle.
    elements
        Elements of the system.
    start
        The campaign's initial structure, which may have magnetic moments.

    Returns
    -------
    set of str
        Empty if labels are not spin-polarized, since isolated atoms are then computed in the same way; otherwise
        without the elements whose initial moment is a setting of the oracle.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from acemaker import OracleConfig
    >>> from acemaker.oracles.isolated import with_moment_of_atom
    >>> oracle = OracleConfig(oracle="espresso", ecutwfc=30.0, magnetic_moments={"Fe": 2.5})
    >>> with_moment_of_atom(oracle, ("Fe", "O"), bulk("FeO", "rocksalt", a=4.3))
    {'O'}
    """
    if config.oracle in SPINLESS:
        return set()
    is_espresso = config.oracle == "espresso"
    magnetic = is_magnetic(config, start) if is_espresso else bool(config.magnetic_moments or moments_of(start).any())
    if not magnetic:
        return set()
    settings = {element for element, moment in config.magnetic_moments.items() if moment}
    if is_espresso:
        for _, name, value in items(config.espresso_input):
            bare, indices = indexed(name)
            if bare == "starting_magnetization" and value:
                settings.add(elements[indices[0] - 1])
    return set(elements) - settings

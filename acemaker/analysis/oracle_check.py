"""Check of an oracle by a few calls, before a campaign is created."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from acemaker.config import CampaignConfig, OracleConfig
from acemaker.errors import StructureError
from acemaker.loop.initial_structures import initial_structures_of
from acemaker.loop.reader import CampaignReader
from acemaker.loop.trusted_code import authorize_oracle
from acemaker.oracles.consistency import check_consistency
from acemaker.oracles.oracle import CalculatorOracle, Oracle
from acemaker.oracles.oracle_check import OracleCheck
from acemaker.oracles.process import make_oracle
from acemaker.oracles.user_oracle import as_oracle
from acemaker.structures.embedding import fit_to_oracle

UNLIMITED = {"max_force": 1e30, "max_net_force": 1e30}
"""Limits of a plausible label are not applied, so that a wrong unit is recognized."""


def check_oracle(
    oracle: CampaignConfig | OracleConfig | CampaignReader | Oracle | BaseCalculator | Callable[..., Any],
    structure: Atoms | None = None,
    *,
    isolated: bool = True,
    allow_code: bool = False,
) -> OracleCheck:
    """Check by at most nine calls whether energy, forces and stress of an oracle are consistent and in the right units.

    The calls are: a distorted structure, the same once more, a step along the forces, a change of volume and a shear
    (if there is a stress), the doubled structure, and up to three isolated atoms.

    Parameters
    ----------
    oracle
        A configuration, a campaign, an ASE calculator, a function (see `Campaign.create`), or an object with a method
        ``label``.
    structure
        The structure; that of the configuration if None. Choose a small one for expensive oracles.
    isolated
        Whether isolated atoms are labeled, too.
    allow_code
        Whether programs and code that a campaign's directory names may be run.

    Returns
    -------
    OracleCheck
        A table of the comparisons; ``passed`` is False if labels would be wrong.

    Raises
    ------
    OracleError
        If the structure cannot be labeled.
    StructureError
        If there is no structure.
    ConfigError, MissingLibraryError
        If files, packages or programs are missing.
    UntrustedError
        If a campaign's directory names code that was not used on this machine before.

    Examples
    --------
    >>> import acemaker
    >>> from ase.build import bulk
    >>> from ase.calculators.emt import EMT
    >>> acemaker.check_oracle(EMT(), bulk("Al", cubic=True)).passed
    True
    """
    campaign = oracle if isinstance(oracle, CampaignReader) else None
    own = getattr(campaign, "own_oracle", None)
    config = campaign.config if campaign is not None else oracle if isinstance(oracle, CampaignConfig) else None
    settings = config.oracle if config is not None else oracle if isinstance(oracle, OracleConfig) else None
    if structure is None:
        if config is None:
            raise StructureError("expected a structure to label, e.g. check_oracle(oracle, bulk('Cu')), got none")
        start = campaign.initial_structure() if campaign is not None else initial_structures_of(config)[0]
        structure = fit_to_oracle(start, config.oracle.max_atoms, config.embedding)
    if own is None and settings is None:
        own = as_oracle(oracle, OracleConfig(oracle="object", **UNLIMITED))
    if own is not None:
        labels = own.without_limits() if isinstance(own, CalculatorOracle) else own
        return check_consistency(labels.label, structure, "object", isolated=isolated)
    assert settings is not None
    if campaign is not None:
        authorize_oracle(campaign.config, campaign.directory, allow_code=allow_code)
    elements = tuple(sorted(set(structure.get_chemical_symbols())))
    unlimited = settings.model_copy(update={**UNLIMITED, "min_label_distance": 0.0})
    return check_consistency(
        make_oracle(unlimited, elements).label,
        structure,
        f"'{settings.oracle}'",
        isolated=isolated,
        max_net_force=settings.max_net_force,
    )

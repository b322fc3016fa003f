"""Check that an ensemble suits a structure."""

from __future__ import annotations

from ase import Atoms

from acemaker.config import EngineConfig
from acemaker.errors import StructureError


def check_ensemble(config: EngineConfig, structure: Atoms) -> None:
    """Raise an error if the ensemble does not suit the structure.

    Parameters
    ----------
    config
        Settings of the engine.
    structure
        Structure to be simulated.

    Raises
    ------
    StructureError
        For a barostat around a cluster.
    """
    if config.ensemble == "npt" and not structure.pbc.all():
        raise StructureError(
            "EngineConfig.ensemble: 'npt' needs a periodic structure, got a cluster; choose 'nvt', or set a cell and "
            "periodic boundary conditions"
        )

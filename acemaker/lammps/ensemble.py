"""Which ensembles suit which structures."""

from __future__ import annotations

from ase import Atoms

from acemaker.config import EngineConfig
from acemaker.errors import StructureError


def check_ensemble(config: EngineConfig, structure: Atoms) -> None:
    """Refuse an ensemble that does not suit the structure.

    Parameters
    ----------
    config
        The engine's.
    structure
        What is to be simulated.

    Raises
    ------
    StructureError
        For a barostat around a cluster.
    """
    if config.ensemble == "npt" and not structure.pbc.all():
        raise StructureError(
            "EngineConfig.ensemble: 'npt' needs a periodic structure, got a cluster; choose 'nvt', or give it "
            "a cell and make it periodic"
        )

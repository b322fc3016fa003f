from __future__ import annotations

import pytest
from ase import Atoms

from acemaker.potentials.design import Design, DesignBuilder


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts design matrices: the numbers of atoms that they were made of."""
    sizes: list[int] = []
    rows = DesignBuilder.rows

    def counting(self: DesignBuilder, atoms: Atoms) -> Design:
        sizes.append(len(atoms))
        return rows(self, atoms)

    monkeypatch.setattr(DesignBuilder, "rows", counting)
    return sizes

"""The blocks of the pages on slabs and on deformation are accepted, and LAMMPS can run them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, bulk, fcc100, fcc111

from acemaker import CampaignConfig
from acemaker.engines.factory import make_engine
from acemaker.engines.protocol import Request
from acemaker.loop.checks import check_settings
from acemaker.loop.store import Store
from acemaker.testing.contracts import CALM
from tests.conftest import small_basis, train

DOCS = Path(__file__).parents[2] / "docs" / "how_to"
BLOCKS = [
    pytest.param(text, id=f"{page}, {number}")
    for page in ("slabs", "deform")
    for number, text in enumerate(re.findall(r"^```python\n(.*?)```", (DOCS / f"{page}.md").read_text(), re.M | re.S))
]
NAMES: dict[str, Any] = {
    "CampaignConfig": CampaignConfig,
    "Atoms": Atoms,
    "add_adsorbate": add_adsorbate,
    "bulk": bulk,
    "fcc100": fcc100,
    "fcc111": fcc111,
}


@pytest.mark.parametrize("block", BLOCKS)
def test_its_configuration_runs(tmp_path: Path, block: str) -> None:
    names = dict(NAMES)
    exec(block, names)
    config: CampaignConfig = names["config"]
    (start,) = check_settings(Store(tmp_path / "c"), config, names["atoms"], None, None)
    generation = train(tmp_path / "potentials", start, config.oracle, small_basis(), n=2)
    engine = make_engine(config.engine.model_copy(update={"steps": 20, "restart_every": 10}), seed=1)
    request = Request(
        number=1,
        structure=start,
        start_step=0,
        checkpoint=None,
        generation=generation,
        rule=CALM,
        directory=tmp_path / "segment",
    )
    try:
        outcome = engine.explore(request)
    finally:
        engine.close()
    assert outcome.end_step == 20
    frozen = start.arrays.get("frozen")
    if config.system.frozen_atoms is not None:
        assert frozen is not None
        moved = outcome.frames[-1].positions - outcome.frames[0].positions
        assert not moved[frozen].any()
        assert np.abs(moved[~frozen]).max() > 0

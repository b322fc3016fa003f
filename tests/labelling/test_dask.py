"""Labels on Dask's workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from acemaker.states import State
from tests.labelling.halted import at_halt, calls, create, nothing_is_left, potentials, tell

TWO = {"executor": "dask", "n_workers": 2}


@pytest.mark.slow
def test_a_cluster_on_this_machine(tmp_path: Path) -> None:
    """One label kills its process once."""
    pytest.importorskip("distributed", reason="no distributed: pip install 'acemaker[dask]'")
    with create(tmp_path / "one") as one:
        assert one.run().state is State.DONE
    campaign, selection = at_halt(tmp_path / "two", TWO)
    tell(tmp_path / "two", **{f"c{selection.selected[1]}": "die once"})
    with campaign:
        assert campaign.run().state is State.DONE
    assert potentials(tmp_path / "one") == potentials(tmp_path / "two")
    assert sorted(calls(tmp_path / "two")) == sorted(str(candidate) for candidate in selection.selected)
    assert nothing_is_left(tmp_path / "two")

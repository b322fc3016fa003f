from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from acemaker import Campaign, EmbeddingConfig
from acemaker.analysis.convergence import Convergence
from acemaker.config import ConvergenceConfig
from acemaker.formatting.figures import Picture
from acemaker.results import Candidates
from acemaker.structures.embedding import EmbeddedCell, embed
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    directory = tmp_path_factory.mktemp("figures") / "c"
    made = Campaign.create(directory, toy_config(), engine=ToyEngine(200, halting_at(100)), oracle=ToyOracle())
    for record in made.steps():
        if isinstance(record, Candidates):
            break
    return made


def is_drawn(picture: Picture) -> None:
    assert picture._repr_png_().startswith(b"\x89PNG")
    axes = picture.axes  # type: ignore[attr-defined]
    assert all(axis.get_ylabel() for axis in axes)
    assert axes[-1].get_xlabel() or axes[0].get_xlabel()


def test_a_segment_its_checks_and_its_candidates_have_figures(campaign: Campaign) -> None:
    segment = campaign.segments()[0]
    is_drawn(segment.figure())
    is_drawn(segment.timeline.figure())
    shown = segment.figure().axes[0]  # type: ignore[attr-defined]
    assert "halt (5)" in [line.get_label() for line in shown.get_lines()]
    (candidates,) = [record for record in campaign.recent if isinstance(record, Candidates)]
    is_drawn(candidates.figure())


def test_convergence_has_a_figure_whatever_is_known() -> None:
    rule = ConvergenceConfig(plateau_generations=2)
    for errors in ((), (None, None), (30.0, 10.0, 10.1)):
        is_drawn(Convergence(quiet=(100, 2000), errors=errors, rule=rule).figure())


def test_an_embedded_cell_is_drawn_with_its_core(campaign: Campaign) -> None:
    generation = campaign.generation
    assert generation is not None
    atoms = bulk("Cu", a=3.61, cubic=True) * (5, 5, 5)
    atoms.rattle(0.02, seed=1)
    cell = embed(
        atoms, np.array([0]), generation.calculator(), max_atoms=120, config=EmbeddingConfig(embed_force_error=1e4)
    )
    assert isinstance(cell, EmbeddedCell)
    is_drawn(cell.figure())
    assert f"{int(cell.core.sum())} ringed" in cell.figure().axes[0].get_title()  # type: ignore[attr-defined]


def test_figures_need_no_file(campaign: Campaign, tmp_path: Path) -> None:
    campaign.timeline().figure().savefig(tmp_path / "timeline.png")
    assert (tmp_path / "timeline.png").stat().st_size > 1000

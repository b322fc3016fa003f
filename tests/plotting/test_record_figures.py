from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from acemaker import Campaign, EmbeddingConfig
from acemaker.analysis.accuracy import Accuracy, Liquid
from acemaker.analysis.calibration import GammaCalibration
from acemaker.analysis.convergence import Convergence
from acemaker.config import ConvergenceConfig
from acemaker.formatting.figures import Picture
from acemaker.plotting.scale import THRESHOLD_COLOR, THRESHOLD_OUTLINE, scale_with
from acemaker.results import Candidates, Diagnosis
from acemaker.structures.embedding import EmbeddedCell, embed
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from acemaker.widgets.viewer.legend import legend
from acemaker.workshop.copper import Graded
from acemaker.workshop.figures import bars_figure, boundary_figure, gamma_error_figure, scans_figure


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


def axes_of(picture: Picture) -> list[Axes]:
    axes: list[Axes] = picture.axes  # type: ignore[attr-defined]
    return axes


def line_colors(axes: Axes) -> list[str]:
    """Return the colors of the lines across the whole axes, which mark a value."""
    across = [line for line in axes.get_lines() if [0, 1] in ([*line.get_xdata()], [*line.get_ydata()])]
    return [to_hex(line.get_color()) for line in across]


def test_thresholds_have_one_color_in_every_figure(campaign: Campaign) -> None:
    gamma, error = np.geomspace(0.1, 20, 30), np.geomspace(1, 300, 30)
    liquid = Liquid(displacement=0.1, coordination=12.0)
    accuracy = Accuracy(
        generation=1,
        steps=np.arange(30),
        force_rmse=error,
        energy_error=error,
        gamma_max=gamma,
        atom_gamma=gamma,
        atom_error=error,
        tolerance=50.0,
        threshold=5.0,
        campaign=liquid,
        reference=liquid,
        liquid_limit=1.0,
    )
    calibration = GammaCalibration(
        potential=1,
        generation=np.ones(30, int),
        structure=np.arange(30),
        gamma=gamma,
        error=error,
        tolerance=50.0,
        threshold=5.0,
        miss_rate=0.05,
        source="",
    )
    graded = Graded(gamma=gamma, error=error)
    (diagnosis,) = [record for record in campaign.recent if isinstance(record, Diagnosis)]
    figures = {
        "accuracy": (accuracy.figure(), 2),
        "calibration": (calibration.figure(), 3),
        "what if": (campaign.what_if().figure(), 2),
        "segment": (campaign.segments()[0].figure(), 3),
        "structure": (diagnosis.figure(), 3),
        "workshop, atoms": (gamma_error_figure(graded, threshold=5.0, tolerance=50.0), 2),
        "workshop, structures": (bars_figure({"a": graded}), 1),
        "workshop, scans": (scans_figure({"a": ([1.0], [graded])}), 1),
        "workshop, boundary": (boundary_figure(gamma, error, gamma > 1, limit=50.0), 1),
    }
    for name, (figure, n_lines) in figures.items():
        colors = [color for axes in axes_of(figure) for color in line_colors(axes)]
        assert colors.count(THRESHOLD_COLOR) == n_lines, name
    html = legend(scale_with((2.0, 5.0, 10.0)))
    assert html.count(THRESHOLD_COLOR) == html.count(THRESHOLD_OUTLINE) == 3


def test_figures_need_no_file(campaign: Campaign, tmp_path: Path) -> None:
    campaign.timeline().figure().savefig(tmp_path / "timeline.png")
    assert (tmp_path / "timeline.png").stat().st_size > 1000

"""Labels against predictions."""

from __future__ import annotations

import numpy as np

from acemaker.formatting.figures import draws
from acemaker.plotting.png_figure import PngFigure
from acemaker.results import Training


@draws(Training)
def parity_figure(training: Training) -> PngFigure:
    """Draw the parity of the newly labelled structures' forces and energies.

    Parameters
    ----------
    training
        A generation and its new labels.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(7.6, 3.5), layout="constrained")
    for axis, values, unit, name in zip(
        picture.subplots(1, 2),
        (training.forces, training.energies),
        ("eV/Å", "eV/atom"),
        ("force component", "energy"),
        strict=True,
    ):
        if not len(values):  # no energy of an embedded cell counts unless its seam is clean
            axis.set_title(f"{name}: none counts", fontsize=10)
            continue
        low, high = values.min(), values.max()
        margin = 0.05 * (high - low) or 0.001
        line = np.array([low - margin, high + margin])
        axis.plot(line, line, color="0.6", lw=1)
        axis.plot(values[:, 0], values[:, 1], "o", ms=3 if len(values) > 50 else 6, alpha=0.6)
        error = 1e3 * np.sqrt(np.mean((values[:, 1] - values[:, 0]) ** 2))
        axis.set_title(f"{name}: RMSE {error:.3g} m{unit}", fontsize=10)
        axis.set_xlabel(f"oracle / ({unit})")
        axis.set_ylabel(f"generation {training.generation.number} / ({unit})")
        axis.ticklabel_format(useOffset=False)
        axis.locator_params(nbins=4)
    return picture

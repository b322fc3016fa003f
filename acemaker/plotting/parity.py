"""Parity plots: predictions against labels."""

from __future__ import annotations

import numpy as np

from acemaker.formatting.figures import draws
from acemaker.formatting.summary import force_share
from acemaker.plotting.png_figure import PngFigure
from acemaker.results import Training


@draws(Training)
def parity_figure(training: Training) -> PngFigure:
    """Draw the parity of the newly labeled structures' forces and energies.

    Parameters
    ----------
    training
        The training of a generation, with its new labels.

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
        if not len(values):  # energies of embedded cells count only if their boundary is clean
            axis.set_title(f"{name}: no values", fontsize=10)
            continue
        low, high = values.min(), values.max()
        margin = 0.05 * (high - low) or 0.001
        line = np.array([low - margin, high + margin])
        axis.plot(line, line, color="0.6", lw=1)
        axis.plot(values[:, 0], values[:, 1], "o", ms=3 if len(values) > 50 else 6, alpha=0.6)
        error = 1e3 * np.sqrt(np.mean((values[:, 1] - values[:, 0]) ** 2))
        share = (
            force_share(error, 1e3 * float(np.sqrt(np.mean(values[:, 0] ** 2)))) if values is training.forces else ""
        )
        axis.set_title(f"{name}: RMSE {error:.3g} m{unit}" + (f" ({share} of the rms)" if share else ""), fontsize=10)
        axis.set_xlabel(f"oracle / ({unit})")
        axis.set_ylabel(f"generation {training.generation.number} / ({unit})")
        axis.ticklabel_format(useOffset=False)
        axis.locator_params(nbins=4)
    return picture

"""Figure of label costs along a run, with the cost of labeling without gamma."""

from __future__ import annotations

import numpy as np

from acemaker.analysis.label_costs import LabelCosts
from acemaker.formatting.figures import draws
from acemaker.plotting.png_figure import PngFigure


@draws(LabelCosts)
def label_costs_figure(costs: LabelCosts) -> PngFigure:
    """Draw the cumulative cost along the run.

    Parameters
    ----------
    costs
        The label costs to draw.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(7.6, 3.4), layout="constrained")
    axis = picture.subplots()
    order = np.argsort(costs.positions, kind="stable")
    steps = np.concatenate([[0], costs.positions[order], [costs.n_steps]])
    total = np.concatenate([[0.0], np.cumsum(costs.costs[order])])
    axis.step(steps, np.append(total, total[-1]), where="post", color="C0", lw=1.8, label="this campaign")
    axis.plot(steps[1:-1], total[1:], "o", color="C0", ms=4)
    if len(costs.stretches):
        spacing, labels = costs.every_n
        along = np.array([0, costs.n_steps])
        axis.plot(along, [0, labels], "--", color="0.45", lw=1.2, label=f"every {spacing} steps")
        axis.plot(along, [0, costs.at_random], ":", color="0.45", lw=1.4, label="at random steps")
    several = (costs.positions != costs.steps).any()
    axis.set_xlabel("MD step, the walkers one after the other" if several else "MD step")
    axis.set_ylabel(f"cost / labels of {costs.n_running} atoms")
    axis.set_title("gray: labeling without gamma, often enough to sample each stretch between two halts", fontsize=9)
    axis.legend(loc="upper left", fontsize=8)
    axis.set_ylim(bottom=0)
    axis.set_xlim(0, max(costs.n_steps, 1))
    return picture

"""The potential's curves on the oracle's, and by how much the numbers differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from acemaker.analysis.quantities import Physics
from acemaker.formatting.figures import draws
from acemaker.plotting.png_figure import PngFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from acemaker.analysis.quantities import Physics

Curves = Mapping[str, Mapping[str, Any]]
"""Of one property: "potential" and "oracle"."""


@draws(Physics)
def physics_figure(physics: Physics) -> PngFigure:
    """Draw what was measured: energy against volume, phonon bands, the liquid, and the relative differences.

    Parameters
    ----------
    physics
        The comparison.

    Returns
    -------
    PngFigure
    """
    panels: list[tuple[Callable[[Axes, Curves], None], Curves]] = []
    if "equation_of_state" in physics.curves:
        panels.append((_volumes, physics.curves["equation_of_state"]))
    if "phonons" in physics.curves:
        panels.append((_bands, physics.curves["phonons"]))
    if "liquid" in physics.curves:
        panels += [(draw, physics.curves["liquid"]) for draw in (_shells, _moves)]
    rows = math.ceil((len(panels) + 1) / 2)
    picture = PngFigure(figsize=(8.8, max(3.3 * rows, 0.26 * len(physics.quantities) + 1.2)), layout="constrained")
    axes = list(np.ravel(picture.subplots(rows, 2)))
    _differences(axes[0], physics)
    for place, (draw, curves) in zip(axes[1:], panels, strict=False):
        draw(place, curves)
        place.legend(fontsize=7)
    for place in axes[1 + len(panels) :]:
        place.remove()
    for place in axes[: 1 + len(panels)]:
        place.tick_params(labelsize=8)
    return picture


def _differences(axes: Axes, physics: Physics) -> None:
    shown = [one for one in physics.quantities if not math.isnan(one.relative)]
    places = np.arange(len(shown))[::-1]
    noise = [
        100 * math.hypot(one.potential_error, one.oracle_error) / abs(one.oracle) if one.oracle else 0 for one in shown
    ]
    colours = ["0.7" if one.within_noise else "C0" if one.difference < 0 else "C1" for one in shown]
    axes.barh(places, [100 * one.relative for one in shown], xerr=noise, color=colours, height=0.7, ecolor="0.3")
    axes.set_yticks(places, [one.name for one in shown])
    axes.axvline(0, color="k", lw=0.8)
    axes.set_xlabel("this potential minus the oracle / %")


def _volumes(axes: Axes, curves: Curves) -> None:
    from scipy.interpolate import CubicSpline

    for side, style, name in _styles("--", "-"):
        volumes, energies = np.array(curves[side]["volume"]), 1e3 * np.array(curves[side]["energy"])
        between = np.linspace(volumes[0], volumes[-1], 100)
        axes.plot(between, CubicSpline(volumes, energies)(between), style, color=_colour(side), lw=1.3, label=name)
        axes.plot(volumes, energies, "o", color=_colour(side), ms=3.5)
    axes.set_xlabel("volume / (Å³/atom)")
    axes.set_ylabel("energy / (meV/atom)")


def _bands(axes: Axes, curves: Curves) -> None:
    for side, style, name in _styles("--", "-"):
        bands = np.array(curves[side]["bands"])
        along = np.array(curves[side]["along"]) / curves[side]["ticks"][-1]
        lines = axes.plot(along, bands, style, color=_colour(side), lw=1.1)
        lines[0].set_label(name)
    ticks, labels = curves["oracle"]["ticks"], curves["oracle"]["labels"]
    named: dict[float, str] = {}
    for tick, label in zip(ticks, labels, strict=True):  # two where the path jumps
        place = round(tick / ticks[-1], 6)
        named[place] = f"{named[place]}|{label}" if place in named else label
    axes.set_xticks(list(named), list(named.values()))
    for tick in ticks:
        axes.axvline(tick / ticks[-1], color="0.85", lw=0.7, zorder=0)
    axes.axhline(0, color="0.6", lw=0.7)
    axes.set_xlim(0, 1)
    axes.set_xlabel("wave vector, along the path")
    axes.set_ylabel("frequency / THz")


def _shells(axes: Axes, curves: Curves) -> None:
    for side, style, name in _styles("--", "-"):
        axes.plot(
            curves[side]["distance"], curves[side]["distribution"], style, color=_colour(side), lw=1.3, label=name
        )
    axes.axhline(1, color="0.8", lw=0.7, zorder=0)
    axes.set_xlabel("distance / Å")
    axes.set_ylabel(f"g(r) at {curves['oracle']['temperature']:g} K, dimensionless")


def _moves(axes: Axes, curves: Curves) -> None:
    for side, style, name in _styles("--", "-"):
        axes.plot(curves[side]["time"], curves[side]["displacement"], style, color=_colour(side), lw=1.3, label=name)
    axes.set_xlabel("time / ps")
    axes.set_ylabel("mean squared displacement / Å²")


def _styles(mine: str, theirs: str) -> tuple[tuple[str, str, str], ...]:
    """Draw the oracle first, the potential on top of it."""
    return ("oracle", theirs, "the oracle"), ("potential", mine, "this potential")


def _colour(side: str) -> str:
    return "0.45" if side == "oracle" else "C3"

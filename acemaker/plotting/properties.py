"""Figure of a property comparison: curves of the potential and the oracle, and relative differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from acemaker.analysis.property_comparison import PropertyComparison
from acemaker.formatting.figures import draws
from acemaker.plotting.png_figure import PngFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curves = Mapping[str, Mapping[str, Any]]
"""Curves of one property, by "potential" and "oracle"."""


@draws(PropertyComparison)
def properties_figure(comparison: PropertyComparison) -> PngFigure:
    """Draw relative differences, energy against volume, phonon bands and the liquid, as far as they were measured.

    Parameters
    ----------
    comparison
        The comparison to draw.

    Returns
    -------
    PngFigure
    """
    panels: list[tuple[Callable[[Axes, Curves], None], Curves]] = []
    if "equation_of_state" in comparison.curves:
        panels.append((_volumes, comparison.curves["equation_of_state"]))
    if "phonons" in comparison.curves:
        panels.append((_bands, comparison.curves["phonons"]))
    if "liquid" in comparison.curves:
        panels += [(draw, comparison.curves["liquid"]) for draw in (_shells, _moves)]
    rows = math.ceil((len(panels) + 1) / 2)
    picture = PngFigure(figsize=(8.8, max(3.3 * rows, 0.26 * len(comparison.quantities) + 1.2)), layout="constrained")
    axes = list(np.ravel(picture.subplots(rows, 2)))
    _differences(axes[0], comparison)
    for panel, (draw, curves) in zip(axes[1:], panels, strict=False):
        draw(panel, curves)
        panel.legend(fontsize=7)
    for panel in axes[1 + len(panels) :]:
        panel.remove()
    for panel in axes[: 1 + len(panels)]:
        panel.tick_params(labelsize=8)
    return picture


def _differences(axes: Axes, comparison: PropertyComparison) -> None:
    shown = [quantity for quantity in comparison.quantities if not math.isnan(quantity.relative)]
    positions = np.arange(len(shown))[::-1]
    relative = [100 * quantity.relative for quantity in shown]
    noise = [
        100 * math.hypot(quantity.potential_error, quantity.oracle_error) / abs(quantity.oracle)
        if quantity.oracle
        else 0
        for quantity in shown
    ]
    colors = ["0.7" if quantity.within_noise else "C0" if quantity.difference < 0 else "C1" for quantity in shown]
    axes.barh(positions, relative, xerr=noise, color=colors, height=0.7, ecolor="0.3")
    axes.set_yticks(positions, [quantity.name for quantity in shown])
    axes.axvline(0, color="k", lw=0.8)
    axes.set_xlabel("this potential minus the oracle / %")


def _volumes(axes: Axes, curves: Curves) -> None:
    from scipy.interpolate import CubicSpline

    for key, style, name in _styles("--", "-"):
        volumes, energies = np.array(curves[key]["volume"]), 1e3 * np.array(curves[key]["energy"])
        between = np.linspace(volumes[0], volumes[-1], 100)
        axes.plot(between, CubicSpline(volumes, energies)(between), style, color=_color(key), lw=1.3, label=name)
        axes.plot(volumes, energies, "o", color=_color(key), ms=3.5)
    axes.set_xlabel("volume / (Å³/atom)")
    axes.set_ylabel("energy / (meV/atom)")


def _bands(axes: Axes, curves: Curves) -> None:
    for key, style, name in _styles("--", "-"):
        bands = np.array(curves[key]["bands"])
        along = np.array(curves[key]["along"]) / curves[key]["ticks"][-1]
        lines = axes.plot(along, bands, style, color=_color(key), lw=1.1)
        lines[0].set_label(name)
    ticks, labels = curves["oracle"]["ticks"], curves["oracle"]["labels"]
    named: dict[float, str] = {}
    for tick, label in zip(ticks, labels, strict=True):  # two labels where the path jumps
        position = round(tick / ticks[-1], 6)
        named[position] = f"{named[position]}|{label}" if position in named else label
    axes.set_xticks(list(named), list(named.values()))
    for tick in ticks:
        axes.axvline(tick / ticks[-1], color="0.85", lw=0.7, zorder=0)
    axes.axhline(0, color="0.6", lw=0.7)
    axes.set_xlim(0, 1)
    axes.set_xlabel("wave vector along the path, dimensionless")
    axes.set_ylabel("frequency / THz")


def _shells(axes: Axes, curves: Curves) -> None:
    for key, style, name in _styles("--", "-"):
        axes.plot(curves[key]["distance"], curves[key]["distribution"], style, color=_color(key), lw=1.3, label=name)
    axes.axhline(1, color="0.8", lw=0.7, zorder=0)
    axes.set_xlabel("distance / Å")
    axes.set_ylabel(f"g(r) at {curves['oracle']['temperature']:g} K, dimensionless")


def _moves(axes: Axes, curves: Curves) -> None:
    for key, style, name in _styles("--", "-"):
        axes.plot(curves[key]["time"], curves[key]["displacement"], style, color=_color(key), lw=1.3, label=name)
    axes.set_xlabel("time / ps")
    axes.set_ylabel("mean squared displacement / Å²")


def _styles(potential_style: str, oracle_style: str) -> tuple[tuple[str, str, str], ...]:
    """Return key, line style and label of both; the potential is drawn on top of the oracle."""
    return ("oracle", oracle_style, "the oracle"), ("potential", potential_style, "this potential")


def _color(key: str) -> str:
    return "0.45" if key == "oracle" else "C3"

"""What page.py draws of each benchmark's tables. Some are drawn from all of their rows instead: *_picture.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

STYLES, MARKERS = ("-", "--", ":"), ("o", "s", "^")


@dataclass(frozen=True)
class Panel:
    """One diagram.

    Attributes
    ----------
    x, ys
        Columns: what is compared ("one + another" for both together), and the values of each, a line or a set of bars
        a column.
    says
        Of the values, with units; the only column's head if it is empty.
    table
        How the table's title begins.
    by
        A column whose values have a line each.
    log
        Axes that are logarithmic: "x", "y", "xy".
    bars
        Whether values are bars: upright ones by numbers, lying ones by names.
    shares
        Whether bars are parts of a whole, one behind the other.
    """

    x: str
    ys: tuple[str, ...]
    says: str = ""
    table: str = ""
    by: str = ""
    log: str = ""
    bars: bool = True
    shares: bool = False


HEAL = "from halt to resumed, without the oracle / s"
FAULTS = ("same end, or read", "typed error", "violation")

PANELS: dict[str, tuple[Panel, ...]] = {
    "ablations": (
        Panel("without", ("labels",)),
        Panel("without", ("force RMSE / (meV/Å)",)),
    ),
    "assessment": (
        Panel("material, seed", ("measured / (meV/Å)", "true / (meV/Å)"), "force error / (meV/Å)", log="x"),
        Panel("material, seed", ("labels",)),
    ),
    "candidates": (Panel("strategy", ("ms a candidate",), "time a candidate / ms", log="x"),),
    "cockpit": (Panel("halts", ("opened / s",)), Panel("halts", ("updated / ms",))),
    "cold_start": (
        Panel("system, seed", ("cold: labels", "loop: labels"), "labels"),
        Panel("system, seed", ("cold: force RMSE / (meV/Å)", "loop: force RMSE / (meV/Å)"), "force RMSE / (meV/Å)"),
    ),
    "start_from": (
        Panel("system, seed, B", ("from A: labels", "from nothing: labels"), "labels"),
        Panel(
            "system, seed, B",
            ("from A: force RMSE / (meV/Å)", "from nothing: force RMSE / (meV/Å)"),
            "force RMSE / (meV/Å)",
        ),
    ),
    "force_errors": (
        Panel("system, labels", ("true / (meV/Å)", "predicted / (meV/Å)"), "force error / (meV/Å)", log="x"),
        Panel("system, labels", ("missed by gamma", "missed by the radius"), "wrong frames that are missed"),
    ),
    "embedded_campaign": (
        Panel("max_atoms", ("largest label",), "atoms of the largest label"),
        Panel("max_atoms", ("labels",)),
        Panel("max_atoms", ("force RMSE / (meV/Å)",)),
    ),
    "embedding": (
        Panel("parent", ("boundary relaxed", "not relaxed"), "median error of core forces / (meV/Å)", table="Median"),
    ),
    "engine_sizes": (
        Panel(
            "atoms",
            ("in-process", "isolated, Python", "native", "ASE and pyace"),
            "time an atom and step, one core / µs",
            by="functions",
            log="xy",
            bars=False,
        ),
    ),
    "engine_speed": (
        Panel("atoms", ("ratio",), "in-process to native, one core each", table="One core"),
        Panel("atoms", ("ratio",), "in-process on two cores to native", table="In-process on two"),
    ),
    "guard": (
        Panel("basis + labels", ("honest", "other atoms' forces", "+1 eV/atom"), "the error is so many times", log="x"),
    ),
    "heal_against": (Panel("labels", ("acemaker / s", "pacemaker's tools / s"), HEAL),),
    "heal_growth": (Panel("labels", ("heal / s", "of it solving / s"), HEAL, by="halts", log="x", bars=False),),
    "heal_time": (Panel("heal", ("time / s",), HEAL),),
    "import_time": (Panel("", ("Python alone / s", "with acemaker / s"), "time of the process / s"),),
    "journal": (Panel("labels", ("open / s",)), Panel("labels", ("memory / MB",))),
    "label_efficiency": (Panel("seed", ("labels",)), Panel("seed", ("force RMSE / (meV/Å)",))),
    "materials": (
        Panel("system", ("labels",)),
        Panel("system", ("force RMSE / (meV/Å)",)),
    ),
    "maxvol": (Panel("active set by", ("time / s",)), Panel("active set by", ("memory / MB",))),
    "pacemaker": (Panel("fit", ("training / (meV/Å)", "test / (meV/Å)"), "force RMSE / (meV/Å)"),),
    "scale": (
        Panel("labels", ("open / s",), "opening the campaign / s", table="A simulated"),
        Panel("labels", ("memory / MB",), "memory of the process / MB", table="A simulated"),
    ),
    "soak": (Panel("fault, or file", FAULTS, "share of the campaigns, or inputs", shares=True),),
    "workshop": (Panel("notebook", ("in all / s",), "time of the notebook / s"),),
}
"""By the benchmark's name."""


def draw(outcome: Mapping[str, Any], name: str, picture: Path) -> None:
    """Draw one benchmark's diagrams.

    Parameters
    ----------
    outcome
        As it was kept.
    name
        The benchmark's.
    picture
        Where to write it.
    """
    panels = PANELS[name]
    tables = [next(one for one in outcome["tables"] if one["title"].startswith(panel.table)) for panel in panels]
    lying = [panel.bars and _names(_column(table, panel.x)) for panel, table in zip(panels, tables, strict=True)]
    longest = max(len(table["rows"]) for table in tables)
    thick = max(2 if panel.shares else len(panel.ys) + 1 for panel in panels)
    height = 1.0 + (0.08 if longest > 20 else 0.13) * longest * thick if any(lying) else 3.4
    figure = Figure(figsize=(max(4.2 * len(panels), 6.0), height), layout="constrained")
    for axis, panel, table, lies in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, tables, lying, strict=True
    ):
        says = panel.says or panel.ys[0]
        if panel.bars:
            _bars(axis, panel, table, lies=lies)
        else:
            _lines(axis, panel, table)
        (axis.set_xlabel if lies else axis.set_ylabel)(says, fontsize=9)
        if not lies:
            axis.set_xlabel(panel.x or "", fontsize=9)
        if len(panel.ys) > 1 or panel.by:
            apart = lies or not panel.bars
            axis.legend(fontsize=7, **({"loc": "upper left", "bbox_to_anchor": (1, 1)} if apart else {}))
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.3, axis="x" if lies else "y")
        axis.set_axisbelow(True)
    figure.savefig(picture, dpi=90)


def _lines(axis: Axes, panel: Panel, table: Mapping[str, Any]) -> None:
    groups = _column(table, panel.by) if panel.by else [""] * len(table["rows"])
    x = [_number(text) for text in _column(table, panel.x)]
    for number, group in enumerate(dict.fromkeys(groups)):
        own = [place for place, one in enumerate(groups) if one == group]
        for color, y in enumerate(panel.ys):
            values = [_number(text) for text in _column(table, y)]
            label = f"{y.split(' / ')[0]}, {group} {panel.by}" if panel.by else y
            line = STYLES[number % len(STYLES)] + MARKERS[number % len(MARKERS)]
            axis.plot([x[i] for i in own], [values[i] for i in own], line, color=f"C{color}", ms=4, label=label)
    for letter, rescale in (("x", axis.set_xscale), ("y", axis.set_yscale)):
        if letter in panel.log:
            rescale("log")
    if "y" not in panel.log:
        axis.set_ylim(bottom=0)


def _bars(axis: Axes, panel: Panel, table: Mapping[str, Any], *, lies: bool) -> None:
    names = _column(table, panel.x) if panel.x else [""]
    columns = [[_number(text) for text in _column(table, y)] for y in panel.ys]
    if panel.shares:
        wholes = [sum(row) for row in zip(*columns, strict=True)]
        columns = [[value / whole for value, whole in zip(column, wholes, strict=True)] for column in columns]
    width = 0.8 if panel.shares else 0.8 / len(panel.ys)
    before = [0.0] * len(names)
    for number, (y, values) in enumerate(zip(panel.ys, columns, strict=True)):
        off = 0.0 if panel.shares else (number - (len(panel.ys) - 1) / 2) * width
        draw_bars, start = (axis.barh, "left") if lies else (axis.bar, "bottom")
        style: dict[str, Any] = {"label": y.split(" / ")[0], "color": f"C{number}", start: before}
        draw_bars([place + off for place in range(len(names))], values, width, **style)
        if panel.shares:
            before = [one + value for one, value in zip(before, values, strict=True)]
    if lies:
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(-0.6, len(names) - 0.4)
        axis.invert_yaxis()
        if panel.log:
            axis.set_xscale("log")
    else:
        axis.set_xticks(range(len(names)), names)
        if panel.log:
            axis.set_yscale("log")


def _column(table: Mapping[str, Any], head: str) -> list[str]:
    places = [table["columns"].index(one) for one in head.split(" + ")] if head else [0]
    return [", ".join(row[place] for place in places) for row in table["rows"]]


def _names(texts: Sequence[str]) -> bool:
    return not all(text.replace(",", "").replace(".", "").isdigit() for text in texts)


def _number(text: str) -> float:
    try:
        return float(text.split()[0].replace(",", ""))
    except (ValueError, IndexError):
        return float("nan")

"""Legend of the live viewer: the scale of gamma as an HTML color bar with the thresholds marked."""

from __future__ import annotations

from acemaker.plotting.scale import NAMES, THRESHOLD_COLOR, THRESHOLD_OUTLINE, Scale

_TICKS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_ROW = "position:relative;height:1.25em;font-size:12px;line-height:1.25em"


def legend(scale: Scale) -> str:
    """Write the legend of a scale.

    Parameters
    ----------
    scale
        The scale.

    Returns
    -------
    str
        HTML without scripts; the text inherits its color, in light and dark themes.
    """
    bar = f"height:14px;border-radius:3px;background:linear-gradient(to right,{','.join(scale.colors())})"
    lines = "".join(
        f'<span style="position:absolute;left:{_percent(scale, mark)};top:-2px;height:18px;'
        f'border-left:2px solid {THRESHOLD_COLOR};border-right:2px solid {THRESHOLD_OUTLINE}"></span>'
        for mark in scale.marks
    )
    names = "".join(
        _label(scale, mark, f"{name}&nbsp;{mark:g}") for name, mark in zip(NAMES, scale.marks, strict=False)
    )
    ticks = "".join(_label(scale, tick, f"{tick:g}") for tick in _TICKS if scale.low <= tick <= scale.high)
    return (
        '<div style="padding:0 28px 2px">'
        f'<div style="{_ROW}">{names}</div>'
        f'<div style="position:relative"><div style="{bar}"></div>{lines}</div>'
        f'<div style="{_ROW}">{ticks}</div>'
        '<div style="font-size:12px;text-align:center">gamma, dimensionless; ringed: the epicenter</div></div>'
    )


def _percent(scale: Scale, value: float) -> str:
    return f"{100 * scale.share(value):.1f}%"


def _label(scale: Scale, value: float, text: str) -> str:
    return f'<span style="position:absolute;left:{_percent(scale, value)};transform:translateX(-50%)">{text}</span>'

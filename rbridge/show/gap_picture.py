"""The gaps of a cross-check as a small picture in SVG, for pages with many; without matplotlib."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

import pandas as pd

FLOOR = -16  # powers of ten: rounding; smaller gaps, and none at all, stand at the left edge
ROW, TOP, BOTTOM, WIDTH, LETTER = 24, 34, 40, 460, 7.0  # pixels
_SHAPES = {  # told apart by form as well as by colour
    "A": ("#b3541e", "M-5,-5h10v10h-10z"),
    "B": ("#1f5fa8", "M0,-6a6,6 0 1,0 .01,0z"),
    "C": ("#14602a", "M0,-6.5L6.5,5.5H-6.5z"),
}


def gap_picture(table: pd.DataFrame, limits: Mapping[str, float]) -> str:
    """One row a component, one mark a gap, and a line at each gap's tolerance.

    Parameters
    ----------
    table : DataFrame
        By component, with the columns ``A``, ``B``, ``C`` as far as there are such gaps: relative
        differences of standard errors.
    limits : mapping of a gap to its tolerance

    Returns
    -------
    str
        An ``svg`` element.
    """
    gaps = [gap for gap in _SHAPES if gap in table]
    names = list(map(str, table.index))
    left = 12 + LETTER * max(map(len, names), default=0)
    height = TOP + ROW * len(names) + BOTTOM
    parts = [_axis(left, height - BOTTOM)]
    parts += [_limit(gap, limits[gap], left, height - BOTTOM) for gap in gaps]
    for row, name in enumerate(names):
        y = TOP + ROW * (row + 0.5)
        parts.append(_row(name, left, y))
        parts += [_mark(gap, float(table[gap].iloc[row]), left, y) for gap in gaps]
    told = "Relative gaps of the standard errors, on a logarithmic axis"
    box = f"0 0 {left + WIDTH + 20:.0f} {height:.0f}"
    style = "font:12px system-ui,sans-serif"
    return (
        f'<svg role="img" aria-label="{told}" viewBox="{box}" width="{left + WIDTH + 20:.0f}" '
        f'style="{style};max-width:100%;height:auto">{"".join(parts)}</svg>'
    )


def _at(size: float, left: float) -> float:
    """Where a gap of that size stands; the axis ends at 1."""
    power = math.log10(abs(size)) if size else FLOOR
    return left + WIDTH * (min(max(power, FLOOR), 0) - FLOOR) / -FLOOR


def _axis(left: float, bottom: float) -> str:
    ticks = []
    for power in range(FLOOR, 1, 4):
        x = _at(10.0**power, left)
        ticks.append(f'<path d="M{x:.1f},{TOP}V{bottom}" stroke="#e3e7eb"/>')
        label = "1" if power == 0 else f"1e{power}"
        ticks.append(f'<text x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{label}</text>')
    middle = left + WIDTH / 2
    told = "relative gap of the standard errors (dashed: allowed by default)"
    axis = f'<text x="{middle:.1f}" y="{bottom + 32}" text-anchor="middle">{told}</text>'
    return "".join([*ticks, axis])


def _limit(gap: str, limit: float, left: float, bottom: float) -> str:
    color, shape = _SHAPES[gap]
    x = _at(limit, left)
    drawn = f'd="{shape}" transform="translate({x - 7:.1f},{TOP - 21}) scale(.8)" stroke="{color}"'
    return (
        f'<path d="M{x:.1f},{TOP - 12}V{bottom}" stroke="{color}" stroke-dasharray="4 3"/>'
        f'<path {drawn} fill="none"/><text x="{x + 2:.1f}" y="{TOP - 17}" fill="{color}" '
        f'font-weight="600">{gap}</text>'
    )


def _row(name: str, left: float, y: float) -> str:
    return (
        f'<text x="{left - 10:.1f}" y="{y + 4:.1f}" text-anchor="end">{escape(name)}</text>'
        f'<path d="M{left:.1f},{y:.1f}h{WIDTH}" stroke="#eef1f4"/>'
    )


def _mark(gap: str, size: float, left: float, y: float) -> str:
    if math.isnan(size):
        return ""
    color, shape = _SHAPES[gap]
    place = f"translate({_at(size, left):.1f},{y:.1f})"
    drawn = f'fill="{color}" fill-opacity=".25" stroke="{color}" stroke-width="1.5"'
    return f'<path d="{shape}" transform="{place}" {drawn}><title>{gap}: {size:+.1e}</title></path>'

"""Estimates with their intervals, a row each: what every forest is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.arrays import Array
from .style import ACCENT, FAINT, INK, POINT, QUIET, SMALL, TEXT, cut, tall, wrap

ROW = 0.2  # inches of a row of one line
FAR = 6.0  # of intervals of one thing
FAR_OF_MANY = 30.0  # of things that are measured each in its own units
FARTHER = 20.0  # and an estimate so many times as far from the others


def limits(ends: Array, centers: Array | float, far: float = FAR) -> tuple[float, float]:
    """Room for every interval but those that would squeeze the rest.

    Parameters
    ----------
    ends : (k, 2) array
        Of the intervals; those without numbers do not count.
    centers : (k,) array or float
        Estimates.
    far : float
        So many times as far as the usual one reaches an interval that is cut.
    """
    middle = np.broadcast_to(centers, len(ends))
    known = np.isfinite(ends).all(axis=1)
    reach = np.abs(ends - middle[:, None]).max(axis=1)
    usual = np.median(reach[known]) if known.any() else 0.0
    seen = np.isfinite(middle)
    away = np.abs(middle - np.median(middle[seen])) if seen.any() else np.zeros(len(middle))
    near = seen & (away <= FARTHER * max(np.median(away[seen]), usual))
    shown = np.concatenate([middle[near], ends[near & known & (reach <= far * usual)].ravel()])
    low, high = shown.min(initial=np.inf), shown.max(initial=-np.inf)
    return (low, high) if high > low else (low - 1.0, low + 1.0)


def bars(
    ax: Any, estimates: Array, ends: Array, room: tuple[float, float], many: bool = False
) -> None:
    """A row each, from the top: the interval, with an arrow where it goes on, and the estimate.

    ``many`` rows are drawn thin, so that they can be told from each other.
    """
    low, high = room
    margin = 0.05 * (high - low)
    ax.set_xlim(low - margin, high + margin)
    y = np.arange(len(estimates))
    inside = np.clip(ends, low - margin / 2, high + margin / 2)
    style = {"color": QUIET, "linewidth": 0.5} if many else {"color": INK, "linewidth": 1.1}
    ax.hlines(y, inside[:, 0], inside[:, 1], **style)
    for arrow, beyond, edge in zip(
        "<>", (ends[:, 0] < inside[:, 0], ends[:, 1] > inside[:, 1]), inside.T
    ):
        if beyond.any():
            ax.plot(edge[beyond], y[beyond], arrow, color=INK, markersize=4, clip_on=False)
    there = (estimates >= low) & (estimates <= high)
    size = 1.5 if many else POINT + 1.3
    ax.plot(estimates[there], y[there], "o", color=ACCENT, markersize=size, zorder=3)


def rows(ax: Any, names: Sequence[str], width: float, size: float = TEXT) -> None:
    """One labelled row each, the first on top; names in at most ``width`` inches."""
    set_ = [wrap_name(name, width, size) for name in names]
    ax.set_yticks(range(len(names)), set_, fontsize=size, linespacing=1.0)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x", color=FAINT, linewidth=0.6)
    ax.set_axisbelow(True)


def wrap_name(name: str, width: float, size: float = TEXT) -> str:
    """Over three lines at most."""
    lines = wrap(name, width, size).split("\n")
    if len(lines) <= 3:
        return "\n".join(lines)
    return "\n".join([*lines[:2], lines[2][:-1].rstrip("\\") + "…"])


def row_height(names: Sequence[str], width: float, size: float = TEXT) -> float:
    """Inches that the tallest of some rows needs."""
    most = max((tall(wrap_name(name, width, size), size) for name in names), default=0.0)
    return max(ROW, most + 0.07)


def beside(ax: Any, y: float, text: str) -> None:
    """Numbers at the right end of a row."""
    at = {"transform": ax.get_yaxis_transform(), "va": "center", "fontsize": SMALL}
    ax.text(1.04, y, text, color=INK, **at)


def no_interval(ax: Any, y: float, why: str, width: float) -> None:
    """Why a row has none, in the panel's own width."""
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    at = {"va": "center", "transform": ax.get_yaxis_transform(), "zorder": 4}
    text = cut(f"none: {why}", width, SMALL)
    ax.text(0.01, y, text, fontsize=SMALL, color=QUIET, bbox=paper, **at)

"""Smooth lines, and lines that have their names at their ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.arrays import Array
from .style import LINE, TEXT, cut, spread

FINE = 25  # points between two


def label_lines(ax: Any, ends: Sequence[tuple[str, float, str]], width: float) -> None:
    """A name at the right of each line, moved apart where they would touch.

    Parameters
    ----------
    ax : Axes
        With its limits as they will be.
    ends : sequence of (name, height of the end, colour)
    width : float
        Inches of the longest name.
    """
    if not ends:
        return
    low, high = ax.get_ylim()
    tall = ax.get_window_extent().height / ax.figure.dpi * 0.72  # a caption takes some of it
    gap = TEXT * LINE / 72 / max(tall, 0.5)
    shares = [(height - low) / (high - low) for _, height, _ in ends]
    at = {"transform": ax.transAxes, "va": "center", "fontsize": TEXT}
    for (name, _, color), place in zip(ends, spread(shares, gap)):
        ax.text(1.02, place, cut(name, width, TEXT), color=color, **at)


def smooth(x: Array, y: Array) -> tuple[Array, Array]:
    """Many points on the cubics without overshoot through some.

    Parameters
    ----------
    x, y : (k,) arrays
        In rising order of x.
    """
    from scipy.interpolate import PchipInterpolator  # late: it takes long to load

    known = np.isfinite(x) & np.isfinite(y)
    places, first = np.unique(x[known], return_index=True)
    if len(places) < 3:
        return places, y[known][first]
    parts = np.linspace(places[:-1], places[1:], FINE, endpoint=False).T.ravel()
    fine = np.append(parts, places[-1])
    return fine, np.asarray(PchipInterpolator(places, y[known][first])(fine))

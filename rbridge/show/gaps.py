"""The picture of a cross-check: how far the standard errors are apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .canvas import WIDE, below, grid_of, panels, room_for, width_of
from .intervals import row_height, rows
from .style import ACCENT, INK, POINT, QUIET, SMALL, TEXT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLOOR = 1e-17  # a gap of nothing is drawn here
TICKS = {FLOOR: "0", 1e-12: "$10^{-12}$", 1e-8: "$10^{-8}$", 1e-4: "$10^{-4}$", 1.0: "1"}
LEAST = 1.55  # inches of a panel


def crosscheck_gaps(
    table: pd.DataFrame,
    gaps: Mapping[str, tuple[str, float]],
    caption: str,
    figsize: Any = None,
) -> Figure:
    """The gaps of every standard error on a log axis, with their tolerances.

    Parameters
    ----------
    table : DataFrame
        One row a parameter, one column a gap; a gap that could not be had has no column.
    gaps : mapping of a gap's name to what it compares and its tolerance
    caption : str
    figsize : (width, height) or width, optional

    Returns
    -------
    matplotlib.figure.Figure
        A panel a gap; beyond the tolerance (the dotted line) points are coloured.
    """
    names = [str(name) for name in table.index]
    width = width_of(figsize, WIDE)
    share = room_for(names, SMALL, 0.3 * width)
    down = row_height(names, share + 0.02, SMALL) * len(table) + 0.65
    titles = [f"{gap}: {compared}" for gap, (compared, _) in gaps.items()]
    figure, axes = panels(titles, figsize, LEAST + share / 3, down, share=True, left=share + 0.3)
    columns = grid_of(len(titles), width, LEAST + share / 3)[1]
    for k, (ax, (gap, (_, limit))) in enumerate(zip(axes, gaps.items())):
        if gap in table:
            _gaps(ax, table[gap].abs().to_numpy(dtype=float), limit)
        rows(ax, names, share + 0.02, SMALL)
        if gap not in table:
            _nothing(ax)
        if k % columns:
            ax.tick_params(labelleft=False)
    beyond = "coloured: beyond the tolerance (dotted line)"
    below(figure, f"{caption}; {beyond}", "relative gap of the standard errors")
    return figure


def _gaps(ax: Any, sizes: Any, limit: float) -> None:
    ax.set_xscale("log")
    ax.set_xlim(FLOOR / 4, 8)
    ax.axvline(limit, linestyle=":", color=QUIET, linewidth=1)
    for y, size in enumerate(np.clip(sizes, FLOOR, 3)):
        color = ACCENT if sizes[y] > limit else INK
        ax.plot(size, y, "o", markersize=POINT + 1, color=color, clip_on=False)
    ax.set_xticks(list(TICKS), list(TICKS.values()), fontsize=SMALL)
    ax.set_xticks([], minor=True)


def _nothing(ax: Any) -> None:
    ax.text(0.5, 0.5, "not available", ha="center", transform=ax.transAxes, fontsize=TEXT)
    ax.set_xticks([])

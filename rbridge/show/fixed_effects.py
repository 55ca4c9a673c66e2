"""The picture of fixed effects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from .canvas import canvas, caption_below
from .picture import ACCENT, INK, QUIET, SMALL, rows_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def forest(table: pd.DataFrame, caption: str, ax: Any = None, figsize: Any = None) -> Figure:
    """Estimates with intervals, a row a coefficient, the numbers beside them.

    Parameters
    ----------
    table : DataFrame by coefficient
        ``estimate``, ``lower``, ``upper``.
    caption : str
    ax, figsize
        As for :func:`rbridge.show.serial.acf_picture`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, ax = canvas(ax, figsize, 6.4, 0.3 * len(table) + 1.3)
    places = range(len(table))
    ax.axvline(0, color=QUIET, linestyle=":", linewidth=1)
    ax.hlines(places, table.lower, table.upper, color=INK, linewidth=1.2)
    ax.plot(table.estimate, places, "o", color=ACCENT, markersize=5)
    rows_of(ax, [str(name) for name in table.index])
    for y, (estimate, lower, upper) in enumerate(table[["estimate", "lower", "upper"]].to_numpy()):
        text = f"{estimate:.3g} [{lower:.3g}, {upper:.3g}]"
        at = {"transform": ax.get_yaxis_transform(), "va": "center", "fontsize": SMALL}
        ax.text(1.02, y, text, color=INK, **at)
    ax.set_xlabel("estimate, in units of the response for one unit of the column", fontsize=SMALL)
    caption_below(figure, ax, caption)
    return figure

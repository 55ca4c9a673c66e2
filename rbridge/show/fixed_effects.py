"""The picture of fixed effects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from .canvas import across, canvas, room_for, say
from .intervals import FAR_OF_MANY, bars, beside, limits, row_height, rows
from .style import QUIET, TEXT, interval_text, labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def forest(
    table: pd.DataFrame, response: str, caption: str, ax: Any = None, figsize: Any = None
) -> Figure:
    """Estimates with intervals, a row a coefficient, the numbers beside them.

    Parameters
    ----------
    table : DataFrame by coefficient
        ``estimate``, ``lower``, ``upper``.
    response : str
        Whose units the estimates have.
    caption : str
    ax : Axes, optional
        To draw into; by default a figure of its own.
    figsize : (width, height) or width, optional
        Of that figure, in inches.

    Returns
    -------
    matplotlib.figure.Figure
        An interval that leaves the panel ends in an arrow.
    """
    names = [str(name) for name in table.index]
    share = room_for(names, TEXT, 0.32 * across(ax, figsize))
    row, own = row_height(names, share + 0.02), ax is None
    figure, ax = canvas(ax, figsize, lambda _: row * len(table) + 1.0)
    ends = table[["lower", "upper"]].to_numpy(dtype=float)
    estimates = table.estimate.to_numpy(dtype=float)
    low, high = limits(ends, estimates, FAR_OF_MANY)
    bars(ax, estimates, ends, (min(low, 0.0), max(high, 0.0)))
    ax.axvline(0, color=QUIET, linestyle=":", linewidth=1)
    rows(ax, names, share + 0.02)
    for y, (estimate, (lower, upper)) in enumerate(zip(estimates, ends)):
        beside(ax, y, interval_text(estimate, lower, upper))
    labels(ax, f"change in {response}")
    say(figure, ax, own, caption)
    return figure

"""Predicted curves, a panel a group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from .canvas import MANY, WIDE, below, left_of, panels
from .style import ACCENT, BAND, INK, POINT, QUIET

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def curves(
    rows: pd.DataFrame, lines: pd.DataFrame, names: Sequence[str], caption: str, figsize: Any = None
) -> Figure:
    """Observed responses and predicted curves.

    Parameters
    ----------
    rows : DataFrame
        ``panel``, ``x``, ``y`` of each row.
    lines : DataFrame
        ``panel``, ``x``, ``population``, ``prediction`` and, for a band, ``lower``, ``upper``.
    names : (x, y, group)
    caption : str
    figsize : (width, height) or width, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    groups = list(dict.fromkeys(lines.panel))
    least, down = (1.0, 1.1) if len(groups) > MANY else (1.5, 2.0)
    how = {"most": 6, "usual": min(WIDE, 2.2 * len(groups) + 1.2), "extra": 0.6}
    shared = {"share": True, "sharex": True}
    figure, axes = panels(groups, figsize, least, down, **how, **shared)  # type: ignore[arg-type]
    for ax, panel in zip(axes, groups):
        line, own = lines[lines.panel == panel], rows[rows.panel == panel]
        if "lower" in line:
            ax.fill_between(line.x, line.lower, line.upper, color=ACCENT, alpha=BAND, linewidth=0)
        ax.plot(line.x, line.population, "--", color=QUIET, linewidth=1)
        ax.plot(line.x, line.prediction, color=ACCENT, linewidth=1.4)
        ax.plot(own.x, own.y, "o", color=INK, markersize=POINT - 0.4)
        ax.locator_params(nbins=4)
    left_of(figure, names[1])
    below(figure, f"a panel a {names[2]}: {caption}", names[0])
    return figure

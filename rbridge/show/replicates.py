"""The picture of a bootstrap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..core.smoother import density
from .canvas import WIDE, below, nothing, panels
from .style import ACCENT, BAND, INK, QUIET, SMALL, interval_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHARE = 0.001  # of replicates on either side that may lie outside the panel


def bootstrap_distributions(
    replicates: pd.DataFrame,
    estimates: pd.Series,
    ends: pd.DataFrame,
    caption: str,
    figsize: Any = None,
) -> Figure:
    """How the replicates are spread: their density, the estimate and its interval.

    Parameters
    ----------
    replicates : DataFrame, one column a quantity
    estimates : Series
    ends : DataFrame
        ``lower``, ``upper`` of each quantity.
    caption : str
    figsize : (width, height) or width, optional

    Returns
    -------
    matplotlib.figure.Figure
        A panel a quantity.
    """
    size = {"usual": 3.6 if len(estimates) == 1 else WIDE, "extra": 0.5}
    names = list(map(str, replicates))
    figure, axes = panels(names, figsize, 1.9, 1.45, most=3, **size)  # type: ignore[arg-type]
    for ax, name in zip(axes, replicates):
        lower, upper = ends.loc[name]
        _distribution(ax, replicates[name].dropna().to_numpy(float), estimates[name], lower, upper)
        ax.set_xlabel(interval_text(estimates[name], lower, upper), fontsize=SMALL)
    means = (
        "curve: density of the replicates; line: the estimate; dark part, and below: its interval"
    )
    below(figure, f"{caption}; {means}")
    return figure


def _distribution(ax: Any, values: Any, estimate: float, lower: float, upper: float) -> None:
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    if len(values) < 2 or np.ptp(values) <= 1e-12 * np.abs(values).max():
        nothing(ax, "all replicates are equal" if len(values) else "no replicates")
        return
    room = np.quantile(values, [SHARE, 1 - SHARE])
    x, height = density(values[(values >= room[0]) & (values <= room[1])])
    ax.fill_between(x, height, color=ACCENT, alpha=BAND, linewidth=0)
    inside = (x >= lower) & (x <= upper)
    ax.fill_between(x, height, where=inside, color=ACCENT, alpha=2 * BAND, linewidth=0)
    ax.plot(x, height, color=ACCENT, linewidth=1.3)
    ax.plot([estimate, estimate], [0, height.max()], color=INK, linewidth=1)
    ax.axhline(0, color=QUIET, linewidth=0.5)
    ax.set_ylim(0, 1.08 * height.max())
    ax.locator_params(axis="x", nbins=4)

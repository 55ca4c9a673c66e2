"""Pictures of what is left of correlation in residuals: by lag, and by distance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..core.smoother import lowess
from .canvas import canvas, say
from .lines import smooth
from .style import ACCENT, BAND, INK, QUIET, labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVE = 6  # classes of distance from which on a smooth line is drawn


def acf_picture(table: pd.DataFrame, caption: str, ax: Any = None, figsize: Any = None) -> Figure:
    """Autocorrelations by lag, with the band of independent residuals.

    Parameters
    ----------
    table : DataFrame
        ``lag``, ``acf``, ``band`` (half-width).
    caption : str
    ax : Axes, optional
        To draw into, best of a figure with ``layout="constrained"``, which keeps room for names and
        numbers beside the axes; by default a figure of its own.
    figsize : (width, height) or width, optional
        Of that figure, in inches.

    Returns
    -------
    matplotlib.figure.Figure
    """
    own = ax is None
    figure, ax = canvas(ax, figsize, lambda _: 3.0)
    autocorrelations(ax, table)
    labels(ax, "lag", "autocorrelation")
    say(figure, ax, own, caption)
    return figure


def autocorrelations(ax: Any, table: pd.DataFrame) -> None:
    """Stems over the band; of lag 0 there is nothing to see."""
    later = table[(table.lag > 0) & np.isfinite(table.acf.astype(float))]
    ax.axhline(0, color=QUIET, linewidth=0.8)
    if len(later):
        band = later.band.clip(upper=1)
        lag = later.lag.to_numpy(dtype=float)
        edges = np.append(lag - 0.5, lag[-1] + 0.5)
        for sign in (-1, 1):
            ax.stairs(sign * band, edges, baseline=0, fill=True, color=ACCENT, alpha=BAND)
        ax.vlines(later.lag, 0, later.acf, color=INK, linewidth=1.2)
        size = 4.5 if len(later) < 40 else 2.5
        ax.plot(later.lag, later.acf, "o", color=ACCENT, markersize=size)
    ax.xaxis.get_major_locator().set_params(integer=True)


def variogram_picture(
    table: pd.DataFrame,
    distance: str,
    level: float | None,
    caption: str,
    ax: Any = None,
    figsize: Any = None,
) -> Figure:
    """Semivariances against distance.

    Parameters
    ----------
    table : DataFrame
        ``dist``, ``variogram``, ``n_pairs``.
    distance : str
        What a distance is, in words.
    level : float, optional
        Where the semivariances of independent residuals lie.
    caption : str
    ax, figsize
        As for :func:`acf_picture`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    own = ax is None
    figure, ax = canvas(ax, figsize, lambda _: 3.0)
    if level is not None:
        ax.axhline(level, color=QUIET, linestyle=":", linewidth=1)
    seen = table[np.isfinite(table.variogram.astype(float))]
    sizes = 8 + 40 * seen.n_pairs / max(seen.n_pairs.max(), 1)
    ax.scatter(seen.dist, seen.variogram, sizes, color=INK, alpha=0.75, linewidth=0, zorder=3)
    line = ""
    if len(seen) >= CURVE:
        points = seen[["dist", "variogram"]].to_numpy(dtype=float).T
        ax.plot(*smooth(*lowess(*points)), color=ACCENT, linewidth=1.5)
        line = "; line: lowess"
    ax.set_ylim(0, 1.12 * max(seen.variogram.max(), level or 0) or 1)
    labels(ax, distance, "semivariance")
    independent = "; dotted: independent residuals" if level is not None else ""
    say(figure, ax, own, f"{caption}; areas as the numbers of pairs{line}{independent}")
    return figure

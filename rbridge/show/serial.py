"""Pictures of what is left of correlation in residuals: by lag, and by distance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from .canvas import canvas, caption_below
from .picture import ACCENT, INK, QUIET, SMALL, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def acf_picture(table: pd.DataFrame, caption: str, ax: Any = None, figsize: Any = None) -> Figure:
    """Autocorrelations by lag, with the band of independent residuals.

    Parameters
    ----------
    table : DataFrame
        ``lag``, ``acf``, ``band`` (half-width).
    caption : str
    ax : Axes, optional
        To draw into; by default a figure of its own, of ``figsize`` inches.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, ax = canvas(ax, figsize, 5.2, 3.2)
    later = table[table.lag > 0]
    ax.axhline(0, color=QUIET, linewidth=0.8)
    ax.vlines(later.lag, 0, later.acf, color=INK, linewidth=1.5)
    ax.plot(later.lag, later.acf, "o", color=ACCENT, markersize=4.5)
    for side in (-1, 1):
        ax.plot(later.lag, (side * later.band).clip(-1, 1), ":", color=INK, linewidth=1)
    ax.set_xlabel("lag", fontsize=SMALL)
    ax.set_ylabel("autocorrelation", fontsize=SMALL)
    ax.xaxis.get_major_locator().set_params(integer=True)
    caption_below(figure, ax, caption)
    return figure


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
    figure, ax = canvas(ax, figsize, 5.2, 3.2)
    if level is not None:
        ax.axhline(level, color=QUIET, linestyle=":", linewidth=1)
    sizes = 12 + 48 * table.n_pairs / table.n_pairs.max()
    ax.plot(table.dist, table.variogram, color=ACCENT, linewidth=0.8)
    ax.scatter(table.dist, table.variogram, sizes, color=ACCENT, zorder=3)
    ax.set_ylim(0, 1.12 * max(table.variogram.max(), level or 0))
    ax.set_xlabel(plain(distance), fontsize=SMALL)
    ax.set_ylabel("semivariance", fontsize=SMALL)
    independent = "; dotted: independent residuals" if level is not None else ""
    caption_below(figure, ax, f"{caption}; areas as the numbers of pairs{independent}")
    return figure

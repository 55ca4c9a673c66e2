"""Does the model fit? Residuals, random effects and what correlation is left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from ..core.arrays import Array
from .picture import ACCENT, INK, MARKERS, QUIET, SMALL, picture, plain, wrap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_EFFECTS = len(MARKERS)  # in one QQ plot


def diagnostics(
    title: str, rows: pd.DataFrame, effects: Mapping[str, Array], lags: pd.DataFrame, where: str
) -> Figure:
    """Residuals against fitted values, QQ plots of residuals and random effects, autocorrelation.

    Parameters
    ----------
    title : str
    rows : DataFrame
        ``fitted`` and normalized ``residual`` of every row.
    effects : mapping of a label to the (m,) standardized random effects
    lags : DataFrame
        ``lag``, ``acf``, ``band`` (half-width for independent residuals).
    where : str
        Within what the lags count rows, in words.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = picture(9.4, 7.4, title)
    (scatter, qq), (by_effect, by_lag) = figure.subplots(2, 2)
    _against_fitted(scatter, rows.fitted.to_numpy(), rows.residual.to_numpy())
    _titled(qq, "Normalized residuals: normal QQ", "standard normal quantile", "residual")
    _qq(qq, rows.residual.to_numpy(), ".", "")
    _random_effects(by_effect, effects)
    _autocorrelation(by_lag, lags, where)
    return figure


def _titled(ax: Any, title: str, x: str, y: str) -> None:
    ax.set_title(title, fontsize=9, loc="left")
    ax.set_xlabel(x, fontsize=SMALL)
    ax.set_ylabel(y, fontsize=SMALL)
    ax.tick_params(labelsize=SMALL)


def _against_fitted(ax: Any, fitted: Array, normalized: Array) -> None:
    _titled(ax, "Normalized residuals against fitted values", "fitted value", "residual")
    ax.axhline(0, color=QUIET, linewidth=1)
    for y in (-1.96, 1.96):
        ax.axhline(y, color=QUIET, linestyle=":", linewidth=1)
    ax.plot(fitted, normalized, ".", color=ACCENT, markersize=4, alpha=_alpha(len(fitted)))


def _nothing(ax: Any, why: str) -> None:
    ax.text(0.5, 0.5, why, ha="center", transform=ax.transAxes, fontsize=SMALL)
    ax.set_xticks([])
    ax.set_yticks([])


def _alpha(n: int) -> float:
    return float(np.clip(2000 / n, 0.15, 1.0))


def _qq(ax: Any, values: Array, marker: str, label: str) -> None:
    """Sorted values against normal quantiles, with the line of the standard normal."""
    n = len(values)
    quantiles = special.ndtri((np.arange(n) + 0.5) / n)
    reach = quantiles[[0, -1]]
    ax.plot(reach, reach, color=QUIET, linewidth=1)
    shown = {"markersize": 4, "fillstyle": "none", "alpha": _alpha(n)}
    ax.plot(quantiles, np.sort(values), marker, label=label, linestyle="none", **shown)


def _random_effects(ax: Any, effects: Mapping[str, Array]) -> None:
    _titled(ax, "Random effects: normal QQ", "standard normal quantile", "effect / its sd")
    if not effects:
        _nothing(ax, "no random effects that vary")
        return
    for (label, b), marker in zip(effects.items(), MARKERS):
        _qq(ax, b, marker, plain(label))
    if len(effects) > MOST_EFFECTS:
        ax.plot([], [], " ", label=f"… and {len(effects) - MOST_EFFECTS} more")
    ax.legend(fontsize=7, frameon=False, loc="upper left")


def _autocorrelation(ax: Any, lags: pd.DataFrame, where: str) -> None:
    """Bars with the band of independent residuals."""
    label = wrap(f"lag in rows{where}", 60)
    _titled(ax, "Autocorrelation of normalized residuals", label, "correlation")
    if lags.empty:
        _nothing(ax, "one row a group")
        return
    ax.axhline(0, color=QUIET, linewidth=1)
    ax.vlines(lags.lag, 0, lags.acf, color=INK, linewidth=1.5)
    ax.plot(lags.lag, lags.acf, "o", color=ACCENT, markersize=4)
    for side in (-1, 1):
        ax.plot(lags.lag, side * lags.band, linestyle=":", color=QUIET)
    ax.set_xticks(lags.lag if len(lags) < 16 else lags.lag[:: len(lags) // 8])

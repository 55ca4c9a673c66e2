"""Does the model fit? Residuals, random effects and what correlation is left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..core.arrays import Array
from .canvas import below, nothing, panels
from .quantiles import QUANTILE, WORDS, qq
from .residuals import LINE, scatter
from .serial import autocorrelations
from .style import SMALL, wrap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_EFFECTS = 6  # that have a panel each


def diagnostics(
    rows: pd.DataFrame,
    effects: Mapping[str, Array],
    lags: pd.DataFrame,
    where: str,
    caption: str,
    figsize: Any = None,
) -> Figure:
    """Residuals against fitted values, QQ plots of residuals and random effects, autocorrelation.

    Parameters
    ----------
    rows : DataFrame
        ``fitted`` and normalized ``residual`` of every row.
    effects : mapping of a label to the (m,) random effects
    lags : DataFrame
        ``lag``, ``acf``, ``band`` (half-width for independent residuals).
    where : str
        Within what the lags count rows, in words.
    caption : str
    figsize : (width, height) or width, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    shown = dict(list(effects.items())[:MOST_EFFECTS])
    titles = ["residuals by fitted value", "residuals", *shown, "autocorrelation of residuals"]
    figure, axes = panels(titles, figsize, 2.0, 1.95, most=3, extra=0.6)
    line = scatter(axes[0], rows.fitted.to_numpy(dtype=float), rows.residual.to_numpy(dtype=float))
    _named(axes[0], "fitted value", "normalized residual")
    for ax, values in zip(axes[1:-1], [rows.residual.to_numpy(), *shown.values()]):
        qq(ax, values)
        _named(ax, QUANTILE, "normalized residual" if ax is axes[1] else "random effect")
    _lags(axes[-1], lags, where)
    left_out = len(effects) - len(shown)
    more = f"; {left_out} more random effects: plot_qq('~ ranef')" if left_out > 0 else ""
    smooth = f"; {LINE}" if line else ""
    below(figure, f"{caption}{smooth}; QQ: {WORDS}{more}; of the lags: 95% if independent")
    return figure


def _named(ax: Any, x: str, y: str) -> None:
    ax.set_xlabel(wrap(x, 1.9, SMALL), fontsize=SMALL)
    ax.set_ylabel(y, fontsize=SMALL)


def _lags(ax: Any, lags: pd.DataFrame, where: str) -> None:
    if lags.empty:
        nothing(ax, "one row a group")
        return
    autocorrelations(ax, lags)
    _named(ax, f"lag in rows{where}", "autocorrelation")

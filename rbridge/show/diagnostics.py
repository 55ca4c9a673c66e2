"""Does the model fit? Residuals, random effects and what correlation is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from ..core.residuals import autocorrelation, residuals
from ..core.arrays import Array
from ..core.snapshot import FitSnapshot
from .picture import ACCENT, INK, MARKERS, QUIET, SMALL, picture, wrap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..results import LmeResults

MOST_EFFECTS = len(MARKERS)  # in one QQ plot


def diagnostics(fit: LmeResults) -> Figure:
    """Residuals against fitted values, QQ plots of residuals and random effects, autocorrelation.

    Returns
    -------
    matplotlib.figure.Figure
        Residuals are nlme's normalized ones: independent with variance 1 if the model holds.
    """
    snapshot = fit.snapshot
    normalized = residuals(snapshot)
    figure = picture(9.4, 7.4, f"Diagnostics: {snapshot.spec['fixed']}")
    (scatter, qq), (effects, lags) = figure.subplots(2, 2)
    _against_fitted(scatter, snapshot.fitted[:, -1], normalized)
    _titled(qq, "Normalized residuals: normal QQ", "standard normal quantile", "residual")
    _qq(qq, normalized, ".", "")
    _random_effects(effects, snapshot)
    _autocorrelation(lags, snapshot, normalized)
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


def _random_effects(ax: Any, snapshot: FitSnapshot) -> None:
    """Every random effect in units of its own standard deviation."""
    _titled(ax, "Random effects: normal QQ", "standard normal quantile", "effect / its sd")
    effects = [
        (f"{level.group}: {name}", b)
        for level in snapshot.levels
        for name, b in zip(level.names, level.b.T)
        if len(b) > 1 and b.std() > 0
    ]
    if not effects:
        _nothing(ax, "no random effects that vary")
        return
    for (label, b), marker in zip(effects, MARKERS):
        _qq(ax, (b - b.mean()) / b.std(), marker, label)
    if len(effects) > MOST_EFFECTS:
        ax.plot([], [], " ", label=f"… and {len(effects) - MOST_EFFECTS} more")
    ax.legend(fontsize=7, frameon=False, loc="upper left")


def _autocorrelation(ax: Any, snapshot: FitSnapshot, normalized: Array) -> None:
    """Bars with the band of independent residuals."""
    where, codes = _series(snapshot)
    lag_label = wrap(f"lag in rows{where}", 60)
    _titled(ax, "Autocorrelation of normalized residuals", lag_label, "correlation")
    acf, pairs = autocorrelation(normalized, codes)
    lag = np.arange(1, len(acf))
    if not len(lag):
        _nothing(ax, "one row a group")
        return
    band = np.minimum(1.96 / np.sqrt(np.maximum(pairs[1:], 1)), 1)
    ax.axhline(0, color=QUIET, linewidth=1)
    ax.vlines(lag, 0, acf[1:], color=INK, linewidth=1.5)
    ax.plot(lag, acf[1:], "o", color=ACCENT, markersize=4)
    for side in (-1, 1):
        ax.plot(lag, side * band, linestyle=":", color=QUIET)
    ax.set_xticks(lag if len(lag) < 16 else lag[:: len(lag) // 8])


def _series(snapshot: FitSnapshot) -> tuple[str, Array]:
    """The groups within which rows follow each other."""
    if snapshot.cor is not None:
        return " within the correlation's groups", snapshot.cor.codes
    if snapshot.levels:
        inner = snapshot.levels[-1]
        return f" within {inner.group}", inner.codes
    return "", np.zeros(snapshot.n, dtype=int)

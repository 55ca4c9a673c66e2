"""What the pictures of a fit's residuals and random effects show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..core.arrays import Array
from ..core.residuals import autocorrelation, residuals
from ..core.snapshot import FitSnapshot
from ..fit.components import Fit
from ..fit.regression import in_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def diagnostics(fit: Fit, figsize: Any = None) -> Figure:
    """Residuals against fitted values, QQ plots of residuals and random effects, autocorrelation.

    Returns
    -------
    matplotlib.figure.Figure
        Residuals are nlme's normalized ones: independent with variance 1 if the model holds.
    """
    from ..show.diagnostics import diagnostics as draw

    snapshot = fit.snapshot
    normalized = residuals(snapshot)
    rows = pd.DataFrame({"fitted": snapshot.fitted[:, -1], "residual": normalized})
    where, codes = _series(snapshot)
    effects, lags = varying_effects(snapshot), _lags(normalized, codes)
    return draw(rows, effects, lags, where, in_words(snapshot), figsize)


def varying_effects(snapshot: FitSnapshot) -> dict[str, Array]:
    """Every predicted random effect that varies, by group and name."""
    return {
        f"{level.group}: {name}": b
        for level in snapshot.levels
        for name, b in zip(level.names, level.b.T)
        if len(b) > 1 and b.std() > 0
    }


def _lags(normalized: Array, codes: Array) -> pd.DataFrame:
    """Autocorrelation by lag, with the half-width of the band of independent residuals."""
    acf, pairs = autocorrelation(normalized, codes)
    band = np.minimum(1.96 / np.sqrt(np.maximum(pairs[1:], 1)), 1)
    return pd.DataFrame({"lag": np.arange(1, len(acf)), "acf": acf[1:], "band": band})


def _series(snapshot: FitSnapshot) -> tuple[str, Array]:
    """The groups within which rows follow each other."""
    if snapshot.cor is not None:
        return " within the correlation's groups", snapshot.cor.codes
    if snapshot.levels:
        inner = snapshot.levels[-1]
        return f" within {inner.group}", inner.codes
    return "", np.zeros(snapshot.n, dtype=int)

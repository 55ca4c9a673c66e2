"""Autocorrelation of residuals within groups, nlme's ``ACF``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from ..core.arrays import Array
from ..core.residuals import autocorrelation, positions
from ..core.snapshot import FitSnapshot
from ..errors import DataError, SpecError
from ..fit.components import Fit
from ..options import check_share
from ..show.result_frame import ResultFrame
from .given import form_columns, given, group_codes, innermost, numbers, residuals_in_time

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Acf(ResultFrame):
    """Columns ``lag acf n``; ``attrs["caption"]`` says of what and within what."""

    @property
    def _constructor(self) -> Any:
        return ResultFrame

    def plot(self, level: float = 0.95, *, ax: Any = None, figsize: Any = None) -> Figure:
        """The correlations with the band, pointwise, of residuals that are independent."""
        from ..show.serial import acf_picture

        check_share(level)
        band = special.ndtri((1 + level) / 2) / np.sqrt(self["n"].clip(lower=1))
        table = pd.DataFrame({"lag": self["lag"], "acf": self["acf"], "band": band})
        caption = f"{self.attrs['caption']}; band: {level:.0%}, if residuals are independent"
        return acf_picture(table, caption, ax, figsize)


def acf(
    fit: Fit,
    max_lag: int | None = None,
    residuals: str = "pearson",
    *,
    form: str | None = None,
    data: pd.DataFrame | None = None,
) -> Acf:
    """Autocorrelation of the residuals within the innermost groups.

    Parameters
    ----------
    fit : Fit
    max_lag : int, optional
        By default nlme's: 10 log₁₀(rows of the largest group), at most its rows − 1.
    residuals : {"pearson", "response", "normalized"}
    form : str, optional
        ``"~ time"``: lags are differences of this column of whole numbers; ``"~ 1 | series"``:
        other groups. By default lags count rows, in the order of the time of the fit's
        correlation structure where it has one, else of the data.
    data : DataFrame, optional
        The frame of the fit, which a form needs.

    Returns
    -------
    Acf
        A DataFrame: ``lag``, ``acf``, and ``n``, the pairs of rows behind it; where there are no
        pairs, ``acf`` is missing and ``n`` is 0.

    Raises
    ------
    SpecError, DataError
        Another type of residuals, times that are no whole numbers or stand twice in a group.

    References
    ----------
    Pinheiro and Bates (2000), section 5.3.1.
    """
    if max_lag is not None and (
        isinstance(max_lag, bool) or max_lag != int(max_lag) or max_lag < 0
    ):
        raise SpecError(f"max_lag must be a whole number, not negative, not {max_lag!r}")
    values = residuals_in_time(fit.snapshot, residuals)
    codes, times, where = _series(fit, form, data)
    found, pairs = autocorrelation(values, codes, times, max_lag)
    table = Acf({"lag": np.arange(len(found)), "acf": found, "n": pairs})
    table.attrs["caption"] = f"{residuals} residuals {where}"
    return table


def _series(fit: Fit, form: str | None, data: pd.DataFrame | None) -> tuple[Array, Array, str]:
    """Group and time of each row, and both in words."""
    codes, where = innermost(fit.snapshot)
    names, groups = form_columns(form) if form is not None else ([], ())
    rows = fit.snapshot.rows
    frame = given(fit, data, f"the form {form!r}") if names or groups else None
    if frame is not None and groups:
        codes, where = group_codes(frame, groups, rows), f"within {'/'.join(groups)}"
    if frame is None or not names:
        return codes, row_order(fit.snapshot, codes), f"{where}, by order"
    if len(names) > 1:
        raise SpecError(f"the lags are counted by one time, not {len(names)}: form='~ time'")
    times = _whole(numbers(frame, names, rows)[:, 0], codes, names[0])
    return codes, times, f"{where}, by {names[0]}"


def row_order(snapshot: FitSnapshot, codes: Array) -> Array:
    """Place of each row in its group: by the time of the correlation there, else by the data."""
    cor = snapshot.cor
    if cor is None or cor.covariate.shape[1] != 1:
        return positions(codes, snapshot.rows)
    if not np.array_equal(_partition(cor.codes), _partition(codes)):
        return positions(codes, snapshot.rows)
    return positions(codes, cor.covariate[:, 0])


def _partition(codes: Array) -> Array:
    """The groups numbered as the rows name them, so that equal groups have equal numbers."""
    first = np.unique(codes, return_index=True)[1]
    return np.asarray(first[np.unique(codes, return_inverse=True)[1].reshape(-1)])


def _whole(times: Array, codes: Array, name: str) -> Array:
    if (times != np.round(times)).any():
        raise DataError(f"column {name!r} must hold whole numbers to count lags: number the times")
    if len(np.unique(np.stack([codes, times], axis=1), axis=0)) < len(times):
        twice = "has the same time twice in a group: name the series in form"
        raise DataError(f"column {name!r} {twice}")
    return times.astype(np.int64)

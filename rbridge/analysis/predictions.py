"""Predictions with their errors, and intervals for what is expected or for a new response."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..core.arrays import Array
from ..core.fixed_effects.distributions import t_quantile
from ..core.fixed_effects.prediction import NewRows, Predictions, predict_rows
from ..core.residuals import standard_deviations
from ..errors import SpecError
from ..fit.components import Fit
from ..fit.predict import new_rows
from ..frame.incoming import FrameLike, as_frame
from ..options import check_share, one_of
from ..show.result_frame import ResultFrame
from .fixed_effects import inference_of

INTERVALS = ("confidence", "prediction")


def predictions(
    fit: Fit,
    new_data: FrameLike | None = None,
    level: int | str | None = None,
    *,
    interval: str = "confidence",
    coverage: float = 0.95,
    unseen: str = "raise",
    conditional: bool = False,
    **options: Any,
) -> pd.DataFrame:
    """Predictions with standard errors and intervals.

    Parameters
    ----------
    fit : Fit
    new_data : DataFrame, optional
        By default the rows of the fit.
    level : int or str, optional
        0 for the population, 1 (or its group) for the outermost groups …; by default the innermost.
    interval : {"confidence", "prediction"}
        For the expected response of the groups given, or for a new response of theirs.
    coverage : float
    unseen : {"raise", "population"}
        Groups that the fit has not seen: refuse, or take their random effects as 0 with the
        variance of these in the error.
    conditional : bool
        Rows that continue a series of the fit's corStruct are predicted from its residuals too
        (SAS: OUTP=), so that an AR(1) forecast starts at the last residual and decays to the mean.
    **options
        ``ddf`` and the like, as for :func:`rbridge.analysis.fixed_effects.fixed_effects`: whose
        degrees of freedom of x'β̂ the t quantiles have.

    Returns
    -------
    DataFrame
        ``prediction se lower upper``, indexed as the data; ``attrs["caption"]``. For
        ``interval="prediction"`` ``se`` is that of the difference to a new response.

    Raises
    ------
    SpecError, DataError
        As :meth:`rbridge.LmeResults.predict`; ``conditional`` without a corStruct, or not at the
        innermost level.

    Notes
    -----
    The error is that of the best linear unbiased prediction with θ̂ for θ. At level 0 the
    confidence interval has the covariance of β̂ that ``ddf`` asks for, Kenward and Roger's by
    default.

    References
    ----------
    Henderson (1975), Biometrics 31, 423–447; Harville and Jeske (1992), Journal of the American
    Statistical Association 87, 724–731.
    """
    one_of(interval, INTERVALS, "interval", quote=True)
    check_share(coverage, "coverage")
    number = fit.level_number(level)
    new_data = None if new_data is None else as_frame(new_data)
    rows = _own_rows(fit) if new_data is None else _new(fit, new_data, number, unseen, conditional)
    if conditional and new_data is None:
        raise SpecError("conditional=True is for new rows: those of the fit have their residuals")
    found = predict_rows(fit.snapshot, fit.forms, rows, number, conditional=conditional)
    asked = inference_of(fit, **({"ddf": _ddf(fit)} | options))
    se = _errors(found, rows, interval, asked.vcov if number == 0 and not conditional else None)
    df = np.full(len(se), np.inf)
    own = rows.X.any(axis=1)  # a row of zeros has no error of β̂
    df[own] = asked.method.row_df(rows.X[own])
    reach = t_quantile((1 + coverage) / 2, df) * se
    columns = {"prediction": found.mean, "se": se}
    columns |= {"lower": found.mean - reach, "upper": found.mean + reach}
    frame = _framed(fit, columns, new_data)
    words = f"{coverage:.0%} {interval} interval at level {number}"
    frame.attrs["caption"] = f"{words}; df of x'β: {asked.description}"
    return frame


def _ddf(fit: Fit) -> str:
    """Kenward and Roger's are of REML alone."""
    return "kenward-roger" if fit.snapshot.method == "REML" else "satterthwaite"


def _new(fit: Fit, data: pd.DataFrame, level: int, unseen: str, conditional: bool) -> NewRows:
    one_of(unseen, ("raise", "population"), "unseen", quote=True)
    return new_rows(fit.in_r("new data"), data, level, unseen, conditional)


def _own_rows(fit: Fit) -> NewRows:
    """The rows of the fit, for which no R is needed."""
    snapshot = fit.snapshot
    Z = tuple(level.Z for level in snapshot.levels)
    groups = tuple(level.codes for level in snapshot.levels)
    return NewRows(snapshot.X, Z, groups, standard_deviations(snapshot))


def _errors(found: Predictions, rows: NewRows, interval: str, vcov: Array | None) -> Array:
    mse = found.mse
    if vcov is not None:
        mse = np.einsum("mi,ij,mj->m", rows.X, vcov, rows.X)
    extra = found.variance - found.mse if interval == "prediction" else 0.0
    return np.asarray(np.sqrt(mse + extra))


def _framed(fit: Fit, columns: dict[str, Array], data: pd.DataFrame | None) -> pd.DataFrame:
    if data is not None:
        return ResultFrame(columns, index=data.index)
    return ResultFrame({name: fit.by_row(values, name) for name, values in columns.items()})

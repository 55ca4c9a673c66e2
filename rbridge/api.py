"""The functions a user calls: fit a model, read one back, apply the delta method."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .core import delta
from .core.snapshot import FitSnapshot
from .errors import SpecError
from .results import LmeResults
from .fit.vcov import VarcompVcov
from .model.spec import ModelSpec, Random, gls_spec, lme_spec


def lme(
    fixed: str,
    data: pd.DataFrame,
    random: Random,
    *,
    correlation: object = None,
    weights: object = None,
    method: str = "REML",
    contrasts: Mapping[str, Any] | None = None,
    control: Mapping[str, Any] | None = None,
    na_action: str = "drop",
) -> LmeResults:
    """Fit a linear mixed model with R's ``nlme::lme``.

    Parameters
    ----------
    fixed : str
        ``"y ~ x1 * x2"``: R's formula language, with the usual functions (``log``, ``I``,
        ``poly``, ``ns`` …).
    data : DataFrame
        Strings and categoricals are factors. The reference level of a categorical is its first
        category, of strings the first by code point, whatever the locale.
    random : str or dict
        ``"~ age | subject"``; nested ``"~ 1 | school/case"``; or outermost first
        ``{"school": "~ 1", "case": rb.pdDiag("~ time")}``, a list of terms where one group has
        several.
    correlation : corStruct or str, optional
        ``rb.corAR1(form="~ time | subject")``, or the text an R user would paste.
    weights : varFunc or str, optional
        ``rb.varIdent("~ 1 | sex")``.
    method : {"REML", "ML"}
    contrasts : dict, optional
        Column to the name of an R contrast (``"contr.sum"``) or to a matrix, levels in rows.
    control : dict, optional
        Arguments of nlme's ``lmeControl``: ``{"opt": "optim", "maxIter": 200}``.
    na_action : {"drop", "raise"}
        Leave rows with missing values out (``fit.snapshot.n_dropped`` counts them), or refuse.

    Returns
    -------
    LmeResults

    Raises
    ------
    SpecError, FormulaError, StructureError, DataError
        The model or the data as given cannot be; the message names the argument or column.
    FitError
        nlme's own error.
    RNotFoundError, InstallationError, RPackageError
        R, rpy2 or nlme is missing.
    """
    options = _options(method, contrasts, control, na_action)
    return fit_spec(lme_spec(fixed, random, correlation, weights, **options), data)


def gls(
    model: str,
    data: pd.DataFrame,
    *,
    correlation: object = None,
    weights: object = None,
    method: str = "REML",
    contrasts: Mapping[str, Any] | None = None,
    control: Mapping[str, Any] | None = None,
    na_action: str = "drop",
) -> LmeResults:
    """Fit a linear model by generalised least squares with R's ``nlme::gls``.

    Arguments, result and errors as for :func:`lme`.
    """
    options = _options(method, contrasts, control, na_action)
    return fit_spec(gls_spec(model, correlation, weights, **options), data)


def _options(method: str, contrasts: Any, control: Any, na_action: str) -> dict[str, Any]:
    for name, value in (("contrasts", contrasts), ("control", control)):
        if value is not None and not isinstance(value, Mapping):
            raise SpecError(f"{name} must be a dict, not {value!r}")
    return {
        "method": method,
        "contrasts": dict(contrasts or {}),
        "control": dict(control or {}),
        "na_action": na_action,
    }


def fit_spec(spec: ModelSpec, data: pd.DataFrame) -> LmeResults:
    """Fit a :class:`ModelSpec`; raises as :func:`lme`."""
    from .r.nlme import fit

    fitted = fit(spec, data)
    return LmeResults(fitted.snapshot, fitted, data.index)


def load(path: str | PathLike[str]) -> LmeResults:
    """Results from a file that ``fit.snapshot.save(path)`` wrote; needs no R.

    Raises
    ------
    SnapshotError
        The file holds no snapshot.
    """
    return LmeResults(FitSnapshot.load(path))


def delta_method(
    g: Callable[..., Any],
    estimates: Mapping[str, float] | pd.Series | ArrayLike,
    cov: pd.DataFrame | ArrayLike,
    *,
    names: str | Sequence[str] | None = None,
    jacobian: Any = None,
) -> VarcompVcov:
    """Estimate and covariance of a function of anybody's estimates, by the delta method.

    Parameters
    ----------
    g : callable
        From the (r,) vector of estimates to a number or a (k,) vector, in numpy.
    estimates : Series, mapping or (r,) array
    cov : DataFrame or (r, r) array
        Covariance of the estimates. A DataFrame is aligned to the names of a Series.
    names : str or sequence of str, optional
        Names of the k results.
    jacobian : (k, r) array or callable, optional
        By default complex step where g is analytic, else Richardson differences.

    Returns
    -------
    VarcompVcov
        ``method`` is ``"delta"``.

    Raises
    ------
    DataError, SpecError
        Shapes or names that do not fit, values that are not finite.

    Notes
    -----
    Cov(g(x)) ≈ J Σ J' with the full J and the full Σ.
    """
    series = pd.Series(dict(estimates)) if isinstance(estimates, Mapping) else estimates
    if isinstance(series, pd.Series) and isinstance(cov, pd.DataFrame):
        cov = _by_name(cov, series)
    result = delta.delta_method(g, np.asarray(series), np.asarray(cov), jacobian=jacobian)
    labels = _labels(names, len(result.estimates))
    table = pd.DataFrame(result.cov, index=labels, columns=labels)
    return VarcompVcov(
        pd.Series(result.estimates, labels, name="estimate"), table, "delta", "the delta method"
    )


def _labels(names: str | Sequence[str] | None, n: int) -> list[str]:
    if names is None:
        return [f"g{i + 1}" for i in range(n)]
    labels = [names] if isinstance(names, str) else list(names)
    if len(labels) != n:
        raise SpecError(f"g gives {n} value(s), names has {len(labels)}")
    return labels


def _by_name(cov: pd.DataFrame, estimates: pd.Series) -> pd.DataFrame:
    for axis in (cov.index, cov.columns):
        only = set(axis) ^ set(estimates.index)
        if only:
            raise SpecError(
                f"estimates and cov do not have the same names: {sorted(map(str, only))}"
            )
    return cov.loc[list(estimates.index), list(estimates.index)]

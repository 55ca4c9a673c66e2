"""The verbs: fit a model, read one back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .analysis.lm_list import LmList
from .check.diagnose import at_once
from .errors import ConvergenceWarning, SpecError, warn
from .fit import engine as engines
from .frame.incoming import FrameLike, as_frame
from .model.spec import ModelSpec, Random, gls_spec, lme_spec
from .options import told_of_others
from .results import LmeResults

ELSEWHERE = {
    "reml": "the method is 'REML' or 'ML': method='ML'",
    "REML": "the method is 'REML' or 'ML': method='ML'",
    "subset": "filter the frame",
    "na.action": "na_action='drop' or 'raise'",
    "missing": "na_action='drop' or 'raise'",
    "formula": "the formula stands first",
    "family": "nlme fits normal responses only",
}


@told_of_others(
    groups="the groups stand in random: '~ 1 | group'",
    re_formula="the terms stand in random: '~ terms | group'",
    vc_formula="several terms of one group stand in random: {'group': ['~ 1', rb.pdIdent(…)]}",
    **ELSEWHERE,
)
def lme(
    fixed: str | LmList,
    data: FrameLike | None = None,
    random: Random | None = None,
    *,
    correlation: object = None,
    weights: object = None,
    method: str = "REML",
    contrasts: Mapping[str, Any] | None = None,
    control: Mapping[str, Any] | None = None,
    na_action: str = "drop",
    engine: str = "nlme",
) -> LmeResults:
    """Fit a linear mixed model with R's ``nlme::lme``.

    Parameters
    ----------
    fixed : str or LmList
        ``"y ~ x1 * x2"``: R's formula language, with the usual functions (``log``, ``I``,
        ``poly``, ``ns`` …). Of an :func:`rbridge.lm_list` its formula and data are taken, and
        without ``random`` every coefficient varies over its groups, started where it ends.
    data : DataFrame
        Or any frame with ``__arrow_c_stream__`` (polars, pyarrow, duckdb …) or ``to_pandas``.
        Strings and categoricals are factors. The reference level of a categorical is its first
        category, of strings the first by code point, whatever the locale. Ordered categoricals
        have polynomial contrasts (``contr.poly``: ``.L``, ``.Q`` …), as in R.
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
    engine : {"nlme", "pinned", "native"}
        Who searches for the optimum: R; or Newton's method here, at whose optimum nlme then fits
        (``pinned``) or is not asked to fit at all (``native``): docs/engines.md.

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
    fixed, data, random = _parts(fixed, data, random)
    return fit_spec(lme_spec(fixed, random, correlation, weights, **options), data, engine)


def _parts(
    fixed: str | LmList, data: FrameLike | None, random: Random | None
) -> tuple[str, FrameLike, Random]:
    """Formula, data and random effects, from an lm_list where one is given."""
    if isinstance(fixed, LmList):
        started = {fixed.group: fixed.start()} if random is None else random
        return fixed.formula, fixed.data if data is None else data, started
    if data is None:
        raise SpecError("lme needs data, a DataFrame")
    if random is None:
        told = "random must be given, '~ terms | group': a frame has no groups of its own, as R's"
        raise SpecError(f"{told} groupedData has; lme(rb.lm_list(…)) takes those of the list")
    return fixed, data, random


@told_of_others(random="gls has no random effects: use rb.lme", **ELSEWHERE)
def gls(
    model: str,
    data: FrameLike,
    *,
    correlation: object = None,
    weights: object = None,
    method: str = "REML",
    contrasts: Mapping[str, Any] | None = None,
    control: Mapping[str, Any] | None = None,
    na_action: str = "drop",
    engine: str = "nlme",
) -> LmeResults:
    """Fit a linear model by generalised least squares with R's ``nlme::gls``.

    Arguments, result and errors as for :func:`lme`.
    """
    options = _options(method, contrasts, control, na_action)
    return fit_spec(gls_spec(model, correlation, weights, **options), data, engine)


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


def fit_spec(spec: ModelSpec, data: FrameLike, engine: str = "nlme") -> LmeResults:
    """Fit a :class:`ModelSpec`; raises as :func:`lme`."""
    data = as_frame(data)
    fitted = engines.fit(spec, data, engine)
    fit = LmeResults(fitted.snapshot, fitted, data.index, data)
    for text in at_once(fit):
        warn(text, ConvergenceWarning)
    return fit

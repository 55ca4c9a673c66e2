"""The findings of a cross-check: how far two answers are apart, and what lies between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from ..errors import LmeInfoUnsupported, SpecError
from .findings import FAILURE, NOTE, OK, UNCHECKED, WARNING, Finding
from .tolerances import CHECK

if TYPE_CHECKING:
    from ..results import LmeResults, VarcompVcov

TOLERANCE = CHECK["C"].value
LAST_UPDATE = 1e-5  # of the log-likelihood: how far one more update of fitted(.) may move it


class Reference(Protocol):
    """Who answers for lmeInfo: ``fit.lmeinfo`` itself, or a record of what it said."""

    def fisher_info(self, type: str = "expected") -> pd.DataFrame:
        ...

    def varcomp_vcov(self, type: str = "expected") -> VarcompVcov:
        ...

    def extract_varcomp(self) -> pd.Series:
        ...


def aligned(values: pd.Series, names: pd.Index) -> pd.Series:
    """The values in the order of the names; a name that only one side has is an error."""
    only = set(values.index) ^ set(names)
    if only:
        raise SpecError(f"only one side has {sorted(only)}")
    return values.loc[list(names)]


def relative_difference(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """Largest difference of two covariance matrices by name, in units of √(b_ii b_jj)."""
    aligned(pd.Series(0.0, one.index), other.index)
    a = one.loc[other.index, other.index].to_numpy()
    b = other.to_numpy()
    scale = np.sqrt(np.abs(np.diag(b)))
    return float(np.max(np.abs(a - b) / np.outer(scale, scale)))


def convergence(fit: LmeResults) -> list[Finding]:
    """Without convergence there is nothing to check: these are not the model's estimates."""
    if fit.converged:
        return []
    text = "nlme stopped without convergence: what follows is not about the model's estimates"
    return [Finding("convergence", UNCHECKED, None, text)]


def log_likelihood(fit: LmeResults) -> Finding:
    """Our log-likelihood at nlme's estimates: the two must speak of the same model."""
    snap = fit.snapshot
    ours = fit._forms.log_likelihood
    size = abs(ours - snap.log_lik) / max(1.0, abs(snap.log_lik))
    if size <= CHECK["log-likelihood"].value:
        text = f"computed here and by nlme, it is the same ({ours:.8g})"
        return Finding("log-likelihood", OK, size, text)
    if snap.fixed_sigma:
        text = (
            f"nlme reports {snap.log_lik:.8g}, but leaves terms out where sigma is fixed; "
            f"exact: {ours:.8g}"
        )
        return Finding("log-likelihood", NOTE, size, text)
    if _moves(fit) and size <= LAST_UPDATE:
        text = (
            f"nlme computed it ({snap.log_lik:.8g}) before the last update of the fitted values in "
            f"the variance function; at the update: {ours:.8g}"
        )
        return Finding("log-likelihood", NOTE, size, text)
    text = f"computed here it is {ours:.10g}, by nlme {snap.log_lik:.10g}: not the same model"
    return Finding("log-likelihood", FAILURE, size, text)


def _moves(fit: LmeResults) -> bool:
    """Whether a variance function depends on the fit's own values."""
    formulas = (s.formula() for s in fit.spec.structures() if s.kind == "varFunc")
    return any(formula is not None and "." in formula.columns for formula in formulas)


def gap_a(fit: LmeResults, vcov: Mapping[str, VarcompVcov], missing: Mapping[str, str]) -> Finding:
    if "delta" not in vcov or "observed" not in vcov:
        which = "delta" if "delta" in missing else "observed"
        who = "nlme gave no apVar" if which == "delta" else "there is no exact observed covariance"
        native = (
            "; the exact results below stand in" if which == "delta" and "observed" in vcov else ""
        )
        level = WARNING if "observed" in vcov else UNCHECKED
        return Finding("A", level, None, f"{who}: {missing[which]}{native}")
    size = relative_difference(vcov["delta"].cov, vcov["observed"].cov)
    text = f"nlme's apVar and the exact observed information differ by {size:.2g}: "
    if fit.snapshot.fixed_sigma:
        text += "where sigma is fixed, nlme's apVar leaves terms of the likelihood out and is wrong"
        return Finding("A", WARNING, size, text)
    text += "both estimate the same matrix, so this is the error of the finite differences in nlme"
    doubts = {finding.code for finding in fit.diagnose()}
    if "gradient" in doubts:
        text += " (and of nlme having stopped before the optimum)"
    if doubts & {"identification", "conditioning"}:
        text += " (worst where the information is singular or nearly so, as here)"
    return Finding("A", NOTE if size < CHECK["A"].value else WARNING, size, text)


def gap_b(vcov: Mapping[str, VarcompVcov], missing: Mapping[str, str]) -> Finding:
    for name in ("observed", "expected"):
        if name not in vcov:
            return Finding(
                "B", WARNING, None, f"no covariance by {name} information: {missing[name]}"
            )
    size = relative_difference(vcov["observed"].cov, vcov["expected"].cov)
    if size < CHECK["B"].value:
        text = (
            f"observed and expected information agree to {size:.1g}, as in balanced designs "
            "(what remains is how far nlme stops from the optimum)"
        )
        return Finding("B", OK, size, text)
    text = (
        f"observed and expected information give covariances {size:.2g} apart: two legitimate "
        "estimators, curvature at these data and its average over data; neither is an error"
    )
    return Finding("B", NOTE, size, text)


def gap_c(
    fit: LmeResults,
    lmeinfo: Reference,
    vcov: Mapping[str, VarcompVcov],
    missing: Mapping[str, str],
    absent: bool,
) -> Finding:
    if "expected" not in vcov:
        text = f"no covariance by expected information: {missing['expected']}"
        return Finding("C", UNCHECKED, None, text)
    if "lmeInfo" not in vcov:
        level = UNCHECKED if absent else NOTE
        return Finding("C", level, None, f"no reference: {missing['lmeInfo']}")
    return _compared("C", fit, vcov["expected"], vcov["lmeInfo"], lmeinfo)


def _compared(
    code: str, fit: LmeResults, ours: VarcompVcov, theirs: VarcompVcov, lmeinfo: Reference
) -> Finding:
    """Two covariances by one formula; near singularity, the informations they invert."""
    kind = ours.method
    what = f"{kind} information here and by lmeInfo"
    size = relative_difference(ours.cov, theirs.cov)
    if size <= TOLERANCE:
        return Finding(code, OK, size, f"{what} agree to {size:.1g}")
    if kind == "average" and _moves(fit) and size <= LAST_UPDATE:
        text = f"{what} differ by {size:.1g}: nlme's coefficients lag by one update of fitted(.)"
        return Finding(code, NOTE, size, text)
    direct = relative_difference(fit.fisher_info(kind), lmeinfo.fisher_info(kind))
    if direct <= TOLERANCE:
        text = (
            f"{what} agree to {direct:.1g}; it is nearly singular, so that rounding moves the "
            f"covariances by {size:.1g}"
        )
        return Finding(code, NOTE, direct, text)
    text = f"{what} differ by {size:.2g}, more than {TOLERANCE:g}"
    return Finding(code, FAILURE, size, text)


def rest_of_lmeinfo(
    fit: LmeResults, lmeinfo: Reference, vcov: Mapping[str, VarcompVcov]
) -> list[Finding]:
    """The average information and the estimates, by lmeInfo too."""
    theirs = aligned(lmeinfo.extract_varcomp(), fit.varcomp.index)
    size = float(np.max(np.abs(fit.varcomp - theirs) / np.abs(theirs).clip(lower=1e-300)))
    level = OK if size <= CHECK["estimates"].value else FAILURE
    text = f"components here and by lmeInfo: {size:.1g} apart"
    estimates = Finding("estimates", level, size, text)
    if "average" not in vcov:
        return [estimates]
    try:
        average = lmeinfo.varcomp_vcov("average")
    except LmeInfoUnsupported as error:
        return [Finding("C average", NOTE, None, f"no reference: {error}"), estimates]
    return [_compared("C average", fit, vcov["average"], average, lmeinfo), estimates]

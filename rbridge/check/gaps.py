"""The findings of a cross-check: how far two answers are apart, and what lies between them."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from ..core.collinearity import collinearity
from ..core.fitting.shortfall import shortfall
from ..errors import InformationError, LmeInfoUnsupported
from ..fit.components import Fit
from ..fit.vcov import VarcompVcov
from .answers import Answers
from .diagnose import LOST, diagnose, weights_move
from .distance import aligned, farthest, largest, relative_difference
from .findings import FAILURE, NOTE, OK, UNCHECKED, WARNING, Finding
from .tolerances import CHECK

TOLERANCE = CHECK["C"].value
_SE = "standard error "
LAST_UPDATE = 1e-5  # of the log-likelihood: how far one more update of fitted(.) may move it


def convergence(fit: Fit) -> list[Finding]:
    """Without convergence there is nothing to check: these are not the model's estimates."""
    if fit.converged:
        return []
    text = "nlme stopped without convergence: what follows is not about the model's estimates"
    return [Finding("convergence", UNCHECKED, None, text)]


def log_likelihood(fit: Fit) -> Finding:
    """Our log-likelihood at nlme's estimates: the two must speak of the same model."""
    snap = fit.snapshot
    ours = fit.forms.log_likelihood
    size = abs(ours - snap.log_lik) / max(1.0, abs(snap.log_lik))
    if fit.engine == "native":
        text = f"computed here ({ours:.8g}); nlme fitted nothing (engine='native')"
        return Finding("log-likelihood", NOTE, size, text)
    if size <= CHECK["log-likelihood"].value:
        text = f"computed here and by nlme, it is the same ({ours:.8g})"
        return Finding("log-likelihood", OK, size, text)
    if snap.fixed_sigma:
        text = (
            f"nlme reports {snap.log_lik:.8g}, but leaves terms out where sigma is fixed; "
            f"exact: {ours:.8g}"
        )
        return Finding("log-likelihood", NOTE, size, text)
    if weights_move(fit) and size <= LAST_UPDATE:
        text = (
            f"nlme computed it ({snap.log_lik:.8g}) before the last update of the fitted values in "
            f"the variance function; at the update: {ours:.8g}"
        )
        return Finding("log-likelihood", NOTE, size, text)
    why = "not the same model"
    if weights_move(fit):
        why = "nlme stopped while the fitted values in the variance function still moved"
    text = f"computed here it is {ours:.10g}, by nlme {snap.log_lik:.10g}: {why}"
    return Finding("log-likelihood", FAILURE, size, text)


def optimum(fit: Fit) -> Finding:
    """How far the search stopped from the optimum above it."""
    who = "the search here" if fit.engine == "native" else "nlme"
    try:
        found = shortfall(fit.snapshot)
    except InformationError as error:
        return Finding(
            "optimum", NOTE, None, f"how far {who} stopped from it is not known: {error}"
        )
    size = found.move
    below = f"{max(found.log_lik, 0):.1g} below it in log-likelihood"
    text = f"{who} stopped {size:.1g} standard errors from it, {below}"
    if size <= CHECK["optimum"].value:
        return Finding("optimum", OK, size, text)
    text += f" ({found.parameter} is farthest): engine='pinned' has nlme's numbers at the optimum"
    return Finding("optimum", WARNING, size, text, (found.parameter,))


def gap_a(answers: Answers) -> Finding:
    """nlme's apVar against the exact Hessian."""
    for method in ("delta", "observed"):
        if not answers.has(method):
            return _no_gap_a(answers, method)
    size = relative_difference(answers.vcov("delta").cov, answers.vcov("observed").cov)
    if answers.fit.engine == "native":
        text = "apVar is the exact observed information here (engine='native'), not nlme's"
        return Finding("A", NOTE, size, text)
    text = f"nlme's apVar and the exact observed information differ by {size:.2g}: "
    if answers.fit.snapshot.fixed_sigma:
        text += "where sigma is fixed, nlme's apVar leaves terms of the likelihood out and is wrong"
        return Finding("A", WARNING, size, text)
    text += "both estimate the same matrix, so this is the error of the finite differences in nlme"
    doubts = {finding.code for finding in diagnose(answers.fit)}
    if "gradient" in doubts:
        text += " (and of nlme having stopped before the optimum)"
    if doubts & {"identification", "conditioning"}:
        text += " (worst where the information is singular or nearly so, as here)"
    if "collinearity" in doubts:
        text += " (worst where the fixed effects are nearly collinear, as here)"
    return Finding("A", NOTE if size < CHECK["A"].value else WARNING, size, text)


def _no_gap_a(answers: Answers, method: str) -> Finding:
    who = {"delta": "nlme gave no apVar", "observed": "there is no exact observed covariance"}
    text = f"{who[method]}: {answers.why_not(method)}"
    if not answers.has("observed"):
        return Finding("A", UNCHECKED, None, text)
    return Finding("A", WARNING, None, f"{text}; the exact results below stand in")


def gap_b(answers: Answers) -> Finding:
    """Observed against expected information."""
    for name in ("observed", "expected"):
        if not answers.has(name):
            text = f"no covariance by {name} information: {answers.why_not(name)}"
            return Finding("B", WARNING, None, text)
    size = relative_difference(answers.vcov("observed").cov, answers.vcov("expected").cov)
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


def gap_c(answers: Answers) -> Finding:
    """Expected information here and by lmeInfo."""
    if not answers.has("expected"):
        text = f"no covariance by expected information: {answers.why_not('expected')}"
        return Finding("C", UNCHECKED, None, text)
    if not answers.has("lmeInfo"):
        level = UNCHECKED if answers.uninstalled else NOTE
        return Finding("C", level, None, f"no reference: {answers.why_not('lmeInfo')}")
    return _compared("C", answers, "expected", answers.vcov("lmeInfo"))


def _compared(code: str, answers: Answers, kind: str, theirs: VarcompVcov) -> Finding:
    """Two covariances by one formula, and the components that lie furthest apart."""
    finding = _by_one_formula(code, answers, kind, theirs.cov)
    ours = answers.vcov(kind).se
    names, told = farthest(ours, aligned(theirs.se, ours.index), (kind, "lmeInfo"), _SE)
    if finding.level == FAILURE:
        return replace(finding, text=f"{finding.text}; {told}", parameters=names)
    named = finding.size and code != "C"  # of C the table of standard errors tells
    return replace(finding, parameters=names[:1]) if named else finding


def _by_one_formula(code: str, answers: Answers, kind: str, theirs: pd.DataFrame) -> Finding:
    """Near singularity, the informations that the covariances invert are compared."""
    what = f"{kind} information here and by lmeInfo"
    size = relative_difference(answers.vcov(kind).cov, theirs)
    if size <= TOLERANCE:
        return Finding(code, OK, size, f"{what} agree to {size:.1g}")
    if kind == "average" and weights_move(answers.fit) and size <= LAST_UPDATE:
        text = f"{what} differ by {size:.1g}: nlme's coefficients lag by one update of fitted(.)"
        return Finding(code, NOTE, size, text)
    ours = answers.fit.fisher_info(kind)
    direct = relative_difference(ours, answers.lmeinfo.fisher_info(kind))
    if direct <= TOLERANCE:
        text = (
            f"{what} agree to {direct:.1g}; it is nearly singular, so that rounding moves the "
            f"covariances by {size:.1g}"
        )
        return Finding(code, NOTE, direct, text)
    lost = collinearity(answers.fit.forms).rounding
    if direct <= lost:
        text = (
            f"{what} differ by {direct:.1g}, and rounding may take {lost:.1g}: the fixed effects "
            "are nearly collinear, which costs lmeInfo digits"
        )
        return Finding(code, NOTE if lost <= LOST else UNCHECKED, direct, text)
    text = f"{what} differ by {size:.2g}, more than {TOLERANCE:g}"
    return Finding(code, FAILURE, size, text)


def rest_of_lmeinfo(answers: Answers) -> list[Finding]:
    """The average information and the estimates, by lmeInfo too."""
    if not answers.has("lmeInfo"):
        return []
    ours = answers.fit.varcomp
    theirs = aligned(answers.lmeinfo.extract_varcomp(), ours.index)
    size = largest(ours - theirs, theirs)
    level = OK if size <= CHECK["estimates"].value else FAILURE
    text = f"components here and by lmeInfo: {size:.1g} apart"
    names, told = farthest(ours, theirs, ("here", "lmeInfo"))
    text = f"{text}; {told}" if level == FAILURE else text
    far = names if level == FAILURE else names[: bool(size)]
    estimates = Finding("estimates", level, size, text, far)
    if not answers.has("average"):
        return [estimates]
    try:
        average = answers.lmeinfo.varcomp_vcov("average")
    except LmeInfoUnsupported as error:
        return [Finding("C average", NOTE, None, f"no reference: {error}"), estimates]
    return [_compared("C average", answers, "average", average), estimates]

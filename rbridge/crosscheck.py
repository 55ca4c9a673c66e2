"""Delta against observed against expected against lmeInfo: every gap measured and explained.

    delta(apVar) --A--> observed --B--> expected here --C--> expected by lmeInfo

A is the error of nlme's finite differences, B the distance between two estimators, C a test of
correctness.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from xml.etree import ElementTree

import numpy as np
import pandas as pd

from .errors import (
    ApVarError,
    InformationError,
    LmeInfoUnsupported,
    RPackageError,
    RWarning,
    SpecError,
)
from .findings import FAILURE, NOTE, OK, UNCHECKED, WARNING, Finding, lines
from .report import Part, Report
from .tolerances import CHECK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .results import LmeResults, VarcompVcov

TOLERANCE = CHECK["C"].value
LAST_UPDATE = 1e-5  # of the log-likelihood: how far one more update of fitted(.) may move it
GAPS = {"A": ("delta", "observed"), "B": ("observed", "expected"), "C": ("expected", "lmeInfo")}


class Reference(Protocol):
    """Who answers for lmeInfo: ``fit.lmeinfo`` itself, or a record of what it said."""

    def fisher_info(self, type: str = "expected") -> pd.DataFrame:
        ...

    def varcomp_vcov(self, type: str = "expected") -> VarcompVcov:
        ...

    def extract_varcomp(self) -> pd.Series:
        ...


@dataclass(frozen=True)
class Crosscheck:
    """The result of a cross-check.

    Attributes
    ----------
    title : str
        The model.
    table : DataFrame
        One row a parameter: ``estimate``, the standard error by each method that gave one
        (``delta``, ``observed``, ``average``, ``expected``, ``lmeInfo``), and the gaps ``A``,
        ``B``, ``C`` as relative differences of standard errors. A method without an answer has
        no column; ``findings`` says why.
    findings : tuple of Finding
    provenance : mapping of str to str
    """

    title: str
    table: pd.DataFrame
    findings: tuple[Finding, ...]
    provenance: Mapping[str, str]

    @property
    def passed(self) -> bool:
        """No finding is a failure."""
        return not any(finding.level == FAILURE for finding in self.findings)

    @property
    def checked(self) -> bool:
        """False where something that could have been compared was not there."""
        return not any(finding.level == UNCHECKED for finding in self.findings)

    def finding(self, code: str) -> Finding:
        """The finding of that code.

        Raises
        ------
        SpecError
            There is none.
        """
        for finding in self.findings:
            if finding.code == code:
                return finding
        raise SpecError(f"there is no finding {code!r} (have {[f.code for f in self.findings]})")

    def to_json(self) -> str:
        """Everything, as JSON."""
        table = {column: self.table[column].to_dict() for column in self.table}
        content = {
            "model": self.title,
            "passed": self.passed,
            "findings": [vars(finding) for finding in self.findings],
            "table": table,
            "provenance": dict(self.provenance),
        }
        return json.dumps(content, indent=2, ensure_ascii=False)

    def to_markdown(self) -> str:
        """For a pull-request comment."""
        return self._report().to_markdown()

    def to_junit(self) -> str:
        """JUnit XML: one test case a finding."""
        failures = sum(f.level == FAILURE for f in self.findings)
        skipped = sum(f.size is None for f in self.findings)
        counts = {
            "tests": len(self.findings),
            "failures": failures,
            "skipped": skipped,
            "errors": 0,
        }
        suite = ElementTree.Element("testsuite", {"name": self.title, **_texts(counts)})
        for f in self.findings:
            case = ElementTree.SubElement(
                suite, "testcase", {"classname": self.title, "name": f.code}
            )
            if f.level == FAILURE:
                ElementTree.SubElement(case, "failure", {"message": f.text})
            elif f.size is None:
                ElementTree.SubElement(case, "skipped", {"message": f.text})
            else:
                ElementTree.SubElement(case, "system-out").text = f.text
        return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)

    def plot(self) -> Figure:
        """The gaps on a log axis with their tolerances: :func:`rbridge.plot.crosscheck_gaps`."""
        from .plot import crosscheck_gaps

        return crosscheck_gaps(self)

    def _report(self) -> Report:
        gaps = [gap for gap in GAPS if gap in self.table]
        table = self.table.drop(columns=gaps)
        sizes = pd.DataFrame({gap: self.table[gap].map("{:+.1e}".format) for gap in gaps})
        verdict = "The numbers agree." if self.passed else "THE NUMBERS DISAGREE."
        parts: list[tuple[str, Part]] = [("Standard errors by method", table)]
        if gaps:
            parts.append(("Relative gaps of the standard errors", sizes))
        parts.append(("Findings", f"{lines(self.findings)}\n{verdict}"))
        return Report(f"Cross-check: {self.title}", parts)

    def __str__(self) -> str:
        return str(self._report())

    def _repr_html_(self) -> str:
        return self._report().to_html()


def _texts(mapping: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in mapping.items()}


def crosscheck(fit: LmeResults, reference: Reference | None = None) -> Crosscheck:
    """Compare every estimate of the components' covariance that can be had.

    Parameters
    ----------
    fit : LmeResults
    reference : Reference, optional
        Recorded answers of lmeInfo, in place of ``fit.lmeinfo``.
    """
    lmeinfo: Reference = reference or fit.lmeinfo
    absent = False
    findings: list[Finding] = []
    vcov: dict[str, VarcompVcov] = {}
    missing: dict[str, str] = {}
    for method in ("delta", "observed", "average", "expected"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RWarning)  # gap A says the same
                vcov[method] = fit.varcomp_vcov(method)
        except (ApVarError, InformationError) as error:
            missing[method] = str(error)
    try:
        vcov["lmeInfo"] = lmeinfo.varcomp_vcov("expected")
    except (LmeInfoUnsupported, RPackageError) as error:
        missing["lmeInfo"] = str(error)
        absent = isinstance(error, RPackageError)
    findings.append(_log_likelihood(fit))
    findings.append(_gap_a(fit, vcov, missing))
    findings.append(_gap_b(vcov, missing))
    findings.append(_gap_c(fit, lmeinfo, vcov, missing, absent))
    if "lmeInfo" in vcov:
        findings += _rest_of_lmeinfo(fit, lmeinfo, vcov)
    return Crosscheck(_title(fit), _table(fit, vcov), tuple(findings), fit.provenance)


def _title(fit: LmeResults) -> str:
    spec = fit.spec
    random = (f"{getattr(term, 'form', term.r_class)} | {group}" for group, term in spec.random)
    within = (s.r_class for s in (spec.correlation, spec.weights) if s is not None)
    return "; ".join([spec.fixed, *random, *within, spec.method])


def _table(fit: LmeResults, vcov: Mapping[str, VarcompVcov]) -> pd.DataFrame:
    table = pd.DataFrame({"estimate": fit.varcomp})
    for name, result in vcov.items():
        table[name] = aligned(result.se, table.index)
    for gap, (one, other) in GAPS.items():
        if one in table and other in table:
            table[gap] = table[one] / table[other] - 1
    return table


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


def _log_likelihood(fit: LmeResults) -> Finding:
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


def _gap_a(fit: LmeResults, vcov: Mapping[str, VarcompVcov], missing: Mapping[str, str]) -> Finding:
    if "delta" not in vcov or "observed" not in vcov:
        which = "delta" if "delta" in missing else "observed"
        who = "nlme gave no apVar" if which == "delta" else "there is no exact observed covariance"
        native = (
            "; the exact results below stand in" if which == "delta" and "observed" in vcov else ""
        )
        return Finding("A", WARNING, None, f"{who}: {missing[which]}{native}")
    size = relative_difference(vcov["delta"].cov, vcov["observed"].cov)
    text = f"nlme's apVar and the exact observed information differ by {size:.2g}: "
    if fit.snapshot.fixed_sigma:
        text += "where sigma is fixed, nlme's apVar leaves terms of the likelihood out and is wrong"
        return Finding("A", WARNING, size, text)
    text += "both estimate the same matrix, so this is the error of the finite differences in nlme"
    if any(finding.code == "gradient" for finding in fit.diagnose()):
        text += " (and of nlme having stopped before the optimum)"
    return Finding("A", NOTE if size < CHECK["A"].value else WARNING, size, text)


def _gap_b(vcov: Mapping[str, VarcompVcov], missing: Mapping[str, str]) -> Finding:
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


def _gap_c(
    fit: LmeResults,
    lmeinfo: Reference,
    vcov: Mapping[str, VarcompVcov],
    missing: Mapping[str, str],
    absent: bool,
) -> Finding:
    if "lmeInfo" not in vcov:
        level = UNCHECKED if absent else NOTE
        return Finding("C", level, None, f"no reference: {missing['lmeInfo']}")
    if "expected" not in vcov:
        text = f"no expected information here: {missing['expected']}"
        return Finding("C", UNCHECKED, None, text)
    return _compared("C", "expected", fit, vcov["expected"], lmeinfo)


def _compared(
    code: str, kind: str, fit: LmeResults, vcov: VarcompVcov, lmeinfo: Reference
) -> Finding:
    """Two covariances by one formula; near singularity, the informations they invert."""
    what = f"{kind} information here and by lmeInfo"
    size = relative_difference(vcov.cov, lmeinfo.varcomp_vcov(kind).cov)
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


def _rest_of_lmeinfo(
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
        return [_compared("C average", "average", fit, vcov["average"], lmeinfo), estimates]
    except LmeInfoUnsupported as error:
        return [Finding("C average", NOTE, None, f"no reference: {error}"), estimates]

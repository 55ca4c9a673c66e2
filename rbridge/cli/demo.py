"""The seed's example: why 0.0634 was wrong, why 0.1710 is right, and where 0.1724 comes from."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Callable

import pandas as pd

from ..analysis.ranef import ranef_params
from ..api import lme
from ..datasets import load
from ..errors import RPackageError
from ..fit.vcov import VarcompVcov
from ..results import LmeResults
from ..show.report import Report

COVARIANCE = "Tau.subject.cov(age,(Intercept))"


def run(show: Callable[[str], object]) -> int:
    """Show the example; 0 where the numbers agree, 1 where they do not."""
    data = load("orthodont")
    show(
        "fit = rb.lme('distance ~ age * sex', data, '~ age | subject', "
        "contrasts={'sex': 'contr.sum'})\n"
    )
    fit = lme("distance ~ age * sex", data, "~ age | subject", contrasts={"sex": "contr.sum"})
    show(str(fit.summary()))
    show(str(fit.apvar))
    show(str(_table(fit)))
    show(str(fit.varcomp_vcov("delta")))
    reference, note = _lmeinfo(fit)
    show(str(_side_by_side(fit, reference)))
    if note:
        show(note + "\n")
    check = fit.crosscheck()
    show(str(check))
    return 1 if check.failed else 0


def _table(fit: LmeResults) -> Report:
    table = ranef_params(fit)
    wrong = table.attrs["var.sigma.diagonal_only"][-1]
    text = (
        f"The delta method needs all of apVar. Taking its parameters as uncorrelated gives\n"
        f"Var(cov) = {wrong:.4f} in place of {table['var.sigma'].iloc[-1]:.4f}: the mistake that "
        "started this project."
    )
    return Report("The same on the scale of variances", [("", table), ("", text)])


def _lmeinfo(fit: LmeResults) -> tuple[VarcompVcov, str]:
    """lmeInfo's expected-information covariance: live, or recorded where it is not installed."""
    try:
        return fit.lmeinfo.varcomp_vcov("expected"), ""
    except RPackageError as error:
        recorded = _recorded()
        return recorded, f"lmeInfo's column is recorded ({recorded.source}). {error}"


def _recorded() -> VarcompVcov:
    text = (
        importlib.resources.files("rbridge.datasets")
        .joinpath("demo_lmeinfo.json")
        .read_text("utf-8")
    )
    stored = json.loads(text)
    names = stored["names"]
    cov = pd.DataFrame(stored["cov"], index=names, columns=names)
    estimates = pd.Series(stored["estimates"], names, name="estimate")
    return VarcompVcov(estimates, cov, "expected", stored["source"])


def _side_by_side(fit: LmeResults, reference: VarcompVcov) -> Report:
    delta, observed = fit.varcomp_vcov("delta"), fit.varcomp_vcov("observed")
    expected = fit.varcomp_vcov("expected")
    wrong = ranef_params(fit).attrs["var.sigma.diagonal_only"][-1]
    rows = {
        "delta method, parameters taken as uncorrelated (wrong)": wrong,
        "delta method, full apVar": delta.cov.loc[COVARIANCE, COVARIANCE],
        "observed information, exact": observed.cov.loc[COVARIANCE, COVARIANCE],
        "expected information, exact": expected.cov.loc[COVARIANCE, COVARIANCE],
        f"{reference.source}": reference.cov.loc[COVARIANCE, COVARIANCE],
    }
    values = pd.Series(rows).map("{:.7f}".format).to_frame(f"Var of {COVARIANCE}")
    text = (
        "The first step is the mistake. From the full delta method to the exact observed\n"
        "information, the step is the error of nlme's finite differences (0.1710 to 0.1723 seen:\n"
        "the order of the subjects and the machine's linear algebra move it). From observed to\n"
        "expected there is no step: the data are balanced. lmeInfo confirms the last figure."
    )
    return Report("Five answers to one question", [("", values), ("", text)])

"""An apVar that is wrong is handed out with a word, wherever its numbers are taken."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any, Callable

import numpy as np
import pytest

import rbridge as rb
from rbridge.core import parameters
from rbridge.core.snapshot import ApVar
from rbridge.errors import RWarning
from rbridge.many.outcomes import row_of
from rbridge.results import LmeResults
from tests.support.fits import recorded

SEED = "orthodont-seed"


def with_apvar(factor: float) -> LmeResults:
    """The seed's fit with an apVar that is so many times the exact one."""
    fit = recorded(SEED)
    apvar = fit.snapshot.apvar
    assert isinstance(apvar, ApVar)
    J = np.linalg.inv(parameters.jacobian(fit.snapshot, apvar.pars))
    cov = factor * J @ fit.varcomp_vcov("observed").cov.to_numpy() @ J.T
    return LmeResults(replace(fit.snapshot, apvar=replace(apvar, cov=(cov + cov.T) / 2)))


@pytest.mark.parametrize("factor", [0.5, 0.94, 0.96, 1.0, 1.04, 1.06, 13.0])
def test_the_size_is_the_share_that_is_wrong(factor: float) -> None:
    fit = with_apvar(factor)
    assert fit.apvar_error == pytest.approx(abs(factor - 1), abs=1e-6)
    assert fit.crosscheck(lmeinfo=False).finding("A").size == pytest.approx(fit.apvar_error)
    found = [f for f in fit.diagnose() if f.code == "apVar"]
    assert bool(found) == bool(fit.apvar_doubt()) == (abs(factor - 1) >= 0.05)
    assert not found or (found[0].level, found[0].size) == ("warning", fit.apvar_error)


TAKEN: dict[str, Callable[[LmeResults], Any]] = {
    "varcomp_vcov": lambda fit: fit.varcomp_vcov("delta"),
    "intervals": lambda fit: fit.intervals(),
    "all intervals": lambda fit: fit.intervals(which="all"),
    "derive": lambda fit: fit.derive("icc = mean_var(subject) / total", method="delta"),
    "tidy": lambda fit: fit.tidy(method="delta"),
    "ranef_params": rb.ranef_params,
}


@pytest.mark.parametrize("name", TAKEN)
def test_who_takes_the_number_is_warned(name: str) -> None:
    with pytest.warns(RWarning, match="apVar is off by up to 12 of the exact variances.*observed"):
        TAKEN[name](with_apvar(13))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TAKEN[name](with_apvar(1.01))


def test_nobody_else_is() -> None:
    fit = with_apvar(13)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for call in (fit.summary, fit.varcomp_vcov, fit.tidy, fit.diagnose):
            call()
        fit.intervals(which="fixed")
        fit.crosscheck(lmeinfo=False)


def test_tables_say_it_in_a_note() -> None:
    fit = with_apvar(13)
    table = fit.intervals(methods=["nlme", "log", "satterthwaite"])
    doubtful = table.note.str.contains("apVar is off")
    assert set(table.method[doubtful]) == {"nlme"} and doubtful.sum() == 4
    by_delta = fit.intervals(methods=["log", "wald"], vcov="delta")
    assert by_delta.note.str.contains("apVar is off").all()
    with pytest.warns(RWarning):  # a worker keeps it from the terminal
        assert "apVar is off" in row_of(0, fit.snapshot, ("delta",)).warnings
    assert "apVar" not in row_of(0, fit.snapshot, ("expected",)).warnings


def test_summary_names_the_doubt() -> None:
    assert "apVar: nlme's apVar is off by up to 12" in str(with_apvar(13).summary())


def test_a_real_fit_whose_apvar_is_off() -> None:
    """varComb on Orthodont: nlme's standard errors are 4 % off; those of the seed are not."""
    fit, good = recorded("varComb"), recorded(SEED)
    with pytest.warns(RWarning, match="off by up to 0.085"):
        delta = fit.varcomp_vcov("delta").se
    worst = np.abs(delta / fit.varcomp_vcov("observed").se - 1).max()
    assert 0.02 < worst < 0.05 and not good.apvar_doubt()


def test_a_fixed_sigma_is_told_at_every_place() -> None:
    fit = recorded("sigma-fixed-ml")
    for call in (lambda: fit.varcomp_vcov("delta"), fit.intervals):
        with pytest.warns(RWarning, match="apVar is wrong where sigma is fixed"):
            call()


def test_without_apvar_there_is_no_doubt() -> None:
    fit = recorded("igf-slope-ml")
    assert fit.apvar_error is None and fit.apvar_doubt() == ""

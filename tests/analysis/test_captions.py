"""Captions say what a number is, by which information, on which scale, and which coefficient."""

from __future__ import annotations

from typing import Any, Callable

import pytest

import rbridge as rb
from rbridge.analysis.summary import said
from rbridge.analysis.variance_at import variance_at
from rbridge.fit.regression import group_labels
from rbridge.results import LmeResults
from tests.support import synthetic
from tests.support.fits import recorded


def seed() -> LmeResults:
    return recorded("orthodont-seed")


WHAT: dict[str, tuple[Callable[[LmeResults], Any], str]] = {
    "Variance components": (
        lambda fit: fit.varcomp_vcov(),
        "log scale, natural for the rest",
    ),
    "Intraclass correlations": (rb.icc, "logit scale"),
    "R²: shares of the variance that are explained": (rb.r_squared, "logit scale"),
    "Standard deviations": (rb.standard_deviations, "log scale"),
    "Correlations of random effects": (rb.correlations, "Fisher's z scale"),
    "Ratio of variances": (
        lambda fit: rb.variance_ratio(fit, "mean_var(subject)", "sigma_sq"),
        "log scale",
    ),
    "Reliability of group means": (rb.reliability, "logit scale"),
    "Variances at given covariates": (lambda fit: variance_at(fit, {"age": [8, 14]}), "log scale"),
    "Derived quantities": (
        lambda fit: fit.derive("icc = mean_var(subject) / total"),
        "natural scale",
    ),
}


@pytest.mark.parametrize("what", WHAT)
def test_the_title_says_what_and_by_which_information(what: str) -> None:
    call, scale = WHAT[what]
    shown = str(call(seed()))
    assert shown.startswith(f"{what} (expected information, computed exactly")
    assert f"95% Wald intervals, {scale}\n" in shown
    assert what.split(":")[0] in call(seed())._repr_html_().replace("&#x27;", "'")


def test_functions_and_anybodys_estimates_are_derived() -> None:
    fit = seed()
    assert str(fit.derive(lambda v: v["sigma_sq"] ** 0.5)).startswith("Derived quantities (exp")
    found = rb.delta_method(lambda x: x[0] / x[1], fit.params[:2], fit.cov_params().iloc[:2, :2])
    assert str(found).startswith("Derived quantities (the delta method)")
    strata = str(rb.stratum_variances(recorded("varIdent")))
    assert strata.startswith("Residual variances of the strata (expected")


def test_scales_of_mixed_kinds_are_all_named() -> None:
    table = recorded("corSymm-gls").varcomp_vcov().to_frame()
    assert table.attrs["method"] == "95% Wald intervals, log scale (Fisher's z for correlations)"


def test_one_information_by_default() -> None:
    """summary, tidy, varcomp_vcov, icc and intervals take the same standard errors, and say so."""
    fit = seed()
    expected = fit.varcomp_vcov("expected")
    assert expected.source in str(fit.summary())
    assert f"{expected.se['sigma_sq']:.6g}" in str(fit.summary())
    assert expected.source in fit.tidy().attrs["method"]
    assert expected.source in fit.intervals(methods=["wald", "log"]).attrs["method"]
    assert fit.intervals(methods=["profile"]).attrs["method"] == "95% intervals"
    by = fit.tidy(scale="vcov", method="observed")
    assert "observed information" in by.attrs["method"]


def test_labels_that_only_number_a_coefficient_are_named_where_they_are_shown() -> None:
    fit = recorded("corSymm-gls")
    for shown in (fit.varcomp_vcov(), fit.summary(), fit.crosscheck(lmeinfo=False)):
        assert "cor_params4 = cor(2,3)" in str(shown)
        assert "cor_params4 = cor(2,3)" in shown._repr_html_()
    assert "cor_params4" in fit.varcomp_vcov().estimates.index  # the label is the key
    assert "cor_params4" in fit.varcomp_vcov().to_frame().index
    assert "cor_params = Phi" in str(recorded("corAR1").varcomp_vcov())


def test_findings_name_the_coefficient() -> None:
    texts = " ".join(f.text for f in recorded("varConstPower").diagnose())
    assert "var_params1 = const" in texts or "var_params2 = power" in texts


ASKED = {
    "corAR1": ["random: pdDiag(~ sin(2 * pi * time)) | mare", "correlation: corAR1(~ 1 | mare)"],
    "corARMA11": ["correlation: corARMA(~ 1 | mare, p=1, q=1)"],
    "pdBlocked": ["random: pdBlocked(pdSymm(~ 1), pdIdent(~ machine - 1)) | worker"],
    "varComb": ["weights: varComb(varIdent(~ 1 | qb), varPower(~ pressure))"],
    "oats-nested": ["random: ~ 1 | block; ~ 1 | variety"],
    "sigma-fixed-ml": ["sigma: fixed at 1.4"],
}


@pytest.mark.parametrize("name", ASKED)
def test_the_summary_names_the_model(name: str) -> None:
    shown = str(recorded(name).summary()).splitlines()
    assert [line for line in ASKED[name] if line not in shown] == []


def test_where_the_search_began_is_no_part_of_a_random_effect() -> None:
    assert said(rb.pdSymm("~ age", value=[[4, -0.2], [-0.2, 0.1]])) == "pdSymm(~ age)"
    assert said(rb.pdLogChol("~ age", value=[[4, 0], [0, 0.1]])) == "~ age"


def test_a_group_used_twice_has_its_name_once() -> None:
    effects = recorded("group-twice-and-inner").random_effects
    assert list(effects) == ["dog", "dog.1", "side"]
    assert list(effects["dog.1"].index) == list(effects["dog"].index)
    assert "/" not in effects["dog.1"].index[0] and effects["side"].index[0] == "1/L"


def test_other_levels_keep_nlmes_labels() -> None:
    snapshot = recorded("three-levels").snapshot
    assert group_labels(snapshot) == [list(level.labels) for level in snapshot.levels]
    assert group_labels(synthetic.seed()) == [list(synthetic.seed().levels[0].labels)]

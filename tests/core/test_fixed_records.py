"""Fixed effects against the records of nlme's anova, pbkrtest, lmerTest and mmrm.

Both sides stand at one optimum: nlme's of the suite's records, lmer's and mmrm's of their own.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rbridge.core.engine.contractions import contract
from rbridge.core.fixed_effects.containment import containment_df
from rbridge.core.fixed_effects.estimable import (
    TermHypothesis,
    design_root,
    type_one,
    type_three,
    type_two,
    weighted_root,
)
from rbridge.core.fixed_effects.inference import Inference, inference
from rbridge.core.snapshot import FitSnapshot, FixedTerms, PdBlock, RandomLevel
from rbridge.errors import SpecError
from tests.support import designs
from tests.support.grades import graded
from tests.support.places import REFERENCE
from tests.support.references import recorded
from tests.support.terms import fixed_terms, treatment


def read(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((REFERENCE / "fixed_effects" / name).read_text("utf-8"))
    return data


# nlme's anova ------------------------------------------------------------------------------------

ANOVA = {model["name"]: model for model in read("anova.json")["models"]}


@pytest.fixture(scope="module", params=graded(ANOVA, list(ANOVA)[::4]))
def suite_model(request: pytest.FixtureRequest) -> tuple[dict[str, Any], FitSnapshot, Inference]:
    fit = recorded(request.param)
    return ANOVA[request.param], fit, inference(fit, contract(fit), "containment")


def assigned(model: dict[str, Any]) -> Any:
    table = model["anova"]["I"]
    return np.repeat(np.arange(len(table["term"])), table["df_num"])


def test_containment_is_nlmes(suite_model: Any) -> None:
    model, fit, asked = suite_model
    found = containment_df(fit, assigned(model))
    np.testing.assert_array_equal(found.columns, fit.df)
    np.testing.assert_array_equal(found.terms, model["anova"]["I"]["df_den"])
    np.testing.assert_allclose(asked.rows(np.eye(len(fit.df))).se, fit.std_error, rtol=1e-9)


@pytest.mark.parametrize("kind", ["I", "marginal"])
def test_anova_is_nlmes(suite_model: Any, kind: str) -> None:
    model, fit, asked = suite_model
    assign, theirs = assigned(model), model["anova"][kind]
    rows = weighted_root(fit.vcov) if kind == "I" else np.eye(len(assign))
    df = containment_df(fit, assign).terms
    tests = [asked.test(rows[assign == t], df_den=df[t]) for t in range(len(df))]
    np.testing.assert_allclose([t.statistic for t in tests], theirs["F"], rtol=1e-10)
    np.testing.assert_allclose([t.p for t in tests], theirs["p"], rtol=1e-8, atol=1e-13)


def test_hypotheses_are_nlmes(suite_model: Any) -> None:
    model, _, asked = suite_model
    for theirs in model["hypotheses"]:
        found = asked.test(theirs["L"]["values"])
        if "refused" in theirs:
            assert "the fewest are taken" in found.note
            continue
        assert (found.df_num, found.df_den) == (theirs["df_num"], theirs["df_den"])
        np.testing.assert_allclose(found.statistic, theirs["F"], rtol=1e-8)


# pbkrtest and lmerTest ---------------------------------------------------------------------------

LMER = {model["name"]: model for key in ("models", "boundary") for model in read("lmer.json")[key]}
METHODS = {"kenward_roger": "kenward-roger", "satterthwaite": "satterthwaite"}
CASES = [
    pytest.param(name, method, id=f"{name} {method}")
    for name, model in LMER.items()
    for method in METHODS
    if method in model["coefficients"]
]
# lmerTest differentiates by finite differences; pbkrtest does not.
DF = {"kenward_roger": 1e-10, "satterthwaite": 1e-6}


def lmer_fit(model: dict[str, Any]) -> FitSnapshot:
    """The snapshot at lmer's optimum."""
    lmer, design = model["lmer"], model["lmer"]["design"]
    X, levels = np.array(design["X"], float), []
    for item in design["levels"]:
        arrays = (np.array(item[key]) for key in ("codes", "Z", "D"))
        codes, Z, D = arrays
        levels.append(
            designs.level(codes, Z.reshape(len(X), -1), D, item["pd_class"], item["group"])
        )
        if item["pd_class"] == "pdBlocked":
            levels[-1] = blocked(levels[-1], item, model["spec"]["random"][item["group"]])
    y = np.array(design["y"], float)
    fit = designs.fit(X, y, levels, sigma=lmer["sigma"], method=model["method"])
    return replace(fit, beta=np.array(lmer["beta"]))


def blocked(level: RandomLevel, item: dict[str, Any], spec: dict[str, Any]) -> RandomLevel:
    """pdBlocked of pdIdents, each of the columns named after its variable."""
    blocks = []
    for text in spec["blocks"]:
        variable = text.removeprefix("pdIdent(~ ").split(" ")[0].rstrip(")")
        start = "(Intercept)" if variable == "1" else variable
        names = tuple(name for name in item["names"] if name.startswith(start))
        blocks.append(PdBlock("pdIdent", names, variable))
    return replace(level, names=tuple(item["names"]), blocks=tuple(blocks))


@pytest.fixture(scope="module")
def asked_of() -> Any:
    made: dict[Any, Any] = {}

    def of(name: str, method: str) -> Inference:
        if name not in made:
            fit = lmer_fit(LMER[name])
            made[name] = fit, contract(fit)
        found: Inference = inference(*made[name], METHODS[method])  # type: ignore[arg-type]
        return found

    return of


@pytest.mark.parametrize("name, method", CASES)
def test_coefficients_are_those_of_pbkrtest_and_lmertest(
    asked_of: Any, name: str, method: str
) -> None:
    asked, theirs = asked_of(name, method), LMER[name]["coefficients"][method]
    rows = asked.rows(np.eye(len(asked.beta)))
    np.testing.assert_allclose(rows.se, theirs["se"], rtol=1e-10)
    np.testing.assert_allclose(rows.df, theirs["df"], rtol=DF[method])
    np.testing.assert_allclose(rows.p, theirs["p"], rtol=1e-5, atol=1e-30)
    if method == "kenward_roger":
        kr = np.array(LMER[name]["kr_vcov"])
        np.testing.assert_allclose(asked.vcov, kr, rtol=1e-9, atol=1e-10 * np.abs(kr).max())


@pytest.mark.parametrize("name, method", CASES)
def test_hypotheses_are_those_of_pbkrtest_and_lmertest(
    asked_of: Any, name: str, method: str
) -> None:
    asked = asked_of(name, method)
    for case in LMER[name]["hypotheses"]:
        found, theirs = asked.test(case["L"]["values"]), case[method]
        assert found.df_num == theirs["df_num"]
        np.testing.assert_allclose(found.statistic, theirs["F"], rtol=1e-10)
        np.testing.assert_allclose(found.df_den, theirs["df_den"], rtol=DF[method])


def test_what_is_at_zero_is_named(asked_of: Any) -> None:
    dropped = asked_of("assay-boundary", "kenward_roger").dropped
    assert [d.names for d in dropped] == [("Tau.block.var(dilut)",)]


def test_maximum_likelihood_has_no_kenward_roger(asked_of: Any) -> None:
    with pytest.raises(SpecError, match="method='REML'"):
        asked_of("orthodont-slope-ml", "kenward_roger")


# Tests of terms ----------------------------------------------------------------------------------

CODINGS = {"sex1": np.array([[1.0], [-1.0]])}
POLY = np.array([[-1, 1], [0, -2], [1, 1]]) / np.sqrt([2, 6])


def lmer_terms(model: dict[str, Any]) -> FixedTerms:
    """The terms of a formula with + and *, from the names of its coefficients."""
    names, labels = model["lmer"]["coef_names"], []
    for part in model["spec"]["fixed"].split("~")[1].split(" + "):
        factors = [factor.strip() for factor in part.split(" * ")]
        labels += factors + ([":".join(factors)] if len(factors) > 1 else [])
    labels = sorted((label for label in labels if label != "1"), key=lambda x: ":" in x)
    variables: dict[str, Any] = {}
    for label in labels:
        if ":" in label:
            continue
        coded = [name for name in names if name.startswith(label) and ":" not in name]
        table = POLY if f"{label}.L" in names else treatment(len(coded) + 1)
        variables[label] = 1 if label in names else CODINGS.get(coded[0], table)
    return fixed_terms(variables, labels)


def hypotheses_of(fit: FitSnapshot, terms: FixedTerms) -> dict[str, list[TermHypothesis]]:
    root = design_root(fit)
    return {
        "I": type_one(terms, root)[1:],
        "II": type_two(terms, root),
        "III": type_three(terms),
    }


@pytest.mark.parametrize("kind", ["I", "II", "III"])
@pytest.mark.parametrize("name, method", [c for c in CASES if LMER[c.values[0]].get("anova")])
def test_terms_are_those_of_lmertest(asked_of: Any, name: str, method: str, kind: str) -> None:
    model, asked = LMER[name], asked_of(name, method)
    theirs = model["anova"][method][kind]
    found = hypotheses_of(lmer_fit(model), lmer_terms(model))[kind]
    assert [h.label for h in found] == theirs["term"]
    tests = [asked.test(h.L) for h in found]
    # lmerTest rounds its rows to seven digits; once its type I denies its own type III
    loose = (name, method, kind) == ("oats-split-plot", "satterthwaite", "I")
    F = [t.statistic for t in tests]
    np.testing.assert_allclose(F, theirs["F"], rtol=5e-4 if loose else 1e-6)
    # Satterthwaite's df of several rows depend on how they are written, and a model of one term
    # has in lmerTest the rows of type I under every type
    lone = method == "satterthwaite" and len(tests) == 1 and kind != "I"
    df = [t.df_den for t in tests]
    np.testing.assert_allclose(df, theirs["df_den"], rtol=2e-3 if lone else 1e-6)


# mmrm --------------------------------------------------------------------------------------------

MMRM = read("mmrm.json")
TRIALS = {model["name"]: model for model in MMRM["models"]}
MMRM_WAYS: dict[str, dict[str, str]] = {
    "satterthwaite": {"ddf": "satterthwaite"},
    "kenward_roger_linear": {"ddf": "kenward-roger", "information": "observed"},
    **{kind: {"vcov": kind} for kind in ("CR0", "CR3")},  # its CR2 takes another root of V
}


def mmrm_fit(model: dict[str, Any]) -> FitSnapshot:
    """A gls at mmrm's optimum: correlations and standard deviations of the four visits."""
    visit = np.array(MMRM["data"]["visit"])
    subject = np.unique(MMRM["data"]["subject"], return_inverse=True)[1]
    order = np.lexsort((visit, subject))
    visit, subject = visit[order], subject[order]
    S = np.array(model["visits"]["values"])
    sd = np.sqrt(np.diag(S))
    R = S / np.outer(sd, sd)
    structure: dict[str, Any] = {
        "us": ("corSymm", R[np.triu_indices(4, 1)]),
        "ar1": ("corAR1", R[0, 1:2]),
        "cs": ("corCompSymm", R[0, 1:2]),
    }[model["covariance"].replace("h", "")]
    cor = designs.correlation(*structure, subject, visit.astype(float), size=4, lower=-1 / 3)
    free = [False, True, True, True]
    var = [designs.variance("varIdent", sd / sd[0], codes=visit, free=free)]
    if model["covariance"] in ("cs", "ar1"):
        var = []
    design = next(d for d in MMRM["designs"] if d["fixed"] == model["spec"]["fixed"])
    X, y = np.array(design["X"], float)[order], np.array(MMRM["data"]["y"])[order]
    fit = designs.fit(X, y, (), cor, var, float(sd[0]), model["method"])
    return replace(fit, beta=np.array(model["beta"]))


@pytest.mark.parametrize("name", TRIALS)
def test_mmrm(name: str) -> None:
    model = TRIALS[name]
    fit = mmrm_fit(model)
    forms = contract(fit)
    assert -2 * forms.log_likelihood == pytest.approx(model["minus_two_log_lik"], rel=1e-12)
    for way in model["inference"].keys() & MMRM_WAYS.keys():
        asked = inference(fit, forms, **MMRM_WAYS[way])  # type: ignore[arg-type]
        theirs = model["inference"][way]
        rows = asked.rows(np.eye(len(fit.beta)))
        np.testing.assert_allclose(rows.se, theirs["coefficients"]["se"], rtol=1e-10)
        np.testing.assert_allclose(rows.df, theirs["coefficients"]["df"], rtol=1e-9)
        for case in (
            theirs["hypotheses"] if way in ("satterthwaite", "kenward_roger_linear") else ()
        ):
            test, F = asked.test(case["L"]["values"]), case["F_test"]
            np.testing.assert_allclose(
                [test.statistic, test.df_den, test.p], [F["F"], F["df_den"], F["p"]], rtol=1e-8
            )

"""The project's own suite against R itself: nlme for every number, lmeInfo where it can."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rbridge.core.likelihood import log_likelihood
from rbridge.core.snapshot import ApVar
from rbridge.datasets.sources import load_data
from rbridge.errors import ApVarError, LmeInfoUnsupported, RWarning
from rbridge.results import LmeResults
from rbridge.suite.cases import Case, load_suite
from rbridge.suite.run import check_case, fit_case
from tests.support.bridging import INTERVALS
from tests.support.grades import graded_cases, structures
from tests.support.places import SUITE

CASES = load_suite(SUITE)
Ask = Callable[..., Any]


@pytest.fixture(scope="module", params=graded_cases(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture(scope="module")
def fit(case: Case, r: Any) -> LmeResults:
    return fit_case(case)


def near(actual: Any, expected: Any, rtol: float = 1e-10) -> None:
    expected = np.asarray(expected, float)
    np.testing.assert_allclose(np.asarray(actual, float), expected, rtol=rtol, atol=rtol)


def test_the_suite_is_large_enough() -> None:
    assert len(CASES) >= 60
    used = {name for case in CASES for name in structures(case)}
    from rbridge.model.structure_text import STRUCTURES

    assert used == set(STRUCTURES)


def test_crosscheck_agrees(case: Case, lmeinfo_installed: None) -> None:
    outcome = check_case(case)
    assert outcome.code == 0, [f for f in outcome.findings if f.level not in ("ok", "note")]


def test_log_likelihood_is_nlmes(case: Case, fit: LmeResults, ask_r: Ask) -> None:
    if fit.snapshot.fixed_sigma and fit.snapshot.levels:
        return  # nlme's leaves terms out: tests/r/test_fixed_sigma.py has the whole
    # nlme's figure precedes the last update of fitted values in a variance function
    moving = "fitted(.)" in str(case.spec.weights)
    theirs = ask_r("as.numeric(logLik(m))", fit)
    near(log_likelihood(fit.snapshot), theirs, 1e-7 if moving else 1e-9)
    assert fit.snapshot.log_lik == theirs[0]
    assert fit.llf == (
        pytest.approx(theirs[0], rel=1e-9) if fit.snapshot.fixed_sigma else theirs[0]
    )


def test_components_are_lmeinfos(fit: LmeResults, lmeinfo_installed: None) -> None:
    reason = fit.lmeinfo.unsupported()
    if reason:
        with pytest.raises(LmeInfoUnsupported):
            fit.lmeinfo.extract_varcomp()
    else:
        theirs = fit.lmeinfo.extract_varcomp()
        assert list(theirs.index) == list(fit.varcomp.index)
        np.testing.assert_allclose(fit.varcomp, theirs, rtol=1e-10)


def test_intervals_are_nlmes(fit: LmeResults, ask_r: Ask) -> None:
    if not isinstance(fit.snapshot.apvar, ApVar):
        with pytest.raises(ApVarError):
            fit.intervals()
        return
    theirs = ask_r(INTERVALS, fit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RWarning)  # where nlme's apVar is off, so are these
        ours = fit.intervals()
    np.testing.assert_allclose(ours.to_numpy(), theirs["values"], rtol=1e-10)
    # nlme names no row of an unnatural corSymm, and lends a group that serves twice one name
    if all(theirs["names"] or ()) and not _serves_twice(fit):
        back = fit.in_r("a test").design.names.back
        rows = [name for part, name in ours.index if part != "sigma"]
        assert rows == [back(name) for name in theirs["names"] or ()]


def _serves_twice(fit: LmeResults) -> bool:
    groups = [group for group, _ in fit.spec.random]
    return len(set(groups)) < len(groups)


def test_fixed_effects_are_summarys(fit: LmeResults, ask_r: Ask) -> None:
    table = ask_r("unclass(summary(m)$tTable)", fit)
    columns = [fit.params, fit.bse, fit.df_resid, fit.tvalues, fit.pvalues]
    if fit.snapshot.kind == "gls":
        del columns[2]
    near(np.column_stack(columns), table)
    # where sigma is fixed in lme, R's logLik leaves terms out; ours are held against the exact one
    theirs = 2 * (ask_r("as.numeric(logLik(m))", fit)[0] - fit.llf)
    assert theirs == 0 or fit.snapshot.fixed_sigma
    near(np.array([fit.aic, fit.bic]) - theirs, ask_r("c(AIC(m), BIC(m))", fit))
    near(fit.cov_params(adjust_sigma=False), ask_r("vcov(m)", fit))


RANEF = """
random <- m$coefficients$random
lapply(seq_along(random), function(k) {
  unname(random[[k]][as.character(m$groups[[names(random)[k]]]), , drop = FALSE])
})
"""


def test_random_effects_are_ranefs(case: Case, fit: LmeResults, ask_r: Ask) -> None:
    if not fit.snapshot.levels:
        assert fit.random_effects == {}
        return
    data = load_data(case.data, case.folder, case.category).iloc[fit.snapshot.rows]
    groups = [group for group, _ in case.spec.random]
    for k, theirs in enumerate(ask_r(RANEF, fit)):
        once = list(dict.fromkeys(groups[: k + 1]))  # nlme: "s1/s1" where one factor serves twice
        labels = ["/".join(row) for row in data[once].astype(str).to_numpy()]
        ours = list(fit.random_effects.values())[k]
        near(ours.loc[labels], theirs)


def test_fitted_and_predicted_are_rs(case: Case, fit: LmeResults, ask_r: Ask) -> None:
    data = load_data(case.data, case.folder, case.category)
    rows = fit.snapshot.rows
    for level in range(len(fit.snapshot.levels) + 1):
        theirs = ask_r(f"as.numeric(as.matrix(m$fitted)[, {level + 1}])", fit)
        near(fit.fitted(level).to_numpy()[rows], theirs)
        near(fit.predict(data, level).to_numpy()[rows], theirs)
        if fit.snapshot.kind == "lme":
            code = f"as.numeric(predict(m, newdata = m$data, level = {level}L))"
        else:
            code = "as.numeric(predict(m, newdata = m$data))"
        near(fit.predict(data, level).to_numpy()[rows], ask_r(code, fit))


ANOVA = """
table <- function(a) {
  df <- if (is.null(a$denDF)) rep(m$dims$N - m$dims$p, nrow(a)) else a$denDF
  list(terms = rownames(a), numbers = cbind(a$numDF, df, a$`F-value`, a$`p-value`))
}
list(I = table(anova(m)), marginal = table(anova(m, type = "marginal")))
"""


def test_tests_of_terms_are_nlmes(fit: LmeResults, ask_r: Ask) -> None:
    back = fit.in_r("a test").design.names.back_all
    for kind, theirs in ask_r(ANOVA, fit).items():
        ours = fit.anova(kind, ddf="containment").loc[list(back(theirs["terms"]))]
        df_num, df_den, F, p = theirs["numbers"].T
        near(ours[["df_num", "df_den"]].T, [df_num, df_den])
        near(ours.F, F, 1e-8)
        np.testing.assert_allclose(ours.p, p, rtol=1e-8, atol=1e-14)  # R's is 1 − F(x)


def test_a_hypothesis_is_nlmes(fit: LmeResults, ask_r: Ask) -> None:
    same = np.flatnonzero(fit.snapshot.df == fit.snapshot.df[-1])
    L = np.zeros((min(2, len(same)), len(fit.params)))
    L[:, same[-1]], L[:, same[0]] = 1.0, [0.5, -2.0][: len(L)]
    rows = ", ".join(f"c({', '.join(map(str, row))})" for row in L)
    code = f"{{ a <- anova(m, L = rbind({rows})); c(a$numDF, a$`F-value`, a$`p-value`) }}"
    df_num, F, p = ask_r(code, fit)
    ours = fit.test(L, ddf="containment")
    assert ours.df_num == df_num
    near(ours.statistic, F, 1e-8)
    np.testing.assert_allclose(ours.p, p, rtol=1e-8, atol=1e-14)

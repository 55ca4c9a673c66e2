"""Coefficients, random effects and covariances by group, against nlme's."""

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from tests.support import brute

MODELS = {
    "slope": ("distance ~ age * sex", "~ age | subject", {}),
    "random effects without fixed ones": ("distance ~ 1", "~ sex | subject", {}),
    "other coding": ("distance ~ sex", "~ sex - 1 | subject", {}),
    "AR1 and strata": (
        "distance ~ age",
        "~ 1 | subject",
        dict(correlation=rb.corAR1(form="~ 1 | subject"), weights=rb.varIdent("~ 1 | sex")),
    ),
}


@pytest.fixture(scope="module")
def data(orthodont):
    return orthodont.sample(frac=1, random_state=2)


@pytest.fixture(scope="module")
def pixel():
    pixels = rb.datasets.load("pixel")
    return rb.lme("pixel ~ day + I(day^2)", pixels, {"dog": "~ day", "side": "~ 1"})


def frame_of_r(ask_r, code, fit):
    """R's data frame, under the user's names."""
    back = fit.in_r("a test").design.names.back
    rows, names = (ask_r(f"{part}({code})", fit) for part in ("rownames", "colnames"))
    values = np.reshape(ask_r(f"unname(unlist({code}))", fit), (len(names), len(rows))).T
    return pd.DataFrame(values, [back(row) for row in rows], [back(name) for name in names])


@pytest.mark.filterwarnings("ignore:nlme stopped before the optimum")
@pytest.mark.parametrize("name", MODELS)
def test_coef_is_nlmes(name, data, ask_r):
    fixed, random, options = MODELS[name]
    fit = rb.lme(fixed, data, random, control={"opt": "optim"}, **options)
    theirs = frame_of_r(ask_r, "coef(m)", fit)
    pd.testing.assert_frame_equal(fit.coef(), theirs.loc[fit.coef().index], rtol=1e-12)


@pytest.mark.parametrize("level", [1, 2])
def test_coef_of_nested_groups_is_nlmes(level, pixel, ask_r):
    theirs = frame_of_r(ask_r, f"coef(m, level = {level})", pixel)
    ours = pixel.coef(level)
    assert sorted(ours.index) == sorted(theirs.index)
    pd.testing.assert_frame_equal(ours, theirs.loc[ours.index], rtol=1e-12)
    pd.testing.assert_frame_equal(pixel.coef(["dog", "side"][level - 1]), ours)


@pytest.mark.parametrize("level", [1, 2])
def test_ranef_beside_covariates_is_nlmes(level, pixel, ask_r):
    theirs = frame_of_r(ask_r, f"nlme::ranef(m, augFrame = TRUE, level = {level})", pixel)
    ours = pixel.ranef(level, augment=True)
    pd.testing.assert_frame_equal(ours, theirs.loc[ours.index, list(ours)], rtol=1e-12)
    assert list(pixel.ranef(level)) == list(pixel.random_effects[["dog", "side"][level - 1]])


def test_covariates_of_any_type_and_columns_outside_of_the_model(data):
    extra = data.assign(school=np.where(data.subject.astype(str) < "M", "a", "b"), passed=True)
    fit = rb.lme("distance ~ age", extra, "~ 1 | subject")
    found = fit.ranef(augment=True)
    assert list(found) == ["(Intercept)", "distance", "age", "sex", "school", "passed"]
    boys = found.index.str.startswith("M")
    assert set(found.sex[boys]) == {"Male"} and set(found.school[~boys]) == {"a"}
    assert (found.age == 11).all() and found.passed.all()
    by_hand = extra.groupby(extra.subject.astype(str)).distance.mean()
    np.testing.assert_allclose(found.distance, by_hand[found.index])


@pytest.mark.parametrize("level", [1, 2])
def test_intervals_of_random_effects_by_brute_force(level, pixel):
    """Var(b̂ − b) = D − D Z'P Z D with the whole of V."""
    snapshot = pixel.snapshot
    own, V, X = snapshot.levels[level - 1], brute.marginal(snapshot), snapshot.X
    W = np.linalg.inv(V)
    P = W - W @ X @ np.linalg.solve(X.T @ W @ X, X.T @ W)
    found = pixel.ranef_intervals(level, 0.9)
    for g in (0, len(own.labels) - 1):
        ZD = (own.Z * (own.codes == g)[:, None]) @ own.D
        error = np.sqrt(np.diag(own.D - ZD.T @ P @ ZD))
        for k, name in enumerate(own.names):
            ends = found[name].iloc[g]
            np.testing.assert_allclose(ends["est."], own.b[g, k], rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(ends.upper - ends["est."], 1.6448536 * error[k], rtol=1e-6)


@pytest.mark.parametrize("kind", ["marginal", "conditional"])
@pytest.mark.parametrize("name", ["slope", "AR1 and strata"])
def test_cov_marginal_is_nlmes(kind, name, data, ask_r):
    fixed, random, options = MODELS[name]
    fit = rb.lme(fixed, data, random, **options)
    group = fit.in_r("a test").design.names
    label = group.neutral_labels("subject")[group.labels["subject"].index("F03")]
    theirs = ask_r(
        f"unclass(nlme::getVarCov(m, individuals = '{label}', type = '{kind}'))[[1]]", fit
    )
    ours = fit.cov_marginal("F03", conditional=kind == "conditional")
    assert set(data.loc[ours.index, "subject"]) == {"F03"}
    np.testing.assert_allclose(ours, np.reshape(theirs, ours.shape), rtol=1e-10)


def test_cov_marginal_of_gls_is_nlmes(data, ask_r):
    options = MODELS["AR1 and strata"][2]
    fit = rb.gls("distance ~ age", data, **options)
    for group in ("M01", "F05"):
        number = list(fit.in_r("a test").design.names.labels["subject"]).index(group)
        theirs = ask_r(f"unclass(nlme::getVarCov(m, individual = {number + 1}))", fit)
        np.testing.assert_allclose(fit.cov_marginal(group), np.reshape(theirs, (4, 4)), rtol=1e-10)


def test_cov_marginal_of_nested_groups_by_brute_force(pixel):
    V = brute.marginal(pixel.snapshot)
    rows = pixel.snapshot.levels[0].codes == 2
    ours = pixel.cov_marginal(pixel.snapshot.levels[0].labels[2])
    np.testing.assert_allclose(ours, V[np.ix_(rows, rows)], rtol=1e-10)
    assert list(ours.index) == list(pixel.snapshot.rows[rows])  # the frame's own labels


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda fit, gls: fit.coef(0), "level 0 is the population"),
        (lambda fit, gls: fit.coef("cat"), "level must be one of"),
        (lambda fit, gls: gls.coef(), "its coefficients are fit.params"),
        (lambda fit, gls: fit.cov_marginal("11"), "there is no group '11'; did you mean"),
        (lambda fit, gls: gls.cov_marginal(), "its rows are independent"),
        (lambda fit, gls: rb.LmeResults(fit.snapshot).ranef(augment=True), "came without it"),
    ],
)
def test_what_cannot_be_is_one_sentence(pixel, orthodont, call, words):
    with pytest.raises(rb.RBridgeError, match=words):
        call(pixel, rb.gls("distance ~ age", orthodont))

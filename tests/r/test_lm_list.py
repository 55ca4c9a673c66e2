"""Least squares by group, against nlme's lmList and compareFits."""

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from tests.support.bridging import ask

CODE = """
d <- nlme::Orthodont; class(d) <- "data.frame"; d$Subject <- factor(as.character(d$Subject))
m <- nlme::lmList({formula} | Subject, d)
"""


def of_r(code, formula="distance ~ age"):
    return ask(CODE.replace("{formula}", formula) + code)


@pytest.fixture(scope="module")
def lines(orthodont):
    return rb.lm_list("distance ~ age", orthodont.sample(frac=1, random_state=1), "subject")


def test_coefficients_are_nlmes(lines):
    names = of_r("rownames(coef(m))")
    theirs = np.reshape(of_r("unname(unlist(coef(m)))"), (2, 27)).T
    np.testing.assert_allclose(lines.coef().loc[list(names)], theirs, rtol=1e-10)
    np.testing.assert_allclose(lines.pooled_sd, of_r("c(nlme::pooledSD(m))"), rtol=1e-12)
    assert lines.df_resid == 54 and list(lines.coef()) == ["(Intercept)", "age"]


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_pooled_intervals_are_nlmes(lines, level):
    code = f"x <- nlme::intervals(m, level = {level}); "
    theirs = np.reshape(of_r(code + "as.numeric(unclass(x))"), (2, 3, 27))
    names = list(of_r(code + "dimnames(x)[[1]]"))
    for k, name in enumerate(("(Intercept)", "age")):
        ours = lines.intervals(level).loc[name].loc[names]
        np.testing.assert_allclose(ours, theirs[k].T, atol=2e-8)  # nlme's t is the root of an F


def test_intervals_of_each_group_are_lms(lines):
    """nlme's own intervals(pool = FALSE) stop with an error."""
    code = "sapply(m, function(f) as.numeric(confint(f, level = 0.9)))"
    theirs = np.reshape(of_r(f"as.numeric({code})"), (27, 2, 2))
    names = list(of_r("names(m)"))
    for k, name in enumerate(("(Intercept)", "age")):
        ours = lines.intervals(0.9, pool=False).loc[name].loc[names, ["lower", "upper"]]
        np.testing.assert_allclose(ours, theirs[:, :, k], rtol=1e-9)


def test_each_group_by_hand(lines, orthodont):
    own = orthodont[orthodont.subject == "F10"]
    line = np.polynomial.polynomial.polyfit(own.age, own.distance, 1)
    np.testing.assert_allclose(lines.coef().loc["F10"], line, rtol=1e-10)
    rest = own.distance - np.polynomial.polynomial.polyval(own.age, line)
    assert lines.sigma["F10"] == pytest.approx(np.sqrt((rest**2).sum() / 2))


def test_the_group_may_stand_in_the_formula(lines, orthodont):
    again = rb.lm_list("distance ~ age | subject", orthodont)
    pd.testing.assert_frame_equal(again.coef(), lines.coef(), rtol=1e-10)


def test_small_groups_missing_rows_and_levels_are_named(orthodont):
    data = orthodont.copy()
    data.loc[data.subject == "M02", "distance"] = [20.0, np.nan, np.nan, np.nan]
    data.loc[data.subject == "M03", "distance"] = np.nan
    data.loc[data.subject == "M04", "subject"] = np.nan
    with pytest.warns(UserWarning, match=r"M02: 1 row\(s\) do not determine age"):
        lines = rb.lm_list("distance ~ age", data, "subject")
    table = lines.coef()
    assert not {"M03", "M04"} & set(table.index) and len(table) == 25
    assert table.loc["M02", "(Intercept)"] == 20.0 and np.isnan(table.loc["M02", "age"])
    assert lines.df_resid == 48 and list(lines.notes.index) == ["M02"]
    with pytest.warns(UserWarning, match="do not determine sexFemale|do not determine sexMale"):
        by_sex = rb.lm_list("distance ~ age + sex", orthodont, "subject")
    assert len(by_sex.notes) == 27 and by_sex.df_resid == 54


def test_compare_fits_is_nlmes(lines, orthodont):
    fit = rb.lme("distance ~ age", orthodont, "~ age | subject")
    both = rb.compare_fits(lines, fit, names=("alone", "together"))
    assert list(both) == [(c, f) for c in ("(Intercept)", "age") for f in ("alone", "together")]
    code = "f <- nlme::lme(distance ~ age, d, ~ age | Subject); "
    code += "x <- nlme::compareFits(coef(m), coef(f)); "
    theirs = np.reshape(of_r(code + "as.numeric(unclass(x))"), (2, 2, 27))
    names = list(of_r(code + "dimnames(x)[[1]]"))
    ours = both.loc[names].to_numpy().T.reshape(2, 2, 27)
    np.testing.assert_allclose(ours[:, 0], theirs[:, 0], rtol=1e-9)
    np.testing.assert_allclose(ours[:, 1], theirs[:, 1], rtol=1e-5)  # two searches


def test_compare_fits_of_other_groups_and_coefficients(lines, orthodont):
    some = orthodont[orthodont.sex == "Male"]
    fit = rb.lme("distance ~ 1", some, "~ 1 | subject")
    both = rb.compare_fits(fit, lines)
    assert len(both) == 27 and list(both["age"]) == ["b"]
    assert both["(Intercept)", "a"].isna().sum() == 11


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda d, m: rb.lm_list("distance ~ age", d), "lm_list needs a group"),
        (lambda d, m: rb.lm_list("distance ~ age", d, "subjct"), "did you mean 'subject'"),
        (lambda d, m: rb.lm_list("distance ~ age | sex", d, "subject"), "give one"),
        (lambda d, m: rb.lm_list("distance ~ age | sex/subject", d), "takes one group"),
        (lambda d, m: rb.lm_list("sex ~ age", d, "subject"), "must be numeric"),
        (lambda d, m: m.intervals(1), "level must lie between"),
        (
            lambda d, m: rb.lm_list("distance ~ factor(age)", d, "subject").pooled_sd,
            "no residual to pool",
        ),
        (lambda d, m: rb.compare_fits(m, m, ("x", "x")), "two different texts"),
        (lambda d, m: rb.compare_fits(m, rb.gls("distance ~ age", d)), "a gls fit has no random"),
    ],
)
def test_what_cannot_be_is_one_sentence(lines, orthodont, call, words):
    with pytest.raises(rb.RBridgeError, match=words):
        call(orthodont, lines)

"""update: formulas against R's update.formula, models against the same model fitted anew."""

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.model.update import updated_formula

FORMULAS = [
    ("y ~ x * z", ". ~ . - x:z"),
    ("y ~ x * z", "log(.) ~ . + w"),
    ("y ~ x", "~ . + z"),
    ("y ~ x - 1", ". ~ . + z"),
    ("y ~ x - 1", ". ~ . + 1"),
    ("y ~ x", ". ~ . - 1"),
    ("y ~ x", ". ~ . - 0"),
    ("y ~ 0 + a", ". ~ . + b"),
    ("y ~ a / b", ". ~ ."),
    ("y ~ (a + b) / c", ". ~ ."),
    ("y ~ (a + b + c)^2", ". ~ . - a:b"),
    ("y ~ (a + b + c)^3", ". ~ . - a:b:c - b"),
    ("y ~ b + a", ". ~ . + a:b"),
    ("y ~ a:b", ". ~ . + a"),
    ("y ~ -1 + a", ". ~ b * ."),
    ("y ~ a - 1", ". ~ .:b"),
    ("y ~ a + b", ". ~ . * c"),
    ("y ~ a + b", ". ~ (. + c)^2"),
    ("y ~ a + b", ". ~ . - (a + b)"),
    ("y ~ a", ". ~ . + b %in% a"),
    ("y ~ a", ". ~ I(a^2) + ."),
    ("y ~ a", ". ~ -1"),
    ("y ~ a", ". ~ 1"),
    ("log(y) ~ a", "sqrt(.) ~ ."),
    ("y / 2 ~ a", "log(.) ~ ."),
    ("y / 2 ~ a", "1 / . ~ ."),
    ("y ~ poly(x, 2) + sin(2 * pi * t)", ". ~ . - poly(x, 2)"),
    ("y ~ `a b`", ". ~ . + `c d`"),
    ("y ~ a * b + c", ". ~ . + a:c - b - a:b"),
]


@pytest.mark.parametrize("old, new", FORMULAS)
def test_formulas_are_updated_as_in_r(old, new, ask_r):
    theirs = ask_r(f"deparse(update({old}, {new}), 500L)")
    theirs = theirs if isinstance(theirs, str) else theirs[0]
    assert updated_formula(old, new).replace(" ", "") == theirs.replace(" ", "")


@pytest.fixture(scope="module")
def fit(orthodont):
    contrasts = {"sex": "contr.sum"}
    return rb.lme("distance ~ age * sex", orthodont, "~ 1 | subject", contrasts=contrasts)


def same(one, two):
    np.testing.assert_allclose(one.llf, two.llf, rtol=1e-12)
    pd.testing.assert_series_equal(one.params, two.params, rtol=1e-10)
    assert one.spec.to_dict() == two.spec.to_dict()


def test_each_part(fit, orthodont):
    fixed, random, contrasts = "distance ~ age + sex", "~ 1 | subject", {"sex": "contr.sum"}
    same(fit.update(". ~ . - age:sex"), rb.lme(fixed, orthodont, random, contrasts=contrasts))
    plain = rb.lme("distance ~ age", orthodont, random)
    same(fit.update("~ age"), plain)  # contrasts of what is no longer there go
    same(plain.update(method="ML"), rb.lme("distance ~ age", orthodont, random, method="ML"))
    structures = {
        "correlation": rb.corAR1(form="~ 1 | subject"),
        "weights": "varIdent(form=~1|sex)",
    }
    whole = rb.lme("distance ~ age", orthodont, random, **structures)
    same(plain.update(**structures), whole)
    same(whole.update(correlation=None, weights=None), plain)
    diagonal = rb.lme("distance ~ age", orthodont, {"subject": rb.pdDiag("~ age")})
    for random in (rb.pdDiag("~ age"), "pdDiag(~ age)", {"subject": rb.pdDiag("~ age")}):
        same(plain.update(random=random), diagonal)
    some = orthodont[orthodont.age > 8]
    same(plain.update(data=some), rb.lme("distance ~ age", some, "~ 1 | subject"))


def test_of_gls(orthodont):
    fit = rb.gls("distance ~ age", orthodont)
    same(fit.update(". ~ . + sex"), rb.gls("distance ~ age + sex", orthodont))
    again = fit.update(correlation="corCompSymm(form = ~ 1 | subject)")
    same(
        again, rb.gls("distance ~ age", orthodont, correlation="corCompSymm(form = ~ 1 | subject)")
    )
    with pytest.raises(rb.RBridgeError, match="fit the model with rb.lme"):
        fit.update(random="~ 1 | subject")


def test_new_columns_are_taken_and_old_ones_must_not_change(orthodont):
    data = orthodont.copy()
    fit = rb.lme("distance ~ age", data, "~ 1 | subject")
    data["older"] = data.age > 10
    same(fit.update(". ~ . + older"), rb.lme("distance ~ age + older", data, "~ 1 | subject"))
    data["distance"] += 1.0
    with pytest.raises(rb.RBridgeError, match=r"changed since the fit \('distance'\)"):
        fit.update(". ~ . + older")
    same(fit.update(data=data), rb.lme("distance ~ age", data, "~ 1 | subject"))


def test_the_engine_stays_unless_another_is_asked_for(orthodont):
    fit = rb.lme("distance ~ age", orthodont, "~ 1 | subject", engine="native")
    more = fit.update(". ~ . + sex")
    assert more.engine == "native" and more.update(engine="nlme").engine == "nlme"
    np.testing.assert_allclose(more.update(engine="nlme").llf, more.llf, rtol=1e-9)


def test_rows_that_went_are_noticed(orthodont):
    data = orthodont.copy()
    fit = rb.lme("distance ~ age", data, "~ 1 | subject")
    data.drop(index=data.index[:3], inplace=True)
    with pytest.raises(rb.RBridgeError, match="changed since the fit"):
        fit.update("~ 1")


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda fit: fit.update(". ~ . + agee"), "no column 'agee'; did you mean 'age'"),
        (lambda fit: fit.update(wieghts=None), "no argument 'wieghts'; did you mean 'weights'"),
        (lambda fit: fit.update(random=None), "cannot be taken away: fit the model with rb.gls"),
        (lambda fit: fit.update("~ age | subject"), "groups belong into random"),
        (lambda fit: fit.update(". ~ (.)^x"), "a power of terms is a whole number"),
        (lambda fit: fit.update(control=3), "control must be a dict"),
        (lambda fit: rb.LmeResults(fit.snapshot).update("~ age"), "came without it"),
    ],
)
def test_what_cannot_be_is_one_sentence(fit, call, words):
    with pytest.raises(rb.RBridgeError, match=words):
        call(fit)

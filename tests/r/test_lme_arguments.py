"""What the scripts of Pinheiro and Bates hand to lme: an lmList, matrices, ordered factors."""

import warnings

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from tests.support.bridging import ask

D = [[4.0, 0.1], [0.1, 0.2]]


@pytest.fixture(scope="module")
def slope(orthodont):
    return rb.lme("distance ~ age", orthodont, "~ age | subject")


def test_an_lm_list_is_the_start(slope, orthodont):
    lines = rb.lm_list("distance ~ age", orthodont, "subject")
    fit = rb.lme(lines)
    lists = "m <- nlme::lmList(distance ~ age | Subject, nlme::Orthodont); "
    theirs = ask(lists + "f <- nlme::lme(m); c(logLik(f), nlme::fixef(f))")
    np.testing.assert_allclose([fit.llf, *fit.params], theirs, rtol=1e-7)
    np.testing.assert_allclose(fit.llf, slope.llf, rtol=1e-7)
    start = np.array(fit.spec.random[0][1].value)
    code = lists + "c(sapply(coef(m), mad, na.rm = TRUE)) / nlme::pooledSD(m)"
    np.testing.assert_allclose(np.sqrt(np.diag(start)), ask(code), rtol=1e-5)  # R writes 1.4826 out
    diagonal = rb.lme(lines, random={"subject": rb.pdDiag("~ age")})
    again = rb.lme("distance ~ age", orthodont, {"subject": rb.pdDiag("~ age")})
    np.testing.assert_allclose(diagonal.llf, again.llf, rtol=1e-10)


@pytest.mark.parametrize(
    "name", ["pdLogChol", "pdSymm", "pdNatural", "pdDiag", "pdCompSymm", "pdIdent"]
)
def test_a_matrix_is_where_the_search_starts(name, orthodont):
    matrix = {"pdDiag": np.diag([4, 0.2]), "pdIdent": 2 * np.eye(2), "pdCompSymm": [[2, 1], [1, 2]]}
    made = getattr(rb, name)
    ages = orthodont.assign(age=orthodont.age - 11)
    plain = rb.lme("distance ~ age", ages, {"subject": made("~ age")})
    started = rb.lme("distance ~ age", ages, {"subject": made("~ age", matrix.get(name, D))})
    np.testing.assert_allclose(started.llf, plain.llf, rtol=1e-7)


def test_the_matrix_reaches_nlme_as_it_is(orthodont):
    spec = {"subject": rb.pdLogChol("~ age", pd.DataFrame(D))}
    held = {"maxIter": 0, "msMaxIter": 0, "niterEM": 0, "returnObject": True, "opt": "optim"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = rb.lme("distance ~ age", orthodont, spec, control=held)
    np.testing.assert_allclose(fit.cov_re["subject"] / fit.scale, D, rtol=1e-8)


def test_matrices_in_pasted_text():
    D, rows = "matrix(c(4, 0.1, 0.1, 0.2), 2)", ((4.0, 0.1), (0.1, 0.2))
    for text, value in (
        (D, rows),
        ("diag(2)", ((1, 0), (0, 1))),
        ("diag(c(4, 2))", ((4, 0), (0, 2))),
    ):
        spec = rb.ModelSpec.from_dict(
            {
                "kind": "lme",
                "fixed": "y ~ x",
                "random": [{"group": "g", "structure": f"pdSymm({text}, ~ x)"}],
            }
        )
        assert spec.random[0][1].value == value
        assert rb.ModelSpec.from_dict(spec.to_dict()) == spec


def test_ordered_categoricals_have_polynomial_contrasts(orthodont):
    ages = orthodont.assign(visit=pd.Categorical(orthodont.age, [8, 10, 12, 14], ordered=True))
    fit = rb.lme("distance ~ visit", ages, "~ 1 | subject")
    assert list(fit.params.index) == ["(Intercept)", "visit.L", "visit.Q", "visit.C"]
    means = orthodont.groupby("age").distance.mean().to_numpy()
    np.testing.assert_allclose(
        fit.params["visit.L"], means @ [-3, -1, 1, 3] / np.sqrt(20), rtol=1e-9
    )


def test_predictions_at_several_levels(slope, orthodont):
    both = slope.predict(level=[0, 1])
    assert list(both) == ["population", "subject"]
    pd.testing.assert_series_equal(both["subject"], slope.predict(level=1), check_names=False)
    new = orthodont.iloc[:3]
    theirs = ask("x <- predict(m, level = 0:1); as.numeric(c(x[[2]], x[[3]]))", slope)
    ours = both.iloc[slope.snapshot.rows].to_numpy().T.ravel()
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)
    pd.testing.assert_frame_equal(
        slope.predict(new, level=["subject", 0]), both.loc[new.index, ["subject", "population"]]
    )
    with pytest.raises(rb.RBridgeError, match="one level at a time"):
        slope.predict(level=[0, 1], interval="confidence")


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda d: rb.lme("distance ~ age", d), "random must be given, '~ terms | group'"),
        (lambda d: rb.lme("distance ~ age", random="~ 1 | subject"), "lme needs data"),
        (lambda d: rb.pdSymm("~ age", [[1, 2], [3, 4]]), "must be symmetric"),
        (lambda d: rb.pdSymm("~ age", [[1, 2], [2, 1]]), "must be positive definite"),
        (lambda d: rb.pdSymm("~ age", [[1, 2]]), "must be square"),
        (lambda d: rb.pdSymm("~ age", [["a"]]), "must be numbers"),
        (lambda d: rb.lme("distance ~ age", d, {"subject": rb.pdSymm("~ age", [[1]])}), "."),
    ],
)
def test_what_cannot_be_is_one_sentence(orthodont, call, words):
    with pytest.raises(rb.RBridgeError, match=words):
        call(orthodont)

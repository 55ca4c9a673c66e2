"""Errors and warnings: R's words, all of them, and nothing of the data."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest

import rbridge as rb
from rbridge.errors import ConvergenceWarning, DataError, FitError, RError, RWarning
from rbridge.r.session import session
from tests.support.bridging import define, grouped, in_r


def error_of(code: str) -> RError:
    define("test_function", f"function() {code}")
    with pytest.raises(RError) as caught:
        session().call("test_function")
    return caught.value


def test_an_error_has_message_call_class_and_traceback():
    error = error_of(
        "{ inner <- function(secret) { warning('w'); stop('no such luck') }; inner(42) }"
    )
    assert (error.message, error.call) == ("no such luck", "inner")
    assert error.r_class == ("simpleError", "error", "condition")
    assert "inner" in error.traceback and error.warnings == ("w",)
    assert "42" not in repr(vars(error))


def test_an_abort_shows_no_earlier_error():
    error_of("stop('the earlier one')")
    assert error_of("invokeRestart('abort')").message == "the call was aborted"


def test_a_condition_of_ones_own_class():
    made = "structure(class = c('mine', 'error', 'condition'), list(message = 'm', call = NULL))"
    error = error_of(f"stop({made})")
    assert error.r_class[0] == "mine" and error.call == ""


def test_a_parse_error_has_its_position():
    assert "1:5" in error_of("base::parse(text = 'a + * b')").message


def test_bytes_that_are_no_utf8_in_a_message():
    made = 'stop(simpleError("caf\\xe9 \\xff"))'  # R itself cuts stop("...") at the bad byte
    assert error_of(made).message in ("caf<e9> <ff>", "café ÿ")
    define("test_function", 'function() { warning("caf\\xe9"); 1 }')
    assert session().call("test_function").warnings[0] in ("caf<e9>", "café")


def test_a_long_message_is_whole():
    # R itself cuts stop("text") at 8190; a condition's message is whole
    assert len(error_of("stop(simpleError(strrep('x', 50000)))").message) == 50000


def test_warnings_are_pythons_and_the_results():
    formula = "y ~ bs(x, Boundary.knots = c(-1, 1))"  # some x lie beyond
    with pytest.warns(RWarning, match="beyond boundary knots") as caught:
        fit = rb.lme(formula, grouped(), "~ 1 | g")
    assert all("beyond boundary knots" in text for text in fit.warnings_) and fit.warnings_
    assert caught[0].filename == __file__


DOUBT = "column 'x' is text"
CALLS = {
    "lme": lambda data: rb.lme("y ~ x", data, "~ 1 | g"),
    "lme pinned": lambda data: rb.lme("y ~ x", data, "~ 1 | g", engine="pinned"),
    "gls": lambda data: rb.gls("y ~ x", data),
    "mmrm": lambda data: rb.mmrm("y ~ x", data, subject="g", visit="v", covariance="cs"),
    "lme_many": lambda data: rb.lme_many("y ~ x", data, "~ 1 | g", progress=False),
    "lm_list": lambda data: rb.lm_list("y ~ x", data, "g"),
}


@pytest.mark.filterwarnings("ignore:groups without all coefficients")
@pytest.mark.parametrize("call", CALLS)
def test_a_warning_points_at_the_users_line(call):
    """Python shows one of a line once: were it a line of the package, the next would be lost."""
    data = grouped().assign(x=["." if i % 9 == 0 else str(i % 3) for i in range(60)])
    data["v"] = data.groupby("g").cumcount()
    with pytest.warns(RWarning, match=DOUBT) as caught:
        CALLS[call](data)
    ours = [warning for warning in caught if issubclass(warning.category, RWarning)]
    assert {warning.filename for warning in ours} == {__file__}


def test_no_warning_of_an_earlier_fit():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rb.lme("y ~ x", grouped(), "~ 1 | g").warnings_ == ()


def stopped_early():
    control = {"maxIter": 1, "msMaxIter": 1, "niterEM": 0, "returnObject": True}
    return rb.lme(
        "y ~ x",
        grouped().rename(columns={"y": "converged"}).assign(y=lambda d: d.converged),
        "~ x | g",
        control=control,
    )


def test_not_converged_is_visible():
    with pytest.warns(ConvergenceWarning, match="convergence"):
        fit = stopped_early()
    assert not fit.converged and "not converged" in repr(fit)


def test_a_column_named_convergence_is_no_warning_of_it():
    frame = grouped().rename(columns={"x": "convergence"})
    frame["p"] = frame["convergence"]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = rb.lme("y ~ as.integer(`convergence` * 1)", frame, "~ 1 | g")
    assert fit.converged and not [w for w in caught if w.category is ConvergenceWarning]


def test_a_singular_design_names_the_aliased_columns():
    frame = grouped().assign(twice=lambda d: 2 * d.x)
    with pytest.raises(FitError, match="determine twice: leave out"):
        rb.lme("y ~ x + twice", frame, "~ 1 | g")


def test_apvar_that_is_not_positive_definite_has_its_reason():
    frame = grouped()
    frame["y"] = np.random.default_rng(2).normal(size=len(frame))  # no variance between groups
    fit = rb.lme("y ~ x", frame, "~ 1 | g")
    if fit.apvar:
        pytest.fail("the example must have no apVar")
    assert "on-positive" in fit.apvar.reason
    with pytest.raises(rb.RBridgeError, match="on-positive"):
        fit.varcomp_vcov("delta")


def test_groups_that_are_the_rows_raise():
    with pytest.raises(DataError, match="'g' has as many groups as rows"):
        rb.lme("y ~ x", grouped(60, 1), "~ 1 | g")


def test_one_group_raises():
    with pytest.raises(DataError, match="'g' has one group"):
        rb.lme("y ~ x", grouped(1, 60), "~ 1 | g")


@pytest.mark.parametrize("lhs", ["b", "I(b)", "!b", "x > 0", "b & b", "b + 0", "ifelse(b, 1, 0)"])
def test_a_logical_response_raises(lhs):
    with pytest.raises(DataError, match="must be (numeric|a numeric vector), not logical"):
        rb.lme(f"{lhs} ~ x", grouped().assign(b=lambda d: d.y > 1), "~ 1 | g")


@pytest.mark.parametrize("lhs", ["s", "c(s)", "as.numeric(s)", "factor(x)", "as.factor(x)"])
def test_a_factor_response_raises(lhs):
    with pytest.raises(
        DataError, match="must be (numeric|a numeric vector), not (text|factor|ordered)"
    ):
        rb.lme(f"{lhs} ~ x", grouped().assign(s=["a", "b"] * 30), "~ 1 | g")


def test_a_logical_response_may_be_asked_for():
    frame = grouped().assign(b=lambda d: d.y > 1)
    fit = rb.lme("as.numeric(b) ~ x", frame, "~ 1 | g")
    assert fit.params.equals(rb.lme("y ~ x", frame.assign(y=frame.b * 1.0), "~ 1 | g").params)


@pytest.mark.parametrize(
    "fixed, random, options",
    [
        ("y ~ log(x)", "~ 1 | g", {}),
        ("log(x) ~ 1", "~ 1 | g", {}),
        ("y ~ 1", "~ log(x) | g", {}),
        ("y ~ I(1 / (x > 0))", "~ 1 | g", {}),
        ("y ~ 1", "~ 1 | g", {"weights": "varPower(form = ~ log(x))"}),
        ("y ~ big:x + I(big * big)", "~ 1 | g", {}),
        ("y ~ factor(big, levels = c(0, 1))", "~ 1 | g", {}),
    ],
)
def test_formulas_that_make_values_not_finite_raise(fixed, random, options):
    frame = grouped().assign(big=np.arange(60) * 10_000)
    with pytest.raises(DataError, match="is not finite in \\d+ row"):
        rb.lme(fixed, frame, random, **options)
    if random == "~ 1 | g":
        with pytest.raises(DataError, match="is not finite in \\d+ row"):
            rb.gls(fixed, frame, **options)


def test_missing_values_are_counted_and_not_shown():
    frame = grouped()
    frame.loc[3:5, "x"] = np.nan
    frame["y"] = frame.y + 31415.9265
    with pytest.raises(DataError, match="'x' \\(3\\)") as caught:
        rb.lme("y ~ x", frame, "~ 1 | g", na_action="raise")
    assert "3141" not in str(caught.value)


@pytest.mark.parametrize(
    "fixed, random",
    [("y ~ x + I(x * 2)", "~ 1 | g"), ("y ~ one", "~ 1 | g"), ("y ~ x", "~ poly(x, 70) | g")],
)
def test_no_data_value_in_any_part_of_an_error(fixed, random):
    frame = grouped().assign(one="only")
    frame["y"] = frame.y + 31415.9265
    with pytest.raises(rb.RBridgeError) as caught:
        rb.lme(fixed, frame, random)
    everything = f"{caught.value} {vars(caught.value)}"
    assert "3141" not in everything and f"{frame.x[0]:.4f}" not in everything


def test_one_level_is_told_by_its_column():
    with pytest.raises(FitError, match="single value: 'one'"):
        rb.lme("y ~ one", grouped().assign(one="only"), "~ 1 | g")


def test_errors_cross_processes_whole():
    error = FitError("m", "f", ("a", "b"), ("t",), ("w",))
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is FitError and vars(copy) == vars(error) and str(copy) == str(error)


def test_a_failed_fit_leaves_nothing_in_r():
    before = in_r("length(ls(as.environment('rbridge'), all.names = TRUE))")[0]
    for _ in range(3):
        with pytest.raises(FitError):
            rb.lme("y ~ x + I(2 * x)", grouped(), "~ 1 | g")
    assert in_r("length(ls(as.environment('rbridge'), all.names = TRUE))")[0] <= before

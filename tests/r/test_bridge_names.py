"""Names: what nlme stumbles over arrives, and comes back as the user's."""

from __future__ import annotations

import pytest

import rbridge as rb
from tests.support.bridging import grouped, in_r, quoted

AWKWARD = [
    *("if", "my x", "pi", "T", "TRUE", "NA", "NULL", "function", "c", "log", "data", "sigma"),
    *("größe", "x²", "变量", "a.b", "_x", ".5x", "1", "x+y", "a`b", "a\\b", "rbv0000x", "I(x)", "😀"),
    *("Intercept", "weights", "random", "x" * 300),
]


@pytest.mark.parametrize("name", AWKWARD)
def test_names_that_nlme_or_r_would_misread(name):
    plain = rb.lme("y ~ x", grouped(), "~ x | g")
    frame = grouped().rename(columns={"x": name, "g": f"{name} group"})
    fit = rb.lme(f"y ~ {quoted(name)}", frame, f"~ {quoted(name)} | {quoted(name + ' group')}")
    assert list(fit.params.index) == ["(Intercept)", name]
    assert fit.params.tolist() == plain.params.tolist()
    assert f"Tau.{name} group.var({name})" in fit.varcomp.index


def test_the_column_pi_is_a_column_and_without_one_a_number():
    as_column = rb.lme("y ~ pi", grouped().rename(columns={"x": "pi"}), "~ 1 | g")
    assert as_column.params["pi"] == rb.lme("y ~ x", grouped(), "~ 1 | g").params["x"]
    number = rb.lme("y ~ I(x * pi)", grouped(), "~ 1 | g")
    assert number.params.iloc[1] * 3.141592653589793 == pytest.approx(as_column.params["pi"])


def test_a_variable_found_only_in_rs_global_environment_is_refused():
    in_r("zz <- rnorm(60); NULL")
    try:
        with pytest.raises(rb.RBridgeError, match="no column 'zz'"):
            rb.lme("y ~ zz", grouped(), "~ 1 | g")
    finally:
        in_r("rm(zz); NULL")


@pytest.mark.filterwarnings("ignore:nlme stopped before the optimum")
def test_functions_in_rs_global_environment_do_not_reach_the_formula():
    fixed, random = "y ~ log(p) + poly(x, 2)", "~ I(x^2) | g"
    frame = grouped().assign(p=grouped().x.abs() + 1)
    weights = rb.varPower("~ log(p)")
    before = rb.lme(fixed, frame, random, weights=weights)
    in_r("log <- I <- poly <- function(x, ...) 0 * x; c <- fixef <- function(...) 1; NULL")
    try:
        after = rb.lme(fixed, frame, random, weights=weights)
        assert after.params.equals(before.params) and after.varcomp.equals(before.varcomp)
        assert after.predict(frame.head()).equals(before.predict(frame.head()))
    finally:
        in_r("rm(log, I, poly, c, fixef); NULL")


def test_names_in_messages_are_the_users():
    with pytest.raises(rb.RBridgeError, match="determine I\\(2 \\* my x\\)") as caught:
        frame = grouped().rename(columns={"x": "my x"})
        rb.lme("y ~ `my x` + I(2 * `my x`)", frame, "~ 1 | g")
    assert "rbv" not in str(caught.value)


def test_levels_that_look_like_the_neutral_names():
    frame = grouped().assign(s=["rbv0001x", "rbg0000x", "rb", "b"] * 15)
    with pytest.raises(rb.RBridgeError, match="'s' has a level written like"):
        rb.lme("y ~ s + x", frame, "~ 1 | g")
    fit = rb.lme("y ~ x", frame, "~ 1 | s")  # as labels of groups they are the user's
    assert fit.snapshot.levels[0].labels == ("b", "rb", "rbg0000x", "rbv0001x")

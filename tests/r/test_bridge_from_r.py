"""R → pandas: one test for each row."""

from __future__ import annotations

import pandas as pd
import pytest

import rbridge as rb
from tests.support.bridging import in_r


def test_na_integer_is_missing():
    assert in_r("data.frame(a = c(1L, NA))")["a"].tolist() == [1, pd.NA]
    assert in_r("data.frame(a = 1:2)")["a"].dtype == "int64"
    assert pd.isna(in_r("c(1L, NA)")[1])


def test_dates_and_difftimes_keep_their_class():
    frame = in_r(
        'data.frame(d = as.Date(c("2020-02-29", NA, "1969-12-31")), '
        't = as.POSIXct(c("2021-07-01 10:00:00.5", NA, "1960-01-01 00:00:00"), '
        'tz = "Europe/Paris"), '
        'w = as.difftime(c(1.5, NA, 2), units = "hours"))'
    )
    assert frame["d"].dt.strftime("%F").tolist()[::2] == ["2020-02-29", "1969-12-31"]
    assert str(frame["t"].dt.tz) == "Europe/Paris"
    assert frame["t"].iloc[0] == pd.Timestamp("2021-07-01 10:00:00.5", tz="Europe/Paris")
    assert frame["w"].tolist()[::2] == [pd.Timedelta("1.5h"), pd.Timedelta("2h")]
    assert frame.isna().loc[1].all() and not frame.isna().loc[[0, 2]].any().any()


def test_factors_keep_levels_and_order():
    back = in_r('factor(c("b", NA, "a"), levels = c("c", "b", "a"), ordered = TRUE)')
    assert back.cat.categories.tolist() == ["c", "b", "a"] and back.cat.ordered
    assert back.cat.codes.tolist() == [1, -1, 2]


def test_logical_and_text_na_are_missing():
    frame = in_r('data.frame(l = c(TRUE, NA), s = c("x", NA), n = c(TRUE, FALSE))')
    assert frame["l"].dtype == "boolean" and frame["n"].dtype == "bool"
    assert frame["s"].tolist() == ["x", None]


def test_vectors_without_elements():
    assert in_r("list(numeric(), integer(), logical(), character(), NULL)")[3] == ()
    assert in_r("matrix(numeric(), 0, 3)").shape == (0, 3)
    assert in_r("data.frame(a = numeric(), b = integer())").shape == (0, 2)


def test_bytes_that_are_no_utf8_are_spelled_out():
    assert in_r('"caf\\xe9 \\xff"') in (("caf<e9> <ff>",), ("café ÿ",))


@pytest.mark.parametrize("code", ["mean", "globalenv()", "quote(x)", "1i", "as.raw(1)"])
def test_what_has_no_plain_form_stays_in_r(code):
    with pytest.raises(TypeError, match="no plain form"):
        in_r(code)


def test_fitted_models_stay_in_r_as_they_are(seed_fit, ask_r):
    assert ask_r("class(m)", seed_fit) == ("lme",)
    assert ask_r("names(nlme::fixef(m))[1]", seed_fit) == ("(Intercept)",)
    assert not any(
        "rpy2" in type(v).__module__ for v in vars(seed_fit.in_r("a test").handle).values()
    )


def test_pickled_results_have_no_model_in_r(seed_fit):
    import pickle

    copy = pickle.loads(pickle.dumps(seed_fit))
    assert copy.varcomp.equals(seed_fit.varcomp)
    with pytest.raises(rb.RBridgeError, match="came without it"):
        copy.lmeinfo.varcomp_vcov()

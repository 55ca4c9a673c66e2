"""Hypotheses as text, frames and arrays; the second source is arithmetic by hand."""

import numpy as np
import pandas as pd
import pytest

from rbridge.analysis.hypotheses import rows_of_hypothesis
from rbridge.errors import SpecError

NAMES = ["(Intercept)", "age", "sex1", "age:sex1", "I(x^2)", "poly(x, 2)1", "t-1"]


@pytest.mark.parametrize(
    ("text", "L", "rhs"),
    [
        ("age = 0", [{"age": 1}], [0]),
        ("age", [{"age": 1}], [0]),
        ("age = 0, age:sex1 = 2*sex1 + 3", [{"age": 1}, {"age:sex1": 1, "sex1": -2}], [0, 3]),
        ("age - (sex1 + age:sex1)/2 = 1", [{"age": 1, "sex1": -0.5, "age:sex1": -0.5}], [1]),
        ("I(x^2) = 0\npoly(x, 2)1 = age", [{"I(x^2)": 1}, {"poly(x, 2)1": 1, "age": -1}], [0, 0]),
        ("`t-1` = 0", [{"t-1": 1}], [0]),
        ("(Intercept) + 10 * age = 2.5e1", [{"(Intercept)": 1, "age": 10}], [25]),
        ("-age = 1e-3", [{"age": -1}], [0.001]),
        ("2 * (age + 3) = sex1", [{"age": 2, "sex1": -1}], [-6]),
    ],
)
def test_text_is_read_as_linear_equations(text, L, rhs):
    rows = rows_of_hypothesis(text, NAMES)
    expected = pd.DataFrame(L).reindex(columns=NAMES).fillna(0.0)
    assert np.array_equal(rows.L, expected.to_numpy())
    assert np.allclose(rows.rhs, rhs, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("aga = 0", "did you mean 'age'"),
        ("age * sex1 = 0", "not linear"),
        ("1 / age = 0", "not linear"),
        ("age / 0 = 0", "not linear"),
        ("age =", "end of the hypothesis"),
        ("age = (sex1", "not closed"),
        ("age sex1 = 0", "'sex1'"),
        ("", "end of the hypothesis"),
        ("2age = 0", "no coefficient '2age'"),
    ],
)
def test_what_is_no_linear_equation_is_refused(text, said):
    with pytest.raises(SpecError, match=said):
        rows_of_hypothesis(text, NAMES)


def test_frames_series_and_arrays_say_the_same():
    frame = pd.DataFrame({"sex1": [0.0, 1.0], "age": [1.0, -1.0]}, index=["a", "b"])
    from_frame = rows_of_hypothesis(frame, NAMES)
    by_hand = np.zeros((2, 7))
    by_hand[0, 1], by_hand[1, 1], by_hand[1, 2] = 1, -1, 1
    assert np.array_equal(from_frame.L, by_hand)
    assert from_frame.labels == ("a", "b")
    assert np.array_equal(rows_of_hypothesis(by_hand, NAMES).L, by_hand)
    assert np.array_equal(rows_of_hypothesis({"age": 1.0}, NAMES).L, by_hand[:1])
    with pytest.raises(SpecError, match="'ag'"):
        rows_of_hypothesis({"ag": 1.0}, NAMES)
    with pytest.raises(SpecError, match="7 columns"):
        rows_of_hypothesis(np.ones((1, 3)), NAMES)


TWICE = ["(Intercept)", "abx", "abx"]  # level bx of a, level x of ab


@pytest.mark.parametrize(
    "what", ["abx = 0", "`abx` = 0", {"abx": 1.0}, pd.DataFrame({"abx": [1.0]})], ids=repr
)
def test_a_name_of_two_coefficients_names_none(what):
    with pytest.raises(SpecError, match="'abx' names two coefficients: rename a column, or"):
        rows_of_hypothesis(what, TWICE)
    by_place = rows_of_hypothesis([[0, 0, 1]], TWICE)
    assert by_place.L.tolist() == [[0, 0, 1]]
    assert rows_of_hypothesis("(Intercept) = 0", TWICE).L.tolist() == [[1, 0, 0]]

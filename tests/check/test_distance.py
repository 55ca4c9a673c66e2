"""How far two answers are apart: by name, in units of the standard errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rbridge.check.distance import aligned, farthest, largest, relative_difference
from rbridge.errors import SpecError


def square(matrix: list[list[float]], *names: str) -> pd.DataFrame:
    return pd.DataFrame(matrix, list(names), list(names))


COV = square([[4.0, 1.0], [1.0, 9.0]], "a", "b")


def test_the_unit_of_an_entry_is_the_root_of_its_variances() -> None:
    other = square([[4.0, 1.6], [1.6, 9.0]], "a", "b")
    assert relative_difference(other, COV) == pytest.approx(0.6 / (2 * 3))
    assert relative_difference(COV * 1.01, COV) == pytest.approx(0.01)


def test_names_count_and_their_order_does_not() -> None:
    turned = square([[9.0, 1.0], [1.0, 4.0]], "b", "a")
    assert relative_difference(turned, COV) == 0
    with pytest.raises(SpecError, match="only one side has .'b', 'c'."):
        relative_difference(square([[4.0, 1.0], [1.0, 9.0]], "a", "c"), COV)


def test_names_that_repeat_are_taken_in_order() -> None:
    one = square([[1.0, 0.0], [0.0, 2.0]], "sd", "sd")
    assert relative_difference(one * 1.5, one) == pytest.approx(0.5)


def test_a_nan_is_no_agreement() -> None:
    assert np.isnan(relative_difference(COV * np.nan, COV))


def test_a_vector_is_measured_by_size_and_zero_as_it_is() -> None:
    theirs = pd.Series({"cov": -2.0, "zero": 0.0})
    assert largest(pd.Series({"cov": 0.5, "zero": 0.0}), theirs) == pytest.approx(0.25)
    assert largest([0.0, 0.125], theirs) == pytest.approx(0.125)
    assert largest([], []) == 0


def test_values_follow_the_names() -> None:
    values = pd.Series({"a": 1.0, "b": 2.0})
    assert list(aligned(values, pd.Index(["b", "a"]))) == [2.0, 1.0]


def test_the_farthest_are_named_with_both_numbers() -> None:
    one = pd.Series({"a": 2.0, "b": 4.0, "c": 1.0})
    other = pd.Series({"a": 2.0, "b": 2.0, "c": 1.0 + 1e-9})
    names, told = farthest(one, other, ("here", "there"), "se ")
    assert names == ("b",)  # what lies a thousandth as far apart is not worth a word
    assert told == "b: se 4 (here), 2 (there), +1 relative"


def test_what_is_no_number_is_farthest() -> None:
    one, other = pd.Series({"a": 9.0, "b": np.nan}), pd.Series({"a": 1.0, "b": 2.0})
    names, told = farthest(one, other, ("x", "y"))
    assert names == ("b",) and "nan (x), 2 (y)" in told

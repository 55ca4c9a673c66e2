"""Linear hypotheses: what is refused, what is redundant, and what does not matter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rbridge.core.engine.contractions import contract
from rbridge.core.fixed_effects.hypothesis import hypothesis, rows_of
from rbridge.core.fixed_effects.inference import Inference, KnownDf, inference
from rbridge.errors import DataError, SpecError
from tests.support import designs

FIT = designs.CASES["slope"]
EYE = np.eye(3)


@pytest.fixture(scope="module")
def asked() -> Inference:
    return inference(FIT, contract(FIT))


@pytest.mark.parametrize(
    "L, error, message",
    [
        ([[1.0, 2.0]], SpecError, "a column for each of 3"),
        (np.zeros((0, 3)), SpecError, "at least one row"),
        ([[0, 1, 0], [0, 0, 0]], SpecError, "row 1 of the hypothesis is zero"),
        ([[0, 1, 0], [0, np.inf, 0]], DataError, "row 1 of the hypothesis is not finite"),
        ([["a", "b", "c"]], DataError, "must be a matrix of numbers"),
    ],
)
def test_rows_that_are_refused(L: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        rows_of(L, 3)


def test_a_right_hand_side_that_is_refused() -> None:
    with pytest.raises(DataError, match="right-hand side of the hypothesis is not finite"):
        hypothesis(EYE, EYE, np.nan)
    with pytest.raises(SpecError, match="right-hand side .* 2 values for 3 rows"):
        hypothesis(EYE, EYE, [0.0, 1.0])
    with pytest.raises(SpecError, match="contradict each other"):
        hypothesis([[1, 0, 0], [2, 0, 0]], EYE, [1.0, 1.0])


def test_redundant_rows_are_left_out_and_said(asked: Inference) -> None:
    rows = np.array([[0, 1, 0], [0, 0, 1], [0, 1, -1], [0, 2, 5]])
    short, long = asked.test(rows[:2]), asked.test(rows)
    assert long.df_num == 2 and long.note == "2 of the rows follow from the others"
    np.testing.assert_allclose([long.statistic, long.df_den], [short.statistic, short.df_den])


def test_redundant_rows_with_a_right_hand_side_that_fits() -> None:
    found = hypothesis([[1, 0, 0], [0, 1, 0], [1, 1, 0]], EYE, [1.0, 2.0, 3.0])
    assert found.redundant == 1 and list(found.rhs) == [1.0, 2.0]


def test_the_units_of_coefficients_do_not_decide_on_rank() -> None:
    """Rows that differ in a coefficient of tiny unit alone are two rows."""
    L = [[1.0, 0.0], [1.0, 1e-12]]
    assert len(hypothesis(L, np.diag([1.0, 1e24])).L) == 2
    assert len(hypothesis(L, np.diag([1.0, 1.0])).L) == 1


@pytest.mark.parametrize("ddf", ["kenward-roger", "residual", "normal"])
def test_a_hypothesis_does_not_depend_on_how_it_is_written(ddf: Any) -> None:
    asked = inference(FIT, contract(FIT), ddf)
    L = EYE[1:]
    one = asked.test(L, [0.3, -0.2])
    turn = np.array([[2.0, 1.0], [-30.0, 7.0]])
    other = asked.test(turn @ L, turn @ [0.3, -0.2])
    np.testing.assert_allclose(
        [other.statistic, other.df_den, other.p], [one.statistic, one.df_den, one.p], rtol=1e-9
    )


def test_one_row_is_the_square_of_t(asked: Inference) -> None:
    row = np.array([0.0, 1.0, -2.0])
    rows, test = asked.rows(row, 0.5), asked.test(row, 0.5)
    np.testing.assert_allclose(
        [rows.t[0] ** 2, rows.df[0], rows.p[0]], [test.statistic, test.df_den, test.p], rtol=1e-10
    )
    lower, upper = asked.rows(row).limits(0.9)
    edge = asked.rows(row, lower[0])
    np.testing.assert_allclose(edge.p, 0.1, rtol=1e-9)
    assert upper > lower


def test_unequal_degrees_of_freedom_by_coefficient() -> None:
    known = KnownDf(EYE, np.array([25.0, 79.0, 79.0]))
    np.testing.assert_array_equal(known.row_df(np.array([[0.0, 1, 1], [1, 1, 0]])), [79, 25])
    assert known.scaling(EYE[1:]).note == ""
    found = known.scaling(EYE)
    assert found.df_den == 25 and "25 to 79 df; the fewest are taken" in found.note


def test_no_degrees_of_freedom_left_is_said() -> None:
    asked = Inference(np.ones(3), KnownDf(EYE, np.zeros(3)), "")
    test = asked.test(EYE)
    assert np.isnan(test.p) and test.note == "no degrees of freedom are left"
    assert np.isnan(asked.rows(EYE).p).all()


@pytest.mark.filterwarnings("error")
def test_a_negative_variance_has_no_standard_error_and_no_warning() -> None:
    method = KnownDf(np.diag([4.0, -1e-12]), np.full(2, 5.0))
    found = Inference(np.ones(2), method, "").rows(np.eye(2))
    np.testing.assert_array_equal(found.se, [2.0, np.nan])
    lower, upper = found.limits()
    assert np.isnan([found.t[1], found.p[1], lower[1], upper[1]]).all()

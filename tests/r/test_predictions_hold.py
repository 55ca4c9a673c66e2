"""Predictions keep what the fit computed from its rows, wherever it stands in a formula."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.errors import DataError, RBridgeError
from tests.support import formulas
from tests.support.grades import graded

NESTED = [
    *("I(scale(x)^2)", "abs(scale(x))", "pmax(scale(x), 0)", "I(poly(x, 2)^2)"),
    *("ifelse(scale(x) > 0, 1, 0)", "cut(x, 3, labels = FALSE)", "as.numeric(cut(x, 3))"),
    *("ns(scale(x), df = 3)", "scale(x, TRUE, FALSE)", "bs(df = 4, x = x)", "cut(x, 3)"),
    *("scale(poly(x, 2))", "as.numeric(factor(k))", "poly(x, z, degree = 2)", "I(f:h)"),
    *("factor(k, labels = c('p', 'q', 'r'))", "as.numeric(interaction(f, h, drop = TRUE))"),
]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return formulas.data(np.random.default_rng(1))


def _off(fit: Any, rows: pd.DataFrame) -> float:
    """How far predictions of rows of the fit are from its fitted values."""
    fitted = fit.fittedvalues[rows.index]
    return float(np.abs(fit.predict(rows) - fitted).max() / max(np.abs(fit.fittedvalues).max(), 1))


def _parts(data: pd.DataFrame) -> list[pd.DataFrame]:
    some = data[data.x > 0.3].sample(frac=1, random_state=1).drop(columns="y")
    return [some, some.iloc[:1]]


@pytest.mark.parametrize("term", NESTED)
def test_a_nested_basis_is_the_fits(term: str, data: pd.DataFrame) -> None:
    fit = rb.gls(f"y ~ {term}", data)
    assert max(_off(fit, part) for part in _parts(data)) < 1e-9


@pytest.mark.parametrize("term", ["scale(x)", "I(scale(x)^2)", "poly(x, 2)", "abs(scale(x))"])
def test_a_nested_basis_of_the_random_effects_is_the_fits(term: str, data: pd.DataFrame) -> None:
    fit = rb.lme("y ~ x", data, {"g": rb.pdDiag(f"~ {term}")}, control={"returnObject": True})
    assert max(_off(fit, part) for part in _parts(data)) < 1e-9


def test_a_basis_that_cannot_be_kept_is_refused_by_name(data: pd.DataFrame) -> None:
    fit = rb.gls("y ~ poly(x, 2, simple = TRUE)", data)
    with pytest.raises(DataError, match=r"poly\(x, 2, simple = TRUE\) cannot be predicted"):
        fit.predict(data.head(7))


def test_values_that_the_fit_has_no_number_for_are_refused(data: pd.DataFrame) -> None:
    fit = rb.gls("y ~ log(z) + as.numeric(cut(x, 3))", data)
    with pytest.raises(DataError, match=r"log\(z\) is not finite in 1 row"):
        fit.predict(data.head(4).assign(z=[1.0, 2.0, -1.0, 1.0]))
    with pytest.raises(DataError, match=r"cut\(x, 3\)\) is not finite in 2 row"):
        fit.predict(data.head(4).assign(x=[0.0, 99.0, -99.0, 0.0]))


@pytest.mark.parametrize("seed", graded(range(8), [0]))
def test_random_formulas_predict_their_own_fitted_values_or_refuse(seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = formulas.data(rng)
    wrong, tried = {}, 0
    while tried < 45:  # 8 × 45 formulas that can be fitted
        right = formulas.right_side(rng)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                fit = rb.gls(f"y ~ {right}", data)
            except RBridgeError:
                continue
            tried += 1
            try:
                off = max(_off(fit, part) for part in _parts(data))
            except DataError as refused:
                off = 0.0 if "cannot be predicted" in str(refused) else np.inf
        if not off < 1e-7:
            wrong[right] = off
    assert not wrong

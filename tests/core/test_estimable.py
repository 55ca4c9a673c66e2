"""Tests of terms: sums of squares, equally weighted means, and exact arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

from rbridge.core.engine.contractions import contract
from rbridge.core.fixed_effects.estimable import (
    TermHypothesis,
    design_root,
    empty_cells,
    kept_columns,
    marginal,
    on_coefficients,
    type_one,
    type_three,
    type_two,
    weighted_root,
)
from rbridge.core.fixed_effects.inference import inference
from rbridge.core.snapshot import FitSnapshot, FixedTerms
from rbridge.core.terms import design_rows
from rbridge.errors import SpecError
from tests.support import designs
from tests.support.terms import fixed_terms, treatment

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(11)
ROWS = 90
A, B = RNG.integers(0, 3, ROWS), RNG.integers(0, 4, ROWS)
T = RNG.normal(size=ROWS) + 2
RESPONSE = A + 0.3 * B + RNG.normal(size=ROWS) + 0.2 * T * A
SUM = {k: np.vstack([np.eye(k - 1), -np.ones(k - 1)]) for k in (2, 3, 4)}
ODD = {k: RNG.normal(size=(k, k - 1)) for k in (2, 3, 4)}


def fitted(terms: FixedTerms, values: Sequence[Array]) -> FitSnapshot:
    """Least squares."""
    X = design_rows(terms, values)[:, kept_columns(terms)]
    fit = designs.fit(X, RESPONSE[: len(X)])
    beta, rss = np.linalg.lstsq(X, fit.y, rcond=None)[:2]
    sigma = float(np.sqrt(rss[0] / (len(X) - X.shape[1])))
    return designs.replace(fit, beta=beta, sigma=sigma)


def statistics(fit: FitSnapshot, hypotheses: list[TermHypothesis]) -> dict[str, float]:
    asked = inference(fit, contract(fit), "residual")
    return {h.label: asked.test(h.L).statistic for h in hypotheses}


def reduction(fit: FitSnapshot, smaller: Array, larger: Array) -> float:
    """F from residual sums of squares of two designs, the error from the fit."""
    rss = [np.linalg.lstsq(X, fit.y, rcond=None)[1][0] for X in (smaller, larger)]
    return float((rss[0] - rss[1]) / (larger.shape[1] - smaller.shape[1]) / fit.sigma**2)


CROSSED = fixed_terms({"a": treatment(3), "b": treatment(4)}, ["a", "b", "a:b"])
SLOPES = fixed_terms({"a": treatment(3), "t": 1}, ["a", "t", "a:t"])


@pytest.mark.parametrize("terms, values", [(CROSSED, [A, B]), (SLOPES, [A, T])], ids=["ab", "at"])
def test_type_one_is_the_reduction_in_sum_of_squares(terms: FixedTerms, values: Any) -> None:
    fit = fitted(terms, values)
    found = statistics(fit, type_one(terms, design_root(fit))[1:])
    for number, label in enumerate(terms.labels, start=1):
        X = [fit.X[:, terms.assign < number + more] for more in (0, 1)]
        np.testing.assert_allclose(found[label], reduction(fit, *X), rtol=1e-9)


def test_type_two_is_the_reduction_among_terms_that_do_not_contain_it() -> None:
    fit = fitted(CROSSED, [A, B])
    found = statistics(fit, type_two(CROSSED, design_root(fit)))
    for number, label in enumerate(("a", "b"), start=1):
        other = fit.X[:, np.isin(CROSSED.assign, [0, 3 - number])]
        both = fit.X[:, CROSSED.assign < 3]
        np.testing.assert_allclose(found[label], reduction(fit, other, both), rtol=1e-9)


def test_a_factor_is_not_contained_in_its_slopes() -> None:
    """As in SAS: other numeric variables, another thing; the factor is adjusted for the slopes."""
    fit = fitted(SLOPES, [A, T])
    found = statistics(fit, type_two(SLOPES, design_root(fit)))
    np.testing.assert_allclose(
        found["a"], reduction(fit, fit.X[:, SLOPES.assign != 1], fit.X), rtol=1e-9
    )
    parallel = fit.X[:, SLOPES.assign < 3]
    np.testing.assert_allclose(
        found["t"], reduction(fit, fit.X[:, SLOPES.assign < 2], parallel), rtol=1e-9
    )


def test_the_weighted_root_is_that_of_the_design_in_least_squares() -> None:
    fit = fitted(CROSSED, [A, B])
    vcov = np.linalg.inv(fit.X.T @ fit.X) * fit.sigma**2
    roots = design_root(fit), weighted_root(vcov)
    one, other = (statistics(fit, type_one(CROSSED, root)) for root in roots)
    np.testing.assert_allclose(list(other.values()), list(one.values()), rtol=1e-9)
    assert list(one) == ["(Intercept)", "a", "b", "a:b"]


# Type III ----------------------------------------------------------------------------------------


def test_type_three_compares_equally_weighted_means() -> None:
    """Rows of L are differences of averages over the cells of the other factor."""
    L = {h.label: h.L for h in type_three(CROSSED)}
    cell = {(i, j): design_rows(CROSSED, [[i], [j]])[0] for i in range(3) for j in range(4)}
    a = [np.mean([cell[i, j] for j in range(4)], axis=0) for i in range(3)]
    b = [np.mean([cell[i, j] for i in range(3)], axis=0) for j in range(4)]
    np.testing.assert_allclose(L["a"], [a[i] - a[0] for i in (1, 2)], atol=1e-12)
    np.testing.assert_allclose(L["b"], [b[j] - b[0] for j in (1, 2, 3)], atol=1e-12)


def test_type_three_of_a_slope_is_their_average() -> None:
    L = {h.label: h.L for h in type_three(SLOPES)}
    np.testing.assert_allclose(L["t"], [[0, 0, 0, 1, 1 / 3, 1 / 3]], atol=1e-12)
    np.testing.assert_allclose(L["a"], np.eye(6)[1:3], atol=1e-12)


@pytest.mark.parametrize("contrasts", [SUM, ODD], ids=["sum", "odd"])
@pytest.mark.parametrize("second", ["b", "t"])
def test_type_three_does_not_depend_on_the_contrasts(contrasts: Any, second: str) -> None:
    coded: dict[str, Any] = {"a": contrasts[3], second: contrasts[4] if second == "b" else 1}
    plain = CROSSED if second == "b" else SLOPES
    other = fixed_terms(coded, plain.labels)
    values = [A, B if second == "b" else T]
    one, two = (statistics(fitted(terms, values), type_three(terms)) for terms in (plain, other))
    np.testing.assert_allclose(list(two.values()), list(one.values()), rtol=1e-8)


def test_nlmes_marginal_tests_do_depend_on_the_contrasts() -> None:
    other = fixed_terms({"a": ODD[3], "b": ODD[4]}, CROSSED.labels)
    one, two = (statistics(fitted(t, [A, B]), marginal(t))["a"] for t in (CROSSED, other))
    assert abs(two / one - 1) > 1e-3


def test_marginal_with_sum_contrasts_is_type_three() -> None:
    terms = fixed_terms({"a": SUM[3], "b": SUM[4]}, CROSSED.labels)
    fit = fitted(terms, [A, B])
    ours, nlme = statistics(fit, type_three(terms)), statistics(fit, marginal(terms))
    for label in terms.labels:
        np.testing.assert_allclose(nlme[label], ours[label], rtol=1e-9)


# Empty cells, in exact arithmetic ----------------------------------------------------------------

HOLES = np.array([(i, j) for i, j in product(range(3), range(4)) if (i, j) not in ((2, 3), (0, 1))])


def with_holes(a: Array, b: Array) -> FixedTerms:
    """a × b as gls fits it: a column that follows from those before it has no coefficient."""
    plain = fixed_terms({"a": a, "b": b}, CROSSED.labels, HOLES)
    columns = design_rows(plain, [HOLES[:, 0], HOLES[:, 1]])
    independent: list[int] = []
    for k in range(12):
        if np.linalg.matrix_rank(columns[:, [*independent, k]]) > len(independent):
            independent.append(k)
    return fixed_terms({"a": a, "b": b}, CROSSED.labels, HOLES, independent)


def row_reduced(rows: list[list[Fraction]]) -> list[list[Fraction]]:
    """Reduced row echelon form, zero rows left out."""
    rows, done = [list(r) for r in rows], 0
    for column in range(len(rows[0])):
        pivot = next((i for i in range(done, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[done], rows[pivot] = rows[pivot], rows[done]
        rows[done] = [x / rows[done][column] for x in rows[done]]
        for i, row in enumerate(rows):
            if i != done and row[column]:
                rows[i] = [x - row[column] * y for x, y in zip(row, rows[done])]
        done += 1
    return rows[:done]


def annihilating(vectors: list[list[Fraction]], width: int) -> list[list[Fraction]]:
    """A basis of the x with v·x = 0 for every one of the vectors."""
    reduced = row_reduced(vectors) if vectors else []
    pivots = [next(k for k, x in enumerate(row) if x) for row in reduced]
    basis = []
    for free in (k for k in range(width) if k not in pivots):
        x = [Fraction(int(k == free)) for k in range(width)]
        for pivot, row in zip(pivots, reduced):
            x[pivot] = -row[free]
        basis.append(x)
    return basis


def goodnight(cells: Array, term: str) -> Array:
    """Type III functions of a × b over μ, a, b, ab, by the definition and with fractions."""
    design = [
        [Fraction(1)]
        + [Fraction(int(i == k)) for k in range(3)]
        + [Fraction(int(j == k)) for k in range(4)]
        + [Fraction(int((i, j) == k)) for k in product(range(3), range(4))]
        for i, j in cells.tolist()
    ]
    basis = row_reduced(design)
    place = {"a": range(1, 4), "b": range(4, 8), "a:b": range(8, 20)}

    def within(allowed: set[int]) -> list[list[Fraction]]:
        """Estimable functions that are zero outside the allowed columns."""
        outside = [[row[k] for row in basis] for k in range(20) if k not in allowed]
        weights = annihilating(outside, len(basis))
        return [[sum(w * r[k] for w, r in zip(ws, basis)) for k in range(20)] for ws in weights]

    mine = within({*place[term], *place["a:b"]})
    above = within(set(place["a:b"])) if term != "a:b" else []
    products = [[sum(x * y for x, y in zip(m, u)) for m in mine] for u in above]
    weights = annihilating(products, len(mine))
    rows = [[sum(w * m[k] for w, m in zip(ws, mine)) for k in range(20)] for ws in weights]
    return np.array(rows, dtype=float)


@pytest.mark.parametrize("coding", [treatment, SUM.__getitem__, ODD.__getitem__])
@pytest.mark.parametrize("term", ["a", "b", "a:b"])
def test_type_three_with_empty_cells_in_exact_arithmetic(coding: Any, term: str) -> None:
    """The same space of functions: on the columns of all levels, solved for the coefficients."""
    terms = with_holes(coding(3), coding(4))
    L = {h.label: h.L for h in type_three(terms)}[term]
    exact = goodnight(HOLES, term)
    full = np.array(
        [[1, *np.eye(3)[i], *np.eye(4)[j], *np.kron(np.eye(3)[i], np.eye(4)[j])] for i, j in HOLES]
    )
    X = design_rows(terms, [HOLES[:, 0], HOLES[:, 1]])[:, kept_columns(terms)]
    expected = np.linalg.lstsq(full.T, exact.T, rcond=None)[0].T @ X
    assert L.shape == expected.shape
    both = np.vstack([L / np.abs(L).max(), expected / np.abs(expected).max()])
    assert np.linalg.matrix_rank(both, tol=1e-8) == len(L)


def test_empty_cells_are_named() -> None:
    assert empty_cells(with_holes(treatment(3), treatment(4))) == {"a:b": [("0", "1"), ("2", "3")]}
    assert empty_cells(CROSSED) == {}


def test_rows_that_empty_cells_leave_open() -> None:
    """The mean of a level over all cells cannot be had where one of them is empty."""
    terms = with_holes(treatment(3), treatment(4))
    means = np.array(
        [design_rows(terms, [np.full(4, i), np.arange(4)]).mean(axis=0) for i in range(3)]
    )
    L, estimable = on_coefficients(terms, means)
    assert list(estimable) == [False, True, False]
    X = design_rows(terms, [HOLES[:, 0], HOLES[:, 1]])[:, kept_columns(terms)]
    beta = RNG.normal(size=10)
    np.testing.assert_allclose(L[1] @ beta, (X @ beta)[HOLES[:, 0] == 1].mean(), rtol=1e-10)


# What is refused ---------------------------------------------------------------------------------


def test_contrasts_with_too_few_columns_have_no_type_three() -> None:
    terms = fixed_terms({"a": np.array([[-1.0], [0.0], [1.0]]), "t": 1}, ["a", "t"])
    with pytest.raises(SpecError, match="contrasts of a have fewer columns.*type='marginal'"):
        type_three(terms)


def test_coefficients_that_are_not_the_terms() -> None:
    terms = designs.replace(CROSSED, assign=CROSSED.assign[:-1])
    with pytest.raises(SpecError, match="the terms give 12 coefficients, and the fit has 11"):
        kept_columns(terms)


def test_a_model_of_the_intercept_alone_has_no_terms() -> None:
    terms = fixed_terms({}, [])
    assert type_three(terms) == [] and type_two(terms, np.eye(1)) == []
    assert [h.label for h in type_one(terms, np.eye(1))] == ["(Intercept)"]

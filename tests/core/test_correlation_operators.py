"""The quick forms of R against dense matrices: every product, trace and derivative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from rbridge.core.engine import correlation
from rbridge.core.engine.contractions import contract
from rbridge.core.engine.correlation import (
    CompoundSymmetry,
    Correlation,
    Dense,
    Markov,
    correlation_operator,
)
from rbridge.core.engine.covariance import NotPositiveDefinite, arma_acf
from rbridge.core.engine.dense import dense_forms
from rbridge.core.engine.model import model_at
from rbridge.core.engine.toeplitz import ToeplitzBatch
from rbridge.core.parameters import theta
from rbridge.core.snapshot import CorStruct
from tests.support import designs

COUNTS = [7, 1, 9, 7, 4, 2]
CODES = designs.groups(COUNTS)
TIME = np.concatenate([np.arange(float(c)) for c in COUNTS])
GAPS = np.concatenate(
    [np.cumsum([0.7, 0.2, 1.4, 0.3, 2.1, 0.4, 0.9, 1.1, 0.6][:c]) for c in COUNTS]
)


def arma(values: Sequence[float], p: int, q: int, at: np.ndarray = TIME) -> CorStruct:
    return designs.correlation("corARMA", values, CODES, at, p=p, q=q)


BACKWARD = TIME.copy()
BACKWARD[:7] = BACKWARD[:7][::-1]
HOLE = TIME.copy()
HOLE[11:17] += 3

QUICK = {
    "ARMA(1,1)": arma([0.6, 0.3], 1, 1),
    "ARMA(2,1)": arma([0.5, 0.2, -0.4], 2, 1),
    "ARMA(1,2)": arma([-0.3, 0.5, 0.2], 1, 2),
    "ARMA(3,0)": arma([0.4, 0.2, 0.1], 3, 0),
    "ARMA(0,1)": arma([0.45], 0, 1),
    "ARMA(0,3)": arma([0.4, -0.3, 0.2], 0, 3),
    "ARMA out of order": arma([0.6, 0.3], 1, 1, BACKWARD),
    "ARMA with a hole": arma([0.6, 0.3], 1, 1, HOLE),
    "ARMA fixed": replace(arma([0.6, 0.3], 1, 1), fixed=True),
    "corExp": designs.correlation("corExp", [1.7], CODES, GAPS),
    "corCompSymm": designs.correlation("corCompSymm", [0.35], CODES, 0 * TIME, lower=-0.125),
    "corCompSymm of zero": designs.correlation("corCompSymm", [0.0], CODES, 0 * TIME),
    "corCompSymm below": designs.correlation("corCompSymm", [-0.1], CODES, 0 * TIME),
}


def dense(cor: CorStruct, monkeypatch: pytest.MonkeyPatch) -> Correlation:
    monkeypatch.setattr(correlation, "LONG", 10**9)
    return Dense(cor, cor.values, cor.covariate, np.cumsum([0, *COUNTS[:-1]]))


def quick(cor: CorStruct, monkeypatch: pytest.MonkeyPatch) -> Correlation:
    monkeypatch.setattr(correlation, "LONG", 4)
    starts = np.cumsum([0, *COUNTS[:-1]])
    return correlation_operator(cor, cor.values, len(CODES), slice(None), starts)


@pytest.mark.parametrize("name", QUICK)
def test_every_part_is_that_of_the_dense_matrices(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cor = QUICK[name]
    expected, found = dense(cor, monkeypatch), quick(cor, monkeypatch)
    close = {"rtol": 1e-11, "atol": 1e-11}
    for part in ("log_det", "trace1", "trace2", "trace3", "diagonals"):
        np.testing.assert_allclose(getattr(found, part), getattr(expected, part), **close)
    B = np.random.default_rng(3).normal(size=(4, len(CODES)))
    np.testing.assert_allclose(found.solve(B), expected.solve(B), **close)
    np.testing.assert_allclose(found.multiply(B), expected.multiply(B), **close)
    np.testing.assert_allclose(found.hadamard(B), expected.hadamard(B), **close)
    for c in range(len(expected.trace1)):
        np.testing.assert_allclose(found.solve_first(c, B), expected.solve_first(c, B), **close)
        for d in range(len(expected.trace1)):
            pair = found.solve_second(c, d, B), expected.solve_second(c, d, B)
            np.testing.assert_allclose(*pair, **close)


def test_which_form_is_taken() -> None:
    def form(cor: CorStruct) -> type:
        starts = np.cumsum([0, *COUNTS[:-1]])
        return type(correlation_operator(cor, cor.values, len(CODES), slice(None), starts))

    assert form(QUICK["corExp"]) is Markov
    assert form(QUICK["corCompSymm"]) is CompoundSymmetry
    nugget = designs.correlation("corExp", [1.7, 0.2], CODES, GAPS, nugget=True)
    plane = designs.correlation("corExp", [1.7], CODES, np.column_stack([GAPS, TIME]))
    assert form(nugget) is form(plane) is Dense


@pytest.mark.parametrize("rho", [-0.2, 1.0])
def test_compound_symmetry_outside_its_range(rho: float) -> None:
    with pytest.raises(NotPositiveDefinite):
        CompoundSymmetry(QUICK["corCompSymm"], np.array([rho]), len(CODES), np.array([0, 7]))


def test_no_stationary_series_no_likelihood(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotPositiveDefinite):
        quick(replace(QUICK["ARMA(1,1)"], values=np.array([1.01, 0.2])), monkeypatch)


@pytest.mark.parametrize(
    "phi, theta",
    [([0.7], []), ([0.6], [0.3]), ([], [0.5, -0.3]), ([0.995], [0.8]), ([1.5, -0.8], [-0.6])],
)
def test_the_diagonals_that_count(phi: list[float], theta: list[float]) -> None:
    """R⁻¹ ∘ R of a long series against the dense one; its width is not the series' length."""
    ar, ma, s = np.array(phi), np.array(theta), 400
    series = ToeplitzBatch(ar, ma, 0, np.arange(s)[None])
    lag = np.abs(np.subtract.outer(np.arange(s), np.arange(s)))
    R = np.asarray(arma_acf(ar, ma, len(ar), len(ma), s - 1))[lag]
    X = np.random.default_rng(1).normal(size=(2, 1, s))
    expected = X @ (R * np.linalg.inv(R))
    close = 1e-9 * np.abs(expected).max()  # of R, whose condition number is up to 1e6
    np.testing.assert_allclose(series.hadamard(X), expected, rtol=0, atol=close)
    longer = ToeplitzBatch(ar, ma, 0, np.arange(2 * s)[None])
    assert series.reach == longer.reach < s


@pytest.mark.parametrize("weights", [(), designs.VARIANCES["Power"]])
def test_one_long_series_against_dense_v(weights: tuple[object, ...]) -> None:
    n = 150
    rng = np.random.default_rng(8)
    X = np.column_stack([np.ones(n), rng.normal(size=n)])
    series = designs.groups([n])
    cor = designs.correlation("corARMA", [0.7, -0.2, 0.4], series, np.arange(n), p=2, q=1)
    if weights:
        weights = (designs.variance("varPower", [0.4], rng.uniform(1, 3, size=n)),)
    fit = designs.fit(X, rng.normal(size=n), (), cor, weights)
    found, expected = contract(fit), dense_forms(fit, model_at(fit, theta(fit).values), "REML", "")
    for part in ("log_likelihood", "score", "trace2", "quad2", "trace3", "quad3"):
        np.testing.assert_allclose(getattr(found, part), getattr(expected, part), rtol=1e-9)

"""Predictions of rows held out: against the conditional normal distribution of all rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from rbridge.core.engine.contractions import contract
from rbridge.core.fixed_effects.prediction import NewRows, Predictions, new_deviations, predict_rows
from rbridge.core.parameters import theta
from rbridge.core.snapshot import FitSnapshot, RandomLevel
from rbridge.errors import DataError, SpecError
from tests.support import brute, designs
from tests.support.brute_fixed import at_gls

Array = np.ndarray[Any, Any]
HELD = np.array([2, 14, 15, 16, 30, 44])  # 15 is all there is of its innermost group
KEPT = np.setdiff1d(np.arange(designs.N), HELD)
FEW = {name: fit for name, fit in designs.CASES.items() if name.count(" + ") < 2}
BOTH = {name: fit for name, fit in designs.CASES.items() if name.endswith("1 + Comb")}
CORRELATED = {name: fit for name, fit in {**FEW, **BOTH}.items() if fit.cor is not None}


@dataclass(frozen=True)
class HeldOut:
    """A fit to the rows kept, the rows held out as new ones, and V of all rows."""

    whole: FitSnapshot
    fit: FitSnapshot
    new: NewRows
    V: Array

    @classmethod
    def of(cls, whole: FitSnapshot) -> HeldOut:
        seen = [np.unique(level.codes[KEPT]) for level in whole.levels]
        levels = tuple(
            replace(
                level,
                Z=level.Z[KEPT],
                codes=np.searchsorted(groups, level.codes[KEPT]),
                labels=tuple(level.labels[g] for g in groups),
                b=level.b[groups],
            )
            for level, groups in zip(whole.levels, seen)
        )
        fit = _kept(whole, levels)
        groups = tuple(
            np.where(np.isin(level.codes[HELD], g), np.searchsorted(g, level.codes[HELD]), -1)
            for level, g in zip(whole.levels, seen)
        )
        covariates = [_part(v.covariate, HELD) for v in whole.var]
        strata = [_part(v.codes, HELD) for v in whole.var]
        sd = new_deviations(whole, 6, covariates, strata)
        series = (None, None)
        if whole.cor is not None:
            series = (whole.cor.codes[HELD], whole.cor.covariate[HELD])
        Z = tuple(level.Z[HELD] for level in whole.levels)
        new = NewRows(whole.X[HELD], Z, groups, sd, *series)
        return cls(whole, at_gls(fit, theta(fit).values), new, brute.marginal(whole))

    def predicted(self, level: int | None = None, **more: Any) -> Predictions:
        return predict_rows(self.fit, contract(self.fit), self.new, level, **more)

    def expected(self, C: Array, own: Array) -> tuple[Array, Array]:
        """Mean and error of a target with covariances C (kept, held) and variances ``own``."""
        A = np.linalg.inv(self.V[np.ix_(KEPT, KEPT)])
        X, x = self.fit.X, self.new.X
        phi = np.linalg.inv(X.T @ A @ X)
        d = x - C.T @ A @ X
        mean = x @ self.fit.beta + C.T @ A @ (self.fit.y - X @ self.fit.beta)
        return mean, own - np.diag(C.T @ A @ C) + np.diag(d @ phi @ d.T)

    def random_part(self, levels: slice) -> tuple[Array, Array]:
        """Covariances and variances of the random effects of some levels in the new rows."""
        C, own = np.zeros((len(KEPT), 6)), np.zeros(6)
        for level in self.whole.levels[levels]:
            between = level.Z @ level.D @ level.Z.T * (level.codes[:, None] == level.codes)
            C += between[np.ix_(KEPT, HELD)]
            own += np.diag(between)[HELD]
        return C, own


def _part(array: Array | None, rows: Array) -> Array | None:
    return None if array is None else array[rows]


def _kept(fit: FitSnapshot, levels: tuple[RandomLevel, ...]) -> FitSnapshot:
    """The rows kept."""
    cor = fit.cor
    if cor is not None:
        cor = replace(cor, codes=cor.codes[KEPT], covariate=cor.covariate[KEPT])
    var = tuple(
        replace(v, covariate=_part(v.covariate, KEPT), codes=_part(v.codes, KEPT)) for v in fit.var
    )
    arrays = {name: getattr(fit, name)[KEPT] for name in ("y", "X", "fitted")}
    return replace(fit, **arrays, cor=cor, var=var, levels=levels, rows=np.arange(len(KEPT)))


@pytest.mark.parametrize("whole", {**FEW, **BOTH}.values(), ids={**FEW, **BOTH})
def test_every_level_is_the_conditional_distribution(whole: FitSnapshot) -> None:
    held = HeldOut.of(whole)
    total = np.diag(held.V)[HELD]
    for level in range(len(whole.levels) + 1):
        found = held.predicted(level)
        C, own = held.random_part(slice(level))
        mean, mse = held.expected(C, own)
        np.testing.assert_allclose(found.mean, mean, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(found.mse, mse, rtol=1e-8)
        np.testing.assert_allclose(found.variance, mse + total - own, rtol=1e-8)
        assert not found.conditional.any()


@pytest.mark.parametrize("whole", CORRELATED.values(), ids=CORRELATED)
def test_a_continued_series_is_the_conditional_distribution(whole: FitSnapshot) -> None:
    held = HeldOut.of(whole)
    found = held.predicted(conditional=True)
    mean, variance = held.expected(held.V[np.ix_(KEPT, HELD)], np.diag(held.V)[HELD])
    np.testing.assert_allclose(found.mean, mean, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.variance, variance, rtol=1e-8)
    assert (found.mse <= found.variance + 1e-12).all()
    assert found.conditional[0] and not found.conditional[2]  # a series with rows left, one without


def test_an_ar1_forecast_decays_to_the_mean() -> None:
    """By hand: ŷ(h) − μ̂ = φ^h (y_last − μ̂), innovation σ²(1 − φ^2h)."""
    whole = designs.CASES["gls + AR1"]
    fit = at_gls(whole, theta(whole).values)
    last = np.flatnonzero(designs.INNER == 0)[-1]
    ahead = np.array([1.0, 2.0, 30.0])
    X = np.column_stack([np.ones(3), designs.TIME[last] + ahead, np.zeros(3)])
    sd = np.full(3, fit.sigma)
    new = NewRows(X, (), (), sd, np.zeros(3, int), X[:, 1:2])
    found = predict_rows(fit, contract(fit), new, conditional=True)
    residual = fit.y[last] - fit.X[last] @ fit.beta
    np.testing.assert_allclose(found.mean, X @ fit.beta + 0.4**ahead * residual, rtol=1e-12)
    innovation = fit.sigma**2 * (1 - 0.4 ** (2 * ahead))
    np.testing.assert_allclose(found.variance - found.mse, innovation, rtol=1e-12)


def test_a_row_of_the_data_is_predicted_without_its_own_residual() -> None:
    whole = designs.CASES["gls + AR1"]
    fit = at_gls(whole, theta(whole).values)
    assert fit.cor is not None
    sd = np.full(fit.n, fit.sigma)
    new = NewRows(fit.X, (), (), sd, fit.cor.codes, fit.cor.covariate)
    found = predict_rows(fit, contract(fit), new, conditional=True)
    np.testing.assert_allclose(found.mean, fit.X @ fit.beta, rtol=1e-12)
    assert not found.conditional.any()


def test_henderson_equations_give_the_same_errors() -> None:
    """The inverse of the mixed-model equations, with D⁻¹."""
    whole = designs.CASES["slope"]
    fit = at_gls(whole, theta(whole).values)
    level, m = fit.levels[0], 4
    Z = np.zeros((fit.n, 2 * m))
    for g in range(m):
        Z[level.codes == g, 2 * g : 2 * g + 2] = level.Z[level.codes == g]
    W = np.column_stack([fit.X, Z]) / fit.sigma
    equations = W.T @ W
    equations[3:, 3:] += np.kron(np.eye(m), np.linalg.inv(level.D))
    C = np.linalg.inv(equations)
    new = NewRows(fit.X, (level.Z,), (level.codes,), np.full(fit.n, fit.sigma))
    found = predict_rows(fit, contract(fit), new)
    both = np.column_stack([fit.X, Z])
    np.testing.assert_allclose(found.mse, np.diag(both @ C @ both.T), rtol=1e-9)


def test_many_groups_go_through_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    held = HeldOut.of(designs.CASES["nested + AR1"])
    whole = held.predicted()
    monkeypatch.setattr("rbridge.core.engine.layout.CHUNK", 4)
    pieces = held.predicted()
    np.testing.assert_allclose(pieces.mse, whole.mse, rtol=1e-12)


@pytest.mark.parametrize(
    "change, arguments, error, message",
    [
        ({}, {"level": 2}, SpecError, "level must be 0 to 1"),
        ({}, {"conditional": True}, SpecError, "no series to continue"),
        ({"X": np.zeros((6, 2))}, {}, DataError, r"X of the new rows has shape \(6, 2\)"),
        ({"sd": np.full(6, np.nan)}, {}, DataError, "sd of the new rows is not finite"),
        ({"Z": ()}, {}, DataError, "need Z and groups for each of 1 levels"),
    ],
)
def test_new_rows_that_do_not_fit(
    change: dict[str, Any], arguments: dict[str, Any], error: Any, message: str
) -> None:
    held = HeldOut.of(designs.CASES["slope"])
    with pytest.raises(error, match=message):
        predict_rows(held.fit, contract(held.fit), replace(held.new, **change), **arguments)


def test_a_series_continues_at_the_innermost_level_only() -> None:
    held = HeldOut.of(designs.CASES["slope + AR1"])
    with pytest.raises(SpecError, match="innermost level only"):
        held.predicted(0, conditional=True)


def test_a_visit_that_the_fit_does_not_have() -> None:
    held = HeldOut.of(designs.CASES["gls + Symm"])
    new = replace(held.new, cor_covariate=np.full((6, 1), 7.0))
    with pytest.raises(DataError, match="has 5 positions"):
        predict_rows(held.fit, contract(held.fit), new, conditional=True)

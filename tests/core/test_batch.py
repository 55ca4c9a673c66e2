"""Many responses at once: against one at a time, closed forms, dense matrices."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rbridge.core.arrays import Array
from rbridge.core.engine.dense import dense_forms
from rbridge.core.engine.model import model_at
from rbridge.core.fitting.batch import batches, estimate_many
from rbridge.core.fitting.maximum import estimate
from rbridge.core.fitting.patterns import many_forms, responses, shared_design
from rbridge.core.fitting.solution import solution
from rbridge.core.parameters import tau_basis
from rbridge.core.simulate import process
from rbridge.core.snapshot import FitSnapshot
from rbridge.errors import InformationError, SnapshotError
from tests.support import designs, oneway

RECORDS = Path(__file__).parents[1] / "reference" / "nlme"


def recorded(name: str) -> FitSnapshot:
    record = json.loads((RECORDS / f"{name}.json").read_text())
    return FitSnapshot.from_dict({"format": record["format"], "snapshot": record["snapshot"]})


def drawn(fit: FitSnapshot, count: int) -> Array:
    source = process(fit)
    return np.array([source.draw(np.random.default_rng(i)) for i in range(count)])


@pytest.mark.parametrize(
    "name",
    ["rail-intercept-ml", "orthodont-seed", "pdDiag", "pdIdent", "pdCompSymm", "pdBlocked"]
    + ["pdSymm", "sigma-fixed-ml", "machines-three-effects", "oxboys-slope"],
)
def test_each_is_the_maximum_found_alone(name: str) -> None:
    fit = recorded(name)
    Y = drawn(fit, 6)
    found = estimate_many(fit, Y)
    assert found.converged.all()
    for y, theta, beta, log_lik in zip(Y, found.theta, found.beta, found.log_lik):
        alone = estimate(replace(fit, y=y))
        assert log_lik == pytest.approx(alone.log_lik, abs=1e-8)
        at = solution(replace(fit, y=y), alone.theta)
        np.testing.assert_allclose(theta, alone.theta, atol=1e-4 * np.abs(alone.theta).max())
        np.testing.assert_allclose((beta - at.beta) / np.sqrt(np.diag(at.vcov)), 0, atol=1e-5)


def test_balanced_one_way_layouts() -> None:
    """REML is the analysis of variance, or τ² = 0 where that is negative."""
    rng = np.random.default_rng(5)
    tables = rng.normal(size=(40, 6, 4)) + 0.4 * rng.normal(size=(40, 6, 1))
    fit = oneway.OneWay(tables[0]).snapshot()
    found = estimate_many(fit, tables.reshape(40, -1))
    exact = np.array([oneway.OneWay(y).reml for y in tables])
    inside = exact[:, 0] > 0
    assert 0 < inside.sum() < 40
    np.testing.assert_allclose(found.theta[inside], exact[inside], rtol=1e-6)
    pooled = tables[~inside].reshape(-1, 24).var(axis=1, ddof=1)
    np.testing.assert_allclose(found.theta[~inside, 1], pooled, rtol=1e-7)
    np.testing.assert_allclose(found.theta[~inside, 0], 0, atol=1e-6)
    np.testing.assert_allclose(found.beta[:, 0], tables.mean(axis=(1, 2)), rtol=1e-10)
    assert found.converged.all()


def uneven() -> FitSnapshot:
    """Groups of one to five rows, so that Z'Z of some is singular; X includes Z."""
    rng = np.random.default_rng(6)
    codes = np.repeat(np.arange(12), [1, 2, 3, 4, 5, 1, 2, 2, 3, 5, 5, 5])
    n = len(codes)
    x = rng.normal(size=n)
    Z = np.column_stack([np.ones(n), x])
    X = np.column_stack([Z, rng.normal(size=n)])
    return designs.fit(X, rng.normal(size=n), [designs.level(codes, Z, np.eye(2))])


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("size", [1e-8, 1.0, 1e6])
def test_forms_are_those_of_dense_matrices(method: str, size: float) -> None:
    fit = replace(uneven(), method=method, sigma=1.0, fixed_sigma=True)
    rng = np.random.default_rng(7)
    Y, A = rng.normal(size=(3, fit.n)) + 1e3, rng.normal(size=(3, 2, 2))
    D = size * A @ A.swapaxes(1, 2)
    delta = np.stack([D[:, 0, 0], D[:, 0, 1], D[:, 1, 1]], axis=1)
    assert np.allclose(np.tensordot(delta, tau_basis(fit.levels[0])[1], 1), D)
    design, close = shared_design(fit), 1e-9 * max(size, 1.0)  # so far the dense matrices are right
    found = many_forms(design, responses(design, Y), delta, method == "REML")
    for b, y in enumerate(Y):
        one = replace(fit, y=y)
        exact = dense_forms(one, model_at(one, delta[b]), method, "")  # type: ignore[arg-type]
        for name in ("log_det", "log_det_x", "quad", "trace1", "quad1", "trace2", "quad2"):
            expected = getattr(exact, name)
            scale = np.abs(expected).max()
            np.testing.assert_allclose(
                getattr(found, name)[b] / scale, expected / scale, atol=close
            )


def test_batches_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = uneven()
    Y = drawn(fit, 7)
    whole = estimate_many(fit, Y)
    monkeypatch.setattr("rbridge.core.fitting.batch._AT_ONCE", 1)
    cut = estimate_many(fit, Y)
    np.testing.assert_allclose(cut.log_lik, whole.log_lik, rtol=1e-10)
    assert estimate_many(fit, Y[:0]).theta.shape == (0, 4)


def test_a_response_without_residuals_is_no_fit() -> None:
    fit = uneven()
    Y = np.stack([fit.y, np.ones(fit.n)])
    found = estimate_many(fit, Y)
    assert found.converged.tolist() == [True, False]
    assert np.isnan(found.theta[1]).all() and np.isnan(found.log_lik[1])


def test_what_does_not_batch_is_said() -> None:
    fit = uneven()
    twice = replace(fit, levels=(*fit.levels, fit.levels[0]), fitted=np.zeros((fit.n, 3)))
    assert batches(fit) and not batches(twice)
    with pytest.raises(SnapshotError, match="one grouping level"):
        estimate_many(twice, fit.y[None])
    with pytest.raises(SnapshotError, match="shape"):
        estimate_many(fit, fit.y)
    with pytest.raises(InformationError, match="singular"):
        estimate_many(replace(fit, X=fit.X[:, [0, 1, 1]]), fit.y[None])

"""Many responses at once against the search for one, and the covariances against brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rbridge.core.arrays import Array
from rbridge.core.fitting.ascents import trust_steps
from rbridge.core.fitting.batch import Batch
from rbridge.core.fitting.heights import batches
from rbridge.core.fitting.maximum import estimate
from rbridge.core.fitting.newton import trust_step
from rbridge.core.fitting.solution import solution
from rbridge.core.information import information
from rbridge.core.parameters import theta
from rbridge.core.snapshot import FitSnapshot, RandomLevel
from tests.support import brute, designs
from tests.support.grades import graded

COUNTS = [4, 4, 4, 4, 5, 5, 3, 6, 4, 4, 1, 7]


def trial(random: RandomLevel, method: str) -> FitSnapshot:
    n = len(random.codes)
    X = np.column_stack([np.ones(n), np.linspace(0, 1, n), np.sin(np.arange(n))])
    return designs.fit(X, np.zeros(n), [random], method=method)


def random_effects(name: str) -> RandomLevel:
    codes = designs.groups(COUNTS)
    n = len(codes)
    at = np.concatenate([np.arange(float(k)) for k in COUNTS])
    if name == "intercept":
        return designs.level(codes, np.ones((n, 1)), np.eye(1))
    if name == "blocked":
        Z = np.column_stack([np.ones(n), at % 3 == 0, at % 3 == 1])
        D = np.diag([0.8, 0.5, 0.5])
        return designs.blocked_level(codes, Z.astype(float), D)
    Z = np.column_stack([np.ones(n), at])
    return designs.level(codes, Z, np.diag([0.9, 0.1]), "pdLogChol" if name == "slope" else name)


NAMES = ["intercept", "slope", "pdDiag", "pdIdent", "pdCompSymm", "blocked"]
QUICK = ["intercept-ML", "slope-REML", "blocked-REML"]


@pytest.fixture(params=graded([f"{n}-{m}" for n in NAMES for m in ("REML", "ML")], QUICK))
def fit(request: pytest.FixtureRequest) -> FitSnapshot:
    name, method = request.param.split("-")
    return trial(random_effects(name), method)


def responses(fit: FitSnapshot, k: int) -> Array:
    """Drawn from V by its Cholesky factor; the last without any random effect."""
    rng = np.random.default_rng(7)
    V = brute.covariance(fit, theta(fit).values).astype(float)
    noise = rng.normal(size=(fit.n, k))
    return np.column_stack([fit.X.sum(axis=1)[:, None] + np.linalg.cholesky(V) @ noise, noise])


def test_each_maximum_is_that_of_the_search_for_one(fit: FitSnapshot) -> None:
    Y = responses(fit, 6)
    found = Batch(fit).fit(Y)
    assert found.converged.all()
    for i, y in enumerate(Y.T):
        one = estimate(replace(fit, y=y))
        assert found.log_lik[i] == pytest.approx(one.log_lik, abs=1e-8)
        unit = np.abs(one.theta).max()
        np.testing.assert_allclose(found.theta[i] / unit, one.theta / unit, atol=2e-4)
        at = solution(replace(fit, y=y), found.theta[i])
        np.testing.assert_allclose(found.beta[i], at.beta, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(found.beta_cov[i], at.vcov, rtol=1e-8, atol=1e-10)


def test_log_likelihood_is_that_of_the_whole_matrix(fit: FitSnapshot) -> None:
    Y = responses(fit, 3)
    found = Batch(fit).fit(Y)
    for i, y in enumerate(Y.T):
        dense = float(brute.log_likelihood(replace(fit, y=y), found.theta[i]))
        assert found.log_lik[i] == pytest.approx(dense, abs=1e-9)


def test_information_is_the_engines(fit: FitSnapshot) -> None:
    Y = responses(fit, 3)
    found = Batch(fit).fit(Y)
    for i, y in enumerate(Y.T):
        exact = information(replace(fit, y=y), "expected", found.theta[i]).matrix
        np.testing.assert_allclose(found.information[i], exact, rtol=1e-7, atol=1e-9)


def test_neither_the_start_nor_the_company_matters(fit: FitSnapshot) -> None:
    Y, batch = responses(fit, 5), Batch(fit)
    batch.at_once = 3
    found, again = batch.fit(Y), Batch(fit).fit(Y, theta(fit).values[:-1] / fit.sigma**2)
    np.testing.assert_allclose(found.log_lik, again.log_lik, atol=1e-8)


def test_a_large_mean_costs_no_digits() -> None:
    fit = trial(random_effects("slope"), "REML")
    Y, batch = responses(fit, 3), Batch(fit)
    found, moved = batch.fit(Y), batch.fit(Y + 1e6)
    np.testing.assert_allclose(moved.log_lik, found.log_lik, atol=1e-6)


def test_which_models_batch() -> None:
    assert batches(designs.named("slope"))
    for other in (designs.named("nested"), designs.named("slope", "AR1")):
        assert not batches(other)
    assert not batches(replace(designs.named("slope"), fixed_sigma=True))


@pytest.mark.parametrize("radius", [0.3, 3.0, 1e3])
def test_steps_are_those_of_one_quadratic(radius: float) -> None:
    """Concave, saddles, and the hard case: no gradient along the largest curvature."""
    rng = np.random.default_rng(1)
    A = rng.normal(size=(20, 3, 3))
    H = A + A.transpose(0, 2, 1)
    H[:8] = -A[:8] @ A[:8].transpose(0, 2, 1)
    g = rng.normal(size=(20, 3))
    values, vectors = np.linalg.eigh(H[-3:])
    g[-3:] -= vectors[:, :, -1] * np.einsum("ka,ka->k", vectors[:, :, -1], g[-3:])[:, None]
    steps, rises = trust_steps(g, H, np.full(20, radius))
    for i in range(20):
        step, rise = trust_step(g[i], H[i], radius)
        assert rises[i] == pytest.approx(rise, rel=1e-3)
        assert np.linalg.norm(steps[i]) <= 1.06 * radius

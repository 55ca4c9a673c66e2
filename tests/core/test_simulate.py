"""Simulated responses against V by brute force, and residuals freed of V."""

import numpy as np
import pytest

from rbridge.core.residuals import Roots, residuals, standard_deviations
from rbridge.core.simulate import process
from rbridge.errors import SpecError
from tests.support import brute, designs

CASES = {
    **{name: designs.named(name) for name in ("intercept", "singular", "blocked", "nested")},
    **{
        f"slope, {cor}": designs.named("slope", cor, var)
        for cor, var in zip(designs.CORRELATIONS, 2 * tuple(designs.VARIANCES))
    },
}


def covariance_of_draws(snapshot):
    """V that the draws have: every source of noise by unit vectors in place of random numbers."""

    class Unit:
        def __init__(self, at):
            self.at = at

        def standard_normal(self, shape):
            z = np.zeros(int(np.prod(shape)))
            if 0 <= self.at < len(z):
                z[self.at] = 1
            self.at -= len(z)
            return z.reshape(shape)

    source = process(snapshot)
    n = snapshot.n + sum(m * ZA.shape[1] for _, ZA, m in source.levels)
    A = np.array([source.draw(Unit(k)) - source.mean for k in range(n)])
    return A.T @ A


@pytest.mark.parametrize("name", CASES)
def test_covariance_of_the_draws_is_v(name):
    snapshot = CASES[name]
    V = brute.marginal(snapshot)
    np.testing.assert_allclose(covariance_of_draws(snapshot), V, rtol=1e-10, atol=1e-10)


def test_moments_of_random_draws():
    snapshot = CASES["slope, AR1"]
    source, rng = process(snapshot), np.random.default_rng(1)
    draws = np.array([source.draw(rng) for _ in range(4000)])
    V = brute.marginal(snapshot)
    z = (draws.mean(axis=0) - snapshot.X @ snapshot.beta) / np.sqrt(np.diag(V) / len(draws))
    assert np.abs(z).max() < 4
    scale = np.sqrt(np.outer(np.diag(V), np.diag(V)) * 2 / len(draws))
    assert np.abs((np.cov(draws.T) - V) / scale).max() < 5


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.cor])
def test_normalized_residuals_have_no_covariance_left(name):
    snapshot = CASES[name]
    unit = np.eye(snapshot.n)
    roots, sd = Roots.of(snapshot.cor), standard_deviations(snapshot)
    SRS = brute.marginal(snapshot, len(snapshot.levels))
    W = np.array([roots.whiten(e) for e in unit]).T / sd
    np.testing.assert_allclose(W @ SRS @ W.T, unit, atol=1e-9)


def test_residual_types():
    snapshot = CASES["slope, AR1"]
    raw = residuals(snapshot, "response", 0)
    np.testing.assert_array_equal(raw, snapshot.y)  # fitted values are zero in this snapshot
    np.testing.assert_allclose(residuals(snapshot, "pearson") * standard_deviations(snapshot), raw)
    with pytest.raises(SpecError, match="response, pearson, normalized, not 'working'"):
        residuals(snapshot, "working")


def test_draws_depend_on_the_seed_alone():
    source = process(CASES["nested"])
    one, same, other = (source.draw(np.random.default_rng(s)) for s in (3, 3, 4))
    assert (one == same).all() and (one != other).any()

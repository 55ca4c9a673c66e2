"""The log-likelihood against a second one, written entry by entry, and against nlme's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from rbridge.core.engine.contractions import contract
from rbridge.core.likelihood import log_likelihood, score
from rbridge.core.parameters import theta
from rbridge.errors import InformationError, SnapshotError
from tests.support import brute, designs, references
from tests.support.grades import graded


@pytest.mark.parametrize("name", graded(designs.FITS, designs.QUICK))
def test_likelihood_and_score_by_brute_force(name: str) -> None:
    fit = designs.FITS[name]
    values = theta(fit).values
    np.testing.assert_allclose(log_likelihood(fit), brute.log_likelihood(fit, values), rtol=1e-12)
    expected = brute.gradient(fit, values)
    np.testing.assert_allclose(score(fit), expected, atol=1e-10 * max(1, abs(expected).max()))


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_many_random_effects_in_few_groups(method: str) -> None:
    """Two groups of twelve effects: summed one after another, not all in one product."""
    rng = np.random.default_rng(7)
    codes, Z = designs.groups([40, 35]), rng.normal(size=(75, 12))
    X = np.column_stack([np.ones(75), rng.normal(size=(75, 2))])
    level = designs.level(codes, Z, np.diag(rng.uniform(0.2, 2, 12)), "pdDiag")
    fit = designs.fit(X, rng.normal(size=75), [level], method=method)
    values, expected = theta(fit).values, brute.gradient(fit, theta(fit).values)
    np.testing.assert_allclose(log_likelihood(fit), brute.log_likelihood(fit, values), rtol=1e-12)
    np.testing.assert_allclose(score(fit), expected, atol=1e-10 * abs(expected).max())


def test_likelihood_by_scipy() -> None:
    fit = replace(designs.CASES["nested + AR1"], method="ML")
    V = brute.covariance(fit, theta(fit).values)
    XV = fit.X.T @ np.linalg.inv(V)
    mean = fit.X @ np.linalg.solve(XV @ fit.X, XV @ fit.y)
    expected = multivariate_normal(mean, V).logpdf(fit.y)
    np.testing.assert_allclose(log_likelihood(fit), expected, rtol=1e-12)


@pytest.mark.parametrize("name", references.INFORMATION)
def test_likelihood_is_nlmes(name: str) -> None:
    model = references.INFORMATION[name]
    np.testing.assert_allclose(
        log_likelihood(references.information_fit(name)), model["log_lik"], rtol=1e-12
    )


@pytest.mark.parametrize("name", references.INFORMATION)
def test_score_vanishes_at_nlmes_estimates(name: str) -> None:
    """The gain in likelihood that the gradient promises, ½ s' I⁻¹ s, is next to nothing."""
    forms = contract(references.information_fit(name))
    assert forms.score @ np.linalg.solve(forms.trace2, forms.score) < 1e-5


def test_theta_and_method_can_be_chosen() -> None:
    fit = designs.case("AR1 + Power")
    other = theta(fit).values * 1.1
    for method in ("REML", "ML"):
        expected = brute.log_likelihood(replace(fit, method=method), other)
        np.testing.assert_allclose(log_likelihood(fit, other, method), expected, rtol=1e-12)
        assert score(fit, other, method).shape == other.shape


def test_fixed_sigma_is_no_parameter() -> None:
    fit = replace(designs.case("CAR1 + Comb"), fixed_sigma=True)
    values = theta(fit).values
    np.testing.assert_allclose(score(fit), brute.gradient(fit, values), rtol=1e-10, atol=1e-10)


def test_likelihood_where_there_is_none() -> None:
    fit = designs.CASES["slope"]
    impossible = theta(fit).values.copy()
    impossible[0] = -50.0
    assert log_likelihood(fit, impossible) == -np.inf
    with pytest.raises(InformationError, match="not positive definite"):
        score(fit, impossible)


@pytest.mark.parametrize("sigma_sq", [0.0, -1.0])
def test_no_likelihood_without_residual_variance(sigma_sq: float) -> None:
    fit = designs.CASES["intercept"]
    assert log_likelihood(fit, [0.7, sigma_sq]) == -np.inf


def test_wrong_arguments_are_named() -> None:
    fit = designs.CASES["slope"]
    with pytest.raises(SnapshotError, match="theta has shape"):
        log_likelihood(fit, [1.0, 2.0])
    with pytest.raises(SnapshotError, match="method must be 'REML' or 'ML', not 'PQL'"):
        log_likelihood(fit, method="PQL")  # type: ignore[arg-type]

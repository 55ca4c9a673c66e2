"""Cov(θ̂) at the boundary, and the joint covariance of β̂ and θ̂."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from rbridge.core.engine.contractions import contract
from rbridge.core.fixed_effects.inference import inference
from rbridge.core.fixed_effects.interior import interior_covariance
from rbridge.core.fixed_effects.joint import joint_covariance
from rbridge.core.information import information
from rbridge.core.likelihood import log_likelihood
from rbridge.core.parameters import theta
from rbridge.core.snapshot import FitSnapshot
from rbridge.errors import InformationError, SpecError
from tests.support import brute, designs, oneway
from tests.support.brute_fixed import at_gls

Array = np.ndarray[Any, Any]


def differences(f: Any, x: Array, h: Array) -> Array:
    """Hessian by Richardson-extrapolated central differences."""

    def once(step: Array) -> Array:
        eye = np.diag(step)
        return np.array(
            [
                [
                    sum(s * t * f(x + s * a + t * b) for s in (1, -1) for t in (1, -1))
                    / (4 * step[i] * step[j])
                    for j, b in enumerate(eye)
                ]
                for i, a in enumerate(eye)
            ]
        )

    return (4 * once(h) - once(2 * h)) / 3


def test_inside_it_is_the_inverse_information() -> None:
    fit = designs.CASES["nested + AR1"]
    W = interior_covariance(fit, contract(fit))
    np.testing.assert_allclose(W.matrix, information(fit).inverse(), rtol=1e-9)
    assert W.dropped == ()


def test_a_variance_at_zero_drops_out() -> None:
    """What is left is the model without it: n − p degrees of freedom for σ²."""
    fit = designs.CASES["zero"]
    W = interior_covariance(fit, contract(fit))
    assert not W.matrix[0].any()
    np.testing.assert_allclose(W.matrix[1, 1], 2 * 0.9**4 / (45 - 3), rtol=1e-10)
    assert [str(d) for d in W.dropped] == [
        "Tau.g.var(z0) left out: at zero, the boundary of its range"
    ]


def test_the_mean_of_groups_without_a_variance_is_that_of_one_sample() -> None:
    one = oneway.simulated(6, 5, tau=0.0, seed=3)
    assert one.reml[0] < 0
    fit = one.snapshot()
    sd = one.y.std(ddof=1)
    fit = replace(fit, sigma=float(sd))
    rows = inference(fit, contract(fit)).rows([1.0])
    np.testing.assert_allclose([rows.df[0], rows.se[0]], [29, sd / np.sqrt(30)], rtol=1e-9)


def rank_one() -> tuple[FitSnapshot, Any, Array]:
    """A fit at its REML optimum among D = ll', the map (l, σ²) → θ, and the optimum."""
    rng = np.random.default_rng(4)
    m, s = 12, 5
    codes, t = np.repeat(np.arange(m), s), np.tile(np.arange(s) - 1.5, m)
    Z = np.column_stack([np.ones(m * s), t])
    y = Z @ [1, 0.5] + Z @ [1.2, 0.7] * rng.normal(size=m)[codes] + rng.normal(size=m * s)

    def to_theta(point: Array) -> Array:
        a, b, v = point
        return np.array([a * a, a * b, b * b, v])

    start = designs.fit(Z, y, [designs.level(codes, Z, np.eye(2))])
    found = minimize(
        lambda point: -log_likelihood(start, to_theta(point)),
        np.array([1.0, 0.5, 1.0]),
        method="BFGS",
        options={"gtol": 1e-9},
    )
    values = to_theta(found.x)
    D = np.array([[values[0], values[1]], [values[1], values[2]]])
    fit = designs.fit(Z, y, [designs.level(codes, Z, D)], sigma=float(np.sqrt(values[3])))
    return fit, to_theta, found.x


@pytest.mark.parametrize("kind", ["expected", "observed"])
def test_a_singular_covariance_matrix_is_the_model_of_its_rank(kind: Any) -> None:
    """Cov(θ̂) = J I⁻¹ J' with I in the two loadings and σ²; observed: by differences."""
    fit, to_theta, point = rank_one()
    steps = point + 1j * brute.STEP * np.eye(3)
    J = np.array([to_theta(step).imag / brute.STEP for step in steps]).T
    if kind == "expected":
        inner = J.T @ information(fit).matrix @ J
    else:
        inner = -differences(
            lambda p: log_likelihood(fit, to_theta(p)), point, 2e-3 * np.abs(point)
        )
    W = interior_covariance(fit, contract(fit), kind)
    expected = J @ np.linalg.inv(inner) @ J.T
    scale = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(
        W.matrix / np.outer(scale, scale), expected / np.outer(scale, scale), atol=2e-5
    )
    assert "covariance matrix of the random effects of g is singular" in str(W.dropped[0])


@pytest.mark.parametrize("kind", ["expected", "observed"])
def test_a_fit_that_stopped_on_its_way_to_the_boundary_counts_as_there(kind: Any) -> None:
    fit = rank_one()[0]
    level = fit.levels[0]
    normal = np.linalg.eigh(level.D)[1][:, 0]
    near = replace(level, D=level.D + 1e-4 * np.outer(normal, normal))
    there, before = (
        interior_covariance(at, contract(at), kind) for at in (fit, replace(fit, levels=(near,)))
    )
    np.testing.assert_allclose(before.matrix, there.matrix, rtol=2e-2, atol=1e-3)
    assert [str(d) for d in before.dropped] == [str(d) for d in there.dropped]


def test_a_small_variance_at_an_inner_optimum_stays() -> None:
    one = next(
        o for o in (oneway.simulated(9, 6, 0.1, s) for s in range(99)) if 0 < o.reml[0] < 0.02
    )
    fit = one.snapshot()
    W = interior_covariance(fit, contract(fit))
    assert W.dropped == () and W.matrix[0, 0] > 0


def test_a_proportion_at_its_end_drops_out() -> None:
    fit = designs.CASES["gls + CAR1"]
    assert fit.cor is not None
    fit = replace(fit, cor=replace(fit.cor, values=np.array([1e-9])))
    W = interior_covariance(fit, contract(fit))
    assert [str(d) for d in W.dropped] == ["cor_params left out: at the end of its range"]


def test_what_v_does_not_depend_on_drops_out_of_tests_only() -> None:
    """varConstProp with a free σ: one direction of θ changes nothing."""
    fit = designs.CASES["gls + ConstProp strata"]
    forms = contract(fit)
    with pytest.raises(InformationError, match="is singular in"):
        interior_covariance(fit, forms)
    asked = inference(fit, forms)
    assert "V does not depend on it" in str(asked.dropped[0])
    fixed = replace(fit, fixed_sigma=True)
    held = inference(fixed, contract(fixed)).rows(np.eye(3))
    free = asked.rows(np.eye(3))
    np.testing.assert_allclose(free.df, held.df, rtol=1e-6)
    np.testing.assert_allclose(free.se, held.se, rtol=1e-8)


def test_an_unknown_information() -> None:
    fit = designs.CASES["slope"]
    with pytest.raises(SpecError, match="information must be one of"):
        interior_covariance(fit, contract(fit), "exact")  # type: ignore[arg-type]


# Joint covariance --------------------------------------------------------------------------------


def simulated(method: str) -> FitSnapshot:
    """A fit near enough to its optimum that the observed information is positive definite."""
    rng = np.random.default_rng(5)
    m, s = 40, 4
    codes, t = np.repeat(np.arange(m), s), np.tile(np.arange(s) * 1.0, m)
    X = np.column_stack([np.ones(m * s), t, rng.normal(size=m * s)])
    D = np.array([[0.8, 0.1], [0.1, 0.3]])
    b = rng.multivariate_normal([0, 0], D, m)
    y = X @ [1, 0.5, 0.2] + (X[:, :2] * b[codes]).sum(axis=1) + rng.normal(size=m * s)
    cor = designs.correlation("corAR1", [0.2], codes, t)
    fit = designs.fit(X, y, [designs.level(codes, X[:, :2], D)], cor, sigma=0.9, method=method)
    return at_gls(fit, theta(fit).values)


def test_joint_under_ml_is_the_inverse_hessian_of_the_likelihood() -> None:
    fit = simulated("ML")
    point = np.concatenate([fit.beta, theta(fit).values])

    def minus_log_likelihood(at: Array) -> float:
        V, e = brute.covariance(fit, at[3:]), fit.y - fit.X @ at[:3]
        return 0.5 * (np.linalg.slogdet(V)[1] + e @ np.linalg.solve(V, e))

    H = differences(minus_log_likelihood, point, 2e-3 * np.maximum(np.abs(point), 0.1))
    joint = joint_covariance(fit, contract(fit), "observed")
    np.testing.assert_allclose(joint.matrix @ H, np.eye(8), atol=1e-6)
    assert joint.names == ("b0", "b1", "b2", *theta(fit).names)
    np.testing.assert_array_equal(joint.values, point)


def test_joint_under_reml_is_a_flat_prior() -> None:
    """β given y and θ is N(β̂(θ), Φ), θ is N(θ̂, W): moments by the law of total covariance."""
    fit = simulated("REML")
    values = theta(fit).values
    W = interior_covariance(fit, contract(fit), "observed").matrix

    def beta(at: Array) -> Any:
        V = brute.covariance(fit, at)
        A = np.linalg.solve(V, fit.X)
        return np.linalg.solve(A.T @ fit.X, A.T @ fit.y)

    steps = values + 1j * brute.STEP * np.eye(len(values))
    G = np.array([beta(step).imag / brute.STEP for step in steps]).T
    V = brute.covariance(fit, values)
    phi = np.linalg.inv(fit.X.T @ np.linalg.solve(V, fit.X))
    expected = np.block([[phi + G @ W @ G.T, G @ W], [W @ G.T, W]])
    found = joint_covariance(fit, contract(fit), "observed").matrix
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-10)


def test_joint_under_the_expected_information_is_block_diagonal() -> None:
    fit = simulated("REML")
    found = joint_covariance(fit, contract(fit)).matrix
    assert not found[:3, 3:].any()
    np.testing.assert_allclose(found[3:, 3:], information(fit).inverse(), rtol=1e-9)

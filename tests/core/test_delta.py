"""The delta method, and the seed's table that it puts right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbridge.core import derivatives
from rbridge.core.delta import apvar_delta, delta_method
from rbridge.core.parameters import jacobian, theta
from rbridge.core.seed_table import ranef_params
from rbridge.errors import ApVarError, DataError, SnapshotError, SpecError
from tests.support import synthetic as make

X = np.array([2.0, 0.5, -1.5])
COV = np.array([[1.0, 0.3, -0.2], [0.3, 0.5, 0.1], [-0.2, 0.1, 2.0]])


# --- any function -----------------------------------------------------------------------------


def test_linear_function_is_exact() -> None:
    A = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 4.0]])
    result = delta_method(lambda x: A @ x, X, COV)
    np.testing.assert_allclose(result.estimates, A @ X)
    np.testing.assert_allclose(result.jacobian, A, atol=1e-14)
    np.testing.assert_allclose(result.cov, A @ COV @ A.T, rtol=1e-13)


def test_scalar_function() -> None:
    result = delta_method(lambda x: x[0] / (x[0] + x[1]), X, COV)
    J = np.array([[0.5, -2.0, 0.0]]) / 2.5**2
    np.testing.assert_allclose(result.jacobian, J, rtol=1e-14, atol=1e-16)
    np.testing.assert_allclose(result.cov, J @ COV @ J.T, rtol=1e-13)
    assert result.estimates.shape == (1,) and result.cov.shape == (1, 1)


def not_analytic(x: Any) -> Any:
    return np.abs(x)


def cast_to_float(x: Any) -> Any:
    return np.asarray(x, float) ** 2


def python_floats(x: Any) -> Any:
    return [float(v) ** 3 for v in x]


def compares(x: Any) -> Any:
    return [v if complex(v).imag == 0 and v > 1 else 2 * v for v in x]


def conjugates(x: Any) -> Any:
    return (np.conj(x) * x).real


@pytest.mark.parametrize(
    ("g", "slope"),
    [
        (not_analytic, np.sign(X)),
        (cast_to_float, 2 * X),
        (python_floats, 3 * X**2),
        (compares, [1, 2, 2]),
        (conjugates, 2 * X),
    ],
)
def test_functions_that_are_not_analytic(g: Callable[[Any], Any], slope: Any) -> None:
    result = delta_method(g, X, COV)
    np.testing.assert_allclose(result.jacobian, np.diag(slope), rtol=1e-9, atol=1e-12)


@given(st.floats(1e-8, 1e8), st.floats(1e-3, 1e3))
def test_derivative_does_not_depend_on_units(value: float, se_ratio: float) -> None:
    cov = [[(se_ratio * value) ** 2]]
    real_only = delta_method(lambda x: np.log(x.astype(float)), [value], cov)
    np.testing.assert_allclose(real_only.jacobian, [[1 / value]], rtol=1e-8)


def test_estimate_of_zero() -> None:
    result = delta_method(lambda x: np.exp(np.real(x)), [0.0], [[0.04]])
    np.testing.assert_allclose(result.jacobian, [[1]], rtol=1e-10)
    tiny = delta_method(lambda x: np.exp(np.real(x)), [1e-290], [[0.04]])
    np.testing.assert_allclose(tiny.jacobian, [[1]], rtol=1e-10)
    certain = delta_method(lambda x: np.exp(np.real(x)), [0.0], [[0.0]])
    np.testing.assert_allclose(certain.jacobian, [[1]], rtol=1e-10)


@pytest.mark.parametrize("given_jacobian", [np.diag([1.0, 2, 3]), lambda x: np.diag([1.0, 2, 3])])
def test_given_jacobian_is_used(given_jacobian: Any) -> None:
    result = delta_method(lambda x: x, X, COV, jacobian=given_jacobian)
    np.testing.assert_allclose(result.jacobian, np.diag([1, 2, 3]))


def test_inputs_are_left_alone() -> None:
    def greedy(x: Any) -> Any:
        x[0] = 99
        return x * 1

    x = X.copy()
    delta_method(greedy, x, COV)
    np.testing.assert_array_equal(x, X)


def test_differences_agree_with_complex_step() -> None:
    def g(x: Any) -> Any:
        return np.array([np.sin(x[0]) * np.exp(x[1]), x[2] ** 3 / x[1]])

    numeric, error = derivatives.differences(g, X, [np.abs(X)])
    np.testing.assert_allclose(numeric, derivatives.complex_step(g, X), rtol=1e-10, atol=1e-10)
    assert error.max() < 1e-9


@pytest.mark.parametrize(
    ("x", "cov", "message"),
    [
        ([1.0, np.nan], np.eye(2), "estimates holds nan at position \\(1,\\)"),
        ([1.0, 2.0], np.eye(3), "shape \\(2,\\) do not fit cov of shape \\(3, 3\\)"),
        ([1.0, 2.0], [[1, 0.5], [0.2, 1]], "not symmetric: 0.5 at \\(0, 1\\)"),
        ([1.0, 2.0], [[1, 0], [0, -1]], "negative variance at position 1"),
        ([1.0, 2.0], [[1, 0], [0, np.inf]], "cov holds inf at position \\(1, 1\\)"),
        (["a", "b"], np.eye(2), "estimates must be real numbers"),
    ],
)
def test_bad_estimates(x: Any, cov: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        delta_method(lambda x: x, x, cov)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("g", "jacobian", "message"),
    [
        (lambda x: np.log(-x), None, "g must return finite real numbers"),
        (lambda x: "text", None, "g must return finite real numbers"),
        (lambda x: np.outer(x, x), None, "g must return finite real numbers"),
        (lambda x: x, np.eye(2), "jacobian has shape \\(2, 2\\), expected \\(3, 3\\)"),
    ],
)
def test_bad_functions(g: Any, jacobian: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        delta_method(g, np.abs(X), COV, jacobian=jacobian)


# --- nlme's apVar -----------------------------------------------------------------------------


def test_seed_covariance_of_the_variance_components() -> None:
    result = apvar_delta(make.seed())
    assert result.names == theta(make.seed()).names
    assert result.names[:3] == (
        "Tau.subject.var((Intercept))",
        "Tau.subject.cov(age,(Intercept))",
        "Tau.subject.var(age)",
    )
    np.testing.assert_allclose(
        result.cov[:3, :3],
        [
            [26.1631, -1.99861, 0.154683],
            [-1.99861, 0.170976, -0.0145594],
            [0.154683, -0.0145594, 0.00138336],
        ],
        rtol=6e-6,
    )


def test_apvar_delta_is_delta_method_of_the_map() -> None:
    snapshot = make.seed()
    by_hand = delta_method(
        lambda u: np.array([np.exp(2 * u[0]), np.exp(2 * u[1]), np.exp(2 * u[3])]),
        snapshot.apvar.pars,
        snapshot.apvar.cov,
    )
    rows = [0, 2, 3]
    np.testing.assert_allclose(
        apvar_delta(snapshot).cov[np.ix_(rows, rows)], by_hand.cov, rtol=1e-7
    )


def test_no_apvar_says_why() -> None:
    level = make.level("g", make.block("pdDiag", ("a",)))
    reason = "Non-positive definite approximate variance-covariance"
    snapshot = make.snapshot(level, apvar=make.ApVarUnavailable(reason))
    for function in (apvar_delta, ranef_params):
        with pytest.raises(ApVarError, match=reason):
            function(snapshot)


def test_pars_of_another_fit_are_refused() -> None:
    level = make.level("g", make.block("pdDiag", ("a", "b")), D=np.diag([1.0, 4.0]))
    swapped = make.snapshot(level, apvar=make.apvar([np.log(2), 0.0, 0.0]))
    with pytest.raises(SnapshotError, match=r"Tau.g.var\(a\) = 4, the fit 1"):
        apvar_delta(swapped)


# --- the seed's table -------------------------------------------------------------------------


def test_seed_table() -> None:
    table = ranef_params(make.seed())
    assert table.rows == ("re.11", "re.22", "re.12")
    np.testing.assert_allclose(table.eta, [0.8777582, -1.7128810, -1.6128707], rtol=1e-12)
    np.testing.assert_allclose(table.var_eta, [0.19534695, 0.32692918, 1.35401393], rtol=1e-12)
    np.testing.assert_allclose(table.sigma, [5.78643480, 0.03252449, -0.28962733], rtol=1e-7)
    np.testing.assert_allclose(table.var_sigma, [26.163072722, 0.001383358, 0.170976], rtol=5e-7)
    wrong = [26.163072722, 0.001383358, 0.063383293]  # as the question had it
    np.testing.assert_allclose(table.var_sigma_diagonal_only, wrong, rtol=5e-7)
    np.testing.assert_allclose(table.rho_ij, [-0.6676191], rtol=1e-7)
    np.testing.assert_allclose(table.drho_ij_deta_ij, [0.2771423], rtol=2e-7)
    np.testing.assert_allclose(table.grad_rhoij, [[0.1202302, -0.2896273, -0.2896273]], rtol=3e-7)


def with_pars(*levels: Any, natural: bool = True) -> Any:
    """A snapshot with random Pars and a full apVar; D is whatever Pars says."""
    sizes = {"pdDiag": lambda q: q, "pdIdent": lambda q: 1, "pdCompSymm": lambda q: 2}
    r = 1 + sum(
        sizes.get(b.pd_class, lambda q: q * (q + 1) // 2)(len(b.names))
        for level in levels
        for b in level.blocks
    )
    rng = np.random.default_rng(5)
    root = rng.normal(size=(r, r))
    return make.snapshot(
        *levels, apvar=make.apvar(rng.normal(size=r) / 2, root @ root.T / r, natural)
    )


ABCD = ("a", "b", "c", "d")


def test_table_of_four_random_effects_on_two_levels() -> None:
    outer = make.level("outer", make.block("pdLogChol", ABCD))
    inner = make.level("inner", make.block("pdSymm", ("a", "b")))
    snapshot = with_pars(outer, inner)
    table = ranef_params(snapshot)
    pairs = ("11", "22", "33", "44", "12", "13", "14", "23", "24", "34")
    assert table.rows[:10] == tuple(f"outer.re.{pair}" for pair in pairs)
    assert table.rows[10:] == ("inner.re.11", "inner.re.22", "inner.re.12")
    # pdNatural has the same coding and the same order within a level
    np.testing.assert_allclose(table.eta[:10], snapshot.apvar.pars[3:13], atol=1e-14)
    np.testing.assert_allclose(table.eta[10:], snapshot.apvar.pars[:3], rtol=1e-12)
    np.testing.assert_allclose(table.var_eta[:10], np.diag(snapshot.apvar.cov)[3:13], rtol=1e-12)


@pytest.mark.parametrize("natural", [True, False])
@pytest.mark.parametrize("pd_class", ["pdLogChol", "pdSymm", "pdNatural", "pdDiag", "pdCompSymm"])
def test_table_agrees_with_the_delta_rule_on_theta(pd_class: str, natural: bool) -> None:
    names = ("a", "b", "c")
    snapshot = with_pars(make.level("g", make.block(pd_class, names)), natural=natural)
    table = ranef_params(snapshot)
    J = jacobian(snapshot, snapshot.apvar.pars)
    expected = np.diag(J @ snapshot.apvar.cov @ J.T)
    row = {"re.11": 0, "re.22": 2, "re.33": 5, "re.12": 1, "re.13": 3, "re.23": 4}
    if pd_class == "pdDiag":
        row = {"re.11": 0, "re.22": 1, "re.33": 2}
    if pd_class == "pdCompSymm":
        row = {"re.11": 0, "re.22": 0, "re.33": 0, "re.12": 1, "re.13": 1, "re.23": 1}
    assert table.rows == tuple(row)
    np.testing.assert_allclose(table.var_sigma, expected[list(row.values())], rtol=1e-11)


def test_table_of_one_random_effect_and_of_ten() -> None:
    assert ranef_params(with_pars(make.level("g", make.block("pdLogChol", ("a",))))).rows == (
        "re.11",
    )
    ten = make.level("g", make.block("pdDiag", tuple("abcdefghij")))
    assert ranef_params(with_pars(ten)).rows[-2:] == ("re.9.9", "re.10.10")


def test_table_needs_random_effects_and_finite_eta() -> None:
    with pytest.raises(SpecError, match="gls"):
        ranef_params(make.snapshot(apvar=make.apvar([0.0])))
    level = make.level("g", make.block("pdLogChol", ("a", "b")))
    with pytest.raises(SpecError, match="±1"):
        ranef_params(make.snapshot(level, apvar=make.apvar([0.0, 0, 80, 0])))

"""Every structure: its derivatives against a complex step, its values against nlme's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rbridge.core.engine.correlation import Dense, Identity, Markov
from rbridge.core.engine.covariance import (
    NotPositiveDefinite,
    arma_acf,
    correlation,
    deviation,
    relative_deviations,
)
from rbridge.core.engine.jet import Jet, solve, variables
from rbridge.core.snapshot import CorStruct, VarFunc
from rbridge.errors import SnapshotError
from tests.support import designs

Array = np.ndarray[Any, Any]
STEP = 1e-30


def assert_derivatives(f: Callable[[Any], Any], x: Array, atol: float = 1e-8) -> None:
    """A jet's value, gradient and Hessian: f, its complex step, and differences of that."""
    jet = f(variables(x))
    np.testing.assert_allclose(jet.value, f(x), rtol=1e-14)

    def gradient(point: Array) -> Array:
        steps = point + 1j * STEP * np.eye(len(x))
        return np.array([np.imag(f(step)) / STEP for step in steps])

    np.testing.assert_allclose(jet.grad, gradient(x), rtol=1e-12, atol=1e-13)
    h = 1e-5
    hess = [(gradient(x + h * e) - gradient(x - h * e)) / (2 * h) for e in np.eye(len(x))]
    np.testing.assert_allclose(jet.hess, hess, rtol=1e-6, atol=atol)


@pytest.mark.parametrize("cor", designs.CORRELATIONS.values(), ids=designs.CORRELATIONS)
def test_correlation_derivatives(cor: CorStruct) -> None:
    rows = designs.INNER == 6  # the largest group
    assert_derivatives(lambda c: correlation(cor, c, cor.covariate[rows]), cor.values)


@pytest.mark.parametrize("cor", designs.CORRELATIONS.values(), ids=designs.CORRELATIONS)
def test_correlation_is_a_correlation_matrix(cor: CorStruct) -> None:
    R = correlation(cor, cor.values, cor.covariate[designs.INNER == 6])
    np.testing.assert_array_equal(np.diagonal(R), 1.0)
    np.testing.assert_allclose(R, R.T, atol=1e-15)
    assert np.linalg.eigvalsh(R)[0] > 0


VAR_COMPONENTS = {
    f"{name} {i}": v for name, vs in designs.VARIANCES.items() for i, v in enumerate(vs)
}


@pytest.mark.parametrize("var", VAR_COMPONENTS.values(), ids=VAR_COMPONENTS)
def test_deviation_derivatives(var: VarFunc) -> None:
    if len(var.values):
        assert_derivatives(lambda c: deviation(var, c), var.values)


def test_deviation_formulas() -> None:
    v = np.array([0.5, 2.0])

    def s(var_class: str, *values: float) -> Array:
        return np.asarray(deviation(designs.variance(var_class, values, v), np.array(values)))

    np.testing.assert_allclose(s("varFixed"), np.sqrt(v))
    np.testing.assert_allclose(s("varPower", 0.7), v**0.7)
    np.testing.assert_allclose(s("varExp", 0.7), np.exp(0.7 * v))
    np.testing.assert_allclose(s("varConstPower", 0.3, 0.7), 0.3 + v**0.7)
    np.testing.assert_allclose(s("varConstProp", 0.3, 0.7), np.hypot(0.3, 0.7 * v))


def test_power_of_a_zero_covariate_has_zero_derivatives() -> None:
    var = designs.variance("varPower", [0.5], np.array([0.0, 1.0, 2.0]))
    jet = deviation(var, variables([0.5]))
    assert jet.value[0] == jet.grad[0, 0] == jet.hess[0, 0, 0] == 0.0


def test_comb_is_a_product() -> None:
    components = designs.VARIANCES["Comb"]
    s, first, second = relative_deviations(components, [v.values for v in components])
    a, b = (deviation(v, v.values) for v in components)
    np.testing.assert_allclose(s, a * b)
    np.testing.assert_allclose(first[2], designs.AGE)
    np.testing.assert_allclose(second[0, 2], first[0] * first[2])
    np.testing.assert_array_equal(second[0, :2], 0.0)


def test_arma_as_in_nlme() -> None:
    # corMatrix(Initialize(corARMA(c(.5, .2, .3), form = ~1 | Mare, p = 2, q = 1), Ovary))
    acf = arma_acf(np.array([0.5, 0.2]), np.array([0.3]), 2, 1, 4)
    nlme = [1, 0.77474402730375425, 0.58737201365187708, 0.44863481228668933, 0.34179180887372002]
    np.testing.assert_allclose(acf, nlme, rtol=1e-14)
    moving = arma_acf(np.empty(0), np.array([0.5, -0.2]), 0, 2, 4)
    np.testing.assert_allclose(moving, [1, 0.31007751937984496, -0.1550387596899224, 0, 0])


def test_symm_as_in_nlme() -> None:
    # corMatrix(Initialize(corSymm(c(.1, .2, .3, .15, .25, .35), form = ~1 | Subject), Orthodont))
    values = np.array([0.1, 0.2, 0.3, 0.15, 0.25, 0.35])
    cor = designs.correlation("corSymm", values, np.zeros(3, int), np.array([0, 1, 3]), size=4)
    R = correlation(cor, values, cor.covariate)
    np.testing.assert_array_equal(R, [[1, 0.1, 0.3], [0.1, 1, 0.25], [0.3, 0.25, 1]])


def test_spherical_and_linear_vanish_beyond_their_range() -> None:
    for cor_class in ("corLin", "corSpher"):
        cor = designs.correlation(cor_class, [1.0], np.zeros(3, int), np.array([0.0, 0.5, 3.0]))
        jet = correlation(cor, variables(cor.values), cor.covariate)
        assert jet.value[0, 2] == jet.grad[0, 0, 2] == jet.hess[0, 0, 0, 2] == 0.0
        assert jet.value[0, 1] > 0


def test_unknown_structures_are_refused_by_name() -> None:
    cor = designs.correlation("corStrange", [0.1], designs.INNER, designs.TIME)
    with pytest.raises(SnapshotError, match="corStrange"):
        correlation(cor, cor.values, cor.covariate)
    var = designs.variance("varStrange", [0.1], designs.AGE)
    with pytest.raises(SnapshotError, match="varStrange"):
        deviation(var, var.values)


# The operators -----------------------------------------------------------------------------------

STARTS = np.flatnonzero(np.diff(designs.INNER, prepend=-1))
OPERATORS = {
    name: (Markov if name in ("AR1", "AR1 negative", "AR1 zero", "CAR1", "fixed AR1") else Dense)
    for name in designs.CORRELATIONS
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operator_is_its_matrix(name: str) -> None:
    cor = designs.CORRELATIONS[name]
    operator = OPERATORS[name](cor, cor.values, cor.covariate, STARTS)
    jet = correlation(cor, variables(cor.values), cor.covariate)
    same = designs.INNER[:, None] == designs.INNER
    r = 0 if cor.fixed else len(cor.values)
    R, dR, ddR = jet.value * same, jet.grad[:r] * same, jet.hess[:r, :r] * same
    Q = np.linalg.inv(R)
    B = np.random.default_rng(0).normal(size=(3, designs.N))

    def close(actual: Any, expected: Any) -> None:
        np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-11)

    close(operator.solve(B), B @ Q)
    close(operator.multiply(B), B @ R)
    close(operator.log_det, np.linalg.slogdet(R)[1])
    close(operator.hadamard(B), B @ (Q * R) @ B.T)
    close(operator.trace1, np.einsum("cii->c", Q @ dR))
    close(operator.trace2, np.einsum("cij,dji->cd", Q @ dR, Q @ dR))
    close(operator.trace3, np.einsum("cdii->cd", Q @ ddR))
    close(operator.diagonals, np.einsum("cii->ci", Q @ dR))
    for c in range(r):
        close(operator.solve_first(c, B), B @ Q @ dR[c] @ Q)
        for d in range(r):
            close(operator.solve_second(c, d, B), B @ Q @ ddR[c, d] @ Q)


def test_markov_of_a_single_row() -> None:
    cor = designs.correlation("corAR1", [0.5], np.zeros(1, int), np.ones(1))
    operator, B = Markov(cor, cor.values, cor.covariate, np.array([0])), np.array([[2.0]])
    assert operator.solve(B) == operator.multiply(B) == 2.0
    assert operator.log_det == operator.solve_first(0, B) == operator.solve_second(0, 0, B) == 0.0


def test_identity_operator() -> None:
    B = np.arange(6.0).reshape(2, 3)
    operator = Identity(3)
    assert operator.solve(B) is B and operator.multiply(B) is B
    np.testing.assert_array_equal(operator.hadamard(B), B @ B.T)


def test_impossible_correlations_are_reported() -> None:
    symm = designs.correlation("corSymm", [0.9, 0.9, -0.9], np.zeros(3, int), np.arange(3), size=3)
    with pytest.raises(NotPositiveDefinite, match="corSymm"):
        Dense(symm, symm.values, symm.covariate, np.array([0]))
    twice = designs.correlation("corAR1", [0.5], np.zeros(2, int), np.ones(2))
    with pytest.raises(NotPositiveDefinite, match="corAR1"):
        Markov(twice, twice.values, twice.covariate, np.array([0]))


# Jets --------------------------------------------------------------------------------------------


def test_jet_arithmetic() -> None:
    def f(x: Any) -> Any:
        a, b = x[0], x[1]
        return (np.exp(a) - 2.0 / b) * np.sqrt(a * b) + np.log(b) / (1.0 + a**2.0) - 3.0**a * -b

    assert_derivatives(f, np.array([0.7, 1.9]))


def test_jet_solve() -> None:
    M = np.array([[3.0, 1.0], [0.0, 2.0]])

    def f(x: Any) -> Any:
        return solve(np.eye(2) + x[0] * M, x[1] * np.array([1.0, 2.0]))

    assert_derivatives(f, np.array([0.7, 1.9]))
    assert_derivatives(lambda x: solve(M, x[1] ** 2.0 * np.array([1.0, 2.0])), np.array([0.7, 1.9]))


def test_jet_refuses_what_it_does_not_know() -> None:
    with pytest.raises(TypeError):
        np.arctan(variables([1.0]))
    assert isinstance(variables([1.0, 2.0])[0] + np.ones(3), Jet)

"""Cluster-robust covariances: against the papers' formulas on dense matrices."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rbridge.core.engine.contractions import contract
from rbridge.core.fixed_effects.inference import inference
from rbridge.core.fixed_effects.sandwich import SandwichKind, cluster_robust
from rbridge.core.parameters import theta
from rbridge.core.snapshot import FitSnapshot
from rbridge.errors import DataError, InformationError, SpecError
from tests.support import brute, designs
from tests.support.brute_fixed import at_gls

Array = np.ndarray[Any, Any]
L = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, -1.0]])
NAMES = [
    *("intercept", "slope", "three", "two", "nested", "singular", "repeated"),
    *("gls + AR1", "gls + Symm", "gls + CompSymm", "slope + ARMA(2,1)", "nested + Exp nugget"),
    *("nested + Ident", "slope + Power"),
    *(name for name in designs.CASES if name.endswith(("Gaus + Comb", "CAR1 + Ident"))),
]
KINDS: list[SandwichKind] = ["CR0", "CR2", "CR3"]


def literal(fit: FitSnapshot, kind: str, codes: Array) -> tuple[Array, list[Array]]:
    """vcov, and T_j (p, n) with β̂'s contributions T_j e: one cluster after another."""
    V, X, n = brute.covariance(fit, theta(fit).values), fit.X, fit.n
    A = np.linalg.inv(V)
    phi = np.linalg.inv(X.T @ A @ X)
    left = []
    for code in np.unique(codes):
        at = np.flatnonzero(codes == code)
        at = at[np.argsort(fit.rows[at])]
        Vj, Xj = V[np.ix_(at, at)], X[at]
        H = Xj @ phi @ Xj.T @ np.linalg.inv(Vj)
        adjust = np.eye(len(at))
        if kind == "CR3":
            adjust = np.linalg.inv(adjust - H)
        if kind == "CR2":
            D = np.linalg.cholesky(Vj).T
            values, vectors = np.linalg.eigh(D @ (adjust - H) @ Vj @ D.T)
            roots = np.where(values > 1e-9 * values.max(), values, np.inf) ** -0.5
            adjust = D.T @ (vectors * roots) @ vectors.T @ D
        T = np.zeros((X.shape[1], n))
        T[:, at] = phi @ Xj.T @ np.linalg.inv(Vj) @ adjust
        left.append(T)
    e = fit.y - X @ fit.beta
    return sum(np.outer(T @ e, T @ e) for T in left), left


def covariances(fit: FitSnapshot, left: list[Array]) -> Array:
    """Ψ (J, J, p, p): Cov(T_i e, T_j e) under V."""
    V, X = brute.covariance(fit, theta(fit).values), fit.X
    A = np.linalg.inv(V)
    error = V - X @ np.linalg.inv(X.T @ A @ X) @ X.T
    return np.array([[a @ error @ b.T for b in left] for a in left])


def hotelling(psi: Array, L: Array) -> float:
    """η of Pustejovsky and Tipton, element by element."""
    q, J = len(L), len(psi)
    inner = L @ psi @ L.T
    values, vectors = np.linalg.eigh(sum(inner[j, j] for j in range(J)))
    root = (vectors / np.sqrt(values)) @ vectors.T
    inner = root @ inner @ root
    total = 0.0
    for s in range(q):
        for t in range(q):
            total += np.sum(inner[..., s, s] * inner[..., t, t])
            total += np.sum(inner[..., s, t] * inner[..., t, s])
    return q * (q + 1) / total


def clustered(name: str) -> tuple[FitSnapshot, Array | None, Array]:
    fit = designs.CASES[name]
    fit = replace(at_gls(fit, theta(fit).values), rows=np.random.default_rng(7).permutation(fit.n))
    if fit.levels:
        return fit, None, fit.levels[0].codes
    assert fit.cor is not None
    return fit, None, fit.cor.codes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_sandwich_is_the_paper_taken_literally(name: str, kind: SandwichKind) -> None:
    fit, given, codes = clustered(name)
    ours = cluster_robust(fit, contract(fit), kind, given)
    vcov, left = literal(fit, kind, codes)
    np.testing.assert_allclose(ours.vcov, vcov, rtol=1e-8, atol=1e-8 * np.abs(vcov).max())
    psi = covariances(fit, left)
    rows = [row @ psi @ row for row in L]
    df = [np.trace(p) ** 2 / np.sum(p**2) for p in rows]
    np.testing.assert_allclose(ours.row_df(L), df, rtol=1e-7)
    eta = hotelling(psi, L)
    found = ours.scaling(L)
    if eta > 1:
        np.testing.assert_allclose([found.df_den, found.factor], [eta - 1, 1 - 1 / eta], rtol=1e-7)
    else:
        assert np.isnan(found.df_den) and "too few clusters" in found.note


@pytest.mark.parametrize("name", NAMES)
def test_cr2_is_unbiased_under_the_working_model(name: str) -> None:
    fit, given, codes = clustered(name)
    left = literal(fit, "CR2", codes)[1]
    psi = covariances(fit, left)
    ours = cluster_robust(fit, contract(fit), "CR2", given)
    expected = ours.root @ (ours.spread - ours.pull.swapaxes(1, 2) @ ours.pull).sum(0) @ ours.root.T
    np.testing.assert_allclose(expected, sum(psi[j, j] for j in range(len(psi))), atol=1e-9)
    np.testing.assert_allclose(expected, ours.root @ ours.root.T, rtol=1e-7, atol=1e-9)


def test_coarser_clusters_by_any_labels() -> None:
    fit, _, _ = clustered("gls + AR1")
    labels = np.array(["c", "a", "b", "x"])[designs.OUTER]
    ours = cluster_robust(fit, contract(fit), "CR2", labels)
    np.testing.assert_allclose(ours.vcov, literal(fit, "CR2", labels)[0], rtol=1e-8)
    assert ours.count == 4


def test_rows_as_clusters_are_hc3() -> None:
    """MacKinnon and White's HC3 for least squares."""
    fit = at_gls(designs.CASES["gls + Fixed"], theta(designs.CASES["gls + Fixed"]).values)
    fit = at_gls(replace(fit, var=()), np.array([0.81]))
    hat = fit.X @ np.linalg.inv(fit.X.T @ fit.X) @ fit.X.T
    e = (fit.y - fit.X @ fit.beta) / (1 - np.diag(hat))
    bread = np.linalg.inv(fit.X.T @ fit.X) @ fit.X.T
    ours = cluster_robust(fit, contract(fit), "CR3", np.arange(45))
    np.testing.assert_allclose(ours.vcov, (bread * e**2) @ bread.T, rtol=1e-9)


def test_ten_paired_differences_have_nine_degrees_of_freedom() -> None:
    """Intercepts for pairs: the sandwich of the difference is the paired t test's."""
    rng = np.random.default_rng(1)
    y = rng.normal(size=(10, 2)) + [0, 1]
    codes = np.repeat(np.arange(10), 2)
    X = np.tile([[1.0, 0.0], [1.0, 1.0]], (10, 1))
    fit = designs.fit(X, y.ravel(), [designs.level(codes, X[:, :1], np.array([[0.7]]))])
    fit = at_gls(fit, theta(fit).values)
    rows = inference(fit, contract(fit), vcov="CR2").rows([0.0, 1.0])
    difference = y[:, 1] - y[:, 0]
    np.testing.assert_allclose(rows.estimate, difference.mean(), rtol=1e-10)
    np.testing.assert_allclose(rows.se, difference.std(ddof=1) / np.sqrt(10), rtol=1e-10)
    np.testing.assert_allclose(rows.df, 9, rtol=1e-10)


def lone(fit: FitSnapshot) -> FitSnapshot:
    """A coefficient that is nonzero in one cluster only."""
    X = np.column_stack([fit.X[:, :2], (designs.OUTER == 0).astype(float)])
    fit = replace(fit, X=X)
    return at_gls(fit, theta(fit).values)


def test_a_coefficient_on_one_cluster() -> None:
    fit = lone(designs.CASES["intercept"])
    forms = contract(fit)
    with pytest.raises(InformationError, match="without one of the clusters"):
        cluster_robust(fit, forms, "CR3")
    ours = cluster_robust(fit, forms, "CR2")
    np.testing.assert_allclose(ours.vcov, literal(fit, "CR2", designs.OUTER)[0], atol=1e-9)


@pytest.mark.parametrize(
    "name, codes, error, message",
    [
        ("gls + Power", None, SpecError, "no groups to cluster by"),
        ("two", designs.INNER, DataError, "cut across the groups"),
        ("two", np.zeros(45), DataError, "two clusters or more"),
        ("two", np.zeros(44), DataError, "44 values for the 45 rows"),
    ],
)
def test_clusters_that_cannot_be(name: str, codes: Any, error: Any, message: str) -> None:
    fit = designs.CASES[name]
    with pytest.raises(error, match=message):
        inference(fit, contract(fit), vcov="CR2", cluster=codes)


def test_more_rows_than_clusters() -> None:
    X = np.column_stack([designs.X, designs.AGE, designs.TIME**2])
    fit = designs.fit(X, designs.Y, designs.LEVELS["intercept"])
    with pytest.raises(SpecError, match="5 rows cannot be tested with 4 clusters"):
        inference(fit, contract(fit), vcov="CR0").test(np.eye(5))


@pytest.mark.parametrize("ddf", ["residual", "normal", "containment"])
def test_known_degrees_of_freedom_go_with_any_covariance(ddf: Any) -> None:
    fit, _, codes = clustered("slope")
    asked = inference(fit, contract(fit), ddf, vcov="CR2")
    expected = {"residual": 42, "normal": np.inf, "containment": 1}[ddf]
    np.testing.assert_array_equal(asked.rows(np.eye(3)).df, expected)
    np.testing.assert_allclose(asked.vcov, literal(fit, "CR2", codes)[0], rtol=1e-8)

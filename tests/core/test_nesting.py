"""Which tests are at the edge of a range, and the p-values of the mixtures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rbridge.core.nesting import boundary, mixture_p
from rbridge.core.parameters import theta
from rbridge.core.snapshot import FitSnapshot
from tests.support import designs


def parameters(snapshot: FitSnapshot) -> int:
    return len(theta(snapshot).names) + len(snapshot.beta)


MIXTURES = {
    "first variance": (designs.model(), designs.model(1), (0, 1)),
    "slope with its covariance": (designs.model(1), designs.model(2), (1, 2)),
    "third effect with two covariances": (designs.model(2), designs.model(3), (2, 3)),
    "uncorrelated slope": (designs.model(1), designs.model(2, "pdDiag"), (0, 1)),
    "many effects, one variance": (designs.model(), designs.model(3, "pdIdent"), (0, 1)),
    "inner level": (designs.model(1), designs.model(1, inner=True), (0, 1)),
    "slope and AR1": (designs.model(1), designs.model(2, cor="AR1"), (2, 3)),
    "intercept and strata": (designs.model(), designs.model(1, var="Ident"), (2, 3)),
    "intercept and two fixed effects": (
        designs.model(X=designs.X[:, :1], method="ML"),
        designs.model(1, method="ML"),
        (2, 3),
    ),
}
NONE = {
    "correlation inside its range": (designs.model(1), designs.model(1, cor="AR1"), ""),
    "free covariances": (designs.model(2, "pdDiag"), designs.model(2), ""),
    "ident to diag": (designs.model(3, "pdIdent"), designs.model(3, "pdDiag"), ""),
    "strata": (designs.model(1), designs.model(1, var="Ident"), ""),
    "two variances": (designs.model(), designs.model(2), "several variances at zero"),
    "slope and inner level": (designs.model(1), designs.model(2, inner=True), "several variances"),
    "range of a spatial correlation": (
        designs.model(1),
        designs.model(2, cor="Gaus"),
        "edge of its range",
    ),
    "nugget and more": (
        designs.model(1, cor="CAR1"),
        designs.model(2, cor="Exp nugget"),
        "not nested",
    ),
    "other pdMat": (designs.model(2, "pdDiag"), designs.model(3), "besides the new effect"),
    "other levels": (
        designs.model(1),
        designs.model(0, inner=True, cor="AR1"),
        "levels are not nested",
    ),
    "const": (designs.model(1), designs.model(2, var="ConstPower"), "varConstPower"),
    "lost correlation": (
        designs.model(1, cor="AR1"),
        designs.model(3),
        "correlation structures are not nested",
    ),
    "fixed correlation": (
        designs.model(1),
        designs.model(2, cor="fixed AR1"),
        "correlation structures",
    ),
    "fixed effects": (
        designs.model(X=designs.X[:, [0, 1]], method="ML"),
        designs.model(2, X=designs.X[:, [0, 2]], method="ML"),
        "fixed effects are not nested",
    ),
}


@pytest.mark.parametrize("name", MIXTURES)
def test_mixture(name: str) -> None:
    small, large, expected = MIXTURES[name]
    found = boundary(small, large, parameters(large) - parameters(small))
    assert found.df == expected and " at zero" in found.reason
    assert str(found).startswith(f"0.5 χ²({expected[0]}) + 0.5 χ²({expected[1]}): the variance of ")


@pytest.mark.parametrize("name", NONE)
def test_no_mixture(name: str) -> None:
    small, large, reason = NONE[name]
    found = boundary(small, large, parameters(large) - parameters(small))
    assert found.df == () and reason in found.reason
    assert bool(found.reason) == bool(reason)


def test_mixture_p_by_definition() -> None:
    x = np.array([0.0, 0.5, 2.706, 6.0])
    chi = stats.chi2.sf
    np.testing.assert_allclose(mixture_p(x, (1, 2)), (chi(x, 1) + chi(x, 2)) / 2, rtol=1e-12)
    half = np.where(x > 0, chi(x, 1) / 2, 1.0)
    np.testing.assert_allclose(mixture_p(x, (0, 1)), half, rtol=1e-12)


def test_size_of_the_test_of_one_variance() -> None:
    """20 000 simulated null one-way layouts, their REML likelihood ratios in closed form."""
    m, n, rng = 100, 5, np.random.default_rng(12)
    within = rng.chisquare(m * (n - 1), 20_000)
    between = rng.chisquare(m - 1, 20_000)
    a, b = within / (m * (n - 1)), between / (m - 1)
    both = (within + between) / (m * n - 1)
    ratio = (m * n - 1) * np.log(both) - m * (n - 1) * np.log(a) - (m - 1) * np.log(b)
    ratio = np.where(b > a, ratio, 0.0)
    level = [np.mean(p <= 0.05) for p in (mixture_p(ratio, (0, 1)), stats.chi2.sf(ratio, 1))]
    assert level[0] == pytest.approx(0.05, abs=0.007)  # finite m: a little less than half positive
    assert level[1] == pytest.approx(0.025, abs=0.005)

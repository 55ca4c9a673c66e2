"""Which models are cases of which: proved by one V at a θ of each, or told why not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rbridge.core.nesting import boundary
from rbridge.core.parameters import theta
from rbridge.core.snapshot import FitSnapshot, RandomLevel
from tests.support import brute, designs

d = designs
TIME, INNER, AGE, STRATUM, PLACE = d.TIME, d.INNER, d.AGE, d.STRATUM, d.PLACE
LEVEL = d.level(d.OUTER, d.Z1, d.D1)
LAGS = [(i, j) for i in range(5) for j in range(i + 1, 5)]  # corSymm's order of the pairs


def cor(cor_class: str, values: Any, **options: Any) -> Any:
    where = options.pop("where", TIME)
    return d.correlation(cor_class, values, options.pop("codes", INNER), where, **options)


def symm(of_lag: Any) -> Any:
    return cor("corSymm", [of_lag(j - i) for i, j in LAGS], where=TIME - 1, size=5)


def with_cor(correlation: Any, *levels: RandomLevel) -> FitSnapshot:
    return d.fit(d.X, d.Y, levels or (LEVEL,), correlation)


def with_var(*variances: Any) -> FitSnapshot:
    return d.fit(d.X, d.Y, (LEVEL,), None, variances)


def with_levels(*levels: RandomLevel) -> FitSnapshot:
    return d.fit(d.X, d.Y, levels)


AR1, ARMA20 = cor("corAR1", [0.4]), cor("corARMA", [0.4, 0.2], p=2)
COARSE = np.minimum(STRATUM, 1)
SHIFT = 10.0 * INNER  # each group counts from elsewhere
RECODE = np.array([[1.0, 1.0], [0.0, 2.0]])
CELL = np.arange(d.N) % 3
CELLS = np.eye(3)[CELL]
INSIDE_GROUP = np.unique(d.OUTER * 3 + CELL, return_inverse=True)[1]


def power(*values: float, **more: Any) -> Any:
    return d.variance("varPower", values, AGE, **more)


INSIDE = {
    "no correlation in AR1": (with_cor(None), with_cor(cor("corAR1", [0.0]))),
    "no correlation in ARMA(2,0)": (with_cor(None), with_cor(cor("corARMA", [0.0, 0.0], p=2))),
    "no correlation in a matrix": (with_cor(None), with_cor(symm(lambda lag: 0.0))),
    "AR1 in ARMA(1,1)": (with_cor(AR1), with_cor(cor("corARMA", [0.4, 0.0], p=1, q=1))),
    "AR1 in ARMA(2,0)": (with_cor(AR1), with_cor(cor("corARMA", [0.4, 0.0], p=2))),
    "ARMA(2,0) in ARMA(2,1)": (with_cor(ARMA20), with_cor(cor("corARMA", [0.4, 0.2, 0], p=2, q=1))),
    "AR1 in AR1 that counts from elsewhere, and a matrix in it": (
        with_cor(cor("corAR1", [0.4], where=TIME + SHIFT)),
        with_cor(cor("corARMA", [0.4, 0.0], p=2)),
    ),
    "compound symmetry in a matrix": (
        with_cor(cor("corCompSymm", [0.3], size=5, lower=-0.25)),
        with_cor(symm(lambda lag: 0.3)),
    ),
    "AR1 in a matrix": (with_cor(AR1), with_cor(symm(lambda lag: 0.4**lag))),
    "CAR1 in a matrix": (with_cor(cor("corCAR1", [0.3])), with_cor(symm(lambda lag: 0.3**lag))),
    "exponential in a matrix": (
        with_cor(cor("corExp", [0.8])),
        with_cor(symm(lambda lag: np.exp(-lag / 0.8))),
    ),
    "fixed AR1 in AR1": (with_cor(cor("corAR1", [0.4], fixed=True)), with_cor(AR1)),
    "no weights in a power": (with_var(), with_var(power(0.0))),
    "no weights in strata": (
        with_var(),
        with_var(replace(d.IDENT, values=np.ones(3))),
    ),
    "a power in its strata": (with_var(power(0.6)), with_var(power(0.6, 0.6, 0.6, codes=STRATUM))),
    "const and power in their strata": (
        with_var(d.variance("varConstPower", [0.5, 0.8], AGE)),
        with_var(d.variance("varConstPower", [0.5] * 3 + [0.8] * 3, AGE, STRATUM)),
    ),
    "varFixed in a power": (with_var(d.variance("varFixed", [], AGE)), with_var(power(0.5))),
    "a fixed power in a power": (with_var(power(0.6, free=[False])), with_var(power(0.6))),
    "strata in finer strata": (
        with_var(d.variance("varIdent", [1, 1.4], codes=COARSE, free=[False, True])),
        with_var(d.variance("varIdent", [1, 1.4, 1.4], codes=STRATUM, free=[False, True, True])),
    ),
    "strata in strata and a power, whatever their order": (
        with_var(replace(d.IDENT, tag="A")),
        with_var(replace(power(0.0), tag="A"), replace(d.IDENT, tag="B")),
    ),
    "compound symmetry in free covariances": (
        with_levels(d.level(d.OUTER, CELLS, 0.7 * np.eye(3) + 0.2, "pdCompSymm")),
        with_levels(d.level(d.OUTER, CELLS, 0.7 * np.eye(3) + 0.2, "pdSymm")),
    ),
    "blocks in free covariances": (
        with_levels(d.blocked_level(d.OUTER, d.Z3, d.BLOCKED)),
        with_levels(d.level(d.OUTER, d.Z3, d.BLOCKED)),
    ),
    "other contrasts in free covariances": (
        with_levels(d.level(d.OUTER, d.Z2 @ RECODE, np.diag([0.8, 0.3]), "pdDiag")),
        with_levels(d.level(d.OUTER, d.Z2, RECODE @ np.diag([0.8, 0.3]) @ RECODE.T)),
    ),
    "an inner level in free covariances": (
        with_levels(
            d.level(d.OUTER, d.Z1, d.D1), d.level(INSIDE_GROUP, d.Z1, 2 * d.D1, group="cell")
        ),
        with_levels(d.level(d.OUTER, CELLS, 0.7 + 1.4 * np.eye(3))),
    ),
    "fixed sigma in sigma": (
        replace(with_levels(LEVEL), fixed_sigma=True),
        with_levels(LEVEL),
    ),
}


def shuffled(fit: FitSnapshot) -> FitSnapshot:
    """The rows in another order, as after sorting by other groups."""
    order = np.random.default_rng(1).permutation(fit.n)

    def part(x: Any, *names: str) -> Any:
        arrays = {name: getattr(x, name) for name in names}
        return replace(x, **{k: v[order] for k, v in arrays.items() if v is not None})

    return part(
        replace(
            fit,
            levels=tuple(part(level, "Z", "codes") for level in fit.levels),
            cor=part(fit.cor, "codes", "covariate") if fit.cor else None,
            var=tuple(part(v, "codes", "covariate") for v in fit.var),
        ),
        *("y", "X", "fitted", "rows"),
    )


def covariance(fit: FitSnapshot) -> Any:
    return brute.covariance(fit, theta(fit).values)


@pytest.mark.parametrize("name", INSIDE)
def test_a_model_inside_another(name: str) -> None:
    small, large = INSIDE[name]
    np.testing.assert_allclose(covariance(small), covariance(large), rtol=1e-12, atol=1e-12)
    df = len(theta(large).names) - len(theta(small).names)
    for one in (small, shuffled(small)):
        found = boundary(one, large, df)
        assert (found.df, found.reason, found.nested) == ((), "", True)


EDGE = {
    "a nugget": (
        with_cor(cor("corExp", [0.8])),
        with_cor(cor("corExp", [0.8, 0.0], nugget=True)),
        "the nugget is tested at zero",
    ),
    "a range": (with_cor(None), with_cor(cor("corGaus", [0.5], where=PLACE)), "edge of its range"),
    "both orders from none": (
        with_cor(None),
        with_cor(cor("corARMA", [0.4, 0.3], p=1, q=1)),
        "cannot be told apart",
    ),
    "both orders": (
        with_cor(AR1),
        with_cor(cor("corARMA", [0.4, 0.2, 0.3], p=2, q=1)),
        "cannot be told apart",
    ),
    "const of a power": (
        with_var(power(0.6)),
        with_var(d.variance("varConstPower", [0.5, 0.8], AGE)),
        "constant of varConstPower is tested at zero",
    ),
    "const from none": (
        with_var(),
        with_var(d.variance("varConstPower", [0.5, 0.8], AGE)),
        "at the edge of their range",
    ),
}
NOT = {
    "other groups": (with_cor(AR1), with_cor(replace(ARMA20, codes=d.MIDDLE))),
    "other times": (with_cor(AR1), with_cor(replace(ARMA20, covariate=2 * ARMA20.covariate))),
    "fewer orders": (with_cor(cor("corARMA", [0.4, 0.3], p=1, q=1)), with_cor(ARMA20)),
    "places that are no times": (
        with_cor(cor("corExp", [0.8], where=PLACE)),
        with_cor(symm(lambda lag: 0.4**lag)),
    ),
    "AR1 in a compound symmetry": (
        with_cor(AR1),
        with_cor(
            cor("corCompSymm", [0.3], size=5), LEVEL, d.level(d.MIDDLE, d.Z1, d.D1, group="m")
        ),
    ),
    "a correlation that is fixed": (with_cor(None), with_cor(cor("corAR1", [0.4], fixed=True))),
    "a correlation that is lost": (with_cor(AR1), with_cor(None)),
    "another covariate": (
        with_var(power(0.6)),
        with_var(d.variance("varPower", [0.6, 0.6, 0.6], AGE**2, STRATUM)),
    ),
    "strata across strata": (
        with_var(d.variance("varIdent", [1, 1.4], codes=np.arange(d.N) % 2, free=[False, True])),
        with_var(d.IDENT),
    ),
    "a power that is fixed": (with_var(), with_var(power(0.6, free=[False]))),
    "weights that are given": (with_var(), with_var(d.variance("varFixed", [], AGE))),
    "lost weights": (with_var(power(0.6)), with_var()),
    "other groups of random effects": (
        with_levels(LEVEL),
        with_levels(d.level(d.MIDDLE, d.Z2, d.D2)),
    ),
    "other random effects": (
        with_levels(d.level(d.OUTER, AGE[:, None], d.D1)),
        with_levels(d.level(d.OUTER, d.Z2, d.D2)),
    ),
    "an inner level that is no cell": (
        with_levels(LEVEL, d.level(d.MIDDLE, d.Z1, d.D1, group="m")),
        with_levels(d.level(d.OUTER, CELLS, np.eye(3))),
    ),
    "sigma fixed in the larger": (
        with_levels(LEVEL),
        replace(with_levels(d.level(d.OUTER, d.Z2, d.D2)), fixed_sigma=True),
    ),
    "another fixed sigma": (
        replace(with_levels(LEVEL), fixed_sigma=True, sigma=1.0),
        replace(with_levels(d.level(d.OUTER, d.Z2, d.D2)), fixed_sigma=True, sigma=2.0),
    ),
}


@pytest.mark.parametrize("name", EDGE)
def test_a_model_at_the_edge_of_another(name: str) -> None:
    small, large, reason = EDGE[name]
    found = boundary(small, shuffled(large), 1)
    assert found.nested and found.df == () and reason in found.reason


@pytest.mark.parametrize("name", NOT)
def test_models_that_are_not_nested(name: str) -> None:
    small, large = NOT[name]
    found = boundary(shuffled(small), large, 1)
    assert not found.nested and found.df == () and found.reason.startswith("no correction: ")

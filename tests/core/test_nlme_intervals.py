"""nlme's intervals, against what R printed (r_scripts/reference_intervals.R)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from rbridge.core.delta import apvar_delta
from rbridge.core.intervals.nlme import intervals, wald
from rbridge.core.parameters import theta
from rbridge.errors import ApVarError, DataError, SpecError
from tests.support import synthetic as make
from tests.support.references import INTERVALS, WITH_INTERVALS, interval_fit

MISNAMED = {  # nlme labels no row here, and there the rows of one level like those of the other
    "cor_symm_spherical": ["cor(1,2)", "cor(1,3)", "cor(1,4)", "cor(2,3)", "cor(2,4)", "cor(3,4)"],
    "repeated_group": ["sd((Intercept))", "sd(Machine - 1)"],
}


def column(model: dict[str, Any], name: str) -> Any:
    return np.concatenate([np.array(part[name], float) for part in model["intervals"]])


@pytest.mark.parametrize("name", WITH_INTERVALS)
def test_intervals_are_those_of_nlme(name: str) -> None:
    model = INTERVALS[name]
    result = intervals(interval_fit(name))
    for which in ("lower", "est", "upper"):
        np.testing.assert_allclose(getattr(result, which), column(model, which), rtol=1e-10)


@pytest.mark.parametrize("name", WITH_INTERVALS)
def test_rows_are_those_of_nlme(name: str) -> None:
    model = INTERVALS[name]
    rows = [(part["part"], row) for part in model["intervals"] for row in part["names"]]
    result = intervals(interval_fit(name))
    assert list(result.part) == [part for part, _ in rows]
    expected = [*MISNAMED[name], "sigma"] if name in MISNAMED else [row for _, row in rows]
    assert list(result.name) == expected


def test_the_reference_covers_every_structure() -> None:
    def seen(*path: str) -> set[str]:
        nodes: list[Any] = list(INTERVALS.values())
        for key in path:
            found = [node[key] for node in nodes if node and node[key]]
            nodes = [x for item in found for x in (item if isinstance(item, list) else [item])]
        return set(nodes)

    spatial = {"corExp", "corGaus", "corLin", "corRatio", "corSpher"}
    serial = {"corAR1", "corCAR1", "corARMA", "corCompSymm", "corSymm"}
    assert seen("levels", "blocks", "pd_class") == {
        "pdLogChol", "pdSymm", "pdNatural", "pdDiag", "pdIdent", "pdCompSymm"
    }  # fmt: skip
    assert seen("cor", "cor_class") == spatial | serial
    assert seen("var", "var_class") == {
        "varFixed", "varIdent", "varPower", "varExp", "varConstPower", "varConstProp"
    }  # fmt: skip
    assert seen("method") == {"ML", "REML"} and seen("kind") == {"lme", "gls"}
    assert any(len(m["levels"]) > 1 for m in INTERVALS.values())


def test_endpoints_are_transformed_jointly() -> None:
    result = intervals(interval_fit("arma30"))
    assert result.lower[0] > result.est[0] > result.upper[0]


def test_level_moves_the_ends() -> None:
    snapshot = make.seed()
    narrow, wide = intervals(snapshot, 0.5), intervals(snapshot, 0.99)
    assert (narrow.lower > wide.lower).all() and (narrow.upper < wide.upper).all()
    z, se = norm.ppf(0.75), np.sqrt(0.009241268)
    np.testing.assert_allclose(narrow.upper[-1], np.exp(0.2700573 + z * se), rtol=1e-12)
    with pytest.raises(SpecError, match="between 0 and 1, not 95"):
        intervals(snapshot, 95)


def test_no_apvar_says_why() -> None:
    with pytest.raises(ApVarError, match="var-cov components: Non-positive definite"):
        intervals(interval_fit("not_positive"))
    plain_lme = make.snapshot(make.level("g", make.block("pdDiag", ("a",))), fixed_sigma=True)
    with pytest.raises(ApVarError, match="not asked for"):
        intervals(plain_lme)


@pytest.mark.parametrize("n_sd", [2, 3])
def test_huge_standard_errors_give_the_ends_of_the_range(n_sd: int) -> None:
    names = ("a", "b", "c")[:n_sd]
    level = make.level("g", make.block("pdLogChol", names))
    r = n_sd * (n_sd + 1) // 2 + 1
    result = intervals(make.snapshot(level, apvar=make.apvar(np.zeros(r), np.eye(r) * 500**2)))
    np.testing.assert_array_equal(result.lower[:n_sd], 0)
    np.testing.assert_array_equal(result.upper[:n_sd], np.inf)
    np.testing.assert_array_equal(result.lower[n_sd:-1], -1)
    np.testing.assert_array_equal(result.upper[n_sd:-1], 1)


# --- Wald on the natural parameters -----------------------------------------------------------


def test_wald_on_the_natural_scale() -> None:
    lower, upper = wald([1.0, -2.0], [[4.0, 0], [0, 1.0]], 0.9)
    z = norm.ppf(0.95)
    np.testing.assert_allclose(lower, [1 - 2 * z, -2 - z])
    np.testing.assert_allclose(upper, [1 + 2 * z, -2 + z])


def test_wald_on_the_log_scale() -> None:
    z = norm.ppf(0.975)
    kinds = ("variance", "scale", "correlation", "proportion", "covariance", "coefficient")
    x = np.array([4.0, 0.5, 0.6, 0.2, -1.0, 2.0])
    se = np.array([2.0, 0.1, 0.3, 0.1, 0.4, 0.7])
    lower, upper = wald(x, np.diag(se**2), scale="log", kinds=kinds)
    np.testing.assert_allclose(lower[:2], x[:2] * np.exp(-z * se[:2] / x[:2]))
    np.testing.assert_allclose(upper[2], np.tanh(np.arctanh(0.6) + z * 0.3 / 0.64))
    odds = np.log(0.2 / 0.8) - z * 0.1 / 0.16
    np.testing.assert_allclose(lower[3], np.exp(odds) / (1 + np.exp(odds)))
    np.testing.assert_allclose(upper[4:], x[4:] + z * se[4:])


@given(st.floats(-0.99, 0.99), st.floats(1e-3, 10))
def test_wald_correlation_stays_in_its_range(rho: float, se: float) -> None:
    lower, upper = wald([rho], [[se**2]], scale="log", kinds=["correlation"])
    assert -1 <= lower[0] <= rho + 1e-12 and rho - 1e-12 <= upper[0] <= 1


def test_log_wald_of_a_scalar_parameter_is_nlme_s_interval() -> None:
    """log σ² is twice log σ, so both constructions must give the same ends."""
    snapshot = interval_fit("everything")
    delta, natural, nlme = apvar_delta(snapshot), theta(snapshot), intervals(snapshot)
    lower, upper = wald(delta.estimates, delta.cov, scale="log", kinds=natural.kinds)
    at = natural.names.index("sigma_sq")
    np.testing.assert_allclose(np.sqrt([lower[at], upper[at]]), [nlme.lower[-1], nlme.upper[-1]])
    range_ = natural.names.index("cor_params")
    row = nlme.part.index("corStruct")
    np.testing.assert_allclose([lower[range_], upper[range_]], [nlme.lower[row], nlme.upper[row]])


def test_wald_refuses() -> None:
    one = [[1.0]]
    with pytest.raises(SpecError, match="scale must be"):
        wald([1.0], one, scale="sqrt")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="with 1 kinds"):
        wald([1.0], one, scale="log")
    with pytest.raises(SpecError, match="between 0 and 1"):
        wald([1.0], one, 0)
    with pytest.raises(DataError, match="variance 0 is 0, on its bound"):
        wald([0.0], one, scale="log", kinds=["variance"])
    with pytest.raises(DataError, match="do not fit"):
        wald([1.0, 2.0], one)

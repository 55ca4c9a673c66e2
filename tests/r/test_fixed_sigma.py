"""A sigma that is held fixed: likelihoods and comparisons by the density of the data itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import rbridge as rb
from rbridge.errors import RWarning, SpecError
from tests.support.brute import marginal

MODELS: list[dict[str, Any]] = [
    {"random": "~ 1 | subject"},
    {"random": "~ age | subject"},
    {"random": "~ 1 | subject", "weights": "varIdent(form = ~ 1 | sex)"},
]


def _log_density(fit: Any) -> float:
    """log N(y; Xβ̂, V), under REML with Harville's terms for β."""
    snap, V = fit.snapshot, marginal(fit.snapshot)
    full = stats.multivariate_normal(snap.X @ snap.beta, V).logpdf(snap.y)
    if snap.method == "ML":
        return float(full)
    information = snap.X.T @ np.linalg.solve(V, snap.X)
    p = len(snap.beta)
    return float(full + p / 2 * np.log(2 * np.pi) - np.linalg.slogdet(information)[1] / 2)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: str(sorted(model.values())))
def test_the_likelihood_is_that_of_the_data(model: dict[str, Any], orthodont: Any) -> None:
    fit = rb.lme("distance ~ age", orthodont, method="ML", control={"sigma": 1.4}, **model)
    assert fit.llf == pytest.approx(_log_density(fit), abs=1e-7)
    assert fit.aic == pytest.approx(2 * fit.df_model - 2 * _log_density(fit), abs=1e-7)
    assert fit.df_model == 2 + len(fit.varcomp)


def test_gls_agrees_with_r_where_r_is_right(orthodont: pd.DataFrame) -> None:
    same = "corCompSymm(form = ~ 1 | subject)"
    for method in ("ML", "REML"):
        options = {"method": method, "control": {"sigma": 1.4}, "correlation": same}
        fit = rb.gls("distance ~ age", orthodont, **options)
        assert fit.llf == pytest.approx(fit.snapshot.log_lik, abs=1e-8)


def test_a_fixed_sigma_is_compared_with_a_free_one(orthodont: pd.DataFrame) -> None:
    free = rb.lme("distance ~ age", orthodont, "~ 1 | subject", method="ML")
    held = rb.lme("distance ~ age", orthodont, "~ 1 | subject", method="ML", control={"sigma": 1.4})
    row = rb.compare(held, free).iloc[1]
    ratio = 2 * (_log_density(free) - _log_density(held))
    assert row["L.Ratio"] == pytest.approx(ratio, abs=1e-6)
    assert row["p-value"] == pytest.approx(stats.chi2.sf(ratio, 1), abs=1e-6)


def _restricted_density(fit: Any, variances: list[float]) -> float:
    """Harville's restricted log-likelihood of the random effects' variances, up to a constant."""
    snap, total = fit.snapshot, np.zeros((fit.nobs, fit.nobs))
    for level, variance in zip(snap.levels, variances):
        same = level.codes[:, None] == level.codes
        total += variance * (level.Z @ level.Z.T) * same
    V = total + np.diag(_residual_variances(fit))
    information = snap.X.T @ np.linalg.solve(V, snap.X)
    beta = np.linalg.solve(information, snap.X.T @ np.linalg.solve(V, snap.y))
    r = snap.y - snap.X @ beta
    quad = r @ np.linalg.solve(V, r)
    return float(-(np.linalg.slogdet(V)[1] + np.linalg.slogdet(information)[1] + quad) / 2)


def _residual_variances(fit: Any) -> Any:
    weights = [np.abs(part.covariate) for part in fit.snapshot.var]
    return fit.sigma**2 * np.prod([np.ones(fit.nobs), *weights], axis=0)


def _meta(seed: int, per: int = 1) -> pd.DataFrame:
    """Effects of studies with known sampling variances v: the standard meta-analysis."""
    rng = np.random.default_rng(seed)
    study = np.repeat(np.arange(14), per)
    v = rng.uniform(0.05, 0.6, len(study))
    y = 0.3 + rng.normal(0, 0.5, 14)[study] + rng.normal(0, np.sqrt(v))
    return pd.DataFrame({"study": study, "v": v, "y": y, "x": rng.normal(size=len(study))})


def _cases() -> list[Any]:
    orthodont = rb.datasets.load("orthodont")
    weighted = {"weights": "varFixed(~ v)", "control": {"sigma": 1}}
    nested = _meta(3, 6).assign(arm=lambda d: d.index % 3)
    return [
        ("distance ~ age", orthodont, "~ 1 | subject", {"control": {"sigma": 1.4}}),
        ("y ~ 1", _meta(1), "~ 1 | study", weighted),
        ("y ~ x", _meta(2), "~ 1 | study", weighted),
        ("y ~ x", nested, "~ 1 | study/arm", weighted),
    ]


@pytest.mark.parametrize("case", range(4))
def test_reml_estimates_are_at_the_maximum_of_the_restricted_likelihood(case: int) -> None:
    fixed, data, random, options = _cases()[case]
    with pytest.warns(RWarning, match="does not maximise the restricted likelihood"):
        fit = rb.lme(fixed, data, random, **options)
    found = optimize.minimize(
        lambda u: -_restricted_density(fit, list(np.exp(u))),
        np.zeros(len(fit.varcomp)),
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-12},
    )
    ours = _restricted_density(fit, list(fit.varcomp))
    assert ours >= -found.fun - 1e-9
    assert fit.varcomp.to_numpy() == pytest.approx(np.exp(found.x), rel=1e-4, abs=1e-6)
    assert fit.llf == pytest.approx(_log_density(fit), abs=1e-8)


def test_what_follows_from_the_estimates_follows_from_the_right_ones() -> None:
    data = _meta(2)
    with pytest.warns(RWarning) as warned:
        fit = rb.lme("y ~ x", data, "~ 1 | study", weights="varFixed(~ v)", control={"sigma": 1})
    assert [warning.filename for warning in warned] == [__file__]
    tau_sq, X = float(fit.varcomp.iloc[0]), np.column_stack([np.ones(14), data.x])
    w = 1 / (tau_sq + data.v.to_numpy())
    cov = np.linalg.inv(X.T @ (X * w[:, None]))
    beta = cov @ X.T @ (w * data.y.to_numpy())
    shrunk = tau_sq * w * (data.y.to_numpy() - X @ beta)
    assert fit.params.to_numpy() == pytest.approx(beta, rel=1e-9)
    assert fit.bse.to_numpy() == pytest.approx(np.sqrt(np.diag(cov)), rel=1e-9)
    assert fit.random_effects["study"].iloc[:, 0].to_numpy() == pytest.approx(shrunk, rel=1e-7)
    assert fit.fittedvalues.to_numpy() == pytest.approx(X @ beta + shrunk, rel=1e-8)
    assert fit.predict(data.head(4)).to_numpy() == pytest.approx(fit.fittedvalues[:4].to_numpy())
    assert "no REML" in str(fit.diagnose()) and "lmeInfo would answer" in str(fit.crosscheck())


def test_weights_of_the_fits_own_values_are_refused_under_reml(orthodont: pd.DataFrame) -> None:
    with pytest.raises(SpecError, match="no REML estimates.*use method='ML'"):
        rb.lme(
            "distance ~ age",
            orthodont,
            "~ 1 | subject",
            weights="varPower(form = ~ fitted(.))",
            control={"sigma": 1.4},
        )

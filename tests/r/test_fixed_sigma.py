"""A sigma that is held fixed: likelihoods and comparisons by the density of the data itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import rbridge as rb
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

"""Profiles where nothing is left to maximise over: one component, and sigma fixed; or none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

from rbridge.analysis.intervals import forest
from rbridge.core.fitting.maximum import maximise
from rbridge.core.likelihood import log_likelihood
from rbridge.errors import SpecError
from rbridge.model.spec import gls_spec
from rbridge.results import LmeResults
from tests.support import designs, oneway
from tests.support.fits import as_at_maximum

CRITICAL = stats.chi2.ppf(0.95, 1)
SIGMA_SQ = 1.1


def one_variance(true_tau: float) -> tuple[oneway.OneWay, LmeResults]:
    data = oneway.simulated(15, 4, true_tau, seed=5)
    made = replace(data.snapshot(), fixed_sigma=True, sigma=np.sqrt(SIGMA_SQ))
    return data, as_at_maximum(LmeResults(made))


@pytest.mark.parametrize("how", ["profile", "intervals"])
def test_one_variance_with_fixed_sigma(how: str) -> None:
    data, fit = one_variance(0.7)
    m, n = data.shape
    tau = (data.between / (m - 1) - SIGMA_SQ) / n  # λ = σ² + nτ² is between/(m − 1) at the top
    top = data.restricted(tau, SIGMA_SQ)

    def drop(x: float) -> float:
        return 2 * (top - data.restricted(x, SIGMA_SQ)) - CRITICAL

    expected = [brentq(drop, 1e-9, tau), tau, brentq(drop, tau, 50)]
    both = {"profile": fit.profile().conf_int(), "intervals": fit.intervals(methods=["profile"])}
    table = both[how]
    found = table[["lower", "estimate", "upper"]].to_numpy(float)
    np.testing.assert_allclose(found[0][[0, 2]], np.array(expected)[[0, 2]], rtol=1e-4)
    assert len(found) == 1 and table.note.iloc[0] == ""
    assert fit.profile().conf_int().estimate.iloc[0] == pytest.approx(tau, rel=1e-6)


def test_one_variance_that_may_be_zero_with_fixed_sigma() -> None:
    ends = one_variance(0.02)[1].profile().conf_int().iloc[0]
    assert ends.lower == 0 and "lower end is the bound 0" in ends.note


def nothing() -> LmeResults:
    spec = gls_spec("y ~ x", control={"sigma": 0.9}).to_dict()
    snapshot = designs.fit(designs.X, designs.Y, fixed_sigma=True)
    return LmeResults(replace(snapshot, spec=spec, log_lik=log_likelihood(snapshot)))


def test_nothing_to_maximise_over() -> None:
    found = maximise(nothing().snapshot)
    assert found.converged and found.theta.shape == (0,)
    assert found.log_lik == log_likelihood(nothing().snapshot)


def test_a_model_without_variance_components() -> None:
    fit = nothing()
    for call in (fit.profile, lambda: forest(fit, None, 0.95), fit.plot_varcomp):
        with pytest.raises(SpecError, match="the model has no variance components"):
            call()
    assert fit.intervals(methods=["profile", "wald", "log"]).empty
    assert fit.diagnose().regular
    for shown in (fit.summary(), fit.varcomp_vcov(), fit.crosscheck(lmeinfo=False)):
        assert "Variance components" in str(shown) or "Standard errors" in str(shown)
        assert shown._repr_html_()

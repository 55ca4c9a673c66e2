"""Weights by fitted(.): nlme's log-likelihood is one update behind, and diagnose says how far."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rbridge.results import LmeResults
from tests.support.fits import recorded


def behind(name: str, by: float) -> LmeResults:
    """A recorded fit whose log-likelihood nlme took so much too early."""
    fit = recorded(name)
    return LmeResults(replace(fit.snapshot, log_lik=fit.forms.log_likelihood - by))


def codes(fit: LmeResults) -> list[str]:
    return [finding.code for finding in fit.diagnose()]


@pytest.mark.parametrize("by", [0.41, -0.41, 2e-3])
def test_a_log_likelihood_of_before_the_last_update(by: float) -> None:
    found = behind("varPower-fitted", by).diagnose().findings[0]
    assert (found.code, found.level) == ("fitted(.)", "warning")
    assert found.size == pytest.approx(abs(by), rel=1e-6)
    assert "before the last update" in found.text and "tolerance" in found.text


def test_the_crosscheck_says_the_same() -> None:
    found = behind("varPower-fitted", 0.41).crosscheck(lmeinfo=False).finding("log-likelihood")
    assert found.level == "failure" and "fitted values in the variance function" in found.text


def test_what_does_not_move_is_left_alone() -> None:
    assert "fitted(.)" not in codes(behind("varPower-fitted", 1e-5))
    assert "fitted(.)" not in codes(behind("varPower", 0.41))  # a covariate of the data
    other = behind("varPower", 0.41).crosscheck(lmeinfo=False).finding("log-likelihood")
    assert "not the same model" in other.text

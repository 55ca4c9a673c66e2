"""What people test their own numbers with: the comparison by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rbridge.errors import SpecError
from rbridge.results import LmeResults
from rbridge.testing import assert_varcomp_close, needs_r
from tests.support.fits import recorded


@pytest.fixture(scope="module")
def fit() -> LmeResults:
    return recorded("orthodont-seed")


def test_order_does_not_matter_and_names_do(fit: LmeResults) -> None:
    shuffled = fit.varcomp.iloc[[2, 0, 3, 1]]
    assert_varcomp_close(shuffled, fit)
    assert_varcomp_close(dict(shuffled), fit.varcomp_vcov())
    assert_varcomp_close({"v": 1.0}, {"w": 1.0}, rename={"v": "w"})
    with pytest.raises(AssertionError, match="only in reference: .'sigma_sq'."):
        assert_varcomp_close(shuffled.drop("sigma_sq"), fit)
    with pytest.raises(AssertionError, match="a name stands twice"):
        assert_varcomp_close(pd.concat([shuffled, shuffled]), fit)


def test_the_message_shows_the_aligned_table(fit: LmeResults) -> None:
    wrong = fit.varcomp.copy()
    wrong["sigma_sq"] *= 1.01
    with pytest.raises(AssertionError) as caught:
        assert_varcomp_close(wrong, fit)
    rows = [line for line in str(caught.value).splitlines() if "differs" in line]
    assert len(rows) == 1 and rows[0].startswith("sigma_sq") and "0.01" in rows[0]


def test_uncertainty_is_compared_where_both_have_it(fit: LmeResults) -> None:
    expected, delta = fit.varcomp_vcov("expected"), fit.varcomp_vcov("delta")
    assert_varcomp_close(delta, expected, rtol_se=0.02)
    with pytest.raises(AssertionError, match="standard errors differ"):
        assert_varcomp_close(delta.to_frame(), expected.to_frame(), rtol_se=1e-6)
    with pytest.raises(AssertionError, match="covariance matrices differ by"):
        assert_varcomp_close(delta.cov, expected.cov)
    with pytest.raises(AssertionError, match="covariance matrices differ by nan"):
        assert_varcomp_close(delta.cov * np.nan, expected.cov)
    with pytest.raises(SpecError, match="nothing to compare"):
        assert_varcomp_close(fit.varcomp, expected.cov)


def test_missing_numbers_fail(fit: LmeResults) -> None:
    with pytest.raises(AssertionError, match="differs"):
        assert_varcomp_close(fit.varcomp * np.nan, fit)


@needs_r
@pytest.mark.r
def test_the_session_is_shared(r_session: object) -> None:
    from rbridge.r.session import session

    assert session() is r_session

"""A nearly collinear design is named, and a cross-check judges by what rounding may take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rbridge.check.crosscheck import crosscheck
from rbridge.core.collinearity import collinearity
from rbridge.core.engine.contractions import contract
from rbridge.core.snapshot import FitSnapshot
from rbridge.errors import LmeInfoUnsupported
from rbridge.fit.vcov import VarcompVcov
from rbridge.results import LmeResults
from tests.support import brute, designs
from tests.support.references import recorded

Z = np.random.default_rng(0).normal(size=108)


def collinear(distance: float) -> FitSnapshot:
    """The seed's model with one more column, so far from age."""
    fit = recorded("orthodont-seed")
    X = np.column_stack([fit.X, fit.X[:, 1] + distance * Z])
    return replace(
        fit,
        X=X,
        coef_names=(*fit.coef_names, "x2"),
        beta=np.append(fit.beta, 0.0),
        std_error=np.append(fit.std_error, 1.0),
        df=np.append(fit.df, 10.0),
        vcov=np.eye(5),
    )


@pytest.mark.parametrize("name", ["gls", "slope", "nested"])
def test_the_condition_is_that_of_the_dense_design(name: str) -> None:
    fit = designs.CASES[f"{name} + Ident"]
    V = brute.covariance(fit, LmeResults(fit).varcomp.to_numpy())
    X = np.linalg.solve(np.linalg.cholesky(V), fit.X)
    expected = np.linalg.cond(X / np.linalg.norm(X, axis=0))
    assert collinearity(contract(fit)).condition == pytest.approx(expected, rel=1e-8)


def test_the_information_does_not_lose_the_digits() -> None:
    """The same column, told apart from age beforehand: the same space, and well conditioned."""
    near, apart = collinear(1e-7), collinear(1e-7)
    apart = replace(apart, X=np.column_stack([recorded("orthodont-seed").X, Z]))
    ours = [LmeResults(fit).fisher_info("expected").to_numpy() for fit in (near, apart)]
    np.testing.assert_allclose(ours[0], ours[1], rtol=1e-7)


@pytest.mark.parametrize(
    ("distance", "level"), [(1.0, None), (1e-2, None), (1e-4, "note"), (1e-7, "warning")]
)
def test_diagnose_names_the_columns(distance: float, level: str | None) -> None:
    fit = LmeResults(collinear(distance))
    found = [f for f in fit.diagnose() if f.code == "collinearity"]
    assert [f.level for f in found] == ([level] if level else [])
    if found:
        assert "the fixed effects age, x2 are nearly collinear" in found[0].text
        assert found[0].size == pytest.approx(9.3 / distance, rel=0.5)


class Off:
    """lmeInfo, wrong by so much."""

    def __init__(self, fit: LmeResults, by: float) -> None:
        self.fit, self.by = fit, by

    def fisher_info(self, type: str = "expected") -> pd.DataFrame:
        return self.fit.fisher_info(type) * (1 + self.by)

    def varcomp_vcov(self, type: str = "expected") -> Any:
        if type == "average":
            raise LmeInfoUnsupported("not asked")
        ours = self.fit.varcomp_vcov(type)
        return VarcompVcov(ours.estimates, ours.cov / (1 + self.by), type, "test")

    def extract_varcomp(self) -> pd.Series:
        return self.fit.varcomp


@pytest.mark.parametrize(
    ("distance", "by", "level"),
    [
        (1.0, 1e-10, "ok"),
        (1.0, 1e-7, "failure"),
        (1e-5, 1e-10, "ok"),
        (1e-5, 1e-6, "note"),  # κ is 1e6: rounding may take 2e-4
        (1e-5, 1e-3, "failure"),
        (1e-7, 1e-3, "unchecked"),  # κ is 1e8: it may take everything
    ],
)
def test_gap_c_is_judged_by_conditioning(distance: float, by: float, level: str) -> None:
    fit = LmeResults(collinear(distance))
    found = crosscheck(fit, Off(fit, by)).finding("C")
    assert found.level == level
    assert ("collinear" in found.text) == (level in ("note", "unchecked"))


def test_gap_a_names_the_cause() -> None:
    text = LmeResults(collinear(1e-5)).crosscheck(lmeinfo=False).finding("A").text
    assert "worst where the fixed effects are nearly collinear" in text

"""Tests that drive a live R. Without R they skip; with RBRIDGE_REQUIRE_R=1 that is a failure."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rbridge as rb
from rbridge.testing import missing

HERE = os.path.dirname(__file__)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if str(item.path).startswith(HERE):
            item.add_marker("r")


@pytest.fixture(scope="session", autouse=True)
def r(r_session: Any) -> Any:
    """The live session; every test of this folder needs it."""
    return r_session


@pytest.fixture(scope="session")
def lmeinfo_installed(r: Any) -> None:
    from rbridge.r.nlme import r_versions

    if not r_versions()["lmeInfo"]:
        missing("lmeInfo is not installed")


@pytest.fixture(scope="session")
def ask_r(r: Any) -> Callable[..., Any]:
    """``ask_r(code, fit)``: the plain value of R code in which ``m`` is the fitted model."""

    def ask(code: str, fit: Any = None) -> Any:
        def work() -> Any:
            import rpy2.rinterface as ri

            from rbridge.r.from_r import from_r

            room = ri.baseenv["new.env"](parent=ri.globalenv)
            if fit is not None:
                models = r._call_safely.closureenv["models"]
                room["m"] = models[str(fit._fitted.handle.number)][0]
            text = ri.StrSexpVector([f"suppressWarnings({{{code}\n}})"])
            return from_r(ri.baseenv["eval"](ri.baseenv["parse"](text=text), room))

        return r._wait(r._submit(work))

    return ask


@pytest.fixture(scope="session")
def orthodont() -> pd.DataFrame:
    return rb.datasets.load("orthodont")


@pytest.fixture(scope="session")
def seed_fit(orthodont: pd.DataFrame) -> Any:
    """The seed's model."""
    contrasts = {"sex": "contr.sum"}
    return rb.lme("distance ~ age * sex", orthodont, "~ age | subject", contrasts=contrasts)


def close(actual: Any, expected: Any, rtol: float) -> None:
    """Equal to a relative tolerance of the largest element; names compared first."""
    if isinstance(actual, (pd.Series, pd.DataFrame)) and isinstance(expected, type(actual)):
        assert list(actual.index) == list(expected.index)
    a, e = np.asarray(actual, float), np.asarray(expected, float)
    assert a.shape == e.shape
    np.testing.assert_allclose(a, e, rtol=rtol, atol=rtol * np.abs(e).max())

"""Tests that drive a live R. Without R they skip; with RBRIDGE_REQUIRE_R=1 that is a failure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import rbridge as rb
from rbridge.r.versions import r_versions
from rbridge.testing import missing
from tests.support.bridging import ask

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("r")


@pytest.fixture(scope="session", autouse=True)
def r(r_session: Any) -> Any:
    """The live session; every test of this folder needs it."""
    return r_session


@pytest.fixture(scope="session")
def lmeinfo_installed(r: Any) -> None:
    if not r_versions()["lmeInfo"]:
        missing("lmeInfo is not installed")


@pytest.fixture(scope="session")
def ask_r(r: Any) -> Callable[..., Any]:
    """``ask_r(code, fit)``: the plain value of R code in which ``m`` is the fitted model."""
    return ask


@pytest.fixture(scope="session")
def orthodont() -> pd.DataFrame:
    return rb.datasets.load("orthodont")


@pytest.fixture(scope="session")
def seed_fit(orthodont: pd.DataFrame) -> Any:
    """The seed's model."""
    contrasts = {"sex": "contr.sum"}
    return rb.lme("distance ~ age * sex", orthodont, "~ age | subject", contrasts=contrasts)

"""A tolerance is a positive number with an end: nothing else can be one, wherever it is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rbridge.check.tolerances import TOLERANCES, is_tolerance
from rbridge.errors import RecordError, SpecError, SuiteError
from rbridge.suite.cases import load_suite
from rbridge.suite.record import read_record
from rbridge.testing import assert_varcomp_close
from tests.support.places import RECORDS

WRONG = {
    "inf": float("inf"),
    "-inf": -float("inf"),
    "nan": float("nan"),
    "0": 0,
    "-0.0": -0.0,
    "-1e-8": -1e-8,
    "true": True,
    '"1e-8"': "1e-8",
    "[1]": [1],
}
SUITE = """
data = "rail"
[[model]]
name = "m"
fixed = "travel ~ 1"
random = "~ 1 | rail"
tolerance = {{ C = {} }}
"""


@pytest.mark.parametrize("text", WRONG)
def test_a_suite_refuses_it_by_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "models.toml"
    path.write_text(SUITE.format(text))
    with pytest.raises(SuiteError, match="models.toml:7: the tolerance of C must be a positive"):
        load_suite(path)


@pytest.mark.parametrize("value", WRONG.values(), ids=list(WRONG))
def test_a_record_refuses_it(tmp_path: Path, value: Any) -> None:
    content = json.loads((RECORDS / "rail-intercept.json").read_text())
    content["tolerance"] = {"C": value}
    path = tmp_path / "rail.json"
    path.write_text(json.dumps(content))
    with pytest.raises(RecordError, match="the tolerance of C is"):
        read_record(path)


@pytest.mark.parametrize("value", [1e-300, 1e-8, 1, 0.5])
def test_numbers_that_are_tolerances(value: float) -> None:
    assert is_tolerance(value)


def test_the_houses_own_are() -> None:
    assert all(is_tolerance(tolerance.value) for tolerance in TOLERANCES.values())


@pytest.mark.parametrize("limit", [float("inf"), float("nan"), -1.0])
@pytest.mark.parametrize("name", ["rtol", "rtol_se"])
def test_assertions_refuse_it(limit: float, name: str) -> None:
    one = pd.DataFrame({"estimate": [1.0], "se": [1.0]}, index=["x"])
    with pytest.raises(SpecError, match="tolerance of .* must be a number with an end"):
        assert_varcomp_close(one, one, **{name: limit})

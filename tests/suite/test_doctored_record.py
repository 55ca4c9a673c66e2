"""A record in which a number was changed disagrees, with R or without."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rbridge.suite.drift import check_record
from rbridge.suite.json_text import dumps
from rbridge.suite.record import RecordFile
from rbridge.suite.run import Outcome
from tests.support.places import RECORDS

RAIL = RECORDS / "rail-intercept.json"
NO_NUMBERS: dict[str, Callable[[Any], Any]] = {
    "NaN": lambda matrix: matrix * np.nan,
    "infinite": lambda matrix: matrix * np.inf,
    "zero": lambda matrix: matrix * 0.0,
    "negative": lambda matrix: -matrix,
}


def checked(path: Path, change: Callable[[Any], None]) -> Outcome:
    """What the check says of a record, changed."""
    content = json.loads(RAIL.read_text())
    change(content["answers"])
    path.write_text(dumps(content))
    return check_record(RecordFile(path, False))


@pytest.mark.parametrize("kind", ["expected", "average"])
@pytest.mark.parametrize("how", NO_NUMBERS)
def test_an_information_that_is_none(tmp_path: Path, kind: str, how: str) -> None:
    def change(said: Any) -> None:
        said[kind]["values"] = NO_NUMBERS[how](np.array(said[kind]["values"])).tolist()

    outcome = checked(tmp_path / "rail.json", change)
    (found,) = [f for f in outcome.findings if f.code == "record"]
    assert outcome.code == 1 and found.parameters
    assert f"the recorded {kind} information of lmeInfo" in found.text


@pytest.mark.parametrize("name", ["logLik", "fixef", "std.error", "varcomp", "Pars", "apVar"])
@pytest.mark.parametrize("factor", [2.0, 1 + 1e-6, -1.0, np.nan])
def test_a_number_that_its_own_snapshot_denies(tmp_path: Path, name: str, factor: float) -> None:
    def change(said: Any) -> None:
        said[name]["values"] = (factor * np.array(said[name]["values"])).tolist()

    outcome = checked(tmp_path / "rail.json", change)
    (found,) = [f for f in outcome.findings if f.code == "record"]
    assert outcome.code == 1 and found.text.startswith(name) and found.parameters


@pytest.mark.parametrize("name", ["fixef", "apVar"])
def test_an_answer_that_is_withheld(tmp_path: Path, name: str) -> None:
    outcome = checked(tmp_path / "rail.json", lambda said: said.update({name: "none today"}))
    assert outcome.code == 1
    assert any("none today" in f.text for f in outcome.findings if f.code == "record")


def test_both_numbers_are_shown(tmp_path: Path) -> None:
    def change(said: Any) -> None:
        said["fixef"]["values"] = [2 * 66.50000000000003]

    (found,) = [f for f in checked(tmp_path / "x.json", change).findings if f.code == "record"]
    assert "(Intercept): in its answers 133, in its snapshot 66.5 (6.5 standard errors)" in (
        found.text
    )

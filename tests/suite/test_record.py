"""Records: the whole recorded suite against the native core without R, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rbridge.errors import RecordError
from rbridge.results import LmeResults
from rbridge.suite.cases import load_suite
from rbridge.suite.differences import NamedValues
from rbridge.suite.drift import between, check_record, drift
from rbridge.suite.json_text import dumps
from rbridge.suite.record import RecordFile, read_record
from tests.support.places import RECORDS, SUITE

CASES = load_suite(SUITE)
RAIL = RECORDS / "rail-intercept.json"


def test_every_model_is_recorded() -> None:
    assert {path.stem for path in RECORDS.glob("*.json")} == {case.name for case in CASES}
    for case in CASES:
        found = read_record(RECORDS / f"{case.name}.json").case
        assert found.spec == case.spec and found.expect == case.expect


@pytest.mark.grid
def test_the_native_core_agrees_without_r() -> None:
    """Issue 4's figure: C at most 1e-8 for 25 models and more that lmeInfo supports."""
    outcomes = [check_record(RecordFile(RECORDS / f"{case.name}.json", False)) for case in CASES]
    assert [o.name for o in outcomes if o.code != 0] == []
    sizes = [size for o in outcomes if (size := o.size("C")) is not None]
    assert len(sizes) >= 25 and max(sizes) <= 1e-8
    assert max(s for o in outcomes if (s := o.size("estimates")) is not None) <= 1e-10


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: [],
        lambda c: {**c, "format": 99},
        lambda c: {k: v for k, v in c.items() if k != "data"},
        lambda c: {**c, "snapshot": {"type": "os.system", "fields": {}}},
        lambda c: {**c, "snapshot": {"type": "PdBlock", "fields": {"pd_class": "x", "names": []}}},
        lambda c: {**c, "answers": {**c["answers"], "fixef": {"names": ["a", "b"], "values": [1]}}},
        lambda c: {**c, "answers": {**c["answers"], "apVar": {"names": ["a"], "values": "x"}}},
        lambda c: {**c, "tolerance": 3},
    ],
)
def test_a_hostile_record_is_refused(tmp_path: Path, spoil: Any) -> None:
    path = tmp_path / "bad.json"
    path.write_text(dumps(spoil(json.loads(RAIL.read_text()))))
    with pytest.raises(RecordError, match="bad.json: not a readable record"):
        read_record(path)
    assert check_record(RecordFile(path, False)).code == 2


@pytest.mark.parametrize("text", ["", "{", "\x80", "[" * 100_000, '{"format": 1}'])
def test_a_file_that_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(RecordError, match="bad.json"):
        read_record(path)


def test_a_contradictory_record_is_its_own_outcome(tmp_path: Path) -> None:
    content = json.loads(RAIL.read_text())
    content["snapshot"]["fields"]["levels"][0]["fields"]["blocks"][0]["fields"]["pd_class"] = "pd?"
    path = tmp_path / "bad.json"
    path.write_text(dumps(content))
    outcome = check_record(RecordFile(path, False))
    assert outcome.code == 2 and outcome.where == str(path)
    assert "unknown class 'pd?'" in outcome.findings[0].text


def test_drift_names_both_versions() -> None:
    then = {"R": "4.2.2", "nlme": "3.1.162", "lmeInfo": "0.3.3"}
    who = between(then, {**then, "nlme": "3.1.168"})
    assert who == "drift from R 4.2.2, nlme 3.1.162 (recorded) to R 4.2.2, nlme 3.1.168 (today)"
    assert "the same R 4.2.2" in between(then, then)
    one, two = NamedValues(("a",), np.array([1.0])), NamedValues(("a",), np.array([1.1]))
    assert drift("logLik", one, two, None, who).text.endswith(who)
    assert drift("apVar", "Non-positive", two, None, who).level == "failure"
    assert drift("apVar", "x", "y", None, who).level == "note"
    assert drift("fixef", one, NamedValues(("b",), two.values), None, who).level == "failure"


def test_a_snapshot_survives_json_exactly() -> None:
    snapshot = read_record(RECORDS / "pixel-two-levels.json").snapshot
    again = type(snapshot).from_dict(json.loads(dumps(snapshot.to_dict())))
    assert again.to_dict() == snapshot.to_dict()
    assert replace(again, warnings=("x",)).warnings == ("x",)
    assert LmeResults(again).varcomp.equals(LmeResults(snapshot).varcomp)

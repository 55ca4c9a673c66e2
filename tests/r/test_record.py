"""Records held against today's R."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rbridge.suite.drift import check_record
from rbridge.suite.json_text import dumps
from rbridge.suite.record import RecordFile
from tests.support.places import RECORDS

RAIL = RECORDS / "rail-intercept.json"


@pytest.mark.parametrize("name", ["rail-intercept", "corAR1-gls", "oats-nested"])
def test_todays_r_agrees(name: str) -> None:
    outcome = check_record(RecordFile(RECORDS / f"{name}.json", True))
    assert outcome.code == 0, outcome.findings
    assert outcome.size("apVar") is not None


def test_a_changed_answer_and_changed_data_are_noticed(tmp_path: Path) -> None:
    content = json.loads(RAIL.read_text())
    content["answers"]["fixef"]["values"][0] += 1.0
    content["provenance"]["R"] = content["snapshot"]["fields"]["provenance"]["mapping"][
        "R"
    ] = "3.0.0"
    path = tmp_path / "rail.json"
    path.write_text(dumps(content))
    (wrong,) = [f for f in check_record(RecordFile(path, True)).findings if f.code == "fixef"]
    assert wrong.level == "failure" and "drift from R 3.0.0" in wrong.text
    content["answers"]["fixef"]["values"][0] -= 1.0
    content["data"]["sha256"] = content["data"]["print"]["row_set"] = "0"
    content["data"]["print"]["columns"]["travel"] = "0"
    path.write_text(dumps(content))
    outcome = check_record(RecordFile(path, True))
    assert outcome.code == 2 and "has changed since the record" in outcome.findings[-1].text

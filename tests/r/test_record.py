"""Records held against today's R."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rbridge.suite.drift import check_record
from rbridge.suite.json_text import dumps
from rbridge.suite.record import RecordFile
from tests.support.grades import graded
from tests.support.places import RECORDS

RAIL = RECORDS / "rail-intercept.json"


@pytest.mark.parametrize("name", ["rail-intercept", "corAR1-gls", "oats-nested"])
def test_todays_r_agrees(name: str) -> None:
    outcome = check_record(RecordFile(RECORDS / f"{name}.json", True))
    assert outcome.code == 0, outcome.findings
    assert outcome.size("apVar") is not None


# Where nlme stopped short of the optimum, or a difference of its finite differences is wide.
SHORT = {"corAR1", "igf-slope-ml", "varComb", "varPower-fitted"}
SHORT |= {"corExp-nugget-gls", "corSpher-gls"}
# Where nlme's likelihood leaves terms out (sigma), or it finds no apVar, as finite differences may.
LOOSE = {"sigma-fixed-ml", "sigma-fixed-gls", "varConstPower", "varConstProp-sigma"}
# Whose apVar by nlme is right under one R and BLAS and off, or absent, under another.
UNSTEADY = {"ar1-varident-lme", "varConstPower"}
NAMES = sorted({path.stem for path in RECORDS.glob("*.json")} - SHORT)


@pytest.mark.parametrize("engine", ["pinned", "native"])
@pytest.mark.parametrize("name", graded(NAMES, {"rail-intercept", "corAR1-gls", "oats-nested"}))
def test_the_other_engines_say_what_nlme_said(name: str, engine: str) -> None:
    outcome = check_record(RecordFile(RECORDS / f"{name}.json", True, engine))
    wrong = [f for f in outcome.findings if f.level not in ("ok", "note")]
    if engine == "pinned" and name in UNSTEADY:
        wrong = [f for f in wrong if f.code not in ("apVar", "Pars")]
    assert bool(wrong) == (engine == "native" and name in LOOSE), wrong


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

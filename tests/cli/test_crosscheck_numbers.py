"""``rbridge crosscheck DATA``: what disagrees is shown with its components and numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from rbridge.check.findings import FAILURE
from rbridge.cli import main
from rbridge.results import LmeResults
from rbridge.suite.differences import NamedValues
from rbridge.suite.drift import RecordedLmeInfo
from rbridge.suite.record import read_record
from tests.support.places import RECORDS


def test_the_component_and_both_standard_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """An lmeInfo whose information is 4 times too large: its standard errors are half of ours."""
    record = read_record(RECORDS / "rail-intercept.json")
    told = record.answers["expected"]
    assert isinstance(told, NamedValues)
    wrong = {**record.answers, "expected": replace(told, values=4 * told.values)}
    monkeypatch.setattr(LmeResults, "lmeinfo", RecordedLmeInfo(replace(record, answers=wrong)))

    def fit(**_: Any) -> LmeResults:
        return LmeResults(record.snapshot)

    monkeypatch.setattr("rbridge.cli.suite.fit_model", fit)
    command = ["crosscheck", "rail", "--fixed", "travel ~ 1", "--format", "json"]
    result = CliRunner().invoke(main, command)
    page = CliRunner().invoke(main, [*command[:-1], "html"]).output
    assert page.startswith("<!doctype html>") and "✗ Numbers disagree" in page
    assert '<meta charset="utf-8">' in page and "<svg" in page
    (found,) = [f for f in json.loads(result.output)["findings"] if f["code"] == "C"]
    assert result.exit_code == 1 and found["level"] == FAILURE
    assert set(found["parameters"]) == {"Tau.rail.var((Intercept))", "sigma_sq"}
    assert "+1 relative" in found["text"] and "(lmeInfo)" in found["text"]

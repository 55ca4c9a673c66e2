"""What a cross-check of one model says: components by name, JUnit, annotations."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pandas as pd
import pytest

from rbridge.check.crosscheck import Crosscheck, crosscheck
from rbridge.check.findings import FAILURE, NOTE, UNCHECKED, Finding
from rbridge.fit.components import Fit
from rbridge.suite.differences import NamedValues
from rbridge.suite.drift import RecordedLmeInfo
from rbridge.suite.record import Record, read_record
from tests.support.places import RECORDS


@pytest.fixture(scope="module")
def record() -> Record:
    return read_record(RECORDS / "rail-intercept.json")


def checked(record: Record, **wrong: NamedValues) -> Crosscheck:
    """lmeInfo says what was recorded, but for what is wrong."""
    changed = replace(record, answers={**record.answers, **wrong})
    return crosscheck(Fit(record.snapshot), RecordedLmeInfo(changed))


def values(record: Record, name: str) -> NamedValues:
    found = record.answers[name]
    assert isinstance(found, NamedValues)
    return found


def test_estimates_name_the_component(record: Record) -> None:
    told = values(record, "varcomp")
    moved = told.values.copy()
    moved[list(told.names).index("sigma_sq")] *= 2
    found = checked(record, varcomp=replace(told, values=moved)).finding("estimates")
    ours = Fit(record.snapshot).varcomp["sigma_sq"]
    assert found.level == FAILURE and found.parameters[0] == "sigma_sq"
    assert f"sigma_sq: {ours:.10g} (here), {2 * ours:.10g} (lmeInfo), -0.5 relative" in found.text


def test_the_average_information_names_the_component(record: Record) -> None:
    """Four times the information: half the standard error."""
    told = values(record, "average")
    found = checked(record, average=replace(told, values=4 * told.values)).finding("C average")
    assert found.level == FAILURE and set(found.parameters) == set(told.names)
    assert "+1 relative" in found.text and "(average)" in found.text and "(lmeInfo)" in found.text


def test_junit_has_time_versions_and_a_class(record: Record) -> None:
    check = checked(record)
    suite = ElementTree.fromstring(check.to_junit())
    told = {p.get("name"): p.get("value") for p in suite[0]}
    assert told["R"] == record.snapshot.provenance["R"] and told["verdict"] == check.verdict
    assert float(suite.get("time", "nan")) == pytest.approx(check.seconds, abs=1e-3)
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == [finding.code for finding in check.findings]
    assert {case.get("classname") for case in cases} == {"rbridge.travel ~ 1; ~ 1 | rail; REML"}


def test_what_could_not_be_checked_is_an_error_and_no_skip() -> None:
    lost = Finding("fit", UNCHECKED, None, "no lmeInfo")
    noted = Finding("C", NOTE, None, "no reference")
    check = Crosscheck("y ~ 1", pd.DataFrame(), (lost, noted), {})
    suite = ElementTree.fromstring(check.to_junit())
    assert suite.get("errors") == suite.get("skipped") == "1"
    assert check.annotations() == "::error title=fit%3A y ~ 1::no lmeInfo"

"""Running a suite: how findings are judged, and that one bad model costs that model only."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from rbridge.check.findings import FAILURE, NOTE, OK, Finding
from rbridge.model.spec import lme_spec
from rbridge.suite.cases import Case
from rbridge.suite.run import Outcome, judged, run

C = Finding("C", FAILURE, 2e-8, "differ by 2e-8")


def levels(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(f.code, f.level) for f in findings]


def test_a_tolerance_of_the_suite_decides() -> None:
    assert levels(judged([C], {"C": 1e-7}, {})) == [("C", OK)]
    assert levels(judged([Finding("A", NOTE, 0.01, "x")], {"A": 0.001}, {})) == [("A", FAILURE)]


def test_a_known_finding_is_a_note_and_a_stale_one_a_failure() -> None:
    assert levels(judged([C], {}, {"C": "known: Differ"})) == [("C", NOTE)]
    assert levels(judged([C], {}, {"C": "else"})) == [("C", FAILURE), ("expect", FAILURE)]
    good = Finding("C", OK, 0.0, "agree")
    assert levels(judged([good], {}, {"C": "agree"})) == [("C", OK), ("expect", FAILURE)]


def case(name: str) -> Case:
    return Case(name, lme_spec("travel ~ 1", "~ 1 | rail"), "rail", Path("."), where=f"f:{name}")


def stand_in(case: Case) -> Outcome:
    """Work for the pool: some models raise, one kills its process."""
    if case.name == "raises":
        raise ZeroDivisionError("a bug")
    if case.name == "dies":
        os._exit(11)
    return Outcome(case.name, case.where, case.name, (Finding("C", OK, 0.0, "fine"),))


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_one_bad_model_costs_that_model_only(jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    names = ["a", "raises", "b", *(["dies"] if jobs > 1 else []), "c"]
    seen: list[str] = []
    outcomes = run([case(n) for n in names], stand_in, jobs, lambda o: seen.append(o.name))
    assert [o.name for o in outcomes] == names and sorted(seen) == sorted(names)
    assert {o.name for o in outcomes if o.code == 2} == {"raises", "dies"} & set(names)

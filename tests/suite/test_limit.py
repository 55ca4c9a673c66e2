"""A model over its time limit is a named error, and the others go on."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from rbridge.check.findings import OK, Finding
from rbridge.errors import SpecError, SuiteError, TimeLimitError
from rbridge.model.spec import lme_spec
from rbridge.suite.cases import Case, load_suite
from rbridge.suite.limit import within
from rbridge.suite.run import Outcome, run

MODEL = '[[model]]\nname = "{0}"\ndata = "rail"\nfixed = "travel ~ 1"\nrandom = "~ 1 | rail"\n'


def case(name: str, timeout: float | None) -> Case:
    spec = lme_spec("travel ~ 1", "~ 1 | rail")
    return Case(name, spec, "rail", Path("."), where=f"f:{name}", timeout=timeout)


def work(case: Case) -> Outcome:
    """Work that for some models has no end; an exception on the way does not end it either."""
    while case.name == "endless":
        try:
            time.sleep(0.01)
        except Exception:
            pass
    return Outcome(case.name, case.where, case.name, (Finding("C", OK, 0.0, "fine"),))


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_model_over_its_limit_costs_that_model_only(
    jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    cases = [case("before", 60), case("endless", 0.2), case("after", None)]
    before, endless, after = run(cases, work, jobs)
    assert before.code == after.code == 0 and endless.code == 2
    (found,) = endless.findings
    assert found.code == "timeout" and "longer than its 0.2 s" in found.text
    assert endless.where == "f:endless" and endless.seconds >= 0.2


def test_the_alarm_is_off_afterwards() -> None:
    before = signal.getsignal(signal.SIGALRM)
    assert within(60, lambda: 3) == 3 and within(None, lambda: 4) == 4
    with pytest.raises(ZeroDivisionError):
        within(60, lambda: 1 / 0)
    with pytest.raises(TimeLimitError):
        within(0.01, lambda: time.sleep(10))
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert signal.getsignal(signal.SIGALRM) == before


def test_where_no_alarm_is_heard_it_is_said() -> None:
    said: list[BaseException] = []

    def other() -> None:
        try:
            within(1, lambda: None)
        except SpecError as error:
            said.append(error)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert "main thread" in str(said[0])


def test_the_file_sets_it_and_a_model_may_differ(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_text(f"timeout = 60\n{MODEL.format('a')}{MODEL.format('b')}timeout = 1.5\n")
    assert [case.timeout for case in load_suite(path)] == [60, 1.5]


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "true", '"60"'])
def test_a_limit_that_is_none_is_refused_with_its_line(tmp_path: Path, value: str) -> None:
    path = tmp_path / "models.toml"
    path.write_text(f"timeout = {value}\n{MODEL.format('a')}")
    with pytest.raises(SuiteError, match=r"models\.toml:1: timeout must be a"):
        load_suite(path)

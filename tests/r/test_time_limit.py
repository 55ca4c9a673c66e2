"""A model whose R does not answer: that R is killed, and the next model has another."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from rbridge.model.spec import lme_spec
from rbridge.r.session import ProcessSession, current
from rbridge.suite.cases import Case
from rbridge.suite.run import Outcome, check_case, fit_case, run

pytestmark = pytest.mark.r


def workers(case: Case) -> Outcome:
    """The check of a model; before that of ``stuck`` its R is stopped."""
    fit_case(case)
    session = current()
    assert isinstance(session, ProcessSession) and session.worker is not None
    pid = session.worker.process.pid
    if case.name == "stuck":
        os.kill(pid, signal.SIGSTOP)
    found = check_case(case)
    SEEN.append((case.name, pid))
    return found


SEEN: list[tuple[str, int]] = []


def test_the_r_that_is_stuck_is_killed() -> None:
    SEEN.clear()
    spec = lme_spec("travel ~ 1", "~ 1 | rail")
    cases = [
        Case(name, spec, "rail", Path("."), where=name, timeout=timeout)
        for name, timeout in (("before", 60.0), ("stuck", 2.0), ("after", 60.0))
    ]
    before, stuck, after = run(cases, workers)
    assert before.code == after.code == 0, (before.findings, after.findings)
    assert stuck.code == 2 and stuck.findings[0].code == "timeout"
    (_, first), (_, last) = SEEN
    assert first != last
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)

"""``isolation="process"``: what ends R there costs one call, and nothing else."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

import rbridge as rb
from rbridge.errors import FitError, SessionError, SpecError, TimeLimitError
from rbridge.r import process
from rbridge.r.embedded import embedded_session
from rbridge.r.session import current
from tests.support.bridging import grouped
from tests.support.processes import python, says


@pytest.fixture
def process_session():
    with rb.set_isolation("process"):
        yield current()


def fit(seed: int = 1):
    return rb.lme("y ~ x", grouped(seed=seed), "~ 1 | g")


def kill(process_session) -> None:
    os.kill(process_session.worker.process.pid, signal.SIGKILL)
    process_session.worker.process.wait()


def test_the_same_answers(process_session, orthodont, lmeinfo_installed):
    def everything():
        made = rb.lme("distance ~ age * sex", orthodont, "~ age | subject")
        parts = made.params, made.varcomp, made.apvar.cov, made.lmeinfo.varcomp_vcov().cov
        return *parts, made.predict(orthodont)

    isolated = everything()
    with rb.set_isolation("inprocess"):
        inside = everything()
    for one, other in zip(isolated, inside):
        assert one.equals(other)


def test_a_dead_worker_costs_that_fit_and_nothing_else(process_session):
    earlier = fit()
    kill(process_session)
    with pytest.raises(SessionError, match="killed by signal 9.*the next call starts another"):
        fit()
    assert fit().params.equals(earlier.params)
    other = fit(2)  # takes the number that the earlier model had
    assert earlier.predict(grouped()).equals(earlier.fittedvalues.rename("predicted"))
    assert not other.params.equals(earlier.params)


def test_a_worker_that_dies_in_the_middle(process_session):
    fit()
    threading.Timer(0.3, kill, [process_session]).start()
    process_session.worker.process  # alive
    with pytest.raises(SessionError, match="ended during"):
        for _ in range(1000):
            fit()


def test_errors_are_those_of_the_embedded_r(process_session):
    with pytest.raises(FitError, match="determine I\\(2 \\* x\\)") as isolated:
        rb.lme("y ~ x + I(2 * x)", grouped(), "~ 1 | g")
    with rb.set_isolation("inprocess"), pytest.raises(FitError) as inside:
        rb.lme("y ~ x + I(2 * x)", grouped(), "~ 1 | g")
    assert str(isolated.value) == str(inside.value)
    assert isolated.value.r_class == inside.value.r_class


def test_a_hard_time_limit():
    with rb.set_isolation("process"):
        fit()
        current().timeout = 0.001
        with pytest.raises(TimeLimitError, match="longer than 0.001 s"):
            fit()
        current().timeout = 60
        assert fit().converged


def test_nothing_is_left_behind():
    with rb.set_isolation("process"):
        fit()
        folder, pid = current().worker.folder, current().worker.process.pid
        assert list(folder.glob("Rtmp*"))
    assert not Path(folder).exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_killed_parent_takes_the_worker_along():
    code = """
        import os, signal
        from tests.support.bridging import grouped
        import rbridge as rb
        from rbridge.r.session import current
        rb.set_isolation("process")
        rb.lme("y ~ x", grouped(), "~ 1 | g")
        print(current().worker.process.pid, current().worker.folder, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    pid, folder = python(code).stdout.split()
    for _ in range(100):
        if not os.path.exists(f"/proc/{pid}") and not os.path.exists(folder):
            return
        time.sleep(0.05)
    pytest.fail("the worker outlived its parent")


def test_workers_are_replaced_after_many_failures(process_session, monkeypatch):
    monkeypatch.setattr(process, "FAILURES", 3)
    good = fit()
    first = process_session.worker.process.pid
    for _ in range(3):
        with pytest.raises(FitError):
            rb.lme("y ~ x + I(2 * x)", grouped(), "~ 1 | g")
    assert fit().params.equals(good.params) and process_session.worker.process.pid != first
    assert good.predict(grouped()).size == 60


def test_released_models_leave_the_worker(process_session, tmp_path):
    for _ in range(5):
        fit()
    counts = tmp_path / "counts.R"
    counts.write_text("length(ls(get('models', envir = sys.frame(1))))")
    assert process_session.call("source", str(counts)).value["value"] == [0]
    kept = fit()
    assert kept.predict(grouped()).size == 60


def test_threads_share_a_worker(process_session):
    right = {seed: None for seed in range(4)}

    def work(seed: int) -> None:
        right[seed] = fit(seed).params

    threads = [threading.Thread(target=work, args=(seed,)) for seed in right]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(fit(seed).params.equals(params) for seed, params in right.items())


def test_a_forked_child_has_a_worker_of_its_own():
    code = """
        import os
        from tests.support.bridging import grouped
        import rbridge as rb
        rb.set_isolation("process")
        def fit(): return rb.lme("y ~ x", grouped(), "~ 1 | g").params["x"]
        mine = fit()
        child = os.fork()
        if not child:
            os._exit(0 if fit() == mine else 1)
        print(os.WEXITSTATUS(os.waitpid(child, 0)[1]), fit() == mine)
    """
    assert says(code) == "0 True"


def test_nothing_of_r_is_loaded_in_the_parent():
    code = """
        import sys
        import rbridge as rb
        with rb.set_isolation("process", timeout=60):
            rb.lme("distance ~ age", rb.datasets.load("orthodont"), "~ 1 | subject")
        print(any(name.startswith("rpy2") for name in sys.modules))
    """
    assert says(code) == "False"


@pytest.mark.parametrize(
    "mode, options, message",
    [
        ("thread", {}, "'inprocess' or 'process', not 'thread'"),
        ("inprocess", {"timeout": 5}, "needs isolation 'process'"),
        ("process", {"timeout": 0}, "positive number of seconds"),
        ("process", {"timeout": float("nan")}, "positive number of seconds"),
    ],
)
def test_wrong_isolation_is_refused(mode, options, message):
    with pytest.raises(SpecError, match=message):
        rb.set_isolation(mode, **options)


def test_the_mode_before_comes_back():
    with rb.set_isolation("process"):
        with rb.set_isolation("inprocess"):
            assert current() is None
        assert current() is not None
    assert current() is None and embedded_session() is not None

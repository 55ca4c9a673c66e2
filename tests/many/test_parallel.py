"""The rounds over joblib; no R."""

import builtins
import os
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

from rbridge.errors import InstallationError, RWarning
from rbridge.many import parallel
from rbridge.many.parallel import collect


@dataclass(frozen=True)
class Square:
    value: int
    reason: str = ""
    failures: int = 0


def squares(start, stop):
    return [Square(i * i) if i % 7 else Square(0, "seven", 1) for i in range(start, stop)]


def task(start, stop):
    return partial(squares, start, stop)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_every_item_once_and_in_order(n_jobs):
    seen, kept = [], []
    done, interrupted = collect(
        task,
        40,
        n_jobs=n_jobs,
        progress=lambda *k: seen.append(k),
        what="squares",
        keep=kept.extend,
    )
    assert done == squares(0, 40) == kept and not interrupted
    assert seen[-1] == (40, 40, 6) and seen == sorted(seen)
    assert collect(task, 0, n_jobs=n_jobs, progress=False, what="squares") == ([], False)


@pytest.mark.parametrize("jobs", [1, 2, 7])
@pytest.mark.parametrize("pace", [np.inf, 10.0, 0.03, 1e-6])
@pytest.mark.parametrize("n", [1, 5, 1000])
def test_rounds_cover_what_is_left(n, pace, jobs):
    start, rounds = 0, 0
    while start < n:
        cuts = parallel._cuts(start, n, pace, jobs)
        assert cuts[0] == start < cuts[-1] <= n and (np.diff(cuts) > 0).all()
        start, rounds = cuts[-1], rounds + 1
    assert rounds <= n


def test_ctrl_c_keeps_the_finished_rounds():
    def interrupted_at_five(start, stop):
        if start == 5:
            raise KeyboardInterrupt
        return task(start, stop)

    with pytest.warns(RWarning, match="interrupted after 5 of 9 squares"):
        done, interrupted = collect(
            interrupted_at_five, 9, n_jobs=1, progress=lambda *k: None, what="squares"
        )
    assert interrupted and done == squares(0, 5)


def die_at_twenty(start, stop):
    if stop > 20:
        os._exit(1)
    return squares(start, stop)


def test_the_death_of_a_worker_keeps_the_finished_rounds():
    with pytest.warns(RWarning, match="a worker process died after .* of 60 squares"):
        done, interrupted = collect(
            lambda *ends: partial(die_at_twenty, *ends),
            60,
            n_jobs=2,
            progress=False,
            what="squares",
        )
    assert interrupted and done == squares(0, len(done))
    assert collect(task, 4, n_jobs=2, progress=False, what="squares") == (squares(0, 4), False)


@pytest.fixture(autouse=True)
def one_item_a_task(monkeypatch):
    """The tests' work takes no time at all: without this it would all be one task."""
    monkeypatch.setattr(parallel, "TASK", 1e-9)


def test_many_failures_bring_new_workers(monkeypatch):
    import joblib

    monkeypatch.setattr(parallel, "FAILURES", 2)
    first = set(joblib.Parallel(n_jobs=2)(joblib.delayed(_pid)(i) for i in range(4)))
    done, _ = collect(task, 60, n_jobs=2, progress=False, what="squares")
    assert done == squares(0, 60)
    assert first.isdisjoint(joblib.Parallel(n_jobs=2)(joblib.delayed(_pid)(i) for i in range(4)))


def _pid(_):
    return os.getpid()


def test_without_joblib_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def no_joblib(name, *rest):
        if name == "joblib":
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_joblib)
    with pytest.raises(InstallationError, match="pip install joblib"):
        collect(task, 3, n_jobs=2, progress=False, what="squares")
    for one in (None, 1):
        assert collect(task, 9, n_jobs=one, progress=False, what="squares")[0] == squares(0, 9)


def test_lost_calls_are_lost_without_a_word(caplog):
    """As loky's threads end after Ctrl-C; other users of futures are heard as ever."""
    lost, other = pytest.importorskip("joblib.externals.loky._base").Future(), Future()
    for future in (lost, other):
        future.add_done_callback(lambda _: 1 / 0)
    collect(task, 3, n_jobs=None, progress=lambda *_: lost.cancel(), what="squares")
    assert lost.cancelled() and caplog.text == ""
    collect(task, 3, n_jobs=None, progress=lambda *_: other.cancel(), what="squares")
    assert "ZeroDivisionError" in caplog.text


def test_what_loky_says_after_ctrl_c_is_lost_too(caplog):
    lost = pytest.importorskip("joblib.externals.loky._base").Future()
    lost.add_done_callback(lambda _: 1 / 0)

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.warns(RWarning, match="interrupted"):
        collect(task, 3, n_jobs=None, progress=interrupt, what="squares")
    lost.cancel()  # by a thread that ends later
    assert lost.cancelled() and caplog.text == ""

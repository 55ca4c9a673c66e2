"""Processes: forks are refused by name, spawned workers have an R of their own."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest

import rbridge as rb
from rbridge.errors import SessionError
from tests.support.bridging import grouped, slope
from tests.support.grades import graded
from tests.support.processes import python, says


def test_a_forked_child_raises_at_once():
    rb.lme("y ~ x", grouped(), "~ 1 | g")
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        with pytest.raises(SessionError, match="'spawn' or with joblib's loky"):
            pool.submit(slope, 1).result(timeout=20)


def test_a_fork_before_r_starts_works():
    code = """
        import multiprocessing
        from tests.support.bridging import slope
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map(slope, [1, 2]) == [slope(1), slope(2)])
    """
    assert says(code) == "True"


def test_forked_children_leave_the_parents_r_alone():
    code = """
        import os, sys
        from tests.support.bridging import grouped
        import rbridge as rb
        fit = rb.lme("y ~ x", grouped(), "~ 1 | g")
        child = os.fork()
        if not child:
            del fit
            sys.exit(7)
        print(os.WEXITSTATUS(os.waitpid(child, 0)[1]), fit.predict(grouped()).size)
    """
    assert says(code) == "7 60"


@pytest.mark.parametrize("method", graded(["spawn", "forkserver"], {"spawn"}))
def test_spawned_workers_fit(method):
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        assert list(pool.map(slope, [1, 2])) == [slope(1), slope(2)]


def test_loky_workers_fit_without_a_word():
    pytest.importorskip("joblib")
    code = """
        from tests.support.bridging import slope
        from joblib import Parallel, delayed
        first = slope(1)
        found = Parallel(2)(delayed(slope)(i) for i in [1, 2])
        print(found == [first, slope(2)])
    """
    done = python(code)
    assert done.stdout.strip() == "True" and "R_SESSION_TMPDIR" not in done.stderr

"""Threads: R answers all of them, one after the other, from its own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import rbridge as rb
from rbridge.errors import RError
from rbridge.r.session import session
from tests.support.bridging import define, grouped
from tests.support.processes import says


def test_two_threads_get_the_right_numbers():
    frames = [grouped(seed=i) for i in range(2)]
    right = [rb.lme("y ~ x", frame, "~ 1 | g").params for frame in frames]
    wrong: list[object] = []

    def work(i: int) -> None:
        for _ in range(25):
            if not rb.lme("y ~ x", frames[i], "~ 1 | g").params.equals(right[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_thread_pool():
    frames = [grouped(seed=i) for i in range(8)]
    with ThreadPoolExecutor(4) as pool:
        fits = list(pool.map(lambda frame: rb.lme("y ~ x", frame, "~ 1 | g"), frames))
    for frame, fit in zip(frames, fits):
        assert fit.params.equals(rb.lme("y ~ x", frame, "~ 1 | g").params)


def test_models_released_in_other_threads():
    fits = [rb.lme("y ~ x", grouped(), "~ 1 | g") for _ in range(10)]
    numbers = [fit.in_r("a test").handle.number for fit in fits]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: fits.pop(), range(10)))
    define("kept", "function() as.numeric(ls(models))")
    assert not set(session().call("kept").value) & set(numbers)


def test_asyncio_in_threads_and_without():
    code = """
        import asyncio
        from tests.support.bridging import grouped
        import rbridge as rb
        frame = grouped()
        def fit(): return rb.lme("y ~ x", frame, "~ 1 | g").params.tolist()
        async def main():
            loop = asyncio.get_running_loop()
            inside = fit()
            others = await asyncio.gather(asyncio.to_thread(fit), loop.run_in_executor(None, fit))
            return all(other == inside for other in others)
        print(asyncio.run(main()), asyncio.run(main()))
    """
    assert says(code) == "True True"


def test_first_use_in_a_thread_or_a_task():
    code = """
        import asyncio, threading
        from tests.support.bridging import grouped
        found = []
        def fit():
            import rbridge as rb
            found.append(rb.lme("y ~ x", grouped(), "~ 1 | g").params.tolist())
        async def task(): fit()
        first = threading.Thread(target=fit); first.start(); first.join()
        asyncio.run(task()); fit()
        print(len(found), found[0] == found[1] == found[2])
    """
    assert says(code) == "3 True"


def test_a_suspended_generator_leaks_nothing():
    def rows():
        yield rb.lme("y ~ x", grouped(), "~ 1 | g")
        yield None

    suspended = rows()
    inner = next(suspended)
    assert rb.lme("y ~ x", grouped(), "~ 1 | g").params.equals(inner.params)


@pytest.mark.parametrize("expressions", [5000, 500_000])
def test_runaway_recursion_is_an_error(expressions):
    define("endless", "function(n) { options(expressions = n); f <- function(x) 1 + f(x); f(1) }")
    for _ in range(2):
        with pytest.raises(
            RError, match="infinite recursion|too close to the limit|stack overflow"
        ):
            session().call("endless", expressions)
    assert rb.lme("y ~ x", grouped(), "~ 1 | g").converged


def test_deep_language_does_not_end_python():
    # a million levels would: R's deparse looks at no limit; a formula may have 60 (test_formula)
    define("deep", "function() { x <- quote(a); for (i in 1:5e4) x <- call('(', x); nchar(x); 1 }")
    assert session().call("deep").value.tolist() == [1]


def test_other_threads_run_while_r_works():
    define("busy", "function() { end <- Sys.time() + 0.5; while (Sys.time() < end) NULL; 1 }")
    ticks = 0
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(session().call, "busy")
        while not waiting.done():
            ticks += 1
            threading.Event().wait(0.01)
    assert ticks > 10


def test_robjects_beside_rbridge_in_either_order():
    code = """
        import warnings; warnings.simplefilter("ignore")
        from tests.support.bridging import grouped
        import rbridge as rb
        def fit(): return rb.lme("y ~ x", grouped(), "~ 1 | g").params.tolist()
        def deep(): return ro.r("f <- function(n) if (n) 1 + f(n - 1) else 0; f(200)")[0]
        {}
        print(deep(), fit() == fit(), deep())
    """
    ours, theirs = "fit()", "import rpy2.robjects as ro"
    for order in (f"{ours}; {theirs}", f"{theirs}; {ours}"):
        assert says(code.format(order)).splitlines()[-1] == "200.0 True 200.0"

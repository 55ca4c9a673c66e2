"""Many fits over several processes by joblib, hence over Dask or Ray without a change.

The work goes out in rounds of a few seconds: between two rounds progress shows, what is done is
safe from Ctrl-C, and workers are replaced before nlme's leaks count.
"""

from __future__ import annotations

import atexit
import logging
import math
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from functools import lru_cache, partial
from typing import Any, Protocol, TypeVar

from ..errors import InstallationError, RWarning, warn
from .progress import Progress, reporting

TASK = 0.1  # seconds of work in one task: short, so that no worker waits long for the last one
ROUND = 2.0  # seconds of one round
FAILURES = 1000  # nlme loses about 9 kB for every failed fit: new workers after 9 MB each


class WorkOutcome(Protocol):
    """What becomes of one item."""

    @property
    def reason(self) -> str:
        """Why it failed; empty if it did not."""

    @property
    def failures(self) -> int:
        """How many fits failed on the way."""


Result = TypeVar("Result", bound=WorkOutcome)
Task = Callable[[], Sequence[Result]]


def collect(
    task: Callable[[int, int], Task[Result]],
    n: int,
    *,
    n_jobs: int | None,
    progress: Progress,
    what: str,
    keep: Callable[[Sequence[Result]], object] = lambda batch: None,
    least: int = 1,
) -> tuple[list[Result], bool]:
    """Do n items of work in parallel.

    Parameters
    ----------
    task : callable
        ``task(start, stop)`` gives the work on these items: a function without arguments, sent
        to a worker, that returns one outcome an item.
    n : int
    n_jobs : int or None
        As in joblib: None is one process, or what ``joblib.parallel_backend`` says. One process
        needs no joblib.
    progress : bool or callable
        A bar on a terminal's standard error and in notebooks, as soon as the work has taken a
        second, or a function of done, n, failed.
    what : str
        The unit of the bar.
    keep : callable
        Gets the outcomes of each round as soon as they are there.
    least : int
        Items of one task at least: more than one where they cost less together.

    Returns
    -------
    outcomes : list
        In order.
    interrupted : bool
        After Ctrl-C, or when a worker process died; the outcomes are then those of the finished
        rounds.
    """
    done: list[Result] = []
    failed = 0
    futures = logging.getLogger("concurrent.futures")
    futures.addFilter(_not_of_loky)
    with reporting(progress, n, what) as report:
        try:
            for batch in _rounds(task, n, n_jobs, least):
                done += batch
                keep(batch)
                failed += sum(bool(outcome.reason) for outcome in batch)
                report(len(done), n, failed)
        except (KeyboardInterrupt, BrokenExecutor) as error:
            why = "interrupted" if isinstance(error, KeyboardInterrupt) else "a worker process died"
            text = f"{why} after {len(done)} of {n} {what}: these are kept"
            warn(text, RWarning)
            return done, True  # loky's threads may still be at their last words
    futures.removeFilter(_not_of_loky)
    return done, False


def _not_of_loky(record: logging.LogRecord) -> bool:
    """Its threads log a traceback of each call that an interrupt takes from their hands."""
    return "loky" not in record.pathname


def _rounds(
    task: Callable[[int, int], Task[Result]], n: int, n_jobs: int | None, least: int
) -> Iterator[list[Result]]:
    joblib = _joblib(n_jobs)
    start, pace, lost = 0, math.inf, 0
    while start < n:
        jobs = joblib.effective_n_jobs(n_jobs)  # a cluster may grow
        own = jobs > 1 and _workers_are_ours(joblib)
        cuts = _cuts(start, n, pace, jobs, least)
        timed = partial(_timed, folder=_folder() if own else "")
        calls = (joblib.delayed(timed)(task(*ends)) for ends in zip(cuts, cuts[1:]))
        answers = joblib.Parallel(n_jobs=n_jobs)(calls)
        batch = [outcome for outcomes, _ in answers for outcome in outcomes]
        pace = sum(seconds for _, seconds in answers) / len(batch)
        lost += sum(outcome.failures for outcome in batch)
        start = cuts[-1]
        yield batch
        if own and lost > FAILURES * jobs:
            joblib.externals.loky.get_reusable_executor().shutdown(wait=True)
            lost = 0


def _cuts(start: int, n: int, pace: float, jobs: int, least: int = 1) -> list[int]:
    """Where the next round's tasks begin and end, at ``pace`` seconds an item."""
    size = max(least, int(TASK / pace))
    tasks = jobs * min(max(2, int(ROUND / (size * pace))), 20) if jobs > 1 else 1
    size = min(size, math.ceil((n - start) / jobs))  # the last items are for everybody
    return list(range(start, min(start + tasks * size, n), size)) + [min(start + tasks * size, n)]


def _timed(task: Task[Result], folder: str) -> tuple[Sequence[Result], float]:
    """In the worker: the outcomes, and how many seconds they took."""
    if folder:
        os.environ["TMPDIR"] = folder  # read by R when it starts
    begin = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RWarning)  # the outcomes carry R's warnings
        outcomes = task()
    return outcomes, time.perf_counter() - begin


class _OneProcess:
    """What is needed of joblib where there is none."""

    @staticmethod
    def effective_n_jobs(_: int | None) -> int:
        return 1

    @staticmethod
    def delayed(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments: partial(function, *arguments)

    @staticmethod
    def Parallel(n_jobs: int | None) -> Any:  # by joblib's name
        return lambda calls: [call() for call in calls]


def _joblib(n_jobs: int | None) -> Any:
    try:
        import joblib
    except ModuleNotFoundError:
        if n_jobs in (None, 1):
            return _OneProcess
        raise InstallationError("several processes need joblib: pip install joblib") from None
    return joblib


def _workers_are_ours(joblib: Any) -> bool:
    """Worker processes that joblib starts on this machine, not those of a cluster."""
    return type(joblib.parallel.get_active_backend()[0]).__name__ == "LokyBackend"


@lru_cache(maxsize=1)
def _folder() -> str:
    """Where the workers' R keeps its files: those of a killed worker go when this process ends."""
    folder = tempfile.mkdtemp(prefix="rbridge-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder

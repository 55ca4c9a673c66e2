"""A time limit for a model: whatever it is busy with, R or Python, ends there, and it alone."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any, TypeVar

from ..errors import SpecError, TimeLimitError

T = TypeVar("T")
MOST = 1e8  # seconds, three years: clocks count no further everywhere


class Over(BaseException):
    """Time is up. No Exception, so that nothing on the way takes it for a fit that failed."""


def is_timeout(value: object) -> bool:
    """A positive number of seconds, with an end."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    return number and 0 < value <= MOST  # type: ignore[operator]


def within(seconds: float | None, work: Callable[[], T]) -> T:
    """What the work gives, if it gives it in time.

    R must run in a process of its own (:func:`~rbridge.r.session.isolated_batch`): it is killed
    with the call that waits for it. A single long operation of numpy is let end first.

    Parameters
    ----------
    seconds : float or None
        None: no limit.
    work : callable

    Raises
    ------
    TimeLimitError
        It took longer.
    SpecError
        The system has no alarm clock, or this is not the main thread, which alone hears it.
    """
    if seconds is None:
        return work()
    try:
        with _alarm(seconds):
            return work()
    except Over:
        raise TimeLimitError(
            f"the model took longer than its {seconds:g} s and was stopped: give it a longer "
            "timeout, or look at why it does not end (engine = 'native' needs no fit by nlme)"
        ) from None


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Over, that many seconds from now, unless the block ends before."""
    try:
        before = signal.signal(signal.SIGALRM, _ring)
    except (AttributeError, ValueError):  # Windows; another thread
        raise SpecError(
            "timeout: a time limit for each model needs a POSIX system and Python's main thread"
        ) from None
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
    finally:
        try:  # it may ring until it is off
            signal.setitimer(signal.ITIMER_REAL, 0)
        finally:
            signal.signal(signal.SIGALRM, before)


def _ring(*_: Any) -> None:
    raise Over

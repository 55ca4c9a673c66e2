"""How far long work is: a bar on a terminal or in a notebook, once it has taken a second."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Protocol, Union

Report = Callable[[int, int, int], None]  # done, of how many, how many of them failed
Progress = Union[bool, Report]
DELAY = 1.0  # seconds before a bar appears


class Bar(Protocol):
    """What shows progress."""

    def start(self) -> None:
        ...

    def show(self, done: int, text: str) -> None:
        ...

    def stop(self) -> None:
        ...


@contextmanager
def reporting(progress: Progress, n: int, what: str) -> Iterator[Report]:
    """The function that shows progress."""
    if callable(progress) or not progress:
        yield progress if callable(progress) else lambda *_: None
        return
    bar = _bar(n, what)
    if bar is None:
        yield lambda *_: None
        return
    delayed = _Delayed(bar)
    try:
        yield lambda done, _, failed: delayed.show(
            done, f"{what}, {failed} failed" if failed else what
        )
    finally:
        delayed.stop()


class _Delayed:
    """A bar that a thread starts after a while, if the work is not done by then."""

    def __init__(self, bar: Bar) -> None:
        self._bar, self._lock = bar, threading.Lock()
        self._started = self._stopped = False
        self._last: tuple[int, str] | None = None
        self._timer = threading.Timer(DELAY, self._start)
        self._timer.daemon = True
        self._timer.start()

    def _start(self) -> None:
        with self._lock:
            if not self._stopped:
                self._bar.start()
                self._started = True
                if self._last:
                    self._bar.show(*self._last)

    def show(self, done: int, text: str) -> None:
        with self._lock:
            self._last = (done, text)
            if self._started:
                self._bar.show(done, text)

    def stop(self) -> None:
        self._timer.cancel()
        with self._lock:
            self._stopped = True
            if self._started:
                self._bar.stop()


def _bar(n: int, what: str) -> Bar | None:
    """By what standard error is; None where nobody looks."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_jupyter and find_spec("ipywidgets") is None:
        return _Line(n, what)
    return _Rich(console, n, what) if console.is_terminal or console.is_jupyter else None


class _Rich:
    """By rich."""

    def __init__(self, console: Any, n: int, what: str) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self._progress = Progress(*columns, TimeRemainingColumn(), console=console)
        self._row = self._progress.add_task(what, total=n)
        self.start, self.stop = self._progress.start, self._progress.stop

    def show(self, done: int, text: str) -> None:
        self._progress.update(self._row, completed=done, description=text)


class _Line:
    """One line of text that is written over: for a notebook without ipywidgets."""

    def __init__(self, n: int, what: str) -> None:
        self._n, self._what, self._wide = n, what, 0

    def start(self) -> None:
        self.show(0, self._what)

    def show(self, done: int, text: str) -> None:
        line = f"{text}: {done} of {self._n}"
        self._wide = max(self._wide, len(line))
        sys.stderr.write(f"\r{line:<{self._wide}}")
        sys.stderr.flush()

    def stop(self) -> None:
        sys.stderr.write("\n")

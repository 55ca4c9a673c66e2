"""Which R to ask: the one inside this process, or one in a worker that may die without harm."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any

from ..errors import SpecError
from ..options import one_of
from .answer import RSession
from .embedded import embedded_session
from .process import ProcessSession

MODES = ("inprocess", "process")

_current: ProcessSession | None = None
_changing = threading.Lock()


class Isolation:
    """What :func:`set_isolation` changed; as a context manager it changes it back."""

    def __init__(self, before: ProcessSession | None) -> None:
        self._before = before

    def __enter__(self) -> Isolation:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        worker = _replace(self._before)
        if worker is not None and worker is not self._before:
            worker.close()


def set_isolation(mode: str, *, timeout: float | None = None) -> Isolation:
    """Choose where the following fits run R.

    Parameters
    ----------
    mode : {"inprocess", "process"}
        ``process``: R runs in a worker process. Whatever ends it (a crash, the time limit,
        Ctrl-C) costs that call, which raises :class:`~rbridge.errors.SessionError`, and nothing
        else: the next call starts another worker, and earlier fits are refitted there if R is
        asked about them again.
    timeout : float, optional
        Seconds that one call may take, ``process`` only; the worker is killed at the limit.

    Returns
    -------
    Isolation
        ``with rb.set_isolation("process", timeout=60): ...`` returns to the mode before.

    Raises
    ------
    SpecError
        Another mode, or a timeout where nothing could keep it.
    """
    one_of(mode, MODES, "isolation", quote=True)
    if timeout is not None and mode == "inprocess":
        raise SpecError("a time limit needs isolation 'process': R cannot be stopped otherwise")
    if timeout is not None and not timeout > 0:
        raise SpecError(f"timeout must be a positive number of seconds, not {timeout!r}")
    return Isolation(_replace(ProcessSession(timeout) if mode == "process" else None))


def isolated_batch() -> AbstractContextManager[Any]:
    """R in a worker for many models, where it is not in one already: a crash costs one model."""
    if _current is not None:
        return nullcontext()
    return set_isolation("process")


def session() -> RSession:
    """The R to ask: the process's own, or a worker's after ``rb.set_isolation("process")``.

    Raises
    ------
    RNotFoundError, InstallationError
        R or rpy2 is missing or does not fit; the message says what to install.
    """
    return _current or embedded_session()


def current() -> ProcessSession | None:
    """The worker in use; None for the R inside this process."""
    return _current


def _replace(worker: ProcessSession | None) -> ProcessSession | None:
    """Use ``worker``; the one used before."""
    global _current
    with _changing:
        before, _current = _current, worker
    return before

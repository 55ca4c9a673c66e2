"""Signals while R works: who gets them, and that their handlers stay the user's.

Whenever R sleeps it puts a SIGINT handler of its own in place for the whole process, and that
handler ends the process if it runs outside of R's thread. So the waiting main thread holds SIGINT
back and looks for it; Python's handler is then called from here.
"""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import _signal  # type: ignore[import]  # signal's own are Python: a Ctrl-C may come before they act

POLL = 0.05  # seconds between looks
_SYNCHRONOUS = {"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP"}


def wait_for(done: threading.Event) -> None:
    """Wait; raises what the handler of a SIGINT that comes meanwhile raises."""
    with sigint_held() as held:
        while not done.wait(POLL if held else None):
            if drop_sigint():
                handler = signal.getsignal(signal.SIGINT)
                if callable(handler):
                    handler(signal.SIGINT, sys._getframe())


@contextmanager
def sigint_held() -> Iterator[bool]:
    """Hold SIGINT back from the main thread; whether this is that thread and it was open."""
    if threading.current_thread() is not threading.main_thread():
        yield False
        return
    before = _signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        _signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # blocks, and then may raise
        yield signal.SIGINT not in before and callable(signal.getsignal(signal.SIGINT))
    finally:
        _signal.pthread_sigmask(signal.SIG_SETMASK, before)


def drop_sigint() -> bool:
    """Whether a SIGINT was waiting; it is gone then."""
    if signal.SIGINT not in signal.sigpending():
        return False
    signal.sigwait({signal.SIGINT})
    return True


def leave_signals_to_others() -> None:
    """For R's thread: it must never be the one that a signal stops."""
    spare = {s for s in signal.valid_signals() if getattr(s, "name", "") not in _SYNCHRONOUS}
    signal.pthread_sigmask(signal.SIG_BLOCK, spare)


@contextmanager
def same_handlers() -> Iterator[None]:
    """Handlers as C sees them: rpy2 replaces SIGINT's without telling Python."""
    get, put = ctypes.pythonapi.PyOS_getsig, ctypes.pythonapi.PyOS_setsig
    get.restype = ctypes.c_void_p
    before = {number: get(number) for number in map(int, signal.valid_signals())}
    try:
        yield
    finally:
        for number, handler in before.items():
            if get(number) != handler:
                put(number, ctypes.c_void_p(handler))

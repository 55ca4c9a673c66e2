"""One R, owned by one thread: starts once, makes every call, and survives Ctrl-C.

Only this package imports rpy2, and of it only ``rpy2.rinterface`` and the library below it.
"""

from __future__ import annotations

import atexit
import importlib.resources
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from ..errors import InstallationError, RError, SessionError
from .answer import Answer
from .signals import POLL, drop_sigint, sigint_held, wait_for
from .start import checked_stack, stack_bounds, start
from .watched import Watched

T = TypeVar("T")

# read in this order
R_FILES = (
    "session",
    "payload",
    "nlme",
    "bases",
    "snapshot",
    "terms",
    "prepare",
    "lmeinfo",
    "versions",
)
STACK_SIZE = 64 * 2**20  # bytes: R's own check stops runaway recursion before the system does
FORKED = (
    "R was started before this process was forked and cannot be used in the child: start workers "
    "by 'spawn' or with joblib's loky"
)


class _Job:
    """One call on its way through the R thread."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.done = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None
        self._gate = threading.Lock()  # an interrupt must not reach what runs after this call
        self._running = self._cancelled = False

    def run(self) -> None:
        with self._gate:
            self._running = not self._cancelled
        try:
            if self._running:
                self.value = self.work()
        except BaseException as error:  # handed to the thread that waits
            _let_go(error)
            self.error = error
        with self._gate:
            self._running = False
            _set_pending(False)
        self.done.set()

    def interrupt(self) -> None:
        """Stop R if it is at this call; keep it from beginning the call otherwise."""
        with self._gate:
            if self._running:
                _set_pending(True)
            else:
                self._cancelled = True


def _set_pending(pending: bool) -> None:
    """R stops at its next look, with an interrupt."""
    openrlib = sys.modules.get("rpy2.rinterface_lib.openrlib")
    if openrlib is not None and hasattr(openrlib, "rlib"):
        openrlib.rlib.R_interrupts_pending = int(pending)


def _let_go(error: BaseException | None) -> None:
    """Free the R objects that the error's frames hold, here on R's thread."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


class Session:
    """The embedded R. Use :func:`embedded_session` to get it.

    Attributes
    ----------
    functions : rpy2 environment
        What the R files define; for R's thread only, in what :meth:`run` does.
    """

    generation = 0
    steady: AbstractContextManager[Any] = nullcontext()

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._pid = os.getpid()
        self.functions: Any = None
        self._call_safely: Any = None
        self._watched = Watched()
        self._stack: tuple[int, int] | None = None
        self._job: _Job | None = None  # at which R is
        self._closing = False
        self._thread = _start_thread(self._serve)
        self._opening = self._submit(self._open)

    def started(self) -> None:
        """Wait for R to start; a Ctrl-C meanwhile is raised when it has, and R then serves on.

        Raises
        ------
        RNotFoundError, InstallationError
            As from :func:`embedded_session`.
        """
        interrupt: BaseException | None = None
        while not self._opening.done.is_set():
            try:
                self._opening.done.wait()
            except BaseException as error:
                interrupt = error
        if self.failed:
            self._jobs.put(None)
        if interrupt or self._opening.error:
            raise interrupt or self._opening.error  # type: ignore[misc]

    @property
    def failed(self) -> bool:
        """Whether R could not be started."""
        return self._opening.error is not None

    def call(self, name: str, *args: Any) -> Answer:
        """Call a function of the R files with plain arguments.

        Raises
        ------
        RError
            R's error, with its message, call, class and traceback.
        SessionError
            After a fork, or once R has ended.
        KeyboardInterrupt
            After Ctrl-C, when R has stopped.
        """
        return self.run(lambda: self._perform(name, args))

    def run(self, work: Callable[[], T]) -> T:
        """Do ``work`` on R's thread; raises as :meth:`call`.

        It may return or keep no R object: that would be freed on another thread.
        """
        if os.getpid() != self._pid:
            raise SessionError(FORKED)
        if not self._thread.is_alive():
            raise SessionError("R has ended in this process")
        value: T = self._wait(self._submit(work))
        return value

    def watch(self, handle: object, number: int) -> None:
        """Release a fitted model with the first call after its handle is gone.

        R does nothing while nobody waits for it.
        """
        self._watched.add(handle, number)

    def close(self) -> None:
        """End R, also in the middle of a call, and remove its temporary directory."""
        if os.getpid() != self._pid or not self._thread.is_alive():
            return
        self._closing = True
        self._jobs.put(None)
        for _ in range(100):  # 5 s; compiled code that never looks up is left to the exit
            self._thread.join(timeout=POLL)
            if not self._thread.is_alive():
                return
            if (job := self._job) is not None:
                job.interrupt()

    def _submit(self, work: Callable[[], Any]) -> _Job:
        job = _Job(work)
        self._jobs.put(job)
        return job

    def _wait(self, job: _Job) -> Any:
        try:
            wait_for(job.done)
        except BaseException:  # Ctrl-C, or what a signal handler of the user's raises
            self._interrupt(job)
            raise
        if job.error is not None:
            raise job.error
        return job.value

    def _interrupt(self, job: _Job) -> None:
        """Ask R to stop until it has stopped; a second Ctrl-C does not leave it half-way."""
        while True:
            try:
                with sigint_held():
                    while not job.done.is_set() and self._job in (job, None):
                        job.interrupt()
                        job.done.wait(POLL)
                    job.interrupt()  # another thread's call runs on, and this one never starts
                    drop_sigint()
                    return
            except BaseException:
                continue

    # --- on the R thread -------------------------------------------------------------------

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._job = job
            if not self._closing:
                job.run()
            self._job = None
            del job  # R objects die here, on R's thread
        if self._call_safely is None:
            return  # R never started
        from rpy2.rinterface_lib import embedded

        self._call_safely = self.functions = None
        embedded.endr(0)

    def _open(self) -> None:
        start()
        import rpy2.rinterface as ri
        from rpy2.rinterface_lib.embedded import RRuntimeError

        self._stack = stack_bounds()
        folder = importlib.resources.files("rbridge.r")
        sources = [folder.joinpath(f"{name}.R").read_text("utf-8") for name in R_FILES]
        functions = ri.baseenv["new.env"](parent=ri.baseenv)
        try:
            with checked_stack(self._stack):
                text = ri.StrSexpVector(sources)
                parsed = ri.baseenv["parse"](text=text, **{"keep.source": False})
                ri.baseenv["eval"](parsed, functions)
        except RRuntimeError as error:  # a broken utils or stats
            raise InstallationError(f"R starts, but its own packages fail: {error}") from None
        self.functions, self._call_safely = functions, functions["call_safely"]
        atexit.register(self.close)

    def _perform(self, name: str, args: tuple[Any, ...]) -> Answer:
        from rpy2.rinterface_lib.embedded import RRuntimeError

        from .from_r import from_answer
        from .to_r import to_r

        try:
            with checked_stack(self._stack):
                for number, _ in self._watched.left():
                    self._call_safely(*to_r(["release", number]))
                answer = from_answer(self._call_safely(*to_r([name, *args])))
        except RRuntimeError:  # its text may be that of an earlier error
            raise SessionError(f"R left the call of {name} without an answer") from None
        return _answer(answer)


def _answer(answer: dict[str, Any]) -> Answer:
    """The value, or R's error raised."""
    failure = answer["error"]
    said = tuple(answer["warnings"]), tuple(answer["messages"])
    if failure is None:
        return Answer(answer["value"], *said)
    if bool(failure["interrupted"][0]):
        raise KeyboardInterrupt
    frames = tuple(name for name in failure["traceback"] if name)
    raise RError(failure["message"][0], failure["call"][0], failure["class"], frames, said[0])


def _start_thread(target: Callable[[], None]) -> threading.Thread:
    before = threading.stack_size(STACK_SIZE)
    try:
        thread = threading.Thread(target=target, name="rbridge-R", daemon=True)
        thread.start()
    finally:
        threading.stack_size(before)
    return thread


_session: Session | None = None
_starting = threading.Lock()


def embedded_session() -> Session:
    """The R inside this process, started at the first call.

    Raises
    ------
    RNotFoundError, InstallationError
        R or rpy2 is missing or does not fit; the message says what to install.
    """
    global _session
    with _starting:
        if _session is None or _session.failed:
            _session = Session()
        _session.started()
        return _session

"""One R, owned by one thread: starts once, makes every call, and survives Ctrl-C.

Only this package imports rpy2, and of it only ``rpy2.rinterface`` and the library below it.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib.resources
import os
import queue
import signal
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import InstallationError, RError, RNotFoundError, SessionError
from .locate import r_home

STACK_SIZE = (
    64 * 2**20
)  # bytes: R's own check then stops runaway recursion before the system does
POLL = 0.05  # seconds between looks at a call that is being interrupted


@dataclass(frozen=True)
class Answer:
    """What one call gave: the plain value, and what R said on the way."""

    value: Any
    warnings: tuple[str, ...]
    messages: tuple[str, ...]


class _Job:
    """One call on its way through the R thread."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.done = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.value = self.work()
        except BaseException as error:  # handed to the thread that waits
            self.error = error
        self.done.set()


class Session:
    """The embedded R. Use :func:`session` to get it."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._pid = os.getpid()
        self._thread = _start_thread(self._serve)
        self._call_safely: Any = None
        self._wait(self._submit(self._open))
        atexit.register(self.close)

    def call(self, name: str, *args: Any) -> Answer:
        """Call a function of bridge.R with plain arguments.

        Raises
        ------
        RError
            R's error, with its message, call, class and traceback.
        SessionError
            After a fork, or once R has ended.
        KeyboardInterrupt
            After Ctrl-C, when R has stopped.
        """
        if os.getpid() != self._pid:
            raise SessionError(
                "R was started before this process was forked and cannot be used in the child: "
                "start workers by 'spawn' or with joblib's loky"
            )
        if not self._thread.is_alive():
            raise SessionError("R has ended in this process")
        answer: Answer = self._wait(self._submit(lambda: self._perform(name, args)))
        return answer

    def forget(self, number: int) -> None:
        """Release a fitted model; only queued, so that it may be called from any finaliser."""
        if os.getpid() == self._pid and self._thread.is_alive():
            self._submit(lambda: self._perform("release", (number,)))

    def close(self) -> None:
        """End R and remove its temporary directory."""
        if os.getpid() == self._pid and self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join(timeout=5)

    def _submit(self, work: Callable[[], Any]) -> _Job:
        job = _Job(work)
        self._jobs.put(job)
        return job

    def _wait(self, job: _Job) -> Any:
        try:
            job.done.wait()
        except KeyboardInterrupt:
            self._interrupt(job)
            raise
        if job.error is not None:
            raise job.error
        return job.value

    def _interrupt(self, job: _Job) -> None:
        """Ask R to stop until it has stopped; a second Ctrl-C does not leave it half-way."""
        from rpy2.rinterface_lib import openrlib

        while not job.done.is_set():
            try:
                openrlib.rlib.R_interrupts_pending = 1
                job.done.wait(POLL)
            except KeyboardInterrupt:
                continue
        openrlib.rlib.R_interrupts_pending = 0

    # --- on the R thread -------------------------------------------------------------------

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.run()
            del job  # R objects die here, on R's thread
        from rpy2.rinterface_lib import embedded

        embedded.endr(0)

    def _open(self) -> None:
        _initialise()
        import rpy2.rinterface as ri

        source = importlib.resources.files("rbridge.r").joinpath("bridge.R").read_text("utf-8")
        rooms = ri.baseenv["new.env"](parent=ri.baseenv)
        parsed = ri.baseenv["parse"](text=ri.StrSexpVector([source]), **{"keep.source": False})
        ri.baseenv["eval"](parsed, rooms)
        self._call_safely = rooms["call_safely"]

    def _perform(self, name: str, args: tuple[Any, ...]) -> Answer:
        from .from_r import from_r
        from .to_r import to_r

        answer = from_r(self._call_safely(to_r(name), to_r(list(args))))
        failure = answer["error"]
        said = tuple(answer["warnings"]), tuple(answer["messages"])
        if failure is None:
            return Answer(answer["value"], *said)
        if bool(failure["interrupted"][0]):
            raise KeyboardInterrupt
        raise RError(
            failure["message"][0],
            failure["call"][0],
            failure["class"],
            tuple(name for name in failure["traceback"] if name),
            said[0],
        )


def _start_thread(target: Callable[[], None]) -> threading.Thread:
    before = threading.stack_size(STACK_SIZE)
    try:
        thread = threading.Thread(target=target, name="rbridge-R", daemon=True)
        thread.start()
    finally:
        threading.stack_size(before)
    return thread


def _initialise() -> None:
    """Start R as the process would have it: its environment and SIGINT stay what they were."""
    home = r_home()
    environment = dict(os.environ)
    handler = ctypes.pythonapi.PyOS_getsig
    handler.restype = ctypes.c_void_p
    sigint = handler(signal.SIGINT)
    os.environ["R_HOME"] = str(home)
    os.environ["R_PROFILE_USER"] = os.devnull  # a profile may print, quit or change options
    try:
        _load_and_start()
    finally:
        ctypes.pythonapi.PyOS_setsig(signal.SIGINT, ctypes.c_void_p(sigint))
        _restore_environment(environment)


def _load_and_start() -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # rpy2 warns that R starts outside the main thread
            import rpy2.rinterface as ri
            from rpy2.rinterface_lib import embedded

            embedded.set_initoptions(("rbridge", "--quiet", "--no-save", "--no-restore"))
            ri.initr(interactive=False)
    except ModuleNotFoundError as error:
        message = f"rpy2 is not installed ({error}): install it with 'pip install rpy2'"
        raise RNotFoundError(message) from error
    except Exception as error:
        raise InstallationError(
            f"rpy2 cannot load R ({type(error).__name__}: {error}). rpy2 must be built for the R "
            "that is installed: 'rbridge doctor' shows both versions and what to do"
        ) from error
    _limit_stack()


def _restore_environment(before: dict[str, str]) -> None:
    """Undo what R added, but for its own R_ variables, from which it loads modules later."""
    for name in set(os.environ) - set(before):
        if not name.startswith("R_") or name == "R_PROFILE_USER":
            del os.environ[name]
    os.environ.update(before)


def _limit_stack() -> None:
    """Tell R the bounds of this thread's stack, so that its own check works."""
    from rpy2.rinterface_lib import openrlib

    libc = ctypes.CDLL(None)
    if not hasattr(libc, "pthread_getattr_np"):  # not glibc: R keeps rpy2's setting
        return
    attributes = ctypes.create_string_buffer(64)
    address, size = ctypes.c_void_p(), ctypes.c_size_t()
    libc.pthread_self.restype = ctypes.c_void_p
    libc.pthread_getattr_np(ctypes.c_void_p(libc.pthread_self()), attributes)
    libc.pthread_attr_getstack(attributes, ctypes.byref(address), ctypes.byref(size))
    libc.pthread_attr_destroy(attributes)
    cast = openrlib.ffi.cast
    openrlib.rlib.R_CStackStart = cast("uintptr_t", (address.value or 0) + size.value)
    openrlib.rlib.R_CStackLimit = cast("uintptr_t", int(size.value * 0.9))


_session: Session | None = None
_starting = threading.Lock()


def session() -> Session:
    """The process's R, started at the first call.

    Raises
    ------
    RNotFoundError, InstallationError
        R or rpy2 is missing or does not fit; the message says what to install.
    """
    global _session
    with _starting:
        if _session is None:
            _session = Session()
        return _session

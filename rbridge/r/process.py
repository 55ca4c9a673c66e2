"""R in a worker process: killed at a time limit or on Ctrl-C, replaced when it dies.

The worker is a fresh Python with a :class:`~rbridge.r.embedded.Session`; questions and answers
cross a private pipe. Models stay there under a number, as in the embedded R.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from contextlib import AbstractContextManager
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any

import numpy

from ..errors import RError, SessionError, TimeLimitError
from .answer import Answer
from .locate import temporary_folder
from .watched import Watched

PACKAGE = Path(__file__).resolve().parents[1]
FAILURES = 500  # nlme loses about 9 kB for every failed fit: a new worker after 5 MB
# python -c and -m put the working directory first; rbridge comes from where it is here
BOOT = """
import sys
folder, sys.path[:] = sys.argv[2], sys.argv[3:]
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("rbridge", folder + "/__init__.py")
sys.modules["rbridge"] = module = module_from_spec(spec)
spec.loader.exec_module(module)
from rbridge.r.worker import main
main(int(sys.argv[1]))
"""
TAIL = 600  # characters of a dead worker's last words that the error shows


class Worker:
    """One child process with its pipe and its own temporary directory."""

    def __init__(self) -> None:
        self.folder = temporary_folder()
        self.pipe, theirs = Pipe()
        try:
            with theirs, open(self.folder / "said", "wb") as said:
                self.process = self._started(theirs.fileno(), said)
        except OSError as error:
            self.pipe.close()
            shutil.rmtree(self.folder, ignore_errors=True)
            raise SessionError(f"the R worker cannot be started: {error}") from None

    def _started(self, descriptor: int, said: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", BOOT, str(descriptor), str(PACKAGE), *module_path()],
            pass_fds=[descriptor],
            env=_environment(self.folder),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,  # Ctrl-C in the terminal is for the parent to judge
        )

    def kill(self) -> str:
        """End the child at once; what it last said."""
        self.process.kill()
        self.process.wait()
        self.pipe.close()
        try:
            said = (self.folder / "said").read_text("utf-8", "replace").strip()
        except OSError:
            said = ""
        shutil.rmtree(self.folder, ignore_errors=True)
        return said[-TAIL:]

    def leave(self) -> None:
        """Let the child end by itself (in a forked copy: it is the parent's)."""
        self.pipe.close()


def _environment(folder: Path) -> dict[str, str]:
    """This process's environment, but for its module path, and a temporary directory to delete."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "TMPDIR": str(folder)}


def module_path() -> list[str]:
    """Where the worker finds modules: as here, but not in the folders of the user's work.

    A random.py or numpy.py in the working directory or beside the script would run in place of
    the module that is meant.
    """
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    work = {os.getcwd(), os.path.dirname(os.path.abspath(script)) if script else os.getcwd()}
    installed = {str(Path(numpy.__file__).parents[1]), *sysconfig.get_paths().values()}
    places = dict.fromkeys(os.path.abspath(place) for place in sys.path if place)
    return [place for place in places if place in installed or place not in work]


class Limit:
    """Kills a process that has not answered in time: also one that stopped while it was told.

    Attributes
    ----------
    reached : bool
    """

    def __init__(self, process: subprocess.Popen[bytes], seconds: float | None) -> None:
        self.reached = False
        self._process = process
        self._timer = None if seconds is None else threading.Timer(seconds, self._kill)

    def _kill(self) -> None:
        self.reached = True
        self._process.kill()

    def __enter__(self) -> None:
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()


class ProcessSession:
    """The same calls as :class:`~rbridge.r.embedded.Session`, answered by a worker process.

    Parameters
    ----------
    timeout : float, optional
        Seconds that one call may take.

    Attributes
    ----------
    worker : Worker or None
        The process that now answers; None until a call needs one.
    """

    def __init__(self, timeout: float | None = None) -> None:
        self.generation = 0
        self.timeout = timeout
        self.worker: Worker | None = None
        self._pid = os.getpid()
        self.steady: AbstractContextManager[Any] = threading.RLock()
        self._watched = Watched()
        self._failures = 0
        atexit.register(self.close)

    def call(self, name: str, *args: Any) -> Answer:
        """Call a function of the R files in the worker.

        Raises
        ------
        RError, InstallationError
            As from the embedded R.
        TimeLimitError
            The call took longer than the limit; the worker was killed.
        SessionError
            The worker died; the next call starts another.
        """
        if os.getpid() != self._pid:
            self._after_fork()
        with self.steady:
            if name == "fit" and self._failures >= FAILURES:
                self.close()
            self.worker = self.worker or Worker()
            try:
                return self._ask(self.worker, name, args)
            except RError:
                self._failures += 1
                raise

    def watch(self, handle: object, number: int) -> None:
        """Release a fitted model with the first call after its handle is gone."""
        self._watched.add(handle, number, self.generation)

    def close(self) -> None:
        """End the worker."""
        worker = self._part()
        if worker is not None:
            worker.kill() if os.getpid() == self._pid else worker.leave()

    def _part(self) -> Worker | None:
        """The worker, no longer this session's; with it go the numbers of its models."""
        worker, self.worker = self.worker, None
        self.generation += worker is not None
        self._failures = 0
        return worker

    def _ask(self, worker: Worker, name: str, args: tuple[Any, ...]) -> Answer:
        limit = Limit(worker.process, self.timeout)
        try:
            with limit:
                worker.pipe.send((name, args, self._released()))
                status, value = worker.pipe.recv()
        except (EOFError, OSError):
            if limit.reached:
                self.close()
                told = f"R took longer than {self.timeout:g} s and was stopped"
                raise TimeLimitError(told) from None
            raise SessionError(self._last_words(worker, name)) from None
        except BaseException:  # Ctrl-C: an answer to come would be mistaken
            self.close()
            raise
        if limit.reached:  # with the answer
            self.close()
        if status == "error":
            raise value
        return Answer(*value)

    def _released(self) -> list[int]:
        """Models of this worker that nobody holds any more."""
        left = self._watched.left()
        return [number for number, generation in left if generation == self.generation]

    def _last_words(self, worker: Worker, name: str) -> str:
        self._part()
        try:
            status = worker.process.wait(timeout=5)
        except subprocess.TimeoutExpired:  # it closed the pipe and lives on
            status = 0
        how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
        said = worker.kill()
        text = f"the R worker ended during {name} ({how}); the next call starts another"
        return f"{text}. It said last: {said}" if said else text

    def _after_fork(self) -> None:
        """A forked child has a worker of its own."""
        self.close()
        self.__init__(self.timeout)  # type: ignore[misc]

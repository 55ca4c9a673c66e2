"""The worker process: answers calls from its pipe until the pipe closes."""

from __future__ import annotations

import os
import queue
import shutil
import sys
import tempfile
import threading
from multiprocessing.connection import Connection
from typing import Any

from ..errors import SessionError
from .embedded import embedded_session


def main(descriptor: int) -> None:
    """Serve the pipe with this file descriptor."""
    pipe = Connection(descriptor)
    questions: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, questions), daemon=True).start()
    while True:
        pipe.send(_answer(*questions.get()))


def _listen(pipe: Connection, questions: queue.SimpleQueue[Any]) -> None:
    """Pass questions on; leave at once when the parent has gone, even if R is busy."""
    try:
        while True:
            questions.put(pipe.recv())
    except (EOFError, OSError):
        folder = tempfile.gettempdir()  # made for this worker alone
        for _ in range(20):  # an R that is just starting may be making its own in it
            shutil.rmtree(folder, ignore_errors=True)
            if not os.path.exists(folder):
                break
        os._exit(0)


def _answer(name: str, args: tuple[Any, ...], forgotten: list[int]) -> tuple[str, Any]:
    try:
        session = embedded_session()
        for number in forgotten:
            session.call("release", number)
        answer = session.call(name, *args)
    except Exception as error:
        return "error", _portable(error)
    return "ok", (answer.value, answer.warnings, answer.messages)


def _portable(error: Exception) -> Exception:
    """An exception that the parent can read: its class must be one that it knows."""
    if type(error).__module__.split(".")[0] in ("rbridge", "builtins"):
        return error
    return SessionError(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(int(sys.argv[1]))

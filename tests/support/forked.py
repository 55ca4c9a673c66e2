"""Python processes that begin where the imports are done: each is forked from a server.

Half of the time of a fresh process goes into pandas and scipy. What depends on how the interpreter
starts (its locale, its options, what it imports) needs a fresh one.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from tests.support.places import ROOT

_PRELOADED = ("rbridge.cli.fit", "rbridge.cli.suite", "rbridge.api", "tests.support.bridging")
_SERVE = "from tests.support.forked import serve; serve({})"


def forked(
    arguments: list[str], cwd: Any, env: dict[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """``python ARGUMENTS`` (``-c CODE`` or ``-m MODULE …``) as :func:`subprocess.run` has it."""
    with TemporaryFile() as said, TemporaryFile() as complaint:
        request = {"arguments": arguments, "cwd": str(cwd or Path.cwd()), "env": env}
        status = _ask(_server(), json.dumps(request), [said.fileno(), complaint.fileno()], timeout)
        return subprocess.CompletedProcess(arguments, status, _text(said), _text(complaint))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _ask(server: socket.socket, request: str, files: list[int], timeout: float) -> int:
    socket.send_fds(server, [request.encode()], files)
    pid = int(server.recv(64))
    if not select.select([server], [], [], timeout)[0]:
        os.kill(pid, signal.SIGKILL)
        server.recv(64)
        raise subprocess.TimeoutExpired(request, timeout)
    return int(server.recv(64))


@cache
def _server() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", _SERVE.format(theirs.fileno())]
    process = subprocess.Popen(command, env=env, pass_fds=[theirs.fileno()])
    theirs.close()
    atexit.register(process.wait)
    atexit.register(ours.close)  # the last registered is the first: then the server ends
    return ours


def serve(number: int) -> None:
    """Fork for every request; in the child, become what was asked for."""
    server = socket.socket(fileno=number)
    for module in _PRELOADED:
        __import__(module)
    while True:
        request, files, _, _ = socket.recv_fds(server, 1 << 20, 2)
        if not request:
            return
        pid = os.fork()
        if not pid:
            server.close()
            return _become(files=files, **json.loads(request))
        for file in files:
            os.close(file)
        server.send(str(pid).encode())
        server.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def _become(arguments: list[str], cwd: str, env: dict[str, str], files: list[int]) -> None:
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    how, what, *rest = arguments
    sys.argv = [what if how == "-m" else how, *rest]
    if how == "-c":
        exec(compile(what, "<string>", "exec"), sys.modules["__main__"].__dict__)
    else:
        runpy.run_module(what, run_name="__main__", alter_sys=True)

"""Files written whole or not at all, and files held by one process."""

from __future__ import annotations

import errno
import os
import secrets
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # some network file systems


class HeldError(OSError):
    """Another process, or another thread, has the file."""


def is_regular(path: str | os.PathLike[str]) -> bool:
    """Whether the path leads to a plain file: no folder, device, pipe or socket."""
    with suppress(OSError, ValueError):  # ValueError: a NUL in the name
        return stat.S_ISREG(os.stat(path).st_mode)
    return False


def write_whole(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file so that it holds all of ``content`` (text as UTF-8), or what it held before.

    Raises
    ------
    OSError
        It cannot be written; a file that was there is untouched.
    """
    with written_whole(path) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write to, which takes its name when all of it is on the disk.

    Until then it stands beside, under another name; where the block or the disk fails, it goes.
    A link is followed, the permissions of the old file are kept. What is no plain file
    (``/dev/stdout``, a pipe) is written to as it is.

    Raises
    ------
    OSError
        It cannot be written; a file that was there is untouched.
    """
    target = os.path.realpath(path)
    if os.path.exists(target) and not is_regular(target):
        with open(target, "wb") as file:
            yield file
        return
    beside = os.path.join(os.path.dirname(target), f".rbridge-{secrets.token_hex(8)}")
    try:
        with _created(beside, target) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(beside)
        if isinstance(error, OSError) and error.filename == beside:
            error.filename = os.fspath(path)  # the other name says nothing to anybody
        raise
    _sync_folder(os.path.dirname(target))


def _created(path: str, like: str) -> BinaryIO:
    """A new file, with the permissions of ``like`` where that exists."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    file = os.fdopen(os.open(path, flags, 0o666), "w+b")
    with suppress(OSError):
        os.chmod(path, stat.S_IMODE(os.stat(like).st_mode))
    return file


def _sync_folder(folder: str) -> None:
    """The new name too, on the disk; where a system knows no such thing, the name comes later."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


@contextmanager
def held(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """An appendable file that nobody else holds meanwhile; made where there is none.

    The system lets go of it when the process ends, however it ends. Where there are no such locks
    (Windows, some network folders) a file ``<path>.lock`` says who holds it.

    Raises
    ------
    HeldError
        Another process, or another thread, holds it.
    """
    with open(path, "a+b") as file:
        if _locks(file):
            yield file
            return
        marker = Path(f"{os.fspath(path)}.lock")
        _mark(marker)
        try:
            yield file
        finally:
            marker.unlink(missing_ok=True)


def _locks(file: IO[bytes]) -> bool:
    """Lock an open file; False where the system cannot."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise HeldError(f"{file.name} is in use by another run") from None
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    return True


def _mark(marker: Path) -> None:
    """Make the file that says who holds another; that of a process that has ended is replaced."""
    own = f"{socket.gethostname()} {os.getpid()}"
    for attempt in (1, 2):
        try:
            with open(marker, "x", encoding="utf-8") as file:
                file.write(own)
            return
        except FileExistsError:
            if attempt == 2 or not _stale(marker):
                who = f"another run holds it; if there is none any more, delete {marker}"
                raise HeldError(f"{marker.with_suffix('')} is in use: {who}") from None
            marker.unlink(missing_ok=True)


def _stale(marker: Path) -> bool:
    """Whether the process that made it has ended; of other machines nobody can tell."""
    with suppress(OSError, ValueError):
        host, number = marker.read_text("utf-8").split()
        if host != socket.gethostname() or os.name != "posix":  # elsewhere kill(…, 0) kills
            return False
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            return True
    return False

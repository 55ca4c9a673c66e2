"""Files written whole or not at all: what was there stays, whatever goes wrong on the way."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from rbridge.core.snapshot import FitSnapshot
from rbridge.files import is_regular, write_whole, written_whole
from tests.support import designs

FULL = OSError(errno.ENOSPC, "No space left on device")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_and_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for content in ("é\n", b"\0\xff", ""):
        write_whole(path, content)
        assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode())
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("there", [True, False])
def test_a_failure_leaves_what_was_there(
    tmp_path: Path, call: str, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    if there:
        path.write_text("old")

    def fail(*_: Any) -> None:
        raise FULL

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "new")
    assert names(tmp_path) == (["a.txt"] if there else [])
    assert not there or path.read_text() == "old"


@pytest.mark.parametrize("error", [ValueError("half way"), KeyboardInterrupt()])
def test_an_error_half_way_leaves_what_was_there(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(type(error)), written_whole(path) as file:
        file.write(b"new")
        raise error
    assert path.read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_the_name_that_stands_beside_is_told_to_nobody(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "a.txt"
    with pytest.raises(FileNotFoundError) as caught:
        write_whole(path, "new")
    assert caught.value.filename == str(path)


def test_a_device_that_is_full(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        write_whole("/dev/full", "new")


def test_nobody_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with written_whole(path) as file:
        file.write(b"n")
        file.flush()
        assert path.read_text() == "old"
        file.write(b"ew")
    assert path.read_text() == "new"


def test_permissions_links_and_the_umask(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    real.chmod(0o604)
    link.symlink_to(real)
    write_whole(link, "new")
    assert link.is_symlink() and real.read_text() == "new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o604
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "fresh", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "fresh").stat().st_mode) == 0o640


def test_a_link_to_nowhere_makes_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_whole(tmp_path / "link", "new")
    assert (tmp_path / "target").read_text() == "new"


def test_a_pipe_is_written_to_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.append(pipe.read_text()))
    reader.start()
    write_whole(pipe, "new")
    reader.join()
    assert said == ["new"] and stat.S_ISFIFO(pipe.stat().st_mode)


def test_what_is_a_plain_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    assert is_regular(tmp_path / "file") and is_regular(tmp_path / "link")
    others = [tmp_path, tmp_path / "pipe", tmp_path / "none", "/dev/zero", "a\0b"]
    assert not any(map(is_regular, others))


@pytest.mark.parametrize("place", ["no/folder/a", "."])
def test_where_no_file_can_be(tmp_path: Path, place: str) -> None:
    with pytest.raises(OSError):
        write_whole(tmp_path / place, "new")


def test_a_snapshot_survives_a_failed_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, snapshot = tmp_path / "fit.rbridge", designs.CASES["slope"]
    snapshot.save(path)
    before = path.read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise FULL

    monkeypatch.setattr("numpy.save", full)
    with pytest.raises(OSError, match="No space left"):
        snapshot.save(path)
    assert path.read_bytes() == before and names(tmp_path) == ["fit.rbridge"]
    assert FitSnapshot.load(path).n == snapshot.n

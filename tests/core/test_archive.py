"""Hostile snapshot files: each is refused with its reason, and nothing in them runs."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from rbridge.core.snapshot import FitSnapshot
from rbridge.errors import SnapshotError


def array(content: np.ndarray[Any, Any] | bytes, **options: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    file = io.BytesIO()
    np.lib.format.write_array(file, content, **options)
    return file.getvalue()


def header(shape: str, dtype: str = "'<f8'") -> bytes:
    text = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}}}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def archive(snapshot: Any, **members: bytes) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        text = snapshot if isinstance(snapshot, (str, bytes)) else json.dumps(snapshot)
        made.writestr("snapshot.json", text)
        for name, content in members.items():
            made.writestr(f"{name}.npy", content)
    file.seek(0)
    return file


def archive_without() -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("other", "")
    return file


def part(kind: str, **content: Any) -> dict[str, Any]:
    return {"format": 1, "snapshot": {"type": kind, "fields": content}}


def apvar(**content: Any) -> dict[str, Any]:
    return part(
        "ApVar",
        **{
            "names": ["a"],
            "pars": {"array": "a0"},
            "cov": {"array": "a0"},
            "natural": True,
            **content,
        },
    )


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("EXECUTED",))


@lru_cache
def bomb() -> bytes:
    return archive(apvar(), a0=b"\0" * 300_000_000).getvalue()


NUMBERS = array(np.ones(1))

FILES: list[tuple[str, Callable[[], io.BytesIO]]] = [
    ("not a zip file", lambda: io.BytesIO(b"")),
    ("not a zip file", lambda: io.BytesIO(b"\x80\x04pickle")),
    ("no item named 'snapshot.json'", archive_without),
    ("Expecting value", lambda: archive("")),
    ("not a snapshot of format", lambda: archive([1])),
    ("not a snapshot of format", lambda: archive({"format": 99})),
    ("'snapshot'", lambda: archive({"format": 1})),
    ("readable|recursion", lambda: archive('{"format": 1, "snapshot": ' + "[" * 100_000)),
    ("holds a list|holds a tuple", lambda: archive({"format": 1, "snapshot": []})),
    ("holds a str", lambda: archive({"format": 1, "snapshot": "x"})),
    ("unknown part 'os.system'", lambda: archive(part("os.system"))),
    ("not a FitSnapshot", lambda: archive(part("ApVarUnavailable", reason="r"))),
    ("reason must be str, not int", lambda: archive(part("ApVarUnavailable", reason=3))),
    ("unexpected keyword", lambda: archive(part("ApVarUnavailable", reason="", evil=1))),
    ("missing 1 required", lambda: archive(part("ApVarUnavailable"))),
    ("attribute", lambda: archive({"format": 1, "snapshot": {"type": "ApVar", "fields": [1]}})),
    ("attribute", lambda: archive({"format": 1, "snapshot": {"mapping": 5}})),
    (
        "no array can be called '../../etc/passwd'",
        lambda: archive(apvar(pars={"array": "../../etc/passwd"})),
    ),
    ("no array can be called '/a0'", lambda: archive(apvar(pars={"array": "/a0"}))),
    ("no array can be called 0", lambda: archive(apvar(pars={"array": 0}))),
    ("no item named 'a0.npy'", lambda: archive(apvar())),
    (
        "claims to be float64 \\(1000000000000,\\)",
        lambda: archive(apvar(), a0=header("(1000000000000,)")),
    ),
    ("claims to be", lambda: archive(apvar(), a0=header("(100000, 100000, 100000)"))),
    ("claims to be", lambda: archive(apvar(), a0=header("(-1,)"))),
    ("claims to be|descr|dtype", lambda: archive(apvar(), a0=header("(1,)", "'|V1000000'"))),
    ("claims to be object", lambda: archive(apvar(), a0=array(np.array([Evil()], dtype=object)))),
    ("claims to be <U1", lambda: archive(apvar(), a0=array(np.array(["a"])))),
    ("claims to be complex", lambda: archive(apvar(), a0=array(np.ones(1) * 1j))),
    ("magic", lambda: archive(apvar(), a0=b"garbage")),
    ("not a readable|EOF|header", lambda: archive(apvar(), a0=b"\x93NUMPY\x01\x00")),
    ("unknown version|header", lambda: archive(apvar(), a0=b"\x93NUMPY\x09\x00" + b"0" * 100)),
    ("header|malformed|Cannot parse", lambda: archive(apvar(), a0=header("__import__('os')"))),
    ("ApVar.cov has shape", lambda: archive(apvar(), a0=NUMBERS)),
    (
        "names must be tuple",
        lambda: archive(
            apvar(names=[3], cov={"array": "a1"}), a0=NUMBERS, a1=array(np.ones((1, 1)))
        ),
    ),
    (
        "natural must be bool",
        lambda: archive(
            apvar(natural=1, cov={"array": "a1"}), a0=NUMBERS, a1=array(np.ones((1, 1)))
        ),
    ),
    ("would unpack to", lambda: io.BytesIO(bomb())),
]


@pytest.mark.parametrize("message, make", FILES, ids=range(len(FILES)))
def test_hostile_snapshots(
    message: str, make: Callable[[], io.BytesIO], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SnapshotError, match=message):
        FitSnapshot.load(make())
    assert "EXECUTED" not in capsys.readouterr().out


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    file = io.BytesIO(bomb())
    tracemalloc.start()
    with pytest.raises(SnapshotError, match="no snapshot does so"):
        FitSnapshot.load(file)
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()

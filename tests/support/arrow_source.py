"""A frame that is not pandas: Arrow's C stream written by hand, after its specification.

Each structure is an array of 64-bit words; nothing of the reader in rbridge/frame/arrow.py is used.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

ORDERED = 1
NUMBERS = {
    **{"int8": "c", "uint8": "C", "int16": "s", "uint16": "S", "int32": "i", "uint32": "I"},
    **{"int64": "l", "uint64": "L", "float16": "e", "float32": "f", "float64": "g"},
}
SCHEMA_RELEASE, ARRAY_RELEASE, STREAM_RELEASE = 7, 8, 3  # words


@dataclass(frozen=True)
class Part:
    """One array: its format, buffers after the validity, and what is missing."""

    format: str
    length: int
    buffers: tuple[bytes, ...] = ()
    valid: Sequence[bool] | None = None
    offset: int = 0
    dictionary: Part | None = None
    flags: int = 0

    def shifted(self, offset: int) -> Part:
        """The rows from ``offset`` on."""
        return Part(
            *(self.format, self.length - offset, self.buffers, self.valid, offset),
            *(self.dictionary, self.flags),
        )


def numbers(values: Any, valid: Sequence[bool] | None = None, format: str = "") -> Part:
    values = np.asarray(values)
    return Part(format or NUMBERS[values.dtype.name], len(values), (values.tobytes(),), valid)


def truths(values: Sequence[bool], valid: Sequence[bool] | None = None) -> Part:
    return Part("b", len(values), (bitmap(values),), valid)


def texts(values: Sequence[str | None], format: str = "u") -> Part:
    raw = [(value or "").encode() for value in values]
    valid = [value is not None for value in values]
    if format == "vu":
        return Part("vu", len(values), _viewed(raw), valid)
    ends = np.cumsum([0, *map(len, raw)]).astype("int32" if format == "u" else "int64")
    return Part(format, len(values), (ends.tobytes(), b"".join(raw)), valid)


def _viewed(raw: Sequence[bytes]) -> tuple[bytes, ...]:
    """The views, one buffer of the long texts, and its length."""
    long, views = b"", b""
    for each in raw:
        views += np.int32(len(each)).tobytes()
        if len(each) <= 12:
            views += each.ljust(12, b"\0")
        else:
            views += each[:4] + np.int32(0).tobytes() + np.int32(len(long)).tobytes()
            long += each
    return views, long, np.int64(len(long)).tobytes()


def category(codes: Any, levels: Part, valid: Sequence[bool] | None = None, flags: int = 0) -> Part:
    codes = np.asarray(codes)
    form = NUMBERS[codes.dtype.name]
    return Part(form, len(codes), (codes.tobytes(),), valid, 0, levels, flags)


def bitmap(bits: Iterable[bool]) -> bytes:
    return np.packbits(np.array(list(bits), dtype=bool), bitorder="little").tobytes()


class ArrowSource:
    """What polars, pyarrow, duckdb … are at the door: ``__arrow_c_stream__`` and no pandas.

    Attributes
    ----------
    open : int
        Structures handed out and not released yet.
    """

    def __init__(self, *batches: dict[str, Part], failure: bytes = b"", table: str = "+s") -> None:
        self.batches, self.failure, self.table = list(batches), failure, table
        self.open, self._kept = 0, []  # type: ignore[var-annotated]
        self._releases: dict[int, Any] = {}

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        self._next = 0
        ask = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        told = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
        words = [ask(self._schema), ask(self._batch), told(lambda _: self._text(self.failure))]
        stream = self._words([self._function(w) for w in words] + [0, 0], STREAM_RELEASE)
        self.open += 1
        new = ctypes.pythonapi.PyCapsule_New
        new.restype = ctypes.py_object
        new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        self._name = b"arrow_array_stream"
        return new(ctypes.addressof(stream), self._name, None)

    # --- the stream's three functions

    def _schema(self, _: int, target: int) -> int:
        some = self.batches[0]
        children = [self._field(name, part) for name, part in some.items()]
        top = [self._text(self.table.encode()), 0, 0, 0, len(children), self._places(children)]
        return self._filled(target, [*top, 0, 0, 0], SCHEMA_RELEASE)

    def _batch(self, _: int, target: int) -> int:
        if self.failure:
            return 5
        if self._next == len(self.batches):
            ctypes.memset(target, 0, 80)
            return 0
        batch = self.batches[self._next]
        self._next += 1
        children = [self._array(part) for part in batch.values()]
        n = next(iter(batch.values())).length
        top = [n, 0, 0, 1, len(children), self._places([0]), self._places(children)]
        return self._filled(target, [*top, 0, 0, 0], ARRAY_RELEASE)

    def _field(self, name: str, part: Part) -> int:
        dictionary = self._field("", part.dictionary) if part.dictionary else 0
        texts = [self._text(part.format.encode()), self._text(name.encode())]
        words = [*texts, 0, part.flags | 2, 0, 0, dictionary, 0, 0]
        return ctypes.addressof(self._words(words, SCHEMA_RELEASE))

    def _array(self, part: Part) -> int:
        valid = [0 if part.valid is None else self._text(bitmap(part.valid))]
        buffers = valid + [self._text(buffer) for buffer in part.buffers]
        dictionary = self._array(part.dictionary) if part.dictionary else 0
        counts = [part.length, 0 if part.valid is None else -1, part.offset, len(buffers), 0]
        words = [*counts, self._places(buffers), 0, dictionary, 0, 0]
        return ctypes.addressof(self._words(words, ARRAY_RELEASE))

    # --- memory

    def _filled(self, target: int, words: Sequence[int], release: int) -> int:
        ctypes.memmove(target, self._words(words, release), 8 * len(words))
        self.open += 1
        return 0

    def _words(self, words: Sequence[int], release: int) -> Any:
        memory = (ctypes.c_int64 * len(words))(*words)
        memory[release] = self._release(release)
        return self._keep(memory)

    def _release(self, word: int) -> int:
        def released(structure: int) -> None:
            ctypes.c_int64.from_address(structure + 8 * word).value = 0
            self.open -= 1

        if word not in self._releases:
            self._releases[word] = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(released)
        return self._function(self._releases[word])

    def _function(self, function: Any) -> int:
        return int(ctypes.cast(self._keep(function), ctypes.c_void_p).value or 0)

    def _text(self, content: bytes) -> int:
        return ctypes.addressof(self._keep(ctypes.create_string_buffer(content)))

    def _places(self, addresses: Sequence[int]) -> int:
        return ctypes.addressof(self._keep((ctypes.c_int64 * len(addresses))(*addresses)))

    def _keep(self, item: Any) -> Any:
        self._kept.append(item)
        return item

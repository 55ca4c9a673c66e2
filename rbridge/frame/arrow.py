"""Arrow's C stream → plain pandas columns, by the C interface itself: no Arrow library is needed.

Arrow's text and dates are kept for what they are (pandas' own conversions make times of dates),
and give the same numbers on every machine, whatever libraries stand beside.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import DataError

Bytes = NDArray[np.uint8]

NUMBERS = {
    **{"c": "int8", "C": "uint8", "s": "int16", "S": "uint16", "i": "int32", "I": "uint32"},
    **{"l": "int64", "L": "uint64", "e": "float16", "f": "float32", "g": "float64"},
}
UNITS = {"s": "s", "m": "ms", "u": "us", "n": "ns"}
ORDERED = 1  # the flag of a dictionary whose order means something
INLINE = 12  # bytes of text that a view holds itself


class _Schema(ctypes.Structure):
    pass


class _Array(ctypes.Structure):
    pass


class _Stream(ctypes.Structure):
    pass


_Ask = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_Release = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_Told = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)
_Schema._fields_ = [
    *(("format", ctypes.c_char_p), ("name", ctypes.c_char_p), ("metadata", ctypes.c_void_p)),
    *(("flags", ctypes.c_int64), ("n_children", ctypes.c_int64)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Schema))),
    ("dictionary", ctypes.POINTER(_Schema)),
    *(("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p)),
]
_Array._fields_ = [
    *(("length", ctypes.c_int64), ("null_count", ctypes.c_int64), ("offset", ctypes.c_int64)),
    *(("n_buffers", ctypes.c_int64), ("n_children", ctypes.c_int64)),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Array))),
    ("dictionary", ctypes.POINTER(_Array)),
    *(("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p)),
]
_Stream._fields_ = [
    *(("get_schema", _Ask), ("get_next", _Ask), ("get_last_error", _Told)),
    *(("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p)),
]


class Unread(Exception):
    """A column that has no counterpart here: why."""


@dataclass(frozen=True)
class Span:
    """The rows of one array that count: ``n`` from ``start`` on."""

    array: Any
    start: int
    n: int

    @property
    def stop(self) -> int:
        return self.start + self.n

    def buffer(self, k: int, kind: Any, first: int, count: int) -> NDArray[Any]:
        """A copy of ``count`` items of a buffer from the item ``first`` on."""
        item = np.dtype(kind)
        address = self.array.buffers[k] if k < self.array.n_buffers else None
        if not count or not address:
            return np.zeros(count, item)
        raw = ctypes.string_at(address + first * item.itemsize, count * item.itemsize)
        return np.frombuffer(raw, item).copy()

    def bits(self, k: int) -> NDArray[np.bool_]:
        """The rows' bits of a bitmap."""
        first, last = self.start // 8, -(-self.stop // 8)
        bits = np.unpackbits(self.buffer(k, np.uint8, first, last - first), bitorder="little")
        skip = self.start - 8 * first
        return bits[skip : skip + self.n].astype(bool)

    @property
    def missing(self) -> NDArray[np.bool_]:
        """The rows without a value."""
        if self.array.null_count == 0 or not self.array.n_buffers or not self.array.buffers[0]:
            return np.zeros(self.n, bool)
        return ~self.bits(0)


def read_stream(data: Any) -> tuple[pd.DataFrame, dict[str, str]]:
    """A frame from what has ``__arrow_c_stream__``.

    Returns
    -------
    DataFrame
        Rows numbered from 0; the columns that can be taken.
    dict
        The others, each with the reason.

    Raises
    ------
    DataError
        The stream is no table, or its owner reports an error.

    Notes
    -----
    The Arrow C data and C stream interfaces, with the PyCapsule protocol; written from their
    specification. Booleans, integers, floats, decimals, text, dates, times and durations are
    read, and dictionaries as categories.
    """
    capsule = data.__arrow_c_stream__()  # owns the stream: lives as long as it is read
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    stream = _Stream.from_address(pointer(capsule, b"arrow_array_stream"))
    with _released(stream), _received(stream, stream.get_schema, _Schema()) as schema:
        if schema.format != b"+s":
            raise DataError(f"{type(data).__name__} holds one column, not a table of several")
        fields = [schema.children[i].contents for i in range(schema.n_children)]
        parts: list[list[Any]] = [[] for _ in fields]
        while _next_batch(stream, fields, parts):
            pass
        names = [(field.name or b"").decode("utf-8", "replace") for field in fields]
        return _framed(names, [_joined(f, p) for f, p in zip(fields, parts)])


def _next_batch(stream: _Stream, fields: list[Any], parts: list[list[Any]]) -> bool:
    """Read the next batch of rows, where there is one."""
    with _received(stream, stream.get_next, _Array()) as batch:
        if not batch.release:
            return False
        for k, (field, part) in enumerate(zip(fields, parts)):
            array = batch.children[k].contents
            span = Span(array, batch.offset + array.offset, batch.length)
            part.append(_attempt(partial(_read, field, span)))
    return True


def _attempt(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Unread as error:
        return error
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return Unread(f"{type(error).__name__}: {error}")


def _joined(field: Any, parts: list[Any]) -> Any:
    """The column of all batches."""
    for part in parts:
        if isinstance(part, Unread):
            return part
    if not parts:
        return _attempt(partial(_read, field, Span(_Array(), 0, 0)))
    if len(parts) > 1 and isinstance(parts[0].dtype, pd.CategoricalDtype):
        arrays = [part.array for part in parts]
        return _attempt(lambda: pd.Series(pd.api.types.union_categoricals(arrays)))
    return pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]


def _framed(names: Sequence[str], columns: list[Any]) -> tuple[pd.DataFrame, dict[str, str]]:
    taken = [k for k, column in enumerate(columns) if not isinstance(column, Unread)]
    frame = pd.DataFrame({k: columns[k] for k in taken})
    frame.columns = pd.Index([names[k] for k in taken], dtype=object)
    return frame, {n: str(c) for n, c in zip(names, columns) if isinstance(c, Unread)}


# --- the owner's memory -------------------------------------------------------------------------


@contextmanager
def _received(stream: _Stream, ask: Any, target: Any) -> Iterator[Any]:
    """What the stream fills in, given back to its owner at the end."""
    status = ask(ctypes.addressof(stream), ctypes.addressof(target))
    if status:
        told = stream.get_last_error(ctypes.addressof(stream))
        words = told.decode("utf-8", "replace") if told else f"error {status}"
        raise DataError(f"the owner of the data cannot give it by Arrow: {words}")
    with _released(target):
        yield target


@contextmanager
def _released(structure: Any) -> Iterator[None]:
    try:
        yield
    finally:
        if structure.release:
            _Release(structure.release)(ctypes.addressof(structure))


# --- one column ---------------------------------------------------------------------------------


def _read(field: Any, span: Span) -> pd.Series:
    """The rows of one array as a pandas Series."""
    form = field.format.decode()
    if field.dictionary:
        return _categories(field, span)
    if form in NUMBERS:
        return _numbers(NUMBERS[form], span)
    if form == "b":
        return _masked(pd.arrays.BooleanArray, span.bits(1), span.missing)
    if form in ("u", "U", "vu"):
        texts = _views(span) if form == "vu" else _texts(span, "int32" if form == "u" else "int64")
        return pd.Series(texts, dtype=object)
    if form[:2] == "d:":
        return _decimals(form, span)
    if form[:2] in ("td", "ts", "tD"):
        return _times(form, span)
    if form == "n":
        return pd.Series([None] * span.n, dtype=object)
    raise Unread(f"Arrow's type {form!r} ({_words(form)}) has no counterpart in R")


def _words(form: str) -> str:
    kinds = {"z": "bytes", "Z": "bytes", "vz": "bytes", "w": "bytes", "tt": "a time of day"}
    kinds |= {"ti": "an interval", "+l": "a list", "+L": "a list", "+v": "a list", "+s": "a struct"}
    kinds |= {"+w": "a list", "+m": "a map", "+u": "a union", "+r": "encoded by runs"}
    return kinds.get(form[:2], kinds.get(form[:1], "unknown"))


def _masked(kind: Any, values: NDArray[Any], missing: NDArray[np.bool_]) -> pd.Series:
    return pd.Series(kind(values, missing) if missing.any() else values)


def _numbers(name: str, span: Span) -> pd.Series:
    values = span.buffer(1, name, span.start, span.n)
    if values.dtype.kind != "f":
        return _masked(pd.arrays.IntegerArray, values, span.missing)
    return pd.Series(np.where(span.missing, np.nan, values.astype(np.float64)))


def _texts(span: Span, size: str) -> list[str | None]:
    ends = span.buffer(1, size, span.start, span.n + 1)
    first = int(ends[0])
    text = span.buffer(2, np.uint8, first, int(ends[-1]) - first).tobytes()
    places = (ends - first).tolist()
    return [
        None if gone else text[a:b].decode("utf-8")
        for a, b, gone in zip(places, places[1:], span.missing)
    ]


def _views(span: Span) -> list[str | None]:
    """Text whose rows are 16 bytes: its length, and itself or where it is."""
    views = span.buffer(1, np.dtype((np.void, 16)), span.start, span.n)
    words = views.view(np.int32).reshape(-1, 4).tolist()
    found: list[str | None] = []
    for view, (length, _, k, at), gone in zip(views, words, span.missing):
        if gone:
            found.append(None)
        elif length <= INLINE:
            found.append(view.tobytes()[4 : 4 + length].decode("utf-8"))
        else:
            found.append(ctypes.string_at(span.array.buffers[2 + k] + at, length).decode("utf-8"))
    return found


def _categories(field: Any, span: Span) -> pd.Series:
    index = NUMBERS.get(field.format.decode())
    array = span.array.dictionary.contents if span.n else _Array()
    levels = _read(field.dictionary.contents, Span(array, array.offset, array.length))
    if index is None or levels.dropna().duplicated().any():
        raise Unread("its dictionary names a category twice")
    codes = span.buffer(1, index, span.start, span.n).astype(np.int64)
    places = np.where(levels.isna(), -1, np.cumsum(levels.notna()) - 1)  # a dictionary's own null
    codes = np.append(places, -1)[np.where(span.missing, -1, codes)]
    categories, ordered = pd.Index(levels.dropna()), bool(field.flags & ORDERED)
    return pd.Series(pd.Categorical.from_codes(codes, categories, ordered=ordered))


def _decimals(form: str, span: Span) -> pd.Series:
    """``d:precision,scale`` and, where it is not 128, the width in bits."""
    _, scale, *bits = (int(part) for part in form[2:].split(","))
    width = (bits or [128])[0] // 8
    raw = span.buffer(1, np.dtype((np.void, width)), span.start, span.n)
    numbers = (int.from_bytes(each.tobytes(), "little", signed=True) for each in raw)
    values = [Decimal(number).scaleb(-scale) for number in numbers]
    return pd.Series([None if m else v for v, m in zip(values, span.missing)], dtype=object)


def _times(form: str, span: Span) -> pd.Series:
    """Dates, moments and durations."""
    kind, unit = form[:2], form[2]
    if kind == "td":
        days = span.buffer(1, "int32" if unit == "D" else "int64", span.start, span.n)
        dates = days.astype("int64").view(f"M8[{'D' if unit == 'D' else 'ms'}]").astype("M8[D]")
        values = np.where(span.missing, np.datetime64("NaT", "D"), dates).astype(object)
        return pd.Series(values, dtype=object)
    numbers = span.buffer(1, "int64", span.start, span.n)
    values = numbers.view(f"{'m' if kind == 'tD' else 'M'}8[{UNITS[unit]}]").copy()
    values[span.missing] = "NaT"
    series = pd.Series(values)
    zone = form[4:] if kind == "ts" else ""
    return series.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else series

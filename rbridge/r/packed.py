"""Plain values in R's own serialization: one vector crosses the bridge, not one for each element.

The format is that of R Internals, section "Serialization Formats", version 2, in the machine's own
order of bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

NA_INTEGER = int(np.iinfo(np.int32).min)
LARGE = 2**15  # bytes of an array that goes beside the rest, without a copy

_NULL, _SYMBOL, _PAIRLIST, _TEXT, _REFERENCE = 254, 1, 2, 9, 255
_LOGICAL, _INTEGER, _DOUBLE, _TEXTS, _LIST, _RAW = 10, 13, 14, 16, 19, 24
_HAS_ATTRIBUTES, _HAS_TAG = 1 << 9, 1 << 10
_BYTES, _LATIN1, _UTF8, _ASCII = (1 << bit << 12 for bit in (1, 2, 3, 6))
_HEAD = b"B\n" + struct.pack("=3i", 2, 0x040200, 0x020300)
_one, _two = struct.Struct("=i").pack, struct.Struct("=2i").pack
_read = struct.Struct("=i").unpack_from
_DTYPES = {_LOGICAL: np.dtype(np.int32), _INTEGER: np.dtype(np.int32), _DOUBLE: np.dtype(float)}


class NotPlain(Exception):
    """A class, a language object or a text in another encoding, which is to be read in R."""


# --- Python → R -----------------------------------------------------------------------------------


class Packer:
    """Values written one after another.

    Attributes
    ----------
    held : list of array
        The large ones; in their place stands a raw vector with the number, from 1.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = [_HEAD]
        self.held: list[np.ndarray[Any, Any]] = []
        self._symbols: dict[str, int] = {}

    def pack(self, value: Any) -> bytes:
        """One plain value.

        Parameters
        ----------
        value : None, bool, int, float, str, array, or tuple of str, list, mapping of these
            Arrays: float64, int32 (−2³¹ is NA); two-dimensional ones become matrices.
            A tuple of str becomes a character vector, a list or a mapping an R list.

        Raises
        ------
        TypeError
            For anything else: nothing is converted by guessing.
        """
        self._put(value)
        return b"".join(self._parts)

    def _put(self, value: Any) -> None:
        if value is None:
            self._parts.append(_one(_NULL))
        elif isinstance(value, str):
            self._texts((value,))
        elif isinstance(value, np.ndarray):
            self._array(value)
        elif isinstance(value, Mapping):
            self._list(list(value.values()), {"names": tuple(map(str, value))})
        elif isinstance(value, tuple) and all(isinstance(item, str) for item in value):
            self._texts(value)
        elif isinstance(value, (list, tuple)):
            self._list(value, {})
        else:
            self._parts.append(_scalar(value))

    def _list(self, items: Sequence[Any], attributes: Mapping[str, Any]) -> None:
        self._parts.append(_two(_LIST | (_HAS_ATTRIBUTES if attributes else 0), len(items)))
        for item in items:
            self._put(item)
        self._attributes(attributes)

    def _texts(self, texts: Sequence[str]) -> None:
        self._parts.append(_two(_TEXTS, len(texts)))
        self._parts += map(_text, texts)

    def _array(self, array: np.ndarray[Any, Any]) -> None:
        kinds = {"float64": _DOUBLE, "int32": _INTEGER}
        if str(array.dtype) not in kinds:
            raise TypeError(f"cannot pass an array of {array.dtype} to R")
        if array.nbytes > LARGE:
            self.held.append(array)
            self._parts += [_two(_RAW, 4), _one(len(self.held))]
            return
        attributes = {"dim": np.array(array.shape, np.int32)} if array.ndim == 2 else {}
        flags = kinds[str(array.dtype)] | (_HAS_ATTRIBUTES if attributes else 0)
        self._parts += [_two(flags, array.size), array.tobytes(order="F")]
        self._attributes(attributes)

    def _attributes(self, attributes: Mapping[str, Any]) -> None:
        for name, value in attributes.items():
            self._parts += [_one(_PAIRLIST | _HAS_TAG), self._symbol(name)]
            self._put(value)
        if attributes:
            self._parts.append(_one(_NULL))

    def _symbol(self, name: str) -> bytes:
        """Written in full the first time, then by its number."""
        if name in self._symbols:
            return _one(_REFERENCE | self._symbols[name] << 8)
        self._symbols[name] = len(self._symbols) + 1
        return _one(_SYMBOL) + _text(name)


def _scalar(value: Any) -> bytes:
    if isinstance(value, (bool, np.bool_)):
        return _two(_LOGICAL, 1) + _one(bool(value))
    if isinstance(value, (int, np.integer)) and abs(int(value)) < 2**31:
        return _two(_INTEGER, 1) + _one(int(value))
    if isinstance(value, (int, float, np.number)):
        return _two(_DOUBLE, 1) + struct.pack("=d", float(value))
    raise TypeError(f"cannot pass a {type(value).__name__} to R")


def _text(text: str) -> bytes:
    data = text.encode("utf-8")
    return _two(_TEXT | (_ASCII if text.isascii() else _UTF8), len(data)) + data


# --- R → Python -----------------------------------------------------------------------------------


def unpacked(data: bytes) -> Any:
    """The plain value that R serialized, as :func:`rbridge.r.from_r.from_r` has it.

    Raises
    ------
    NotPlain
    """
    return _Unpacker(data).item()


class _Unpacker:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, len(_HEAD)
        self._symbols: list[str | None] = []

    def _int(self) -> int:
        found: int = _read(self._data, self._at)[0]
        self._at += 4
        return found

    def item(self) -> Any:
        flags = self._int()
        kind = flags & 255
        if kind == _NULL:
            return None
        value: Any
        if kind == _LIST:
            value = [self.item() for _ in range(self._int())]
        elif kind == _TEXTS:
            value = tuple([self._text() for _ in range(self._int())])
        elif kind in _DTYPES:
            value = self._numbers(kind)
        else:
            raise NotPlain
        return self._with(value, self._attributes()) if flags & _HAS_ATTRIBUTES else value

    def _with(self, value: Any, attributes: Mapping[str | None, Any]) -> Any:
        if "class" in attributes:
            raise NotPlain
        if isinstance(value, list) and "names" in attributes:
            return dict(zip(attributes["names"], value))
        if isinstance(value, np.ndarray) and "dim" in attributes:
            return value.reshape(tuple(attributes["dim"].tolist()), order="F")
        return value

    def _numbers(self, kind: int) -> np.ndarray[Any, Any]:
        size, dtype = self._int(), _DTYPES[kind]
        raw = np.frombuffer(self._data, dtype, size, self._at)
        self._at += raw.nbytes
        convert: dict[int, Callable[[Any], Any]] = {_LOGICAL: logicals, _INTEGER: integers}
        return np.asarray(convert.get(kind, np.array)(raw))

    def _text(self) -> str | None:
        flags, size = self._int(), self._int()
        if size < 0:
            return None
        if flags & (_BYTES | _LATIN1):
            raise NotPlain
        self._at += size
        try:
            return self._data[self._at - size : self._at].decode("utf-8")
        except UnicodeDecodeError:
            raise NotPlain from None

    def _attributes(self) -> dict[str | None, Any]:
        found: dict[str | None, Any] = {}
        while (flags := self._int()) & 255 == _PAIRLIST:
            if flags & _HAS_ATTRIBUTES or not flags & _HAS_TAG:
                raise NotPlain
            name = self._symbol()
            found[name] = self.item()
        return found

    def _symbol(self) -> str | None:
        flags = self._int()
        if flags & 255 == _REFERENCE:
            return self._symbols[(flags >> 8) - 1]
        if flags & 255 != _SYMBOL:
            raise NotPlain
        self._symbols.append(self._text())
        return self._symbols[-1]


def integers(raw: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """R's integers: int64, or float64 with NaN where there is an NA."""
    missing = raw == NA_INTEGER
    return np.where(missing, np.nan, raw) if missing.any() else raw.astype(np.int64)


def logicals(raw: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """R's logicals: bool, or objects with None where there is an NA."""
    missing = raw == NA_INTEGER
    if not missing.any():
        return raw.astype(bool)
    values = raw.astype(bool).astype(object)
    values[missing] = None
    return values

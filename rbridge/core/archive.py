"""Snapshots as JSON and arrays; from a file, nothing is allocated that it does not hold."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal

import numpy as np

from ..errors import SnapshotError
from .arrays import Array

SMALL = 2**28  # bytes that any archive may unpack to; beyond it, at most a hundredfold
UNREADABLE = (
    *(OSError, EOFError, KeyError, TypeError, ValueError, AttributeError, OverflowError),
    *(MemoryError, RecursionError, NotImplementedError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)


def check_size(archive: zipfile.ZipFile) -> None:
    """Refuse an archive that unpacks to far more than it is."""
    packed = sum(member.compress_size for member in archive.infolist())
    unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > max(SMALL, 100 * packed):
        raise SnapshotError(f"its {packed} bytes would unpack to {unpacked}: no snapshot does so")


def read_array(archive: zipfile.ZipFile, name: str) -> Array:
    """Array ``a0``, ``a1`` … of an archive: plain numbers, as many as the member holds."""
    if not (isinstance(name, str) and name[:1] == "a" and name[1:].isdecimal()):
        raise SnapshotError(f"no array can be called {name!r}")
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as member:
        shape, by_column, dtype = _header(member, name)
        size = math.prod(shape) * dtype.itemsize
        if dtype.kind not in "fiub" or min(shape, default=0) < 0 or size > info.file_size:
            raise SnapshotError(f"array {name} claims to be {dtype} {shape}, which it is not")
        content = member.read(size)
    order: Literal["F", "C"] = "F" if by_column else "C"
    return np.frombuffer(content, dtype).reshape(shape, order=order)


def _header(member: Any, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(member)  # type: ignore[no-untyped-call]
    if version == (1, 0):
        header = np.lib.format.read_array_header_1_0(member)  # type: ignore[no-untyped-call]
    elif version == (2, 0):
        header = np.lib.format.read_array_header_2_0(member)  # type: ignore[no-untyped-call]
    else:
        raise SnapshotError(f"array {name} is written in the unknown version {version}")
    shape, by_column, dtype = header
    return shape, by_column, dtype


def encode(value: Any, store: Callable[[Array], Any]) -> Any:
    """Plain JSON for ``value``, with what ``store`` gives in place of an array."""
    if is_dataclass(value):
        content = {f.name: encode(getattr(value, f.name), store) for f in fields(value)}
        return {"type": type(value).__name__, "fields": content}
    if isinstance(value, np.ndarray):
        return {"array": store(value)}
    if isinstance(value, Mapping):
        return {"mapping": {key: encode(item, store) for key, item in value.items()}}
    if isinstance(value, (tuple, list)):
        return [encode(item, store) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def decode(value: Any, fetch: Callable[[Any], Array], types: Mapping[str, type]) -> Any:
    """Inverse of :func:`encode`, over a closed list of types."""
    if isinstance(value, list):
        return tuple(decode(item, fetch, types) for item in value)
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return fetch(value["array"])
    if "mapping" in value:
        return {key: decode(item, fetch, types) for key, item in value["mapping"].items()}
    if value.get("type") not in types:
        raise SnapshotError(f"unknown part {value.get('type')!r}")
    content = {key: decode(item, fetch, types) for key, item in value["fields"].items()}
    part = types[value["type"]](**content)
    _check_fields(part, types)
    return part


def _check_fields(part: Any, types: Mapping[str, type]) -> None:
    """Fields of a dataclass hold what their annotations say; arrays check themselves.

    ``types`` has the classes that an annotation may name.
    """
    for field in fields(part):
        value = getattr(part, field.name)
        if not any(_fits(value, name, types) for name in str(field.type).split(" | ")):
            where = f"{type(part).__name__}.{field.name}"
            raise SnapshotError(f"{where} must be {field.type}, not {type(value).__name__}")


def _fits(value: Any, name: str, types: Mapping[str, type]) -> bool:
    if name.startswith("tuple["):
        item = name[len("tuple[") : -len(", ...]")]
        return isinstance(value, tuple) and all(_fits(each, item, types) for each in value)
    if name.startswith("Mapping["):
        return isinstance(value, Mapping)
    if name in ("float", "int"):
        number = isinstance(value, int) or (name == "float" and isinstance(value, float))
        return number and not isinstance(value, bool)
    plain: dict[str, type] = {"str": str, "bool": bool, "None": type(None)}
    plain |= {"Array": np.ndarray, "Any": object}
    return isinstance(value, {**plain, **types}[name])

"""Results that grow line by line, so that a killed run goes on where it ended."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from os import PathLike
from typing import IO, Any, Callable, Generic, Optional, TypeVar

import numpy as np
import pandas as pd

from ..errors import RBridgeError
from ..files import HeldError, held, is_regular

HEADER = {"rbridge": "results"}

Row = TypeVar("Row")
Read = Callable[[dict[str, Any]], Optional[Row]]


class ResultFileError(RBridgeError, ValueError):
    """A result file that belongs to something else, is in use, damaged, or cannot be written."""


class ResultFile(Generic[Row]):
    """JSON lines: a header that says what the results are of, then one result a line.

    Attributes
    ----------
    rows : list
        The results that were there, one an item. A last line without its end (the run was killed
        while writing) is dropped from the file.
    """

    def __init__(self, path: str, file: IO[bytes], fingerprint: str, read: Read[Row]) -> None:
        self._path, self._file = path, file
        lines = list(map(_parsed, self._lines()))
        if not lines:
            lines = [{**HEADER, "fingerprint": fingerprint}]
            self._write(lines)
        if lines[0].get("fingerprint") != fingerprint:
            what = "holds results of other models, data or standard errors"
            raise ResultFileError(f"{path} {what}: delete it or choose another name")
        found: dict[int, Row] = {}
        for number, line in enumerate(lines[1:], 2):
            row = read(line)
            if row is None:
                what = f"line {number} is damaged: delete that line, or the file, and run again"
                raise ResultFileError(f"{path}: {what}")
            found.setdefault(line["item"], row)
        self.rows = list(found.values())

    def append(self, results: Sequence[Row]) -> None:
        """Write dataclass instances, all of them in one go."""
        self._write([vars(result) for result in results])

    def _write(self, rows: Sequence[Any]) -> None:
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        try:
            self._file.write(text.encode("utf-8", "backslashreplace"))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            why = f"cannot be written ({error.strerror}); what it held before is kept"
            raise ResultFileError(f"{self._path} {why}") from None

    def _lines(self) -> list[bytes]:
        """The lines of the file; what stands after the last line end is cut off."""
        self._file.seek(0)
        content = self._file.read()
        ours = json.dumps(HEADER)[:-1].encode()
        if content[: len(ours)] != ours[: len(content)]:
            raise ResultFileError(f"{self._path} is no result file of rbridge: choose another name")
        end = content.rfind(b"\n") + 1
        self._file.truncate(end)
        return content[:end].split(b"\n")[:-1]


def _parsed(line: bytes) -> dict[str, Any]:
    """A line as JSON; empty where it is none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def result_file(
    path: str | PathLike[str], fingerprint: str, read: Read[Row]
) -> Iterator[ResultFile[Row]]:
    """The file, for this run alone.

    Parameters
    ----------
    path : path
    fingerprint : str
    read : callable
        The result that a line holds, or None where it holds none; results have an ``item``.

    Raises
    ------
    ResultFileError
        The file is no result file, one of other models or data, in use by another run, damaged,
        or it cannot be opened or written.
    """
    if os.path.lexists(path) and not is_regular(path):
        raise ResultFileError(f"{path} is no plain file: choose another name")
    with ExitStack() as stack:
        try:
            file = stack.enter_context(held(path))
        except HeldError as error:
            raise ResultFileError(f"{error}: wait for it, or choose another name") from None
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            raise ResultFileError(f"{path!r} cannot be opened: {error}") from None
        yield ResultFile(os.fspath(path), file, fingerprint, read)


# --- what the results are of --------------------------------------------------------------------


def fingerprint(data: pd.DataFrame, content: Any) -> str:
    """A text that changes with the data or with the (plain) content.

    Of the data: names and order of the columns, dtypes, values, the order of the rows; of a
    category its levels, their order and whether it is ordered. The index is no part of it, and
    every missing value of a column of objects is the same.
    """
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, default=_plain).encode())
    for name, series in data.items():
        for part in (_text(name), *_parts(series)):
            digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """numpy's numbers and arrays, whole: ``str`` shortens an array."""
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else str(value)


def _parts(series: pd.Series) -> Iterator[bytes]:
    """All that a column is, as pieces of bytes."""
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        yield f"category, ordered {bool(dtype.ordered)}".encode()
        yield from _parts(pd.Series(dtype.categories))
        yield series.cat.codes.to_numpy("int64").tobytes()
        return
    yield (dtype.str if isinstance(dtype, np.dtype) else str(dtype)).encode()
    if isinstance(dtype, np.dtype) and dtype.kind in "biufcmM":
        yield _bytes(series.to_numpy())
    elif hasattr(series.array, "asi8"):  # times with a zone, periods
        yield series.array.asi8.tobytes()
    else:
        yield from _objects(series.astype(object).to_numpy(copy=True))


def _bytes(values: Any) -> bytes:
    """The values as they are stored; one NaN for all of its bit patterns."""
    values = values.copy()
    if values.dtype.kind in "fc":
        values[np.isnan(values)] = np.nan
    return bytes(values.tobytes())


def _objects(values: Any) -> Iterator[bytes]:
    """Different objects once each, by type and value; then which of them stands where."""
    values[pd.isna(values)] = None
    numbers: dict[bytes, int] = {}
    codes = [numbers.setdefault(_text(value), len(numbers)) for value in values]
    yield np.array(codes, "int64").tobytes()
    yield from numbers


def _text(value: Any) -> bytes:
    kind = type(value)
    text = value if kind is str else f"{kind.__module__}.{kind.__qualname__} {value!r}"
    return f"{'text' if kind is str else 'object'} {text}".encode("utf-8", "surrogatepass")

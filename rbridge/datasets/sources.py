"""Data by name or by file: what the command line, the suites and the records read."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from importlib.resources import files
from io import BytesIO
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import DataError
from ..files import is_regular
from ..options import one_of
from . import load

UNREADABLE = {  # pandas would cut a number there; lose a field there
    b"\0": "holds a NUL byte: damaged, or not saved as UTF-8",
    b"\r": "holds a carriage return without a line feed: save it with one kind of line ends",
}


def _table(path: Path, sep: str) -> pd.DataFrame:
    """A text table whose header names every column once, and whose rows have no more fields."""
    content = path.read_bytes().replace(b"\r\n", b"\n")
    if b"\n" not in content:  # as old Macs ended their lines
        content = content.replace(b"\r", b"\n")
    for byte, what in UNREADABLE.items():
        if byte in content:
            line = content[: content.index(byte)].count(b"\n") + 1
            raise DataError(f"{path}: line {line} {what}")
    options: dict[str, Any] = {"header": None, "nrows": 1, "dtype": str, "keep_default_na": False}
    header = pd.read_csv(BytesIO(content), sep=sep, **options).iloc[0]
    if len(header) == 1:
        _check_separator(path, header.iloc[0], sep)
    twice = header[header.duplicated() & (header != "")]
    if len(twice):  # pandas would call the second one x.1
        raise DataError(f"{path}: the header names {twice.iloc[0]!r} twice: rename or drop one")
    frame: pd.DataFrame = pd.read_csv(BytesIO(content), sep=sep, float_precision="round_trip")
    if _longer_than_header(content, sep):  # pandas would shift the columns by one
        raise DataError(f"{path}: rows have more fields than the header: name every column")
    return frame


SEPARATORS = {
    ";": "save it with commas between fields and points in numbers, or read it with "
    "pd.read_csv(…, sep=';', decimal=',')",
    "\t": "name it .tsv",
    ",": "name it .csv",
}


def _check_separator(path: Path, header: str, sep: str) -> None:
    """Other marks than the ending says would make one column of all."""
    for mark, advice in SEPARATORS.items():
        if mark in header and mark != sep:
            what = "tabs" if mark == "\t" else repr(mark)
            raise DataError(f"{path}: its fields are separated by {what}: {advice}")


def _longer_than_header(content: bytes, sep: str) -> bool:
    """Whether the first row has more fields: pandas makes row names of what is too many."""
    lines = (line.decode("utf-8", "replace") for line in BytesIO(content))
    with suppress(csv.Error):
        header, first = islice(chain(filter(None, csv.reader(lines, delimiter=sep)), ((), ())), 2)
        return len(first) > len(header)
    return False


READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": lambda path: _table(path, ","),
    ".tsv": lambda path: _table(path, "\t"),
    ".parquet": pd.read_parquet,
    ".feather": pd.read_feather,
}


def read_data(path: Path) -> pd.DataFrame:
    """A data file by its ending: csv, tsv, parquet, feather.

    Raises
    ------
    DataError
        Another ending, a device or pipe, or a file that cannot be read as it is meant: a NUL
        byte, a header that names a column twice, rows longer than the header.
    """
    ending = one_of(path.suffix.lower(), READERS, f"{path}: the ending", error=DataError)
    try:
        return READERS[ending](_plain(path))
    except ImportError as error:
        raise DataError(f"{path}: pandas needs another package to read this: {error}") from None
    except DataError:
        raise
    except UnicodeDecodeError:
        advice = "save it as UTF-8, or convert it: iconv -f latin1 -t utf-8 old.csv > new.csv"
        raise DataError(f"{path}: is no UTF-8 text: {advice}") from None
    except (ValueError, OSError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None


def _plain(path: Path) -> Path:
    """The path of a plain file, or of none: a device or a pipe may have no end."""
    if os.path.exists(path) and not is_regular(path):
        raise DataError(f"{path}: is no plain file")
    return path


def is_shipped(data: str) -> bool:
    """Whether the text names a shipped data set; anything with a dot or a slash is a file."""
    return not Path(data).suffix and "/" not in data


def load_data(data: str, folder: Path, category: tuple[str, ...] = ()) -> pd.DataFrame:
    """A shipped data set by name, or a file relative to ``folder``.

    Raises
    ------
    DataError
        No such data, or no column of a name in ``category``.
    """
    frame = load(data) if is_shipped(data) else read_data(folder / data)
    return as_category(frame, category, data)


def as_category(frame: pd.DataFrame, columns: tuple[str, ...], data: str) -> pd.DataFrame:
    """The frame with these columns as categories."""
    for name in columns:
        if name not in frame:
            raise DataError(f"category: {data} has no column {name!r}")
        frame[name] = frame[name].astype("category")
    return frame


def sha256(data: str, folder: Path) -> str:
    """SHA-256 of the data's file, shipped or not."""
    try:
        if is_shipped(data):
            content = (files("rbridge.datasets") / f"{data.lower()}.csv").read_bytes()
        else:
            content = _plain(folder / data).read_bytes()
    except DataError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise DataError(f"{data}: cannot be read: {error}") from None
    return hashlib.sha256(content).hexdigest()

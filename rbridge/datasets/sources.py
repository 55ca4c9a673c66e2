"""Data by name or by file: what the command line, the suites and the records read."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

import pandas as pd

from .. import datasets
from ..errors import DataError

READERS = {
    ".csv": pd.read_csv,
    ".tsv": lambda file: pd.read_csv(file, sep="\t"),
    ".parquet": pd.read_parquet,
    ".feather": pd.read_feather,
}


def read_data(path: Path) -> pd.DataFrame:
    """A data file by its ending: csv, tsv, parquet, feather.

    Raises
    ------
    DataError
        Another ending, or a file that cannot be read.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: the ending must be one of {', '.join(READERS)}")
    try:
        frame: pd.DataFrame = reader(path)
    except ImportError as error:
        raise DataError(f"{path}: pandas needs another package to read this: {error}") from None
    except (ValueError, OSError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    return frame


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
    frame = datasets.load(data) if is_shipped(data) else read_data(folder / data)
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
    shipped = files("rbridge.datasets") / f"{data.lower()}.csv"
    source = shipped if is_shipped(data) else folder / data
    try:
        return hashlib.sha256(source.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"{data}: cannot be read: {error}") from None

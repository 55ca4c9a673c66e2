"""The door: any frame that can become a pandas one does so here; all results are pandas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, Union

import pandas as pd

from ..errors import DataError
from .arrow import read_stream

UNCONVERTED = "rbridge: not converted"  # in a frame's attrs: the columns left out, and why


class ArrowFrame(Protocol):
    """What gives its columns by Arrow's C stream: polars, pyarrow, duckdb, ibis, cudf …"""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        ...


class PandasSource(Protocol):
    """What becomes a pandas frame by itself."""

    def to_pandas(self) -> Any:
        ...


FrameLike = Union[pd.DataFrame, ArrowFrame, PandasSource]


def as_frame(data: FrameLike) -> pd.DataFrame:
    """A pandas frame with rows; one of pandas itself as it is, not copied.

    Parameters
    ----------
    data : DataFrame, or what has ``__arrow_c_stream__`` or ``to_pandas``
        Arrow goes first. Columns that pandas cannot hold are left out, and named with the reason
        where a model asks for them.

    Raises
    ------
    DataError
        No frame, no rows, no columns.
    """
    frame = data if isinstance(data, pd.DataFrame) else _converted(data)
    for axis, n in zip(("rows", "columns"), frame.shape):
        if not n:
            raise DataError(f"the data has no {axis}{_left_out(frame)}")
    return frame


def _converted(data: Any) -> pd.DataFrame:
    # A module or a class has the names too, but no columns.
    if not isinstance(data, type) and hasattr(data, "__arrow_c_stream__"):
        return _noted(*read_stream(data))
    convert = getattr(data, "to_pandas", None) or getattr(data, "_to_pandas", None)  # modin's
    if isinstance(data, type) or not callable(convert):
        lazy = next(
            (f" (call .{m}() first)" for m in ("collect", "compute") if hasattr(data, m)), ""
        )
        told = f"data must be a pandas DataFrame, not {type(data).__name__}{lazy}"
        raise DataError(f"{told}; any frame with __arrow_c_stream__ or to_pandas is taken too")
    try:
        frame = convert()
    except Exception as error:  # the owner's own: whatever it is, a column may be at fault
        return _by_column(data, convert, error)
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"to_pandas of {type(data).__name__} gives a {type(frame).__name__}")
    return frame


def _by_column(data: Any, convert: Callable[[], Any], error: Exception) -> pd.DataFrame:
    """The columns that can be converted, one at a time; the others are named."""
    columns, unread = {}, {}
    for name in map(str, getattr(data, "columns", ())):
        try:
            columns[name] = data[name].to_pandas()
        except Exception as reason:
            unread[name] = f"{type(reason).__name__}: {reason}"
    if not columns:
        raise DataError(f"to_pandas of {type(data).__name__} failed: {error}") from error
    return _noted(pd.DataFrame(columns), unread)


def _noted(frame: pd.DataFrame, unread: dict[str, str]) -> pd.DataFrame:
    if unread:
        frame.attrs[UNCONVERTED] = unread
    return frame


def why_unconverted(data: pd.DataFrame, name: str) -> str | None:
    """Why a column of the user's frame is not in the pandas one, where it was in theirs."""
    reason: str | None = data.attrs.get(UNCONVERTED, {}).get(name)
    return reason


def _left_out(frame: pd.DataFrame) -> str:
    unread = frame.attrs.get(UNCONVERTED, {})
    return "".join(f"; column {name!r} cannot be converted: {why}" for name, why in unread.items())

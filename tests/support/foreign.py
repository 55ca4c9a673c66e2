"""A pandas frame in the clothes of other libraries."""

from __future__ import annotations

import pandas as pd

from . import arrow_source as arrow
from .arrow_source import ArrowSource, Part


class Converting:
    """A frame with ``to_pandas``, some of whose columns cannot be converted."""

    def __init__(self, data: pd.DataFrame, bad: tuple[str, ...] = ()) -> None:
        self.data, self.bad = data, bad
        self.columns = [*data.columns, *bad]

    def to_pandas(self) -> pd.DataFrame:
        if self.bad:
            raise TypeError("nested data")
        return self.data

    def __getitem__(self, name: str) -> ConvertingColumn:
        return ConvertingColumn(None if name in self.bad else self.data[name])


class ConvertingColumn:
    """One column of it."""

    def __init__(self, data: pd.Series | None) -> None:
        self.data = data

    def to_pandas(self) -> pd.Series:
        if self.data is None:
            raise TypeError("nested data")
        return self.data


def by_arrow(data: pd.DataFrame) -> ArrowSource:
    """The columns by Arrow alone, in two batches."""
    half = len(data) // 2
    halves = [data.iloc[:half], data.iloc[half:]]
    return ArrowSource(*({name: _part(one[name]) for name in data} for one in halves))


def _part(series: pd.Series) -> Part:
    if isinstance(series.dtype, pd.CategoricalDtype):
        levels = arrow.texts(list(series.cat.categories), "U")
        flags = arrow.ORDERED if series.cat.ordered else 0
        return arrow.category(series.cat.codes.to_numpy(), levels, list(series.notna()), flags)
    if pd.api.types.is_numeric_dtype(series.dtype):
        return arrow.numbers(series.to_numpy())
    return arrow.texts(list(series), "vu")

"""pandas → plain columns: a closed list of dtypes, everything else refused by the column's name.

No R here: what a model needs is selected, checked, freed of missing values and sorted by its
groups before R sees anything, so that what nlme stores is exactly what was fitted.
"""

from __future__ import annotations

import datetime
import numbers
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import DataError

EXACT_INTEGER = 2**53  # doubles hold every integer up to here
MISSING = np.int32(np.iinfo(np.int32).min)  # R's NA_integer_
_LOGICAL = ("FALSE", "TRUE")


@dataclass(frozen=True)
class Column:
    """One column as R will hold it.

    Attributes
    ----------
    kind : {"double", "integer", "logical", "factor", "date", "datetime", "difftime"}
    values : (n,) array
        float64 (missing: NaN) for double, date (days since 1970), datetime (seconds since 1970
        UTC) and difftime (seconds); int32 (missing: −2³¹) for the rest; factor codes from 0.
    levels : tuple of str
        Levels of a factor, in order.
    ordered : bool
    zone : str
        Time zone of a datetime, UTC for a fixed offset; empty for a naive one.
    """

    kind: str
    values: NDArray[Any]
    levels: tuple[str, ...] = ()
    ordered: bool = False
    zone: str = ""

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Where the column has no value."""
        values = self.values
        missing = np.isnan(values) if values.dtype.kind == "f" else values == MISSING
        return np.asarray(missing)

    def take(self, rows: NDArray[Any]) -> Column:
        """The given rows."""
        return replace(self, values=self.values[rows])


def column(series: pd.Series, name: str) -> Column:
    """The plain column of a pandas Series.

    Raises
    ------
    DataError
        For every dtype or value outside the closed list; the message names the column and the
        way out.
    """
    dtype = series.dtype
    if isinstance(dtype, pd.SparseDtype):
        series = series.sparse.to_dense()
        dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _categorical(series, name)
    if pd.api.types.is_bool_dtype(dtype):
        return _logical(series)
    if pd.api.types.is_integer_dtype(dtype):
        return _integer(series, name)
    if pd.api.types.is_complex_dtype(dtype):
        raise DataError(f"column {name!r} is complex: take its real part or its modulus first")
    if pd.api.types.is_float_dtype(dtype):
        return _double(series, name)
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return _datetime(series)
    if pd.api.types.is_timedelta64_dtype(dtype):
        return Column("difftime", _seconds(series))
    if isinstance(dtype, pd.PeriodDtype):
        raise DataError(f"column {name!r} holds periods: use .dt.to_timestamp() first")
    if isinstance(dtype, pd.IntervalDtype):
        raise DataError(f"column {name!r} holds intervals: use .astype(str) or their midpoints")
    if pd.api.types.is_object_dtype(dtype) or pd.api.types.is_string_dtype(dtype):
        return _objects(series, name)
    raise DataError(f"column {name!r} has dtype {dtype}, which R cannot take: convert it first")


def _logical(series: pd.Series) -> Column:
    missing = series.isna().to_numpy(bool)
    filled = series.mask(missing, False) if missing.any() else series
    return Column("logical", np.where(missing, MISSING, filled.to_numpy(bool)).astype(np.int32))


def _integer(series: pd.Series, name: str) -> Column:
    missing = series.isna().to_numpy(bool)
    if not missing.any():
        values = series.to_numpy()
        return _integers(values if values.dtype.kind in "iu" else series.to_numpy("int64"), name)
    if not missing.all():
        _check_exact(series[~missing], name)
    return Column("double", series.to_numpy("float64", na_value=np.nan))


def _integers(values: NDArray[Any], name: str) -> Column:
    if values.size and (int(values.max()) > 2**31 - 1 or int(values.min()) <= -(2**31)):
        _check_exact(values, name)
        return Column("double", values.astype(np.float64))
    return Column("integer", values.astype(np.int32))


def _check_exact(values: Any, name: str) -> None:
    """Integers that a double holds; compared as Python's, which have no size."""
    if max(abs(int(values.max())), abs(int(values.min()))) > EXACT_INTEGER:
        message = "holds integers beyond 2^53, which no double can represent"
        raise DataError(f"column {name!r} {message}: use a category for ids, or rescale")


def _double(series: pd.Series, name: str) -> Column:
    absent = {} if isinstance(series.dtype, np.dtype) else {"na_value": np.nan}
    # A copy: what the fit was made of must stay what it was when the frame is changed later.
    values = series.to_numpy("float64", copy=True, **absent)
    return _finite(np.asarray(values, dtype=np.float64), name)


def _finite(values: NDArray[Any], name: str) -> Column:
    infinite = int(np.isinf(values).sum())
    if infinite:
        raise DataError(f"column {name!r} has {infinite} infinite value(s): remove or recode them")
    return Column("double", values)


def _datetime(series: pd.Series) -> Column:
    zone = getattr(series.dtype, "tz", None)
    naive = series.dt.tz_convert("UTC").dt.tz_localize(None) if zone is not None else series
    name = getattr(zone, "key", None) or getattr(zone, "zone", None) or "UTC"
    return Column("datetime", _seconds(naive), zone="" if zone is None else str(name))


def _seconds(series: pd.Series) -> NDArray[np.float64]:
    """Seconds of a datetime64 or timedelta64 Series; NaN where missing."""
    kind = series.dtype.kind if isinstance(series.dtype, np.dtype) else "M"
    values = series.to_numpy(f"{kind}8[ns]")
    seconds = values.view("int64") / 1e9
    return np.where(np.isnat(values), np.nan, seconds)


def _categorical(series: pd.Series, name: str) -> Column:
    levels = tuple(str(level) for level in series.cat.categories)
    if len(set(levels)) < len(levels):
        twice = sorted({level for level in levels if levels.count(level) > 1})
        raise DataError(f"column {name!r}: categories read the same as text: {twice[:3]}")
    _check_text(levels, name)
    codes = series.cat.codes.to_numpy().astype(np.int32)
    return Column("factor", np.where(codes < 0, MISSING, codes), levels, series.cat.ordered)


def _signalling(name: str) -> DataError:
    return DataError(f"column {name!r} holds a signalling NaN: write None or NaN")


def _objects(series: pd.Series, name: str) -> Column:
    """A column of Python objects, by what it holds."""
    try:
        present = series.dropna()
    except ArithmeticError:  # pandas 2 asks every Decimal whether it is itself
        raise _signalling(name) from None
    if present.empty:
        raise DataError(f"column {name!r} has no data: every value is missing")
    what = pd.api.types.infer_dtype(present, skipna=False)
    if what == "string":
        return _strings(series, name)
    if what == "boolean":
        return _logical(series.astype("boolean"))
    if what == "integer":
        return _python_integers(series, name)
    if what in ("floating", "mixed-integer-float", "decimal"):
        return _real(series, name)
    if what == "date":
        return _dates(series, name)
    if what in ("datetime", "datetime64"):
        return _datetime(_pandas_times(pd.to_datetime, series, name))
    if what in ("timedelta", "timedelta64"):
        return Column("difftime", _seconds(_pandas_times(pd.to_timedelta, series, name)))
    if all(isinstance(v, (numbers.Real, Decimal)) and not isinstance(v, bool) for v in present):
        return _real(series, name)
    kinds = sorted({type(v).__name__ for v in present})
    raise DataError(f"column {name!r} mixes or holds {', '.join(kinds)}: make it one type first")


def _python_integers(series: pd.Series, name: str) -> Column:
    _check_exact(series.dropna(), name)
    return _real(series, name)


def _real(series: pd.Series, name: str) -> Column:
    try:
        return _finite(np.array([np.nan if pd.isna(v) else float(v) for v in series]), name)
    except OverflowError:
        raise DataError(f"column {name!r} holds numbers too large for a double") from None
    except (ValueError, ArithmeticError):  # Decimal's sNaN
        raise _signalling(name) from None


def _pandas_times(convert: Any, series: pd.Series, name: str) -> pd.Series:
    try:
        times: pd.Series = convert(series)
    except (TypeError, ValueError, OverflowError):  # whose text has the data's values
        told = f"column {name!r} mixes time zones, or holds times outside of pandas' range"
        raise DataError(f"{told}: convert it with pd.to_datetime(…, utc=True)") from None
    if times.dtype == object:  # newer pandas leaves mixed offsets as they are
        raise DataError(f"column {name!r} mixes time zones: use pd.to_datetime(…, utc=True)")
    return times


def _dates(series: pd.Series, name: str) -> Column:
    if any(isinstance(d, datetime.datetime) for d in series.dropna()):
        raise DataError(f"column {name!r} mixes dates and times: use pd.to_datetime")
    epoch = datetime.date(1970, 1, 1)
    days = [np.nan if pd.isna(d) else (d - epoch).days for d in series]
    return Column("date", np.array(days, dtype=float))


def _strings(series: pd.Series, name: str) -> Column:
    """A factor whose levels are sorted by code point: the same on every machine."""
    codes, levels = pd.factorize(series, sort=False)
    order = sorted(range(len(levels)), key=lambda i: str(levels[i]))
    rank = np.empty(len(order) + 1, dtype=np.int32)
    rank[order] = np.arange(len(order))
    rank[-1] = MISSING  # the code −1 of a missing string
    names = tuple(str(levels[i]) for i in order)
    _check_text(names, name)
    return Column("factor", rank[codes], names)


def _check_text(texts: Sequence[str], name: str) -> None:
    if any("\0" in text for text in texts):
        raise DataError(f"column {name!r} has text with a NUL character: remove it, as R must")
    try:
        "".join(texts).encode("utf-8")
    except UnicodeEncodeError:
        message = "has text that is not valid Unicode (a lone surrogate): read the file as UTF-8"
        raise DataError(f"column {name!r} {message}") from None


def as_factor(col: Column, name: str) -> Column:
    """A column in the role of a group: numbers become levels in ascending order."""
    if col.kind == "factor":
        return replace(col, ordered=False)
    if col.kind not in ("integer", "double", "logical"):
        raise DataError(f"column {name!r} holds a {col.kind} and cannot group: use .astype(str)")
    codes, distinct = _ascending(col.values, col.missing)
    logical = col.kind == "logical"
    levels = tuple(_LOGICAL[v] for v in distinct) if logical else _number_texts(distinct)
    if len(set(levels)) < len(levels):
        raise DataError(f"column {name!r}: group numbers read the same at 15 digits")
    return Column("factor", codes, levels)


def _ascending(
    values: NDArray[Any], missing: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Codes of the values in ascending order, and the distinct values."""
    grows = values[1:] > values[:-1]
    if len(values) and (grows | (values[1:] == values[:-1])).all() and not missing.any():
        codes = np.zeros(len(values), dtype=np.int32)
        np.cumsum(grows, out=codes[1:])
        return codes, values[np.flatnonzero(np.append(True, grows))]
    codes = np.full(len(values), MISSING)
    codes[~missing], distinct = pd.factorize(values[~missing], sort=True)
    return codes, np.asarray(distinct)


def _number_texts(values: NDArray[Any]) -> tuple[str, ...]:
    if values.dtype.kind == "i":
        return tuple(map(str, values.tolist()))
    return tuple(map(_number_text, values))


def _number_text(value: Any) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:.15g}"


def drop_unused(col: Column) -> Column:
    """A factor without the levels that no row has."""
    if col.kind != "factor":
        return col
    missing = col.missing
    present = col.values[~missing] if missing.any() else col.values
    used = np.bincount(present, minlength=len(col.levels)) > 0
    if used.all():
        return col
    codes = np.where(missing, MISSING, (np.cumsum(used) - 1)[col.values]).astype(np.int32)
    return replace(col, values=codes, levels=tuple(np.array(col.levels, dtype=object)[used]))

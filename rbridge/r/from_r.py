"""R → Python: R's vectors and lists become arrays, tuples of text, dicts, lists and DataFrames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import rpy2.rinterface as ri
from rpy2.rinterface_lib import openrlib

from .packed import NotPlain, integers, logicals, unpacked

_UNITS = {"secs": 1, "mins": 60, "hours": 3600, "days": 86400, "weeks": 604800}  # of a difftime


def from_r(value: Any) -> Any:
    """The plain value of an R object.

    Returns
    -------
    None (NULL); tuple of str or None (character); float64 array (double, and integer with its
    NA as NaN); int64 array (integer without NA); bool array (logical; object array with None
    where NA); dict (named list) or list. Matrices keep their shape. A data frame comes as a
    DataFrame; a factor, Date, POSIXct or difftime as the Series of :func:`to_series`.

    Raises
    ------
    TypeError
        For functions, environments, language: R objects stay in R.
    """
    if value is ri.NULL:
        return None
    classes = _classes(value)
    if "data.frame" in classes:
        columns = {name: to_series(item) for name, item in zip(_texts(value.names), value)}
        return pd.DataFrame(columns)
    if classes & {"factor", "Date", "POSIXct", "difftime"}:
        return to_series(value)
    if isinstance(value, ri.ListSexpVector):
        items = [from_r(item) for item in value]
        names = value.names
        return items if names is ri.NULL else dict(zip(_texts(names), items))
    if isinstance(value, ri.StrSexpVector):
        return _texts(value)
    return _shaped(_numbers(value), value)


def from_answer(answer: Any) -> Any:
    """The plain value of what `pack` of session.R gave; raises as :func:`from_r`."""
    if not isinstance(answer, ri.ByteSexpVector):
        return from_r(answer)
    try:
        return unpacked(_copied(answer, openrlib.RAW, np.uint8).tobytes())
    except NotPlain:
        return from_r(ri.baseenv["unserialize"](answer))


def to_series(vector: Any) -> pd.Series:
    """One column of a data frame, with its missing values and its class.

    Returns
    -------
    Series
        float64; Int64 where an integer has NA (else int64); boolean where a logical has NA (else
        bool); object with None for text; category in the order of the levels; datetime64[ns] for
        Date and POSIXct (with its time zone); timedelta64[ns] for difftime.
    """
    classes = _classes(vector)
    if "factor" in classes:
        codes = _raw_integers(vector).astype(np.int64)
        codes = np.where(codes == np.iinfo(np.int32).min, -1, codes - 1)
        levels = list(_texts(vector.do_slot("levels")))
        return pd.Series(pd.Categorical.from_codes(codes, levels, ordered="ordered" in classes))
    if "Date" in classes:
        return _times(_numbers(vector), 86400, "M8[ns]")
    if "POSIXct" in classes:
        return _zoned(_times(_numbers(vector), 1, "M8[ns]"), vector)
    if "difftime" in classes:
        unit = _texts(vector.do_slot("units"))[0]
        return _times(_numbers(vector), _UNITS[str(unit)], "m8[ns]")
    if isinstance(vector, ri.StrSexpVector):
        return pd.Series(list(_texts(vector)), dtype=object)
    numbers = _numbers(vector)
    if isinstance(vector, ri.BoolSexpVector):
        return pd.Series(numbers, dtype=bool if numbers.dtype == bool else "boolean")
    if isinstance(vector, ri.IntSexpVector) and numbers.dtype.kind == "f":
        return pd.Series(numbers).astype("Int64")
    return pd.Series(numbers)


def _classes(value: Any) -> set[str]:
    if "class" not in tuple(value.list_attrs()):
        return set()
    return {str(name) for name in value.do_slot("class")}


def _times(values: np.ndarray[Any, Any], seconds: int, dtype: str) -> pd.Series:
    """Seconds (or days …) since 1970 as nanoseconds; whole seconds stay exact."""
    missing = np.isnan(values)
    present = np.where(missing, 0.0, values) * seconds
    whole = np.floor(present)
    parts = np.rint((present - whole) * 1e9)
    nanoseconds = whole.astype(np.int64) * 10**9 + parts.astype(np.int64)
    return pd.Series(np.where(missing, np.iinfo(np.int64).min, nanoseconds).view(dtype))


def _zoned(times: pd.Series, vector: Any) -> pd.Series:
    given = _texts(vector.do_slot("tzone")) if "tzone" in tuple(vector.list_attrs()) else ()
    zone = str(given[0]) if given and given[0] else ""
    return times.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else times


def _texts(vector: Any) -> tuple[str | None, ...]:
    """Text with None for NA; bytes that are no UTF-8 are spelled out, ``<e9>``."""
    try:
        return tuple(None if item is ri.NA_Character else str(item) for item in vector)
    except UnicodeDecodeError:
        cleaned = ri.baseenv["iconv"](
            ri.baseenv["enc2utf8"](vector), "UTF-8", "UTF-8", sub=ri.StrSexpVector(["byte"])
        )
        return tuple(None if item is ri.NA_Character else str(item) for item in cleaned)


def _numbers(vector: Any) -> np.ndarray[Any, Any]:
    if isinstance(vector, ri.FloatSexpVector):
        return _copied(vector, openrlib.REAL, np.float64)
    if isinstance(vector, ri.BoolSexpVector):
        return logicals(_raw_integers(vector))
    if isinstance(vector, ri.IntSexpVector):
        return integers(_raw_integers(vector))
    raise TypeError(f"R gave a {type(vector).__name__}, which has no plain form")


def _raw_integers(vector: Any) -> np.ndarray[Any, Any]:
    pointer = openrlib.LOGICAL if isinstance(vector, ri.BoolSexpVector) else openrlib.INTEGER
    return _copied(vector, pointer, np.int32)


def _copied(vector: Any, pointer: Any, dtype: Any) -> np.ndarray[Any, Any]:
    """The numbers of a vector.

    Not by its ``memoryview()``: that loses a reference to None at every call (rpy2 3.5.9), and
    Python aborts when none are left, after some hundreds of fits.
    """
    size = len(vector) * np.dtype(dtype).itemsize
    if not size:
        return np.empty(0, dtype)
    buffer = openrlib.ffi.buffer(pointer(vector.__sexp__._cdata), size)
    return np.frombuffer(buffer, dtype).copy()


def _shaped(array: np.ndarray[Any, Any], vector: Any) -> np.ndarray[Any, Any]:
    if "dim" not in tuple(vector.list_attrs()):
        return array
    return array.reshape(tuple(int(n) for n in vector.do_slot("dim")), order="F")

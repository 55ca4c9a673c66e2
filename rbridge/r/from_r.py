"""R → Python: R's vectors and lists become arrays, tuples of text, dicts and lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import rpy2.rinterface as ri


def from_r(value: Any) -> Any:
    """The plain value of an R object.

    Returns
    -------
    None (NULL); tuple of str or None (character); float64 array (double, and integer with its
    NA as NaN); int64 array (integer without NA); bool array (logical; object array with None
    where NA); dict (named list) or list. Matrices keep their shape; factors, dates and other
    classes come as the plain vectors below them, so bridge.R spells those out.

    Raises
    ------
    TypeError
        For functions, environments, language: R objects stay in R.
    """
    if value is ri.NULL:
        return None
    if isinstance(value, ri.StrSexpVector):
        return tuple(None if item is ri.NA_Character else str(item) for item in value)
    if isinstance(value, ri.FloatSexpVector):
        return _shaped(_raw(value, np.float64), value)
    if isinstance(value, ri.BoolSexpVector):
        return _shaped(_logicals(value), value)
    if isinstance(value, ri.IntSexpVector):
        return _shaped(_integers(value), value)
    if isinstance(value, ri.ListSexpVector):
        items = [from_r(item) for item in value]
        names = value.names
        return items if names is ri.NULL else dict(zip(from_r(names), items))
    raise TypeError(f"R gave a {type(value).__name__}, which has no plain form")


def _raw(vector: Any, dtype: Any) -> np.ndarray[Any, Any]:
    # rpy2 gives no memoryview of an empty vector
    return np.array(vector.memoryview(), dtype=dtype) if len(vector) else np.empty(0, dtype)


def _integers(vector: Any) -> np.ndarray[Any, Any]:
    raw = _raw(vector, np.int32)
    missing = raw == np.iinfo(np.int32).min
    return np.where(missing, np.nan, raw) if missing.any() else raw.astype(np.int64)


def _logicals(vector: Any) -> np.ndarray[Any, Any]:
    raw = _raw(vector, np.int32)
    missing = raw == np.iinfo(np.int32).min
    if not missing.any():
        return raw.astype(bool)
    return np.where(missing, None, raw.astype(bool))


def _shaped(array: np.ndarray[Any, Any], vector: Any) -> np.ndarray[Any, Any]:
    if "dim" not in tuple(vector.list_attrs()):
        return array
    return array.reshape(tuple(int(n) for n in vector.do_slot("dim")), order="F")

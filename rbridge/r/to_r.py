"""Python → R: plain values become R vectors and lists. No converters, no string fallback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import rpy2.rinterface as ri


def to_r(value: Any) -> Any:
    """The R object of a plain value.

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
    if value is None:
        return ri.NULL
    if isinstance(value, (bool, np.bool_)):
        return ri.BoolSexpVector([bool(value)])
    if isinstance(value, (int, np.integer)) and abs(int(value)) < 2**31:
        return ri.IntSexpVector([int(value)])
    if isinstance(value, (int, float, np.number)):
        return ri.FloatSexpVector([float(value)])
    if isinstance(value, str):
        return ri.StrSexpVector([value])
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, tuple) and all(isinstance(item, str) for item in value):
        return ri.StrSexpVector(value)
    if isinstance(value, (list, tuple)):
        return ri.ListSexpVector([to_r(item) for item in value])
    if isinstance(value, Mapping):
        return _named_list(value)
    raise TypeError(f"cannot pass a {type(value).__name__} to R")


def _array(array: np.ndarray[Any, Any]) -> Any:
    """A numeric vector, or a matrix in R's column-major order; one copy, no loop."""
    flat = np.require(array.ravel(order="F"), requirements=["C", "A"])  # Dask sends unaligned ones
    vectors = {"float64": ri.FloatSexpVector, "int32": ri.IntSexpVector}
    if str(flat.dtype) not in vectors:
        raise TypeError(f"cannot pass an array of {flat.dtype} to R")
    make = vectors[str(flat.dtype)]
    vector = make.from_memoryview(memoryview(flat)) if flat.size else make(())  # type: ignore
    if array.ndim == 2:
        vector.do_slot_assign("dim", ri.IntSexpVector(array.shape))
    return vector


def _named_list(mapping: Mapping[str, Any]) -> Any:
    vector = ri.ListSexpVector([to_r(item) for item in mapping.values()])
    vector.do_slot_assign("names", ri.StrSexpVector([str(key) for key in mapping]))
    return vector

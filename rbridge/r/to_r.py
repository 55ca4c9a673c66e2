"""Python → R: plain values become R vectors and lists. No converters, no string fallback."""

from __future__ import annotations

from typing import Any

import numpy as np
import rpy2.rinterface as ri

from .packed import Packer


def to_r(value: Any) -> tuple[Any, Any]:
    """A plain value for `unpack` of session.R: what is written down, and the arrays beside it.

    Raises
    ------
    TypeError
        As :meth:`.packed.Packer.pack`.
    """
    packer = Packer()
    written = packer.pack(value)
    raw = ri.ByteSexpVector.from_memoryview(memoryview(written))
    return raw, ri.ListSexpVector([_array(array) for array in packer.held])


def _array(array: np.ndarray[Any, Any]) -> Any:
    """A numeric vector, or a matrix in R's column-major order; one copy, no loop."""
    flat = np.require(array.ravel(order="F"), requirements=["C", "A"])  # Dask sends unaligned ones
    make = ri.FloatSexpVector if flat.dtype.kind == "f" else ri.IntSexpVector
    vector = make.from_memoryview(memoryview(flat))  # type: ignore[arg-type]
    if array.ndim == 2:
        vector.do_slot_assign("dim", ri.IntSexpVector(array.shape))
    return vector

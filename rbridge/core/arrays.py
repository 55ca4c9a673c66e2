"""What every file of the core calls an array, and where groups of rows begin."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def group_starts(codes: Array) -> Array:
    """First row of each run of equal codes."""
    first = np.ones(len(codes), dtype=bool)
    np.not_equal(codes[1:], codes[:-1], out=first[1:])
    return np.flatnonzero(first)


def lasting(array: Array) -> Array:
    """The array itself, which nobody can write to from now on: for what is computed once."""
    array.flags.writeable = False
    return array

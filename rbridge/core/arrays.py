"""What every file of the core calls an array, where groups of rows begin, what is kept by whom."""

from __future__ import annotations

import weakref
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
T = TypeVar("T")


def leaving(kept: dict[int, Any], thing: T) -> weakref.ref[T]:
    """A reference that takes the entry of its identity along when the thing goes.

    No Python runs then: a Ctrl-C that came just there would be lost.
    """
    return weakref.ref(thing, partial(kept.pop, id(thing)))


def group_starts(codes: Array) -> Array:
    """First row of each run of equal codes."""
    first = np.ones(len(codes), dtype=bool)
    np.not_equal(codes[1:], codes[:-1], out=first[1:])
    return np.flatnonzero(first)


def lasting(array: Array) -> Array:
    """The array itself, which nobody can write to from now on: for what is computed once."""
    array.flags.writeable = False
    return array

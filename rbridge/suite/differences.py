"""Two answers to one question, compared by name: which numbers differ, by how much, in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..check.findings import FAILURE, OK, Finding

SHOWN = 3  # differences that a sentence spells out; a finding names all of them


@dataclass(frozen=True)
class NamedValues:
    """One quantity by name: a vector (r,) or a symmetric matrix (r, r)."""

    names: tuple[str, ...]
    values: NDArray[np.float64]

    def vector(self) -> pd.Series:
        """A ValueError where it is none."""
        return pd.Series(self.values, list(self.names), name="estimate")

    def matrix(self) -> pd.DataFrame:
        """A ValueError where it is none."""
        return pd.DataFrame(self.values, list(self.names), list(self.names))

    @property
    def labels(self) -> list[str]:
        """One name a number: of a matrix ``a`` on the diagonal, ``a, b`` beside it."""
        if self.values.ndim == 1:
            return list(self.names)
        return [a if i == j else f"{a}, {b}" for (i, a), (j, b) in _pairs(self.names)]


def _pairs(names: tuple[str, ...]) -> list[tuple[tuple[int, str], tuple[int, str]]]:
    numbered = list(enumerate(names))
    return [(one, other) for one in numbered for other in numbered]


@dataclass(frozen=True)
class Difference:
    """One number, as it was and as it is.

    Attributes
    ----------
    name : str
    then, now : float
    size : float
        How far apart, in the unit of the comparison; infinite where one is no number.
    """

    name: str
    then: float
    now: float
    size: float

    def words(self, unit: str, tongues: tuple[str, str]) -> str:
        """``age: recorded 0.66, today 0.67 (0.12 standard errors)``."""
        far = f"{self.size:.2g} {unit}" if np.isfinite(self.size) else "no number to compare"
        then, now = _apart(self.then, self.now)
        return f"{self.name}: {tongues[0]} {then}, {tongues[1]} {now} ({far})"


def _apart(one: float, other: float) -> tuple[str, str]:
    """Both with as many digits as it takes to tell them apart."""
    for digits in range(5, 18):
        told = f"{one:.{digits}g}", f"{other:.{digits}g}"
        if told[0] != told[1]:
            break
    return told


def differences(
    then: NamedValues, now: NamedValues, scale: NDArray[np.float64] | None = None
) -> list[Difference]:
    """Number by number; both have the same names in the same order.

    Parameters
    ----------
    then, now : NamedValues
    scale : array (r,), optional
        Standard errors that a vector's differences are measured in. Without it, a vector is
        measured relatively, a matrix in units of √(a_ii a_jj).
    """
    if then.values.ndim == 2:
        root = np.sqrt(np.abs(np.diag(then.values)))
        unit = np.outer(root, root)
    else:
        unit = np.abs(then.values if scale is None else scale)
    apart = np.abs(now.values - then.values)
    sizes = apart / np.where((unit == 0) | ~np.isfinite(unit), 1.0, unit)
    sizes = np.where(np.isfinite(sizes), sizes, np.inf)
    found = zip(then.labels, then.values.flat, now.values.flat, sizes.flat)
    return [Difference(name, float(a), float(b), float(s)) for name, a, b, s in found]


def beyond(found: list[Difference], limit: float) -> list[Difference]:
    """Those that are further apart than the limit, the furthest first, each name once."""
    far = sorted((d for d in found if d.size > limit), key=lambda d: d.size)
    once = {tuple(sorted(d.name.split(", "))): d for d in far}  # both halves of a matrix
    return sorted(once.values(), key=lambda d: -d.size)


def compared(
    code: str,
    then: NamedValues,
    now: NamedValues,
    limit: float,
    *,
    scale: NDArray[np.float64] | None = None,
    tongues: tuple[str, str] = ("recorded", "today"),
    where: str = "",
) -> Finding:
    """One quantity of two sources as a finding that names each number beyond the limit."""
    if then.names != now.names or then.values.shape != now.values.shape:
        told = (f"for {', '.join(names)}" for names in (then.names, now.names))
        text = "; ".join(f"{who} {what}" for who, what in zip(tongues, told))
        return Finding(code, FAILURE, None, f"{text}{where}", tuple(then.names))
    found = differences(then, now, scale)
    size = max((d.size for d in found), default=0.0)
    far = beyond(found, limit)
    if not far:
        return Finding(code, OK, size, f"{tongues[1]} as {tongues[0]}, to {size:.1g}")
    unit = "relative" if scale is None else "standard errors"
    spelled = [d.words(unit, tongues) for d in far[:SHOWN]]
    more = [f"and {len(far) - SHOWN} more"] if len(far) > SHOWN else []
    text = f"{size:.2g} apart, more than {limit:g}: {'; '.join([*spelled, *more])}{where}"
    measured = size if np.isfinite(size) else None  # no tolerance makes a number of it
    return Finding(code, FAILURE, measured, text, tuple(d.name for d in far))

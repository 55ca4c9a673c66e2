"""Families of contrasts between means."""

from __future__ import annotations

from fractions import Fraction
from math import gcd, lcm

import numpy as np

from ..arrays import Array

POLYNOMIALS = ("linear", "quadratic", "cubic", "quartic")
MOST = 6  # degree of polynomial contrasts


def pairwise(k: int) -> Array:
    """(k(k−1)/2, k): each mean minus each later one."""
    return np.array([_difference(k, i, j) for i in range(k) for j in range(i + 1, k)])


def reference(k: int, base: int) -> Array:
    """(k − 1, k): each other mean minus that of the reference."""
    return np.array([_difference(k, i, base) for i in range(k) if i != base])


def consecutive(k: int) -> Array:
    """(k − 1, k): each mean minus the one before it."""
    return np.array([_difference(k, i + 1, i) for i in range(k - 1)])


def polynomial(k: int) -> Array:
    """(min(k − 1, 6), k): orthogonal polynomials of 1 … k in the smallest whole numbers."""
    basis: list[list[Fraction]] = []
    for degree in range(min(k - 1, MOST) + 1):
        row = [Fraction(x) ** degree for x in range(1, k + 1)]
        for other in basis:
            share = _dot(row, other) / _dot(other, other)
            row = [a - share * b for a, b in zip(row, other)]
        basis.append(row)
    return np.array([_whole(row) for row in basis[1:]])


def _difference(k: int, plus: int, minus: int) -> Array:
    return np.asarray(np.eye(k)[plus] - np.eye(k)[minus])


def _dot(a: list[Fraction], b: list[Fraction]) -> Fraction:
    return sum((x * y for x, y in zip(a, b)), Fraction(0))


def _whole(row: list[Fraction]) -> list[float]:
    common = lcm(*(x.denominator for x in row))
    numbers = [int(x * common) for x in row]
    divisor = gcd(*numbers)
    return [number / divisor for number in numbers]

"""Semivariances of pairs of rows against their distance, by classes of distance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from .arrays import Array

CLASSES = 20  # of distances, where there are more different ones
BLOCK = 256  # rows against all others of their group at once
FUZZ = 4 * np.finfo(float).eps  # of a place among the sorted distances
MOST = 50_000_000  # pairs that are kept


@dataclass(frozen=True)
class DistanceClasses:
    """Semivariances by class of distance.

    Attributes
    ----------
    distance, semivariance : (k,) arrays
        Median distance of the pairs of each class, and their mean (or robust) semivariance.
    pairs : (k,) int array
    outside : int
        Pairs in no class: those at the smallest of all distances, where classes are formed.
    """

    distance: Array
    semivariance: Array
    pairs: Array
    outside: int


def variogram(
    values: Array,
    codes: Array,
    points: Array,
    metric: str = "euclidean",
    *,
    max_distance: float | None = None,
    robust: bool = False,
) -> DistanceClasses:
    """Sample variogram within groups, as nlme's ``Variogram``.

    Parameters
    ----------
    values : (n,) array
    codes : (n,) int array
        Group of each row.
    points : (n, d) array
        Where each row is.
    metric : {"euclidean", "maximum", "manhattan"}
    max_distance : float, optional
        Pairs farther apart are left out.
    robust : bool
        Cressie and Hawkins' estimate in place of the mean.

    Raises
    ------
    DataError
        No pairs, or too many.

    Notes
    -----
    ½(v_i − v_j)² of every pair. Up to 20 different distances stand for themselves; more are cut
    at their 20-quantiles into classes that are open on the left, as in nlme.

    References
    ----------
    Pinheiro and Bates (2000), section 5.3.2; Cressie and Hawkins (1980), Mathematical Geology 12,
    115–125.
    """
    found = list(
        _pairs(values, codes, points, metric, np.inf if max_distance is None else max_distance)
    )
    if not found:
        raise DataError("no group has two rows within max_dist: there are no pairs to compare")
    distance, half_squares = (np.concatenate(part) for part in zip(*found))
    labels = _classes(distance)
    kept = labels >= 0
    order = np.argsort(labels[kept], kind="stable")
    cuts = np.flatnonzero(np.diff(labels[kept][order])) + 1
    by_distance = np.split(distance[kept][order], cuts)
    by_value = np.split(half_squares[kept][order], cuts)
    estimate = _robust if robust else _mean
    return DistanceClasses(
        np.array([np.median(d) for d in by_distance]),
        np.array([estimate(v) for v in by_value]),
        np.array([len(d) for d in by_distance]),
        int((~kept).sum()),
    )


def _mean(half_squares: Array) -> float:
    return float(half_squares.mean())


def _robust(half_squares: Array) -> float:
    """Cressie and Hawkins: the fourth power of the mean root, freed of its bias."""
    return float(np.mean(half_squares**0.25) ** 4 / (0.457 + 0.494 / len(half_squares)))


def _pairs(
    values: Array, codes: Array, points: Array, metric: str, limit: float
) -> Iterator[tuple[Array, Array]]:
    """Distance and semivariance of every pair within a group, a block of rows at a time."""
    count = 0
    order = np.argsort(codes, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        for start in range(0, len(rows) - 1, BLOCK):
            one, other = rows[start : start + BLOCK], rows[start:]
            upper = np.arange(len(other)) > np.arange(len(one))[:, None]
            distance = _distance(points[one, None] - points[None, other], metric)
            near = upper & (distance <= limit)
            count += int(near.sum())
            if count > MOST:
                raise DataError(f"more than {MOST:,} pairs: give max_dist, or groups in form")
            if near.any():
                yield distance[near], (values[one, None] - values[other])[near] ** 2 / 2


def _distance(apart: Array, metric: str) -> Array:
    if metric == "euclidean":
        return np.asarray(np.sqrt((apart**2).sum(axis=-1)))
    far = np.abs(apart)
    return np.asarray(far.max(axis=-1) if metric == "maximum" else far.sum(axis=-1))


def _classes(distance: Array) -> Array:
    """Class of each pair; −1 for those at the smallest distance, where there are breaks."""
    different, labels = np.unique(distance, return_inverse=True)
    if len(different) <= CLASSES:
        return np.asarray(labels).reshape(-1)
    ordered = np.sort(distance)
    index = (len(ordered) - 1) * (np.arange(CLASSES + 1) * (1 / CLASSES)) + 1
    place = np.floor(index + FUZZ).astype(int)
    share = np.where(index - place > FUZZ, index - place, 0.0)
    below, above = ordered[place - 1], ordered[np.minimum(place, len(ordered) - 1)]
    # As R computes it: distances that differ in their last bit then fall where they fall there.
    between = np.where(below == above, below, (1 - share) * below + share * above)
    breaks = np.unique(between)
    return np.asarray(np.searchsorted(breaks, distance, side="left") - 1)

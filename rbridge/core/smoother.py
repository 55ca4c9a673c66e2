"""Smooth lines through points: local regression, and the density of a sample."""

from __future__ import annotations

import numpy as np

from .arrays import Array

SPAN = 2 / 3  # of the points, around each place
ROUNDS = 3  # that give outliers less weight
PLACES = 60  # where the line is computed
PILE = 0.03  # share of a sample within half a bandwidth of its end
OUT = np.array([-3.0, 3.0])  # bandwidths


def lowess(x: Array, y: Array, span: float = SPAN, rounds: int = ROUNDS) -> tuple[Array, Array]:
    """Cleveland's robust locally weighted line.

    Parameters
    ----------
    x, y : (n,) arrays
    span : float
        Share of the points in each local fit.
    rounds : int
        Of robustness weights after the first fit.

    Returns
    -------
    places, line : (k,) arrays
        At the different values of x, in rising order, or at 60 quantiles of x where there are
        more; between them the line is straight.

    References
    ----------
    Cleveland (1979), Journal of the American Statistical Association 74, 829–836.
    """
    places = np.unique(x)
    if len(places) > PLACES:
        places = np.unique(np.quantile(x, np.linspace(0, 1, PLACES)))
    near = _near(x, places, span)
    trust = np.ones(len(x))
    for _ in range(rounds):
        residual = np.abs(y - np.interp(x, places, _local(x, y, places, near * trust)))
        scale = 6 * np.median(residual)
        if scale <= 1e-12 * np.abs(y).max(initial=0):
            break
        trust = np.clip(1 - (residual / scale) ** 2, 0, None) ** 2
    return places, _local(x, y, places, near * trust)


def _near(x: Array, places: Array, span: float) -> Array:
    """(k, n) tricube weights: the bandwidth reaches the nearest share of the points."""
    distance = np.abs(x - places[:, None])
    count = min(max(int(span * len(x) + 1e-5), 2), len(x))
    reach = np.partition(distance, count - 1, axis=1)[:, count - 1]
    tiny = np.finfo(float).tiny + 1e-9 * np.ptp(x)
    reach = np.maximum(reach, tiny)[:, None]
    return np.asarray(np.clip(1 - (distance / reach) ** 3, 0, None) ** 3)


def _local(x: Array, y: Array, places: Array, weights: Array) -> Array:
    """Weighted lines at their places; the weighted mean where all weight is at one x."""
    total = np.maximum(weights.sum(axis=1), np.finfo(float).tiny)
    x_mean, y_mean = weights @ x / total, weights @ y / total
    away = x - x_mean[:, None]
    spread = (weights * away**2).sum(axis=1) / total
    slope = (weights * away) @ y / total / np.maximum(spread, np.finfo(float).tiny)
    flat = spread <= (1e-3 * np.ptp(x)) ** 2
    return np.asarray(y_mean + np.where(flat, 0.0, slope * (places - x_mean)))


def density(values: Array, places: int = 200) -> tuple[Array, Array]:
    """Density of a sample by normal kernels, reflected at an end where the values pile up.

    Parameters
    ----------
    values : (n,) array
    places : int

    Returns
    -------
    x, density : (places,) arrays
        From the least to the largest value, at an end without a pile 3 bandwidths further; the
        density integrates to one there.

    References
    ----------
    Silverman (1986), Density Estimation, (3.31) for the bandwidth, 2.10 for the reflection.
    """
    low, high = float(values.min()), float(values.max())
    quartiles = np.subtract(*np.quantile(values, [0.75, 0.25])) / 1.34
    sd = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    width = 0.9 * (min(sd, quartiles) or sd or 1.0) * len(values) ** -0.2
    piled = [np.mean(np.abs(values - end) < width / 2) > PILE for end in (low, high)]
    ends = [end if pile else end + out for end, pile, out in zip((low, high), piled, OUT * width)]
    x = np.linspace(ends[0], ends[1], places)
    mirrors = [2 * end - values for end, pile in zip((low, high), piled) if pile]
    reflected = np.concatenate([values, *mirrors])
    heights = np.zeros(places)
    for part in np.array_split(reflected, max(1, len(reflected) // 2000)):
        heights += np.exp(-0.5 * ((x[:, None] - part) / width) ** 2).sum(axis=1)
    return x, heights / (len(values) * width * np.sqrt(2 * np.pi))

"""Jacobians of numerical functions: by complex step, or by extrapolated differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .arrays import Array

Function = Callable[[Array], Any]

_STEP = 1e-30  # no subtraction follows, so the step may be as small as one likes
_HALVINGS = 5


def complex_step(f: Function, x: Array) -> Array:
    """Jacobian of an analytic function, exact to rounding.

    Parameters
    ----------
    f : callable
        (r,) array to (k,) array; must accept complex input.
    x : (r,) array

    Returns
    -------
    (k, r) array

    Notes
    -----
    ∂f/∂x_i = Im f(x + ih e_i)/h.

    References
    ----------
    Squire & Trapp (1998), SIAM Review 40, 110–112.
    """
    steps = x + 1j * _STEP * np.eye(len(x))
    return np.stack([np.imag(f(point)) / _STEP for point in steps], axis=-1)


def _richardson(f: Function, x: Array, step: Array) -> tuple[Array, Array]:
    """Ever better derivatives along ``step`` per unit of its length, and their errors."""
    row: list[Array] = []
    tries, rounding = [], []
    for k in range(_HALVINGS):
        h = step * 0.5**k
        ahead, behind, width = f(x + h), f(x - h), 2 * np.abs(h).sum()
        new = [(ahead - behind) / width]
        for j, coarse in enumerate(row):
            new.append(new[j] + (new[j] - coarse) / (4.0 ** (j + 1) - 1))
        row = new
        tries.append(row[-1])
        rounding.append(np.finfo(float).eps * np.abs(ahead) / width)
    errors = np.abs(np.diff(tries, axis=0)) + rounding[1:]
    return np.stack(tries[1:]), np.nan_to_num(errors, nan=np.inf)


def differences(f: Function, x: Array, scales: Sequence[Array]) -> tuple[Array, Array]:
    """Jacobian by Richardson-extrapolated central differences.

    Parameters
    ----------
    f : callable
        (r,) array to (k,) array.
    x : (r,) array
    scales : sequence of (r,) arrays
        Distances over which ``f`` may change; the one that gives the smallest error serves.

    Returns
    -------
    jacobian, error : (k, r) arrays
        The error is an estimate: the last change in the extrapolation, and rounding.
    """
    columns, errors = [], []
    for i, unit in enumerate(np.eye(len(x))):
        sizes = [scale[i] for scale in scales if scale[i] > 0] or [1.0]
        with np.errstate(all="ignore"):  # a step may leave the domain; its error is then inf
            tried = [_richardson(f, x, 0.02 * size * unit) for size in sizes]
        derivative, error = (np.concatenate(parts) for parts in zip(*tried))
        best = error.argmin(axis=0)[None]
        columns.append(np.take_along_axis(derivative, best, 0)[0])
        errors.append(np.take_along_axis(error, best, 0)[0])
    return np.stack(columns, axis=-1), np.stack(errors, axis=-1)


def jacobian(f: Function, x: Array, scales: Sequence[Array]) -> Array:
    """Jacobian by complex step where ``f`` is analytic, else by :func:`differences`.

    ``f`` counts as analytic when it accepts complex input and the result agrees with the
    differences: ``abs``, a conjugate or a cast to float would not.
    """
    numeric, error = differences(f, x, scales)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exact = complex_step(f, x)
    except Exception:  # whatever f raises on complex input, it is not analytic there
        return numeric
    if exact.shape != numeric.shape:
        return numeric
    size = np.abs(numeric).max(axis=-1, keepdims=True)
    agrees = np.abs(exact - numeric) <= 1e-6 * size + 10 * error
    return exact if agrees.all() else numeric

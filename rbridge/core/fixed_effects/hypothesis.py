"""Linear hypotheses Lβ = c, checked and without redundant rows, and what a test of one gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ...errors import DataError, SpecError
from ..arrays import Array

_RANK = 1e-9  # sine of a row's angle to those before it, coefficients in units of their se


@dataclass(frozen=True)
class Hypothesis:
    """Lβ = c with linearly independent rows.

    Attributes
    ----------
    L : (q, p) array
    rhs : (q,) array
    redundant : int
        Rows that followed from the others and were left out.
    """

    L: Array
    rhs: Array
    redundant: int = 0


@dataclass(frozen=True)
class Scaling:
    """How the distribution of the F statistic of a hypothesis is approximated.

    Attributes
    ----------
    factor : float
        What Wald's statistic over df_num is multiplied with.
    df_den : float
        NaN where there is none; then ``note`` says why.
    note : str
    """

    factor: float
    df_den: float
    note: str = ""


@dataclass(frozen=True)
class WaldTest:
    """F test of a hypothesis.

    Attributes
    ----------
    statistic : float
        F, scaled where the method scales it; χ²/df_num where ``df_den`` is infinite.
    df_num : int
        Rank of the hypothesis.
    df_den : float
        NaN where the method has no degrees of freedom for it; then ``note`` says why.
    p : float
        NaN with ``df_den``.
    note : str
        What else there is to say: redundant rows, a rule that had to be applied. May be empty.
    """

    statistic: float
    df_num: int
    df_den: float
    p: float
    note: str = ""


def rows_of(L: ArrayLike, p: int) -> Array:
    """Linear combinations of the p coefficients as a (q, p) array.

    Raises
    ------
    DataError
        They are not finite numbers.
    SpecError
        Their number of columns is not p, or a row is zero.
    """
    try:
        rows: Array = np.atleast_2d(np.asarray(L, dtype=float))
    except (TypeError, ValueError) as error:
        raise DataError(f"a hypothesis must be a matrix of numbers: {error}") from None
    if rows.ndim != 2 or rows.shape[1] != p or not len(rows):
        raise SpecError(
            f"the hypothesis has shape {rows.shape}: it needs a column for each of {p} "
            "coefficients and at least one row"
        )
    if not np.isfinite(rows).all():
        raise DataError(
            f"row {int(np.argwhere(~np.isfinite(rows))[0, 0])} of the hypothesis is not finite"
        )
    empty = ~rows.any(axis=1)
    if empty.any():
        raise SpecError(
            f"row {int(empty.argmax())} of the hypothesis is zero: it involves no coefficient"
        )
    return rows


def hypothesis(L: ArrayLike, phi: Array, rhs: ArrayLike = 0.0) -> Hypothesis:
    """Check a hypothesis and leave out rows that follow from others.

    Parameters
    ----------
    L : (q, p) array
    phi : (p, p) array
        Cov(β̂): its diagonal tells the units of the coefficients, which must not matter when
        linear dependence is judged.
    rhs : float or (q,) array
        c.

    Returns
    -------
    Hypothesis

    Raises
    ------
    SpecError
        A shape does not fit, a row is zero, or the rows contradict each other.
    DataError
        Something is not finite.
    """
    rows = rows_of(L, len(phi))
    c: Array = np.asarray(rhs, dtype=float)
    if c.shape not in ((), (1,), (len(rows),)):
        raise SpecError(
            f"the right-hand side of the hypothesis has {c.size} values for {len(rows)} rows"
        )
    c = np.broadcast_to(c, (len(rows),))
    if not np.isfinite(c).all():
        raise DataError("the right-hand side of the hypothesis is not finite")
    scaled = rows * np.sqrt(np.diagonal(phi))
    length = np.linalg.norm(scaled, axis=1)
    unit = scaled / length[:, None]
    kept = independent_rows(unit)
    if len(kept) < len(rows):
        _check_consistent(unit, c / length, kept)
    return Hypothesis(rows[kept], c[kept].copy(), len(rows) - len(kept))


def independent_rows(unit: Array) -> list[int]:
    """Which of the (q, p) rows, of unit length, are not spanned by those before them."""
    kept: list[int] = []
    basis = np.zeros((0, unit.shape[1]))
    for i, row in enumerate(unit):
        for _ in range(2):  # once more, against rounding
            row = row - basis.T @ (basis @ row)
        length = float(np.linalg.norm(row))
        if length > _RANK:
            kept.append(i)
            basis = np.vstack([basis, row / length])
    return kept


def _check_consistent(unit: Array, c: Array, kept: list[int]) -> None:
    spanned = np.linalg.lstsq(unit[kept].T, unit.T, rcond=None)[0].T
    if not np.allclose(spanned @ c[kept], c, rtol=1e-6, atol=1e-8 * np.abs(c).max(initial=0.0)):
        raise SpecError("the rows of the hypothesis contradict each other")


def wald(estimates: Array, covariance: Array) -> float:
    """x'C⁻¹x/q of (q,) estimates with a (q, q) covariance: the F statistic before scaling."""
    scale = np.sqrt(np.diagonal(covariance))
    scaled = estimates / scale
    return float(scaled @ np.linalg.solve(covariance / np.outer(scale, scale), scaled)) / len(
        scaled
    )

"""nlme's denominator degrees of freedom: by the grouping level at which a column varies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import SpecError
from ..arrays import Array, group_starts
from ..snapshot import FitSnapshot

_CONSTANT = float(np.sqrt(np.finfo(float).eps))  # relative: R's idea of no variation


@dataclass(frozen=True)
class ContainmentDf:
    """Degrees of freedom of coefficients and of terms.

    Attributes
    ----------
    columns : (p,) array
    terms : (t,) array
    """

    columns: Array
    terms: Array


def containment_df(snapshot: FitSnapshot, assign: Array) -> ContainmentDf:
    """The denominator degrees of freedom that nlme gives to columns of X and to terms.

    Parameters
    ----------
    snapshot : FitSnapshot
    assign : (p,) int array
        Term of each column of X, 0 … t−1.

    Returns
    -------
    ContainmentDf
        ``columns`` equals ``snapshot.df``. gls: n − p throughout.

    Notes
    -----
    A column belongs to the innermost level among whose groups it still differs, a term to the
    innermost of its columns. Level l with m_l groups has m_l − m_{l−1} degrees of freedom (m_0 = 0;
    the rows are the last level) minus its columns, the outermost one less for the intercept, which
    itself is given the most of all.

    References
    ----------
    Pinheiro and Bates (2000), section 2.4.2.
    """
    assign = np.asarray(assign, dtype=int)
    n, p = snapshot.X.shape
    if assign.shape != (p,):
        raise SpecError(f"assign has shape {assign.shape}, expected a term for each of {p} columns")
    n_terms = int(assign.max(initial=-1)) + 1
    if not snapshot.levels:
        return ContainmentDf(np.full(p, float(n - p)), np.full(n_terms, float(n - p)))
    varies = np.array([not _constant(column) for column in snapshot.X.T], dtype=bool)
    ends = [group_starts(level.codes)[1:] - 1 for level in snapshot.levels]
    columns = np.array([_stratum(ends, column) for column in snapshot.X.T])
    columns[~varies] = -1
    terms = np.array([columns[assign == t].max(initial=-1) for t in range(n_terms)], dtype=int)
    widths = np.bincount(assign, minlength=n_terms)
    return ContainmentDf(_df(snapshot, columns, np.ones(p)), _df(snapshot, terms, widths))


def _constant(column: Array) -> bool:
    first = column[0] if column[0] else 1.0
    apart = max(column.max() - column[0], column[0] - column.min())
    return bool(apart < _CONSTANT * np.abs(first))


def _stratum(ends: Sequence[Array], column: Array) -> int:
    """The innermost level among whose groups the column differs; the number of levels: rows.

    ``ends``: the last row of each group but the last, of each level.
    """
    changes = column[1:] != column[:-1]
    inner = 0
    for number, last in enumerate(ends, start=1):
        within = changes.copy()
        within[last] = False
        if within.any():
            inner = number
    return inner


def _df(snapshot: FitSnapshot, strata: Array, widths: Array) -> Array:
    """Of each column or term, given its stratum (−1: constant) and its number of columns."""
    groups = [len(level.labels) for level in snapshot.levels]
    df = np.diff([0, *groups, snapshot.n]).astype(float)
    constant = strata < 0
    np.subtract.at(df, strata[~constant], widths[~constant])
    if constant.any():
        df[0] -= 1
    else:
        df[1:] += 1
    return np.where(constant, df.max(), df[strata])

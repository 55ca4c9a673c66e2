"""How far two answers are apart, aligned by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..errors import SpecError

SMALL = 1e-3  # of the largest gap: what lies closer is not worth a word


def aligned(values: pd.Series, names: pd.Index) -> pd.Series:
    """The values in the order of the names; a name that only one side has is an error."""
    only = set(values.index) ^ set(names)
    if only:
        raise SpecError(f"only one side has {sorted(only)}")
    return values.loc[list(names)]


def relative_difference(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """Largest difference of two covariance matrices by name, in units of √(b_ii b_jj).

    Names that stand in the same order may repeat, as those of nlme's apVar do.
    """
    if list(one.index) != list(other.index):
        aligned(pd.Series(0.0, one.index), other.index)
        one = one.loc[other.index, other.index]
    b = other.to_numpy()
    root = np.sqrt(np.abs(np.diag(b)))
    return largest(one.to_numpy() - b, np.outer(root, root))


def largest(difference: Any, unit: Any) -> float:
    """Largest difference in units of these sizes; where a size is zero, as it is."""
    size, unit = np.abs(np.asarray(difference, float)), np.abs(np.asarray(unit, float))
    return float(np.max(size / np.where(unit == 0, 1.0, unit), initial=0.0))


def farthest(
    one: pd.Series, other: pd.Series, who: tuple[str, str], what: str = "", most: int = 3
) -> tuple[tuple[str, ...], str]:
    """Which components lie furthest apart, and both their numbers.

    Parameters
    ----------
    one, other : Series
        With the same names in the same order.
    who : (str, str)
        What each is from.
    what : str
        What the numbers are.
    most : int
        Components to name.

    Returns
    -------
    names : tuple of str
    text : str
        ``sigma_sq: standard error 4 (expected), 2 (lmeInfo), +1 relative``.
    """
    apart = (one - other) / other.abs().where(other != 0, 1.0)
    size = apart.abs().fillna(np.inf).sort_values(ascending=False, kind="stable").head(most)
    far = size[size >= size.max() * SMALL]
    told = [
        f"{name}: {what}{one[name]:.10g} ({who[0]}), {other[name]:.10g} ({who[1]}), "
        f"{apart[name]:+.2g} relative"
        for name in far.index
    ]
    return tuple(map(str, far.index)), "; ".join(told)

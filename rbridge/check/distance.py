"""How far two answers are apart, aligned by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..errors import SpecError


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

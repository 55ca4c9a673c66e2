"""Rows of the fixed-effects design from values of its variables, as R has them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .arrays import Array
from .snapshot import DesignVariable, FixedTerms


def design_rows(terms: FixedTerms, values: Sequence[Array]) -> Array:
    """Rows of X for given values of the variables.

    Parameters
    ----------
    terms : FixedTerms
    values : sequence of arrays, one for each variable
        (g,) int codes of the levels of a factor; (g,) or (g, width) numbers otherwise.

    Returns
    -------
    (g, p) array

    Notes
    -----
    The columns of a term are all products of a column from each of its variables, those of the
    first variable running fastest.
    """
    g = len(values[0]) if len(values) else 1
    blocks = [np.ones((g, 1))] if (terms.assign == 0).any() else []
    for codings in terms.factors.T:
        block = np.ones((g, 1))
        for variable, value, coding in zip(terms.variables, values, codings):
            if coding:
                columns = _columns(variable, value, coding)
                block = (columns[:, :, None] * block[:, None, :]).reshape(g, -1)
        blocks.append(block)
    return np.concatenate(blocks, axis=1)


def _columns(variable: DesignVariable, value: Array, coding: int) -> Array:
    """What stands for a variable in a term: contrasts (1), a column a level (2), numbers."""
    if not variable.levels:
        return np.asarray(value, dtype=float).reshape(len(value), -1)
    table = variable.contrasts if coding == 1 else np.eye(len(variable.levels))
    return np.asarray(table[value])

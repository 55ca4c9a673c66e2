"""Terms of fixed effects without R: factors by their contrasts, numeric variables, and a design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from rbridge.core.arrays import Array
from rbridge.core.snapshot import DesignVariable, FixedTerms


def treatment(levels: int) -> Array:
    return np.eye(levels)[:, 1:]


def fixed_terms(
    variables: Mapping[str, Array | int],
    labels: Sequence[str],
    cells: Array | None = None,
    kept: Sequence[int] | None = None,
) -> FixedTerms:
    """Terms with an intercept.

    Parameters
    ----------
    variables : mapping of name to contrasts (l, k), or to the width of a numeric variable
    labels : sequence of str
        ``a``, ``a:b`` …, margins first.
    cells : (c, f) int array, optional
        By default every combination of levels.
    kept : sequence of int, optional
        The columns that have a coefficient; by default all.
    """
    made = []
    for name, what in variables.items():
        table = np.zeros((0, 0)) if isinstance(what, int) else np.asarray(what)
        width = what if isinstance(what, int) else table.shape[1]
        made.append(DesignVariable(name, tuple(map(str, range(len(table)))), table, (name,), width))
    parts = [label.split(":") for label in labels]
    factors = np.array([[int(v.name in part) for part in parts] for v in made], dtype=int)
    factors = factors.reshape(len(made), len(parts))
    widths = [int(np.prod([v.width for v in made if v.name in part])) for part in parts]
    assign = np.concatenate([[0], np.repeat(np.arange(len(parts)) + 1, widths)])
    sizes = [range(len(v.levels)) for v in made if v.levels]
    if cells is None:
        cells = np.array(list(product(*sizes)), dtype=int)
    assign = assign if kept is None else assign[list(kept)]
    counts = np.ones(len(cells), dtype=int)
    return FixedTerms(tuple(labels), assign.astype(int), tuple(made), factors, cells, counts, {})

"""The reference grid: combinations of levels and covariate values, and their rows of X."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from ..core.arrays import Array
from ..core.fixed_effects.estimable import on_coefficients
from ..core.snapshot import DesignVariable, FixedTerms
from ..core.terms import design_rows
from ..errors import DataError, SpecError
from ..fit.components import Fit
from ..fit.predict import design_matrix
from ..options import did_you_mean, one_of

WEIGHTS = ("equal", "proportional", "cells")


_ROUNDING = 1e-13  # of the terms of a sum: what is left of them where they cancel


@dataclass(frozen=True)
class Grid:
    """Averages over a reference grid as linear combinations of the columns of the terms.

    Attributes
    ----------
    frame : DataFrame, (g, columns that were asked for)
    rows : (g, P) array
        P is the number p of the coefficients, or more where cells are empty.
    terms : FixedTerms
    held : mapping of str to number
        Where the numeric columns stand that were not asked for.
    """

    frame: pd.DataFrame
    rows: Array
    terms: FixedTerms
    held: Mapping[str, Any]

    def combined(self, C: Array) -> tuple[Array, Array]:
        """Combinations C (q, g) of the averages over the coefficients, (q, p).

        The second array, (q,), is False where a combination depends on what empty cells leave open.
        """
        return _on_coefficients(self.terms, _product(C, self.rows))


def _product(C: Array, rows: Array) -> Array:
    """C @ rows, zero where that is rounding: nlme's df depend on which coefficients take part."""
    found, size = C @ rows, np.abs(C) @ np.abs(rows)
    return np.asarray(np.where(np.abs(found) > _ROUNDING * size, found, 0.0))


def _on_coefficients(terms: FixedTerms, rows: Array) -> tuple[Array, Array]:
    if rows.shape[1] == len(terms.assign):
        return rows, np.ones(len(rows), dtype=bool)
    return on_coefficients(terms, rows)


def terms_of(fit: Fit) -> FixedTerms:
    """The terms of the fixed effects.

    Raises
    ------
    DataError
        The fit comes from a file of version 0.1, which does not have them.
    """
    if fit.snapshot.terms is None:
        raise DataError(
            "the file was written by rbridge 0.1, without the terms of the model: fit it again"
        )
    return fit.snapshot.terms


def factors_of(terms: FixedTerms) -> dict[str, DesignVariable]:
    """The variables that are factors made of one column, by that column."""
    single = (v for v in terms.variables if v.levels and len(v.columns) == 1)
    return {v.columns[0]: v for v in single if v.name in (v.columns[0], f"factor({v.columns[0]})")}


def grid(fit: Fit, wanted: Sequence[str], at: Mapping[str, Any], weights: str) -> Grid:
    """Marginal means of the combinations of some columns.

    Parameters
    ----------
    fit : Fit
    wanted : sequence of str
        Columns of the data, the last varying fastest. The other factors are averaged over; the
        other numeric columns stand at their means.
    at : mapping
        Values of columns in place of every level, or of the mean.
    weights : {"equal", "proportional", "cells"}
        Of the combinations averaged over: the same for all; by their rows in the data; by their
        rows in the data within each combination of the wanted columns.

    Raises
    ------
    SpecError
        A column that is in no term, a level that the fit has not seen; the message names it.
    """
    one_of(weights, WEIGHTS, "weights")
    terms = terms_of(fit)
    values = _values(terms, wanted, at)
    columns = list(dict.fromkeys([*wanted, *values]))
    full = pd.DataFrame(list(itertools.product(*(values[c] for c in columns))), columns=columns)
    X = _rows(fit, terms, full)
    over = [c for c in columns if c not in wanted]
    cell = full.groupby(list(wanted), sort=False).ngroup().to_numpy()
    share = _shares(terms, full, over, weights, cell)
    average = np.zeros((int(cell.max()) + 1, len(full)))
    average[cell, np.arange(len(full))] = share
    total = average.sum(axis=1, keepdims=True)
    kept = full[list(wanted)].iloc[np.unique(cell, return_index=True)[1]].reset_index(drop=True)
    if not (total > 0).all():
        empty = kept.iloc[int((total <= 0).argmax())].to_dict()
        raise SpecError(f"no row of the data has {_words(empty)}: weights='cells' has no average")
    numbers = [c for c in over if c in terms.means and c not in factors_of(terms)]
    held = {c: values[c][0] for c in numbers if len(values[c]) == 1}
    return Grid(kept.apply(_whole), _product(average / total, X), terms, held)


def _whole(column: pd.Series) -> pd.Series:
    """Whole numbers as such, as the column of the data most likely has them."""
    if column.dtype != float or not (column % 1 == 0).all() or (column.abs() > 2**53).any():
        return column
    return column.astype("int64")


def _words(row: Mapping[Any, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in row.items())


def _values(
    terms: FixedTerms, wanted: Sequence[str], at: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """The values of every column in the grid."""
    factors = factors_of(terms)
    known = list(dict.fromkeys(c for variable in terms.variables for c in variable.columns))
    for name in (*wanted, *at):
        if name not in known:
            hint = did_you_mean(str(name), known) or f" (they have {', '.join(known) or 'none'})"
            raise SpecError(f"the fixed effects have no column {name!r}{hint}")
    found = {}
    for name in known:
        levels = _levels(factors[name], name in terms.means) if name in factors else None
        if name in at:
            found[name] = _given(name, at[name], levels, name in terms.means)
        elif levels is not None:
            found[name] = levels
        elif name in terms.means:
            found[name] = [terms.means[name]]
        else:
            raise SpecError(
                f"column {name!r} is neither a factor nor a number: give at={{{name!r}: …}}"
            )
    return found


def _levels(variable: DesignVariable, numeric: bool) -> list[Any]:
    """The levels as values of the column: numbers for ``factor(x)``, TRUE and FALSE as such."""
    if set(variable.levels) <= {"TRUE", "FALSE"}:
        return [level == "TRUE" for level in variable.levels]
    return [float(x) for x in variable.levels] if numeric else list(variable.levels)


def _given(name: str, values: Any, levels: list[Any] | None, numeric: bool) -> list[Any]:
    """The values of a column that the user wrote down, checked."""
    chosen = np.ravel(np.array(values, dtype=object)).tolist()
    if not chosen or any(value is None or value is pd.NA or value != value for value in chosen):
        raise SpecError(f"at has {'a missing' if chosen else 'no'} value of {name!r}")
    if levels is not None:
        found = [_level(name, value, levels) for value in chosen]
    else:
        found = [_number(name, value) for value in chosen] if numeric else chosen
    if len(set(map(str, found))) < len(found):
        raise SpecError(f"at has a value of {name!r} twice: {', '.join(map(str, found))}")
    return found


def _level(name: str, value: Any, levels: list[Any]) -> Any:
    """The level that equals the value, or is written like it: 1 for the level '1'."""
    for level in levels:
        if level == value or (isinstance(level, str) and level == str(value)):
            return level
    listed = ", ".join(map(str, levels))
    raise SpecError(f"at: {value!r} is no level of {name!r} (levels: {listed})")


def _number(name: str, value: Any) -> float:
    if not isinstance(value, Real):
        raise SpecError(f"at: {name!r} is a number in the fit, not {value!r}")
    if not np.isfinite(float(value)):
        raise SpecError(f"at: the values of {name!r} are not finite")
    return float(value)


def _rows(fit: Fit, terms: FixedTerms, frame: pd.DataFrame) -> Array:
    """Rows of X: computed here where every variable is a column, by R's own functions otherwise."""
    factors = factors_of(terms)
    values = []
    for variable in terms.variables:
        (column, *more) = variable.columns or ("",)
        known = column in factors or (variable.name == column and column in terms.means)
        if more or not known:
            return _rows_by_r(fit, terms, variable, frame)
        if column in factors and factors[column] is variable:
            numeric = column in terms.means
            levels = _levels(variable, numeric)
            values.append(np.array([levels.index(x) for x in frame[column]]))
        else:
            values.append(frame[column].to_numpy(dtype=float))
    rows = design_rows(terms, values)
    return rows if len(rows) == len(frame) else np.repeat(rows, len(frame), axis=0)


def _rows_by_r(fit: Fit, terms: FixedTerms, computed: DesignVariable, frame: pd.DataFrame) -> Array:
    one_of_each = [
        np.zeros(1, int) if v.levels else np.zeros((1, v.width)) for v in terms.variables
    ]
    if design_rows(terms, one_of_each).shape[1] > len(terms.assign):
        raise SpecError(
            f"means with empty cells need every variable as a column of the data: make one of "
            f"{computed.name}"
        )
    return design_matrix(fit.in_r(f"a grid with {computed.name}"), frame)


def _shares(
    terms: FixedTerms, full: pd.DataFrame, over: Sequence[str], weights: str, cell: Array
) -> Array:
    """The weight of each row of the full grid within its mean."""
    factors = factors_of(terms)
    averaged = [c for c in over if c in factors]
    if weights == "equal" or not averaged:
        return np.ones(len(full))
    compared = averaged if weights == "proportional" else [c for c in full if c in factors]
    names = [v.name for v in terms.variables if v.levels]
    places = [names.index(factors[c].name) for c in compared]
    counts: dict[tuple[int, ...], int] = {}
    for codes, count in zip(terms.cells[:, places].tolist(), terms.counts.tolist()):
        counts[tuple(codes)] = counts.get(tuple(codes), 0) + count
    levels = [_levels(factors[c], c in terms.means) for c in compared]
    rows = zip(*(full[c] for c in compared))
    return np.array(
        [counts.get(tuple(lv.index(x) for lv, x in zip(levels, row)), 0) for row in rows], float
    )

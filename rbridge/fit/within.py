"""The within-group structures at rows that are not those of the fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..core.arrays import Array
from ..core.snapshot import CorStruct, VarFunc
from ..errors import DataError, SpecError
from ..frame.columns import as_factor, column
from ..frame.design import Design, check_columns
from ..model.formula import Formula, Name
from ..model.structures import Structure


def value_of(frame: pd.DataFrame, name: str, what: str) -> Any:
    """A column that something needs, or SpecError."""
    if name not in frame:
        known = ", ".join(map(str, frame.columns)) or "nothing"
        raise SpecError(f"at needs a value of {name!r} for the {what} (it has {known})")
    return frame[name].to_numpy()


def var_at(var: VarFunc, structure: Structure, frame: pd.DataFrame) -> VarFunc:
    """The variance function with the rows of ``frame`` in place of those of the fit."""
    formula = structure.formula()
    if formula is None:
        raise SpecError(f"{var.var_class} has no formula to evaluate at other values")
    what, covariate, codes = f"variance function {var.var_class}", None, None
    if var.covariate is not None:
        text = formula.text.split("|")[0].strip(" ~")
        name = formula.rhs.name if isinstance(formula.rhs, Name) else text
        covariate = np.asarray(value_of(frame, name, what), dtype=float)
    if var.codes is not None and formula.groups:
        columns = [_strata_of(frame, group, what) for group in formula.groups]
        strata = columns[0]
        for inner in columns[1:]:
            strata = strata + "*" + inner
        codes = pd.Index(var.strata).get_indexer(pd.Index(strata))
        if (codes < 0).any():
            unknown = strata[int(np.argmax(codes < 0))]
            raise SpecError(f"there is no stratum {unknown!r} (strata: {', '.join(var.strata)})")
    return replace(var, covariate=covariate, codes=codes)


def _strata_of(frame: pd.DataFrame, name: str, what: str) -> pd.Series:
    """The labels of a column as the fit writes them: those of dates are not pandas' own."""
    value_of(frame, name, what)
    return pd.Series(_labels_of(frame, name)).astype(str)


def series_at(
    cor: CorStruct, structure: Structure, design: Design, data: pd.DataFrame
) -> tuple[Array, Array]:
    """Which series of the fit each new row continues, and its position there.

    Returns
    -------
    groups : (m,) int array
        As ``cor.codes``; −1 for a series that the fit has not seen.
    covariate : (m, d) array
        As ``cor.covariate``. Without a covariate the rows follow the last observed one.

    Raises
    ------
    DataError
        A column is missing, or the positions are computed by the formula from columns.
    """
    formula = structure.formula()
    assert formula is not None
    check_columns(data, formula.groups)
    groups = _series(cor, formula, design, data)
    names = formula.columns
    if not all(text in names for text in _terms_of(formula)):
        raise DataError(
            f"the positions of {cor.cor_class} are computed ({formula.text}): a series can be "
            "continued where they are columns"
        )
    if not names:
        return groups, _following(cor, groups)
    check_columns(data, names)
    new = [_numbers(data, name) for name in names]
    if cor.cor_class in ("corSymm", "corNatural"):
        known = np.unique(np.asarray(design.columns[design.names.value[names[0]]].values))
        return groups, _places(known, new[0], names[0])[:, None]
    return groups, np.column_stack(new)


def _terms_of(formula: Formula) -> list[str]:
    left = formula.text.split("|")[0].strip().removeprefix("~").strip()
    return [] if left == "1" else [part.strip().strip("`") for part in left.split("+")]


def _numbers(data: pd.DataFrame, name: str) -> Array:
    values = column(data[name], name)
    if values.missing.any():
        raise DataError(f"column {name!r} of the new data has missing values")
    return np.asarray(values.values, dtype=float)


def _places(known: Array, new: Array, name: str) -> Array:
    place = np.searchsorted(known, new)
    outside = ~np.isin(new, known)
    if outside.any():
        listed = ", ".join(f"{x:g}" for x in known)
        bad = new[int(outside.argmax())]
        raise DataError(f"column {name!r}: {bad:g} is no position of the fit ({listed})")
    return np.asarray(place)


def _series(cor: CorStruct, formula: Formula, design: Design, data: pd.DataFrame) -> Array:
    """The correlation group of each new row by its labels in every grouping column."""
    if not formula.groups:
        return np.zeros(len(data), dtype=int)
    old = [_labels_of_fit(design, name) for name in formula.groups]
    new = [_labels_of(data, name) for name in formula.groups]
    first = np.unique(cor.codes, return_index=True)[1]
    number = {tuple(labels[row] for labels in old): code for code, row in enumerate(first)}
    return np.asarray([number.get(labels, -1) for labels in zip(*new)], dtype=int)


def _labels_of_fit(design: Design, name: str) -> Array:
    codes = design.columns[design.names.group[name]].values
    return np.asarray(np.array(design.names.labels[name], dtype=object)[codes])


def _labels_of(data: pd.DataFrame, name: str) -> list[Any]:
    factor = as_factor(column(data[name], name), name)
    labels = np.array([*factor.levels, None], dtype=object)
    return [*labels[factor.values]]


def _following(cor: CorStruct, groups: Array) -> Array:
    """Positions after the last observed row of each series, in order of the new rows."""
    sizes = np.bincount(cor.codes)
    last = np.where(groups >= 0, sizes[np.maximum(groups, 0)], 0)
    order = pd.Series(groups).groupby(groups).cumcount().to_numpy()
    return np.asarray(last + order + 1.0)[:, None]

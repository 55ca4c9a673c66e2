"""The user's own frame, of which a fit holds but the columns of its model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..core.arrays import Array
from ..core.residuals import innovations, residuals
from ..core.snapshot import FitSnapshot
from ..errors import DataError, FormulaError, SpecError
from ..fit.components import Fit
from ..frame.columns import Column, as_factor, column
from ..frame.design import build_design, check_columns
from ..model.formula import Call, Constant, Name, Node, parse_formula


def given(fit: Fit, data: pd.DataFrame | None, what: str) -> pd.DataFrame:
    """The frame that the fit was made of.

    Parameters
    ----------
    fit : Fit
    data : DataFrame or None
        What the result keeps: no copy, so that its owner may have changed it.
    what : str
        What needs it, for the message.

    Raises
    ------
    DataError
        There is none (a result from a file), or a column of the model has other values now.
    """
    if data is None:
        raise DataError(f"{what} needs the data, and this result came without it (from a file)")
    then = fit.in_r(what).design
    try:
        now = build_design(fit.spec, data)
    except DataError as error:
        raise DataError(f"the data has changed since the fit: {error}") from None
    changed = [
        name
        for names in (then.names.value, then.names.group)
        for name, token in names.items()
        if not _same(then.columns[token], now.columns[token])
    ]
    if changed or not np.array_equal(then.rows, now.rows):
        where = ", ".join(map(repr, changed)) or "its rows"
        raise DataError(f"the data has changed since the fit ({where}): {what} has no data to use")
    return data


def _same(one: Column, two: Column) -> bool:
    kinds = (one.kind, one.levels, one.ordered, one.zone)
    return kinds == (two.kind, two.levels, two.ordered, two.zone) and np.array_equal(
        one.values, two.values
    )


def form_columns(form: str) -> tuple[list[str], tuple[str, ...]]:
    """The covariates and the groups of ``"~ time"``, ``"~ x + y | site"``, ``"~ 1"``.

    Raises
    ------
    FormulaError
        Anything but columns joined by ``+``.
    """
    formula = parse_formula(form)
    if formula.lhs is not None:
        raise FormulaError("form is one-sided, '~ time'", form, 0)
    return list(_names(formula.rhs, form)), formula.groups


def _names(node: Node, form: str) -> Sequence[str]:
    if isinstance(node, Name):
        return [node.name]
    if isinstance(node, Constant) and node.value == 1:
        return []
    if isinstance(node, Call) and node.function == "+" and len(node.args) > 1:
        return [name for arg in node.args for name in _names(arg, form)]
    raise FormulaError("form takes columns, '~ time' or '~ x + y | site'", form, node.pos)


def numbers(data: pd.DataFrame, names: Sequence[str], rows: Array) -> Array:
    """(n, d) numeric columns at the rows of the fit, complete."""
    check_columns(data, names)
    columns = [column(data[name], name).take(rows) for name in names]
    for name, col in zip(names, columns):
        if col.kind not in ("double", "integer", "date", "datetime", "difftime"):
            raise SpecError(f"column {name!r} must hold numbers or times, not {col.kind}")
        if col.missing.any():
            raise DataError(f"column {name!r} has missing values in rows of the fit")
    return np.column_stack([np.asarray(col.values, dtype=float) for col in columns])


def group_codes(data: pd.DataFrame, names: Sequence[str], rows: Array) -> Array:
    """(n,) number of each row's combination of groups."""
    check_columns(data, names)
    codes: Array = np.zeros(len(rows), dtype=np.int64)
    for name in names:
        factor = as_factor(column(data[name], name).take(rows), name)
        if factor.missing.any():
            raise DataError(f"column {name!r} has missing groups in rows of the fit")
        codes = codes * len(factor.levels) + factor.values
    return np.asarray(np.unique(codes, return_inverse=True)[1]).reshape(-1)


def innermost(snapshot: FitSnapshot) -> tuple[Array, str]:
    """The groups within which rows follow each other, and what to call them."""
    if snapshot.levels:
        return snapshot.levels[-1].codes, f"within {snapshot.levels[-1].group}"
    if snapshot.cor is not None:
        return snapshot.cor.codes, "within the groups of the correlation"
    return np.zeros(snapshot.n, dtype=np.int64), "over all rows"


def residuals_in_time(snapshot: FitSnapshot, kind: str) -> Array:
    """(n,) residuals at the innermost level; normalized ones in the order of time, not of rows."""
    if kind == "normalized":
        return innovations(snapshot)
    return residuals(snapshot, kind)  # type: ignore[arg-type]

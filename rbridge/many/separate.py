"""One model on many data sets: their designs by one call of R, and all fitted at once here.

Only where the design of each is, row by row, its part of the design of all: formulas that compute
within a row, and factors whose levels all occur in the data set.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..core.arrays import group_starts
from ..core.fitting.heights import batches
from ..core.fitting.separate import Separate
from ..core.snapshot import FitSnapshot
from ..errors import RBridgeError
from ..fit.native import nearly_singular
from ..frame.columns import Column, drop_unused
from ..frame.design import Design, build_design
from ..model.formula import by_row
from ..model.spec import ModelSpec
from ..r.prepare import prepare, unusable
from .outcomes import FitRow, Item, rows_of


@dataclass(frozen=True)
class DataSets:
    """The design of many data sets.

    Attributes
    ----------
    design : Design
        Rows by data set, by group within.
    owner : (n,) int array
        Number of each row's data set, ascending.
    """

    design: Design
    owner: NDArray[np.intp]

    def only(self, rows: NDArray[np.bool_]) -> DataSets:
        """Some of the rows; levels that none of them has go."""
        at = np.flatnonzero(rows)
        columns = {token: drop_unused(c.take(at)) for token, c in self.design.columns.items()}
        names = self.design.names
        labels = {name: columns[token].levels for name, token in names.group.items()}
        names = replace(names, labels=labels)
        design = replace(self.design, columns=columns, names=names, rows=self.design.rows[at])
        return DataSets(design, self.owner[at])


def separable(spec: ModelSpec) -> bool:
    """Whether data sets of this model may be fitted together, by what the model says."""
    if len(spec.random) != 1 or spec.correlation or spec.weights or "sigma" in spec.control:
        return False
    sides = [spec.formula.rhs, *(f.rhs for s in spec.structures() if (f := s.formula()))]
    response = spec.formula.lhs
    return all(map(by_row, sides)) and response is not None and by_row(response, term=False)


def fitted_apart(data: pd.DataFrame, fits: Sequence[Item]) -> dict[int, FitRow]:
    """Rows of those fits that can be fitted together with the others of their model, by number."""
    models: dict[int, list[Item]] = {}
    for item in fits:
        models.setdefault(id(item[1]), []).append(item)
    found: dict[int, FitRow] = {}
    for members in models.values():
        if separable(members[0][1]):
            found |= _of_one_model(data, members)
    return found


def _of_one_model(data: pd.DataFrame, members: Sequence[Item]) -> dict[int, FitRow]:
    spec = members[0][1]
    items = np.array([item for item, *_ in members])
    found: dict[int, FitRow] = {}
    try:
        parts = list(_parts(spec, _data_sets(spec, data, members)))
    except RBridgeError:
        return found  # each alone says what is wrong with it
    for part in parts:
        try:
            found |= _fitted(spec, part, items)
        except (RBridgeError, np.linalg.LinAlgError):
            continue  # likewise
    return found


def _data_sets(spec: ModelSpec, data: pd.DataFrame, members: Sequence[Item]) -> DataSets:
    """Rows of all by data set; within one in the order of the groups, as if it were alone."""
    at = np.concatenate([np.arange(start, stop) for *_, start, stop in members])
    owner = np.repeat(np.arange(len(members)), [stop - start for *_, start, stop in members])
    used = data.iloc[at]
    design = build_design(spec, used)
    known = {name: design.columns[token] for name, token in design.names.value.items()}
    same = np.array([_same_alone(used[name].dtype, column) for name, column in known.items()])
    rows = np.full(len(design.rows), bool(same.all()))
    mine = owner[design.rows]
    order = np.argsort(mine, kind="stable")
    columns = {token: column.take(order) for token, column in design.columns.items()}
    sorted_design = replace(design, columns=columns, rows=design.rows[order])
    return DataSets(sorted_design, mine[order]).only(rows)


def _same_alone(dtype: object, column: Column) -> bool:
    """Whether part of a column is of the same kind in R as the whole."""
    return column.kind in ("factor", "integer", "logical") or (
        column.kind == "double" and pd.api.types.is_float_dtype(dtype)
    )


def _parts(spec: ModelSpec, sets: DataSets) -> Iterator[DataSets]:
    """Data sets that have the same levels, without those that need care."""
    sets = sets.only(_sound(spec, sets))
    if not len(sets.owner):
        return
    first = group_starts(sets.owner)
    seen = [_levels_of(column, first) for column in _values(sets.design)]
    pattern = np.concatenate(seen, axis=1) if seen else np.zeros((len(first), 0), dtype=bool)
    kinds, which = np.unique(pattern, axis=0, return_inverse=True)
    of_row = np.repeat(which.ravel(), np.diff([*first, len(sets.owner)]))
    for kind in range(len(kinds)):
        yield sets.only(of_row == kind)


def _values(design: Design) -> list[Column]:
    return [design.columns[token] for token in design.names.value.values()]


def _levels_of(column: Column, first: NDArray[np.intp]) -> NDArray[np.bool_]:
    """(data sets, levels): which of a factor's levels, or of TRUE and FALSE, occur in each."""
    if column.kind not in ("factor", "logical"):
        return np.zeros((len(first), 0), dtype=bool)
    is_level = column.values[:, None] == np.arange(max(len(column.levels), 2))
    return np.asarray(np.logical_or.reduceat(is_level, first))


def _sound(spec: ModelSpec, sets: DataSets) -> NDArray[np.bool_]:
    """Rows of the data sets that have several groups, fewer than rows, and finite values."""
    if not len(sets.owner):
        return np.zeros(0, dtype=bool)
    first = group_starts(sets.owner)
    rows, groups = (np.add.reduceat(x, first) for x in (np.ones_like(sets.owner), _begins(sets)))
    whole = ~np.logical_or.reduceat(unusable(spec, sets.design), first)
    return np.asarray(np.repeat(whole & (groups > 1) & (groups < rows), rows))


def _begins(sets: DataSets) -> NDArray[np.intp]:
    """1 where a group begins, or a data set."""
    (token,) = sets.design.names.group.values()
    codes = sets.design.columns[token].values
    begins = np.ones(len(codes), dtype=np.intp)
    begins[1:] = (codes[1:] != codes[:-1]) | (sets.owner[1:] != sets.owner[:-1])
    return begins


def _fitted(spec: ModelSpec, sets: DataSets, items: NDArray[np.intp]) -> dict[int, FitRow]:
    prepared, _ = prepare(spec, _with_own_groups(sets))
    if not batches(prepared):
        return {}
    first = group_starts(sets.owner)
    ends = np.append(first, prepared.n)
    doubt = _doubtful(spec, prepared, first)
    if doubt.any():
        rest = sets.only(np.repeat(~doubt, np.diff(ends)))
        return _fitted(spec, rest, items) if len(rest.owner) else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = Separate(prepared, ends).fit()
    return rows_of(items[sets.owner[first]].tolist(), prepared, found, np.diff(ends))


def _with_own_groups(sets: DataSets) -> Design:
    """The design with the groups of each data set apart from those of the others."""
    ((name, token),) = sets.design.names.group.items()
    codes = np.cumsum(_begins(sets)) - 1
    labels = tuple(map(str, range(codes[-1] + 1)))
    columns = {**sets.design.columns, token: Column("factor", codes.astype(np.int32), labels)}
    names = replace(sets.design.names, labels={name: labels})
    return replace(sets.design, columns=columns, names=names)


def _doubtful(spec: ModelSpec, prepared: FitSnapshot, first: NDArray[np.intp]) -> NDArray[np.bool_]:
    """(data sets,): as :func:`rbridge.fit.native.doubtful` of each."""
    X, (level,) = prepared.X, prepared.levels
    doubt = nearly_singular(np.add.reduceat(X[:, :, None] * X[:, None, :], first))
    if not spec.control.get("allow.n.lt.q", False):
        starts = group_starts(level.codes)
        sizes = np.diff([*starts, prepared.n])
        doubt |= np.maximum.reduceat(sizes, np.searchsorted(starts, first)) < len(level.names)
    return doubt

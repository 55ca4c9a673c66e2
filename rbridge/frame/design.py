"""ModelSpec + pandas frame → Design: the columns a model needs, complete, sorted and renamed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import DataError
from ..model.formula import Call, Constant, Name, Node, variables, walk
from ..model.spec import ModelSpec
from ..model.structures import Structure, pdIdent
from ..options import did_you_mean
from .columns import Column, as_factor, column, drop_unused
from .incoming import FrameLike, as_frame, why_unconverted
from .names import TOKEN, Names
from .texts import is_of_text, no_number


@dataclass(frozen=True)
class Design:
    """What R needs of the data.

    Attributes
    ----------
    columns : mapping of neutral name to Column
        Complete rows only, sorted by the groups; levels under the user's labels.
    names : Names
    rows : (n,) int array
        Position of each row in the user's frame.
    n_dropped : int
    """

    columns: Mapping[str, Column]
    names: Names
    rows: NDArray[np.intp]
    n_dropped: int


def build_design(spec: ModelSpec, data: FrameLike) -> Design:
    """Select, check, complete and sort the columns that the model names.

    Raises
    ------
    DataError
        Unknown or repeated column, unsupported dtype, missing values with
        ``na_action="raise"``, no rows, a response that is no number, one group, as many groups
        as rows; each with the column's name.
    """
    data = as_frame(data)
    needed = [name for name in spec.columns() if name != "pi" or "pi" in data.columns]
    check_columns(data, [*needed, *spec.group_columns()])
    values = {name: column(data[name], name) for name in needed}
    groups = {name: as_factor(column(data[name], name), name) for name in spec.group_columns()}
    rows = _complete_rows(spec, {**values, **groups}, len(data))
    if len(rows) < len(data):
        values, groups = _taken(values, rows), _taken(groups, rows)
    order = _sort_order(spec, data, groups)
    if order is not None:
        values, groups, rows = _taken(values, order), _taken(groups, order), rows[order]
    _check_response(spec, data, values)
    _check_codes(spec, data, values)
    values = {name: drop_unused(col) for name, col in values.items()}
    groups = {name: drop_unused(col) for name, col in groups.items()}
    _check_levels(spec, values)
    _check_groups(spec, groups, len(rows))
    _check_joined(spec, groups)
    _check_times(spec, values)
    _check_once(spec, values, groups)
    _check_scales(spec, values)
    _check_zeros(spec, values)
    names = Names.of(values, groups)
    columns = {names.value[k]: c for k, c in values.items()}
    columns |= {names.group[k]: c for k, c in groups.items()}
    return Design(columns, names, rows, len(data) - len(rows))


def _taken(columns: Mapping[str, Column], rows: NDArray[np.intp]) -> dict[str, Column]:
    return {name: col.take(rows) for name, col in columns.items()}


def check_columns(data: pd.DataFrame, needed: Iterable[str]) -> None:
    """Each needed column stands in the frame exactly once."""
    counts = Counter(label for label in data.columns if isinstance(label, str))
    for name in needed:
        count = counts[name]
        if count > 1:
            raise DataError(f"column {name!r} stands {count} times in the data: rename or drop one")
        if not count and (why := why_unconverted(data, name)):
            raise DataError(f"column {name!r} cannot be converted: {why}")
        if not count:
            raise DataError(_unknown_column(name, data))


def _unknown_column(name: str, data: pd.DataFrame) -> str:
    labels: list[Any] = list(data.columns)
    if name in data.index.names:
        return f"the data has no column {name!r}: it is in the index, use data.reset_index()"
    if name == ".":
        return "'.' for all other columns is not understood: name the columns"
    texts = [str(label) for label in labels]
    if name in texts:
        return f"column {name!r} is not text in the data: rename the columns with .columns.map(str)"
    hint = did_you_mean(name, texts)
    shown = ", ".join(repr(t) for t in texts[:12]) + (", …" if len(texts) > 12 else "")
    return f"the data has no column {name!r}{hint} (columns: {shown})"


def _complete_rows(spec: ModelSpec, named: Mapping[str, Column], n: int) -> NDArray[np.intp]:
    """Rows without a missing value in any column of the model."""
    missing = {name: col.missing for name, col in named.items()}
    incomplete = {name: int(where.sum()) for name, where in missing.items() if where.any()}
    if incomplete and spec.na_action == "raise":
        counts = ", ".join(f"{name!r} ({count})" for name, count in incomplete.items())
        raise DataError(f"missing values in {counts}: drop them or use na_action='drop'")
    keep = np.ones(n, dtype=bool)
    for name in incomplete:
        keep &= ~missing[name]
    if not keep.any():
        void = [name for name, count in incomplete.items() if count == n]
        if void:
            raise DataError(f"no complete rows: {_listed(void)} misses every value")
        raise DataError(f"no complete rows: every row misses a value in {_listed(incomplete)}")
    return np.flatnonzero(keep)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _sort_order(
    spec: ModelSpec, data: pd.DataFrame, groups: Mapping[str, Column]
) -> NDArray[np.intp] | None:
    """nlme's own order of the rows: by groups, outermost first; stable within.

    None where they are in it.
    """
    keys = list(dict.fromkeys(name for grouping in spec.groupings() for name in grouping))
    codes = [groups[name].values for name in keys]
    if spec.kind == "gls" and len(keys) > 1 and not getattr(data[keys[0]].dtype, "ordered", False):
        codes = [_by_appearance(codes)]
    return None if _in_order(codes) else np.asarray(np.lexsort(codes[::-1]))


def _in_order(codes: Sequence[NDArray[Any]]) -> bool:
    """Whether the rows ascend by the first key, then by the second …"""
    level: Any = np.True_  # with the row before, by the outer keys
    for code in codes:
        if ((code[1:] < code[:-1]) & level).any():
            return False
        level = level & (code[1:] == code[:-1])
    return True


def _by_appearance(codes: Sequence[NDArray[Any]]) -> NDArray[np.intp]:
    """gls takes nested groups in the order in which the rows name them."""
    groups, first, number = np.unique(
        np.stack(codes, axis=1), axis=0, return_index=True, return_inverse=True
    )
    place = np.empty(len(groups), dtype=np.intp)
    place[np.argsort(first)] = np.arange(len(groups))
    return np.asarray(place[number.ravel()])


def _check_levels(spec: ModelSpec, values: Mapping[str, Column]) -> None:
    formulas = [spec.formula, *(s.formula() for s in spec.structures())]
    sides = [side for f in formulas if f for side in (f.lhs, f.rhs) if side is not None]
    for part in (part for side in sides for part in walk(side)):
        if isinstance(part, Constant) and TOKEN.search(str(part.value)):
            raise DataError(f"the text {part.value!r} is written like rbridge's own: rename it")
    for name, col in values.items():
        if any(map(TOKEN.search, col.levels)):
            raise DataError(
                f"column {name!r} has a level written like rbridge's own rbv0001x: rename it"
            )


def _check_response(spec: ModelSpec, data: pd.DataFrame, values: Mapping[str, Column]) -> None:
    """Numbers only: R would fit the codes of a factor, or TRUE and FALSE as 1 and 0."""
    lhs = spec.formula.lhs
    to_number = isinstance(lhs, Call) and lhs.function in ("as.numeric", "as.integer")
    allowed = {"double", "integer", "logical"} if to_number else {"double", "integer"}
    for name in variables(lhs):
        if name in values and values[name].kind not in allowed:
            what = "" if isinstance(lhs, Name) else f" in {spec.response}"
            kind = values[name].kind
            if is_of_text(data[name]):
                kind = f"text such as {no_number(data[name])!r}"
            raise DataError(f"the response {name!r}{what} must be numeric, not {kind}")
    if isinstance(lhs, Name) and "sigma" not in spec.control:
        y = values[lhs.name].values
        if len(y) > 1 and (y == y[0]).all():
            raise DataError(f"column {lhs.name!r} is the same in every row: nothing to fit")


_TO_CODES = frozenset("as.numeric as.integer ifelse c pmin pmax".split())
_BY_LABEL = frozenset("factor ordered as.factor == != is.na %in%".split())
_OF_TEXT = _BY_LABEL | {"interaction", "relevel", ":"}  # these make factors of texts themselves


def _check_codes(spec: ModelSpec, data: pd.DataFrame, values: Mapping[str, Column]) -> None:
    """No codes of levels in place of R's numbers: R keeps texts as texts, and unused levels."""
    formulas = [spec.formula, *(s.formula() for s in spec.structures())]
    sides = [side for f in formulas if f for side in (f.lhs, f.rhs) if side is not None]
    factors = {name: col for name, col in values.items() if col.kind == "factor"}
    texts = {n for n in factors if not isinstance(data[n].dtype, pd.CategoricalDtype)}
    for name in [name for side in sides for name in _as_codes(side, _OF_TEXT)]:
        if name in texts:
            told = "holds text: make numbers of it first, with pd.to_numeric, or a category"
            raise DataError(f"column {name!r} {told}")
    for name in [name for side in sides for name in _as_codes(side, _BY_LABEL)]:
        if name in factors and drop_unused(factors[name]) is not factors[name]:
            told = "is read as codes and has categories that no row has: R counts them"
            advice = (
                "drop them with .cat.remove_unused_categories(), or write as.numeric(factor(…))"
            )
            raise DataError(f"column {name!r} {told}; {advice}")


def _as_codes(node: Node, by_label: frozenset[str], read: bool = False) -> Iterator[str]:
    """Columns of which R would take the codes, were they factors."""
    if isinstance(node, Name) and read:
        yield node.name
    if isinstance(node, Call):
        inner = (read or node.function in _TO_CODES) and node.function not in by_label
        for arg in node.args:
            yield from _as_codes(arg, by_label, inner)


def _check_groups(spec: ModelSpec, groups: Mapping[str, Column], n: int) -> None:
    """Groups from which variances can be estimated at all."""
    begins = np.zeros(n, dtype=bool)
    begins[0] = True
    for name, terms in _levels(spec):  # outermost first, as the rows are sorted
        codes = groups[name].values
        begins[1:] |= codes[1:] != codes[:-1]
        count = int(begins.sum())
        if count == 1 and not all(_shares_variance(term) for term in terms):
            raise DataError(f"column {name!r} has one group: its variance cannot be estimated")
        if count == n and "sigma" not in spec.control:
            message = "has as many groups as rows: its variance and sigma cannot be told apart"
            raise DataError(f"column {name!r} {message}")


def _check_joined(spec: ModelSpec, groups: Mapping[str, Column]) -> None:
    """No two groups whose labels join to one: "a/b" in "c", and "a" in "b/c"."""
    for names, mark in _joined(spec):
        if not any(mark in level for name in names for level in groups[name].levels):
            continue
        codes = np.stack([groups[name].values for name in names], axis=1)
        texts = [
            mark.join(groups[name].levels[i] for name, i in zip(names, row))
            for row in np.unique(codes, axis=0)
        ]
        twice = [text for text, count in Counter(texts).items() if count > 1]
        if twice:
            told = f"two groups of {' and '.join(map(repr, names))} are both written {min(twice)!r}"
            raise DataError(f"{told}: replace the {mark!r} in their labels")


def _joined(spec: ModelSpec) -> Iterator[tuple[tuple[str, ...], str]]:
    """Columns whose labels stand as one text, and the mark between them."""
    nested, inner = spec.groupings()
    yield from ((names[: i + 1], "/") for names in (nested, inner) for i in range(1, len(names)))
    for structure in spec.structures():
        formula = structure.formula()
        if structure.kind == "varFunc" and formula and len(formula.groups) > 1:
            yield formula.groups, "*"


def _check_times(spec: ModelSpec, values: Mapping[str, Column]) -> None:
    """nlme cuts the fractions off the times of these two, and fits another model."""
    structure = spec.correlation
    if structure is None or structure.r_class not in ("corAR1", "corARMA", "corSymm"):
        return
    formula = structure.formula()
    for name in formula.columns if formula else []:
        if isinstance(formula.rhs, Name):  # type: ignore[union-attr]
            _check_positions(name, values[name], structure.r_class)
        times = values[name].values
        if values[name].kind == "double" and (times != np.round(times)).any():
            message = (
                "must hold whole numbers: use corCAR1 for continuous time, or number the times"
            )
            raise DataError(f"column {name!r}, the time of {structure.r_class}, {message}")


_ONCE = ("corAR1", "corARMA", "corCAR1", "corSymm", "corNatural")


def _check_once(
    spec: ModelSpec, values: Mapping[str, Column], groups: Mapping[str, Column]
) -> None:
    """Each time once in a group of the correlation, which is the inner one of it and random's."""
    structure = spec.correlation
    form = structure.formula() if structure else None
    if structure is None or form is None or structure.r_class not in _ONCE:
        return
    if not isinstance(form.rhs, Name):
        return
    outer, within = sorted(spec.groupings(), key=len)
    if within[: len(outer)] != outer:
        return  # which nlme refuses
    time = form.rhs.name
    codes = {str(k): groups[name].values for k, name in enumerate(within)}
    twice = pd.DataFrame({**codes, "time": values[time].values}).duplicated().to_numpy()
    if twice.any():
        row = int(twice.argmax())
        who = "/".join(groups[name].levels[groups[name].values[row]] for name in within)
        where = f"for {'/'.join(within)} {who!r}" if within else "in the data"
        told = f"{structure.r_class} needs each time once in a group"
        shown = f"{float(values[time].values[row]):g}"
        raise DataError(f"column {time!r}: {shown} stands twice {where}, and {told}")


def _scales(
    spec: ModelSpec, values: Mapping[str, Column]
) -> Iterator[tuple[Structure, str, Column]]:
    """The variance functions whose covariate is a column as it stands, and that."""
    for part in spec.structures():
        form = part.formula() if part.kind == "varFunc" else None
        if form and isinstance(form.rhs, Name) and form.rhs.name in values:
            yield part, form.rhs.name, values[form.rhs.name]


def _check_scales(spec: ModelSpec, values: Mapping[str, Column]) -> None:
    """A variance is a function of numbers; the codes of a factor are none."""
    for part, name, covariate in _scales(spec, values):
        if part.r_class != "varIdent" and covariate.kind == "factor":
            raise DataError(f"column {name!r} is a factor, and {part.r_class} needs numbers")


def _check_zeros(spec: ModelSpec, values: Mapping[str, Column]) -> None:
    """nlme ends in riddles where a row's variance is 0 or infinite."""
    for part, name, covariate in _scales(spec, values):
        if part.r_class not in ("varPower", "varFixed"):
            continue
        held = getattr(part, "fixed", None)
        if 0 in (held.values() if isinstance(held, Mapping) else [held]):
            continue  # |v|^0 is 1 everywhere
        if not covariate.values.all():
            told = f"has zeros, at which the variance of {part.r_class} is 0 or infinite"
            raise DataError(f"column {name!r} {told}: use varExp or varConstPower")


def _check_positions(name: str, col: Column, r_class: str) -> None:
    """nlme wants numbers of visits, for corSymm without a gap from 1 on, and says so in riddles."""
    told = f"column {name!r}, the position of {r_class},"
    if col.kind == "factor":
        advice = f"data[{name!r}].astype('category').cat.codes + 1"
        raise DataError(f"{told} must be numbers: 1, 2, 3 … in their order, as {advice}")
    if r_class != "corSymm" or col.kind not in ("integer", "double"):
        return
    seen = np.unique(col.values)
    if seen[0] != 1 or seen[-1] != len(seen):
        listed = ", ".join(f"{x:g}" for x in seen[:8]) + (", …" if len(seen) > 8 else "")
        advice = f"data[{name!r}].rank(method='dense').astype(int)"
        raise DataError(f"{told} must be 1, 2, 3 … without a gap, not {listed}: use {advice}")


def _levels(spec: ModelSpec) -> list[tuple[str, list[Structure]]]:
    levels: dict[str, list[Structure]] = {}
    for group, term in spec.random:
        levels.setdefault(group, []).append(term)
    return list(levels.items())


def _shares_variance(term: Structure) -> bool:
    """Whether many effects share one variance (R's idiom for crossed factors uses one group)."""
    blocks = getattr(term, "blocks", (term,))
    return all(isinstance(b, pdIdent) and b.form.replace(" ", "") != "~1" for b in blocks)

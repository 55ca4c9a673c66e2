"""ModelSpec + pandas frame → Design: the columns a model needs, complete, sorted and renamed.

R sees every column under a neutral name of fixed width (``rbv0001x``), and every group under a
neutral label (``rbl0001000042x``) that sorts as the groups do. That ends all trouble with reserved
words, R's argument names, spaces, regular-expression characters, name prefixes and the alphabetical
order of labels; the user's names are put back into everything that returns.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .errors import DataError, SpecError
from .formula import Call, Formula, Name, Node, variables, walk
from .frame import Column, as_factor, column, drop_unused
from .spec import CONTRASTS, ModelSpec
from .structures import Structure, pdBlocked, pdIdent, varComb

_TOKEN = re.compile(r"rb[vgl]\d+x")
_TERMS = frozenset({*"+-*/:^(", "%in%", "fitted", "resid"})  # make terms, or are nlme's own


@dataclass(frozen=True)
class Names:
    """The neutral names: ``value`` for columns used as values, ``group`` for groups and strata.

    ``labels`` holds the labels of each group column in order; label number i of column number c
    is ``rbl`` + cccc + iiiiiii + ``x`` in R.
    """

    value: Mapping[str, str]
    group: Mapping[str, str]
    labels: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, values: Iterable[str], groups: Mapping[str, Column]) -> Names:
        """Neutral names for every column of the model."""
        value = {name: f"rbv{i:04d}x" for i, name in enumerate(values)}
        group = {name: f"rbg{i:04d}x" for i, name in enumerate(groups)}
        return cls(value, group, {name: col.levels for name, col in groups.items()})

    def neutral_labels(self, name: str) -> tuple[str, ...]:
        """R's labels of a group column."""
        number = list(self.group).index(name)
        return tuple(f"rbl{number:04d}{i:07d}x" for i in range(len(self.labels[name])))

    def back(self, text: str) -> str:
        """The user's names and labels put back into a text from R."""
        return _TOKEN.sub(self._user_word, text)

    def back_all(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        """The same for many texts at once; no text of R holds a NUL."""
        return tuple(self.back("\0".join(texts)).split("\0")) if texts else ()

    def _user_word(self, match: re.Match[str]) -> str:
        token = match[0]
        if token.startswith("rbl"):
            number, i = int(token[3:7]), int(token[7:-1])
            return self.labels[list(self.group)[number]][i]
        names = self.value if token.startswith("rbv") else self.group
        return next((name for name, neutral in names.items() if neutral == token), token)

    def neutral_strata(self, groups: Sequence[str]) -> dict[str, str]:
        """R's label of each stratum (of each combination, ``a*b``), by the user's label."""
        both = [zip(self.labels[name], self.neutral_labels(name)) for name in groups]
        strata: dict[str, str] = {}
        for combination in itertools.product(*both):
            users, neutral = zip(*combination)
            strata["*".join(users)] = "*".join(neutral)
        return strata


@dataclass(frozen=True)
class Design:
    """What R needs of the data.

    Attributes
    ----------
    columns : mapping of neutral name to Column
        Complete rows only, sorted by the groups.
    names : Names
    rows : (n,) int array
        Position of each row in the user's frame.
    n_dropped : int
    """

    columns: Mapping[str, Column]
    names: Names
    rows: NDArray[np.intp]
    n_dropped: int


def build_design(spec: ModelSpec, data: pd.DataFrame) -> Design:
    """Select, check, complete and sort the columns that the model names.

    Raises
    ------
    DataError
        Unknown or repeated column, unsupported dtype, missing values with
        ``na_action="raise"``, no rows, a response that is no number, one group, as many groups
        as rows; each with the column's name.
    """
    check_frame(data)
    needed = [name for name in spec.columns() if name != "pi" or "pi" in data.columns]
    check_columns(data, [*needed, *spec.group_columns()])
    values = {name: column(data[name], name) for name in needed}
    groups = {name: as_factor(column(data[name], name), name) for name in spec.group_columns()}
    rows = _complete_rows(spec, {**values, **groups}, [values, groups], len(data))
    rows = rows[_sort_order(spec, {k: c.take(rows) for k, c in groups.items()}, len(rows))]
    values = {name: drop_unused(col.take(rows)) for name, col in values.items()}
    groups = {name: drop_unused(col.take(rows)) for name, col in groups.items()}
    _check_levels(values)
    _check_response(spec, values)
    _check_groups(spec, groups, len(rows))
    _check_times(spec, values)
    names = Names.of(values, groups)
    columns = {names.value[k]: c for k, c in values.items()}
    for name, col in groups.items():
        columns[names.group[name]] = replace(col, levels=names.neutral_labels(name))
    return Design(columns, names, rows, len(data) - len(rows))


def check_frame(data: object) -> None:
    """A pandas frame with rows."""
    if not isinstance(data, pd.DataFrame):
        hint = " (use .to_pandas())" if hasattr(data, "to_pandas") else ""
        raise DataError(f"data must be a pandas DataFrame, not {type(data).__name__}{hint}")
    for axis, n in zip(("rows", "columns"), data.shape):
        if not n:
            raise DataError(f"the data has no {axis}")


def check_columns(data: pd.DataFrame, needed: Iterable[str]) -> None:
    """Each needed column stands in the frame exactly once."""
    labels = list(data.columns)
    for name in needed:
        count = labels.count(name)
        if count > 1:
            raise DataError(f"column {name!r} stands {count} times in the data: rename or drop one")
        if not count:
            raise DataError(_unknown_column(name, labels))


def _unknown_column(name: str, labels: list[Any]) -> str:
    if name == ".":
        return "'.' for all other columns is not understood: name the columns"
    texts = [str(label) for label in labels]
    close = difflib.get_close_matches(name, texts, 1)
    if close and close[0] == name:
        return f"column {name!r} is not text in the data: rename the columns with .columns.map(str)"
    hint = f"; did you mean {close[0]!r}?" if close else ""
    shown = ", ".join(repr(t) for t in texts[:12]) + (", …" if len(texts) > 12 else "")
    return f"the data has no column {name!r}{hint} (columns: {shown})"


def _complete_rows(
    spec: ModelSpec, named: Mapping[str, Column], parts: list[dict[str, Column]], n: int
) -> NDArray[np.intp]:
    """Rows without a missing value in any column of the model."""
    missing = {name: int(col.missing.sum()) for name, col in named.items()}
    incomplete = {name: count for name, count in missing.items() if count}
    if incomplete and spec.na_action == "raise":
        counts = ", ".join(f"{name!r} ({count})" for name, count in incomplete.items())
        raise DataError(f"missing values in {counts}: drop them or use na_action='drop'")
    keep = np.ones(n, dtype=bool)
    for columns in parts:
        for col in columns.values():
            keep &= ~col.missing
    if not keep.any():
        empty = ", ".join(repr(name) for name in incomplete)
        raise DataError(f"no complete rows: every row misses a value in {empty}")
    return np.flatnonzero(keep)


def _sort_order(spec: ModelSpec, groups: Mapping[str, Column], n: int) -> NDArray[np.intp]:
    """nlme's own order of the rows: by groups, outermost first; stable within."""
    keys = list(dict.fromkeys(name for grouping in spec.groupings() for name in grouping))
    if not keys:
        return np.arange(n)
    return np.lexsort([groups[name].values for name in reversed(keys)])


def _check_levels(values: Mapping[str, Column]) -> None:
    for name, col in values.items():
        if any(map(_TOKEN.search, col.levels)):
            raise DataError(
                f"column {name!r} has a level written like rbridge's own rbv0001x: rename it"
            )


def _check_response(spec: ModelSpec, values: Mapping[str, Column]) -> None:
    """Numbers only: R would fit the codes of a factor, or TRUE and FALSE as 1 and 0."""
    lhs = spec.formula.lhs
    to_number = isinstance(lhs, Call) and lhs.function in ("as.numeric", "as.integer")
    allowed = {"double", "integer", "logical"} if to_number else {"double", "integer"}
    for name in variables(lhs):
        if name in values and values[name].kind not in allowed:
            what = "" if isinstance(lhs, Name) else f" in {spec.response}"
            kind = values[name].kind
            raise DataError(f"the response {name!r}{what} must be numeric, not {kind}")


def _check_groups(spec: ModelSpec, groups: Mapping[str, Column], n: int) -> None:
    """Groups from which variances can be estimated at all."""
    codes = np.zeros(n, dtype=np.int64)
    for name, terms in _levels(spec):
        codes = codes * (len(groups[name].levels) + 1) + groups[name].values
        codes = np.unique(codes, return_inverse=True)[1]
        count = int(codes.max()) + 1
        if count == 1 and not all(_shares_variance(term) for term in terms):
            raise DataError(f"column {name!r} has one group: its variance cannot be estimated")
        if count == n and "sigma" not in spec.control:
            message = "has as many groups as rows: its variance and sigma cannot be told apart"
            raise DataError(f"column {name!r} {message}")


def _check_times(spec: ModelSpec, values: Mapping[str, Column]) -> None:
    """nlme cuts the fractions off the times of these two, and fits another model."""
    structure = spec.correlation
    if structure is None or structure.r_class not in ("corAR1", "corARMA"):
        return
    formula = structure.formula()
    for name in formula.columns if formula else []:
        times = values[name].values
        if values[name].kind == "double" and (times != np.round(times)).any():
            message = (
                "must hold whole numbers: use corCAR1 for continuous time, or number the times"
            )
            raise DataError(f"column {name!r}, the time of {structure.r_class}, {message}")


def _levels(spec: ModelSpec) -> list[tuple[str, list[Structure]]]:
    levels: dict[str, list[Structure]] = {}
    for group, term in spec.random:
        levels.setdefault(group, []).append(term)
    return list(levels.items())


def _shares_variance(term: Structure) -> bool:
    """Whether many effects share one variance (R's idiom for crossed factors uses one group)."""
    blocks = getattr(term, "blocks", (term,))
    return all(isinstance(b, pdIdent) and b.form.replace(" ", "") != "~1" for b in blocks)


# --- the payload that bridge.R builds its call from -------------------------------------------


def payload(spec: ModelSpec, design: Design) -> dict[str, Any]:
    """The model as nested plain data under neutral names."""
    names = design.names
    random = [
        {"group": names.group[group], "structure": _structure(term, names)}
        for group, term in spec.random
    ]
    return {
        "kind": spec.kind,
        "fixed": _formula(spec.formula, names),
        "random": random,
        "correlation": _structure(spec.correlation, names) if spec.correlation else None,
        "weights": _structure(spec.weights, names) if spec.weights else None,
        "method": spec.method,
        "contrasts": _contrasts(spec, design),
        "control": dict(spec.control),
        "data": {name: vars(col) for name, col in design.columns.items()},
        "formulas": _computed(spec, names),
    }


def _computed(spec: ModelSpec, names: Names) -> list[dict[str, Any]]:
    """The formulas in which something is computed: R checks that the values are finite."""
    every = [spec.formula, *(s.formula() for s in spec.structures())]
    found = (formula for formula in every if formula and _calls(formula))
    return [_formula(replace(formula, groups=(), crossed=False), names) for formula in found]


def _calls(formula: Formula) -> bool:
    sides = (formula.rhs, formula.lhs) if formula.lhs else (formula.rhs,)
    called = [part for side in sides for part in walk(side) if isinstance(part, Call)]
    return any(part.function not in _TERMS for part in called)


def _formula(formula: Formula, names: Names) -> dict[str, Any]:
    return {
        "lhs": _node(formula.lhs, names) if formula.lhs else None,
        "rhs": _node(formula.rhs, names),
        "groups": tuple(names.group[group] for group in formula.groups),
        "crossed": formula.crossed,
    }


def _node(node: Node, names: Names) -> Any:
    if isinstance(node, Name):
        return {"name": names.value.get(node.name, node.name)}
    if isinstance(node, Call):
        args = [_node(arg, names) for arg in node.args]
        return {"call": node.function, "args": args, "keys": node.keys}
    return {"value": node.value}


def _structure(structure: Structure, names: Names) -> dict[str, Any]:
    """nlme's class and its arguments by nlme's names."""
    if isinstance(structure, pdBlocked):
        return {"class": "pdBlocked", "blocks": [_structure(b, names) for b in structure.blocks]}
    if isinstance(structure, varComb):
        parts = [_structure(part, names) for part in structure.parts]
        return {"class": "varComb", "parts": parts, "names": structure.names}
    formula = structure.formula()
    given = structure.to_dict()
    del given["class"]
    if formula is not None:
        given["form"] = _formula(formula, names)
        given = {k: _by_stratum(k, v, formula, names) for k, v in given.items()}
    fixed = {part: given.pop(f"fixed_{part}", None) for part in ("const", "power", "prop")}
    fixed = {part: value for part, value in fixed.items() if value is not None}
    if fixed:
        given["fixed"] = fixed
    return {"class": structure.r_class, "args": given}


def _by_stratum(argument: str, value: Any, formula: Formula, names: Names) -> Any:
    """A dict of stratum to number under R's labels; anything else as it is."""
    if not isinstance(value, Mapping) or argument == "form":
        return value
    strata = names.neutral_strata(formula.groups) if formula.groups else {}
    for stratum in value:
        if stratum not in strata:
            known = ", ".join(list(strata)[:12]) or "none: the formula names no strata"
            raise SpecError(f"{argument}: there is no stratum {stratum!r} (strata: {known})")
    return {strata[stratum]: number for stratum, number in value.items()}


def _contrasts(spec: ModelSpec, design: Design) -> dict[str, Any]:
    """Contrasts by neutral name; checked against the columns and their levels."""
    chosen: dict[str, Any] = {}
    for name, contrast in spec.contrasts.items():
        token = design.names.value.get(name)
        if token is None or design.columns[token].kind != "factor":
            raise SpecError(f"contrasts: {name!r} is not a categorical column of the fixed effects")
        chosen[token] = _contrast(name, contrast, design.columns[token].levels)
    return chosen


def _contrast(name: str, contrast: Any, levels: tuple[str, ...]) -> Any:
    if isinstance(contrast, str):
        if contrast not in CONTRASTS:
            raise SpecError(f"contrasts[{name!r}]: {contrast!r} is none of {', '.join(CONTRASTS)}")
        return contrast
    given = contrast if isinstance(contrast, Mapping) else {"matrix": contrast}
    n = len(levels)
    try:
        matrix = np.asarray(given["matrix"], dtype=float)
    except (KeyError, TypeError, ValueError):
        matrix = np.empty(0)
    if matrix.ndim != 2 or matrix.shape[0] != n or not 0 < matrix.shape[1] < n:
        shape = f"a matrix of {n} rows and at most {n - 1} columns"
        raise SpecError(f"contrasts[{name!r}] must be a contrast's name or {shape}")
    if not np.isfinite(matrix).all() or np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        raise SpecError(f"contrasts[{name!r}]: the columns must be finite and independent")
    matrix = matrix[_rows_by_level(name, given.get("index"), levels)]
    return {"matrix": matrix, "labels": tuple(map(str, given.get("columns", ())))}


def _rows_by_level(name: str, index: Any, levels: tuple[str, ...]) -> list[int]:
    """The rows in the order of the levels; rows without names stand in that order."""
    if index is None:
        return list(range(len(levels)))
    if sorted(index) != sorted(levels):
        told = f"the rows are named {list(index)}, the levels are {list(levels)}"
        raise SpecError(f"contrasts[{name!r}]: {told}")
    return [list(index).index(level) for level in levels]

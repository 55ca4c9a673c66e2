"""The model as nested plain data under neutral names: what payload.R builds the call from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import SpecError
from ..frame.columns import Column
from ..frame.design import Design
from ..frame.names import Names
from ..model.formula import Call, Formula, Name, Node, walk
from ..model.spec import CONTRASTS, ModelSpec
from ..model.structures import PdMat, Structure, pdBlocked, varComb

_TERMS = frozenset({*"+-*/:^(", "%in%", "fitted", "resid"})  # make terms, or are nlme's own


def payload(
    spec: ModelSpec, design: Design, columns: Collection[str] | None = None
) -> dict[str, Any]:
    """The model as nested plain data under neutral names.

    ``columns``: the neutral names of those that R needs; by default all.
    """
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
        "data": _data(design, columns),
        "formulas": _computed(spec, names),
    }


def _data(design: Design, wanted: Collection[str] | None) -> dict[str, Any]:
    """The columns, those of groups with neutral labels."""
    names = design.names
    given = {token: name for name, token in names.group.items()}
    data = {}
    for token, col in design.columns.items():
        if wanted is None or token in wanted:
            labels = names.neutral_labels(given[token]) if token in given else col.levels
            data[token] = {**vars(col), "levels": labels}
    return data or {"rows": vars(Column("double", np.zeros(len(design.rows))))}


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
    if isinstance(structure, PdMat) and isinstance(given.get("value"), list):
        given["value"] = np.asarray(given["value"], dtype=float)  # a vector, or a matrix
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

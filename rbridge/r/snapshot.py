"""R's plain answer → FitSnapshot, with the user's names for the neutral ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.snapshot import (
    ApVar,
    ApVarUnavailable,
    CorStruct,
    DesignVariable,
    FitSnapshot,
    FixedTerms,
    PdBlock,
    RandomLevel,
    VarFunc,
)
from ..frame.design import Design
from ..frame.names import Names
from ..model.spec import ModelSpec


def snapshot_of(
    got: Mapping[str, Any], spec: ModelSpec, design: Design, about: Mapping[str, Any]
) -> FitSnapshot:
    """What ``snapshot()`` of snapshot.R gives, under the user's names.

    Parameters
    ----------
    got : dict
        R's plain answer under neutral names, levels outermost first.
    spec, design
        What was fitted: the kind and the method, the user's names and the rows used.
    about : dict
        ``converged``, ``warnings``, ``spec`` and ``provenance`` of the snapshot.
    """
    names = design.names
    arrays = {name: got[name] for name in ("y", "X", "beta", "std_error", "df", "vcov", "fitted")}
    return FitSnapshot(
        kind=spec.kind,
        method=spec.method,
        coef_names=names.back_all(got["coef_names"]),
        levels=tuple(_level(level, names) for level in got.get("levels", ())),
        cor=_cor(got["cor"], names) if got["cor"] else None,
        var=tuple(_var(part, names) for part in listed(got["var"])),
        sigma=float(got["sigma"][0]),
        fixed_sigma=bool(got["fixed_sigma"][0]),
        apvar=_apvar(got["apvar"], names),
        log_lik=float(got["log_lik"][0]),
        rows=design.rows,
        n_dropped=design.n_dropped,
        terms=_terms(got["terms"], names),
        **arrays,
        **about,
    )


def listed(parts: Any) -> list[Any]:
    """The items of an R list, named or not."""
    return list(parts.values()) if isinstance(parts, dict) else list(parts)


def _one(values: Any) -> Any:
    return values[0].item() if isinstance(values, np.ndarray) else values[0]


def _level(level: dict[str, Any], names: Names) -> RandomLevel:
    blocks = tuple(block_of(block, names) for block in listed(level["blocks"]))
    arrays = {name: level[name] for name in ("Z", "codes", "D", "b")}
    return RandomLevel(
        names.back(_one(level["group"])),
        blocks,
        names.back_all(level["names"]),
        labels=names.back_all(level["labels"]),
        **arrays,
    )


def block_of(block: dict[str, Any], names: Names) -> PdBlock:
    """One pdMat as describe_blocks of snapshot.R and prepare.R give it."""
    formula = names.back(_one(block["formula"]))
    return PdBlock(_one(block["pd_class"]), names.back_all(block["names"]), formula)


def _cor(cor: dict[str, Any], names: Names) -> CorStruct:
    arrays = {name: cor[name] for name in ("values", "codes", "covariate")}
    scalars = {
        name: _one(cor[name])
        for name in ("cor_class", "fixed", "p", "q", "lower", "min_distance", "nugget", "metric")
    }
    return CorStruct(
        names=names.back_all(cor["names"]), size=int(_one(cor["size"])), **arrays, **scalars
    )


def _var(part: dict[str, Any], names: Names) -> VarFunc:
    arrays = {name: part[name] for name in ("values", "free", "covariate", "codes")}
    return VarFunc(
        _one(part["var_class"]),
        _one(part["tag"]),
        names.back_all(part["names"]),
        strata=names.back_all(part["strata"]),
        **arrays,
    )


def _apvar(got: dict[str, Any], names: Names) -> ApVar | ApVarUnavailable:
    if "reason" in got:
        return ApVarUnavailable(_one(got["reason"]))
    return ApVar(names.back_all(got["names"]), got["pars"], got["cov"], bool(_one(got["natural"])))


def _terms(got: dict[str, Any], names: Names) -> FixedTerms:
    arrays = {name: got[name] for name in ("assign", "factors", "cells", "counts")}
    return FixedTerms(
        labels=names.back_all(got["labels"]),
        variables=tuple(_variable(part, names) for part in listed(got["variables"])),
        means=dict(zip(names.back_all(got["mean_names"]), map(float, got["means"]))),
        **arrays,
    )


def _variable(part: dict[str, Any], names: Names) -> DesignVariable:
    return DesignVariable(
        name=names.back(_one(part["name"])),
        levels=names.back_all(part["levels"]),
        contrasts=part["contrasts"],
        columns=names.back_all(part["columns"]),
        width=int(_one(part["width"])),
    )

"""Predictions for new data: R builds the design, the fixed and random effects do the rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..core.fixed_effects.prediction import NewRows, new_deviations
from ..core.snapshot import RandomLevel
from ..errors import DataError, RWarning, warn
from ..frame.columns import Column, as_factor, column
from ..frame.design import Design, check_columns
from ..model.formula import variables
from ..model.spec import ModelSpec
from ..r.nlme import Fitted, new_design_matrix
from .within import series_at, var_at


def predict_new(fitted: Fitted, data: pd.DataFrame, level: int, unseen: str) -> pd.Series:
    """Predictions at one level (0: population) for every row of ``data``."""
    X, Z = _matrices(fitted, data)
    values = X @ fitted.snapshot.beta
    for random, z, group in zip(fitted.snapshot.levels, Z, _groups(fitted, data, level, unseen)):
        b = np.where((group >= 0)[:, None], random.b[group], 0.0)
        values = values + (z * b).sum(axis=1)
    return pd.Series(values, index=data.index, name="predicted")


def new_rows(
    fitted: Fitted, data: pd.DataFrame, level: int, unseen: str, conditional: bool
) -> NewRows:
    """New rows as the core takes them, their groups known down to one level."""
    snapshot, spec = fitted.snapshot, ModelSpec.from_dict(fitted.snapshot.spec)
    X, Z = _matrices(fitted, data)
    groups = _groups(fitted, data, level, unseen)
    groups += [np.full(len(data), -1)] * (len(snapshot.levels) - level)
    values = data.reset_index(drop=True)
    if any("fitted(.)" in str(s.formula()) for s in spec.structures() if s.kind == "varFunc"):
        deepest = predict_new(fitted, data, level, "population")
        values = values.assign(**{"fitted(.)": deepest.to_numpy()})
    parts = getattr(spec.weights, "parts", (spec.weights,)) if snapshot.var else ()
    var = [var_at(v, part, values) for v, part in zip(snapshot.var, parts)]
    covariates, codes = [v.covariate for v in var], [v.codes for v in var]
    sd = new_deviations(snapshot, len(data), covariates, codes)
    rows = NewRows(X, tuple(Z), tuple(groups), sd)
    if not conditional or snapshot.cor is None or spec.correlation is None:
        return rows
    series, position = series_at(snapshot.cor, spec.correlation, fitted.design, values)
    return replace(rows, cor_groups=series, cor_covariate=position)


def _matrices(
    fitted: Fitted, data: pd.DataFrame
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    columns = _new_columns(fitted.design, data, _needed(fitted))
    matrices = new_design_matrix(fitted, columns)
    return matrices["X"], list(matrices["Z"])


def design_matrix(fitted: Fitted, data: pd.DataFrame) -> NDArray[np.float64]:
    """(g, p) rows of X for new data, with the fit's own bases, levels and contrasts."""
    columns = _new_columns(fitted.design, data, _needed(fitted, random=False))
    return np.asarray(new_design_matrix(fitted, columns, random=False)["X"])


def _needed(fitted: Fitted, random: bool = True) -> list[str]:
    """Columns that the design of new data needs: not the response, nor what is in R alone."""
    spec = ModelSpec.from_dict(fitted.snapshot.spec)
    names = variables(spec.formula.rhs)
    for _, term in spec.random if random else ():
        for block in getattr(term, "blocks", (term,)):
            formula = block.formula()
            names += formula.columns if formula else []
    return [name for name in dict.fromkeys(names) if name in fitted.design.names.value]


def _new_columns(design: Design, data: pd.DataFrame, names: list[str]) -> dict[str, Column]:
    """New columns under R's names, factors with the levels of the fit."""
    check_columns(data, names)
    columns = {}
    for name in names:
        token = design.names.value[name]
        new = column(data[name], name)
        if new.missing.any():
            count = int(new.missing.sum())
            raise DataError(f"column {name!r} of the new data has {count} missing value(s)")
        columns[token] = _same_levels(new, design.columns[token], name)
    # without a column R would not know how many rows there are
    return columns or {"rows": Column("double", np.zeros(len(data)))}


def _same_levels(new: Column, old: Column, name: str) -> Column:
    numbers = {"integer", "double"}
    if new.kind != old.kind and not {new.kind, old.kind} <= numbers:
        raise DataError(f"column {name!r} was {old.kind} in the fit and is {new.kind} now")
    if old.kind != "factor":
        return new
    used = {new.levels[code] for code in np.unique(new.values)}
    unknown = sorted(used - set(old.levels))
    if unknown:
        known = ", ".join(map(repr, old.levels))
        raise DataError(f"column {name!r}: {unknown[0]!r} was not in the fit (levels: {known})")
    position = np.array([old.levels.index(x) if x in old.levels else -1 for x in new.levels])
    return Column("factor", position[new.values].astype(np.int32), old.levels, old.ordered)


def _groups(fitted: Fitted, data: pd.DataFrame, level: int, unseen: str) -> list[NDArray[np.int64]]:
    """Each row's group at each level down to one; −1 where the fit has not seen it."""
    found = []
    for random, labels in zip(fitted.snapshot.levels, _group_labels(fitted, data, level)):
        position = np.asarray(pd.Index(random.labels).get_indexer(pd.Index(labels)))
        _check_seen(random, labels[position < 0], unseen)
        found.append(position)
    return found


def _group_labels(fitted: Fitted, data: pd.DataFrame, level: int) -> list[NDArray[np.object_]]:
    """Each row's group at each level, labelled as in the fit (``outer/inner``)."""
    spec = ModelSpec.from_dict(fitted.snapshot.spec)
    columns = [group for group, _ in spec.random][:level]
    check_columns(data, columns)
    labels: list[NDArray[np.object_]] = []
    for name in columns:
        factor = as_factor(column(data[name], name), name)
        if factor.missing.any():
            count = int(factor.missing.sum())
            raise DataError(f"column {name!r} of the new data has {count} missing group(s)")
        own = np.array(factor.levels, dtype=object)[factor.values]
        labels.append(labels[-1] + "/" + own if labels else own)
    return labels


def _check_seen(random: RandomLevel, strangers: NDArray[np.object_], unseen: str) -> None:
    """Groups that the fit has not seen are an error, or a warning where the caller allows them."""
    if not len(strangers):
        return
    names = sorted(set(strangers))
    listed = ", ".join(map(repr, names[:5])) + (", …" if len(names) > 5 else "")
    message = f"{random.group!r}: {len(names)} group(s) not in the fit: {listed}"
    if unseen == "raise":
        raise DataError(f"{message}; use level=0 or unseen='population'")
    warn(f"{message}; their random effects are taken as 0", RWarning)
